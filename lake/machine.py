"""What an operating system's refusal means to whoever runs the lake."""

import errno
import os
import re

from catalog.errors import LakeError, MachineError

_AGAIN = "then run again: what was committed stands"
_ROOM = f"make room on its disk (the lake works in .lake of the project, and in TMPDIR), {_AGAIN}"
_PERMISSION = "let this user use it, or run as one who may"

_ADVICE = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: f"raise the limit on a file's size (ulimit -f), {_AGAIN}",
    errno.EIO: f"see whether its disk is failing, {_AGAIN}",
    errno.EROFS: f"mount its disk for writing, {_AGAIN}",
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EMFILE: f"raise the limit on open files (ulimit -n), {_AGAIN}",
    errno.ENFILE: f"end what holds so many files, {_AGAIN}",
}

_IN_WORDS = re.compile(r'\(os error (\d+)\)|"errno":"(\d+)"')
"""Polars and DuckDB raise errors of their own, and say the system's number in the text."""


def machine_error(error: BaseException) -> MachineError | None:
    """What to tell of an error that this machine is to blame for; None for every other.

    >>> print(machine_error(PermissionError(errno.EACCES, "Permission denied", "/data/.lake")))
    this machine could not do it: Permission denied: /data/.lake
      next: let this user use it, or run as one who may
    >>> machine_error(FileNotFoundError(errno.ENOENT, "No such file or directory", "a.csv")) is None
    True
    """
    number = _number(error)
    if number is None or number not in _ADVICE:
        return None
    place = getattr(error, "filename", None)
    where = "" if place is None else f": {place}"
    return MachineError(f"this machine could not do it: {os.strerror(number)}{where}", next=_ADVICE[number])


def blamed(error: LakeError | OSError) -> LakeError:
    """What to tell of an error that is the lake's, or this machine's; any other is raised again."""
    told = error if isinstance(error, LakeError) else machine_error(error)
    if told is None:
        raise error
    return told


def _number(error: BaseException) -> int | None:
    """The system's number of an error: its own, or the one in its words."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    said = _IN_WORDS.search(str(error))
    return int(said[1] or said[2]) if said else None
