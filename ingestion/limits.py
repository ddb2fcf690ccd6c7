"""What a worker takes from itself before it touches a file: privileges, core dumps, files and address space.

And, of what then fails, what such a limit of its own made fail and what the machine did.
"""

import ctypes
import errno
import os
import re
import resource
import signal
import sys
from pathlib import Path

from ingestion.refusal import FileRefused, words

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38

_OPEN_FILES_MAX = 4096
_ADDRESS_SPACE_FACTOR = 2
_ADDRESS_SPACE_BASE_BYTES = 8 << 30
_OUTPUT_FACTOR = 4
_OUTPUT_BASE_BYTES = 1 << 30

_OF_THE_FILE = {None, errno.ENOMEM, errno.EINVAL, errno.EOVERFLOW}
"""Too much memory, and places before the beginning or beyond all ends, are what a damaged file asks for."""

_OS_ERROR = re.compile(r"\(os error (\d+)\)|\bOs \{ code: (\d+)")


def confine(parent_pid: int, memory_bytes: int) -> None:
    """Limit this process for good; it ends when its parent does. Raises OSError where the system refuses.

    Address space is a wide outer bound (threads and allocators reserve far more than they use): the parent watches what
    is resident.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit(1)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES_MAX)
    _lower(resource.RLIMIT_AS, _ADDRESS_SPACE_FACTOR * memory_bytes + _ADDRESS_SPACE_BASE_BYTES)


def limit_output(inputs: list[Path]) -> None:
    """Let no file that this process writes grow far beyond what it reads; a larger one fails with an OSError."""
    limit_file_size(_OUTPUT_FACTOR * sum(path.stat().st_size for path in inputs) + _OUTPUT_BASE_BYTES)


def limit_file_size(largest_bytes: int) -> None:
    """Let no file that this process writes grow beyond a size, until another is set."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    soft = largest_bytes if hard == resource.RLIM_INFINITY else min(largest_bytes, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def is_of_the_machine(error: BaseException) -> bool:
    """Whether the system failed the worker's own files or processes, by the system's error number.

    Polars puts the number into its words, in brackets or braces, which no name of a stored column holds. What has no
    number was found in the data, and a limit that the worker set for itself is met by large data only. A library that
    is missing is the machine's fault, too.

    >>> is_of_the_machine(OSError(errno.ENOSPC, "disk full")), is_of_the_machine(OSError("corrupt deflate stream"))
    (True, False)
    >>> is_of_the_machine(RuntimeError("parquet: No space left on device (os error 28)"))
    True
    """
    if isinstance(error, ImportError):
        return True
    said = _OS_ERROR.search(str(error))
    number = int(said[1] or said[2]) if said else error.errno if isinstance(error, OSError) else None
    if number == errno.EFBIG:
        return not _is_output_limit_our_own()
    return number not in _OF_THE_FILE


def refusal(error: BaseException) -> FileRefused | None:
    """What an error that was raised over a file says of it; None where the machine is to blame.

    >>> refusal(ValueError("no such column")).reason
    'the parser failed: no such column'
    """
    if isinstance(error, FileRefused):
        return error
    return None if is_of_the_machine(error) else FileRefused("parser", f"the parser failed: {words(error)}")


def _is_output_limit_our_own() -> bool:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    return soft not in {resource.RLIM_INFINITY, hard}


def _lower(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (wanted, wanted))


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
