"""What Polars and delta-rs say of the store, in the words of the lake."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from polars.exceptions import PolarsError

from catalog.errors import AccessRefused, LakeError, NotFound, StoreError

_OF_THE_STORE = re.compile(r"object-store error|Generic S3 error|Kernel error")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_DECORATION = re.compile(r"\x1b\[\d*m|[\s↳]+")


@contextmanager
def store_faults(what: str) -> Iterator[None]:
    """Around a read or a write by Polars: its errors about the store become the lake's, others pass.

    ``what`` completes "cannot …". Raises `AccessRefused`, `NotFound` (a data file or a bucket), `StoreError`.
    """
    try:
        yield
    except (OSError, PolarsError) as error:
        if not _OF_THE_STORE.search(str(error)):
            raise
        raise as_lake_error(what, error) from None


def as_lake_error(what: str, error: Exception) -> LakeError:
    """An error of Polars or delta-rs about the store, as the lake's."""
    said = told(error)
    if isinstance(error, PermissionError) or "lacked the necessary privileges" in str(error):
        return AccessRefused(f"cannot {what} ({said})", next="check the keys and what they may do: lake status")
    if isinstance(error, FileNotFoundError):
        return NotFound(
            f"cannot {what} ({said})",
            next="lake up makes missing buckets; a lost file comes from a backup of the store",
        )
    return StoreError(f"cannot {what} ({said})", next="lake status says whether the store runs, lake up starts it")


def told(error: Exception) -> str:
    """What a library says, in one short line, without the store's reply, which may hold a key.

    >>> told(OSError("Generic S3 error: 503: <?xml version='1.0'?><Error><Code>SlowDown</Code></Error>"))
    'SlowDown'
    >>> told(OSError("Kernel error\\n  ↳ no log"))
    'OSError: Kernel error no log'
    """
    said = str(error)
    if code := _CODE.search(said):
        return code[1]
    plain = _DECORATION.sub(" ", said.partition("<")[0]).strip()
    return f"{type(error).__name__}: {plain[:200]}"
