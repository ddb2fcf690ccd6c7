"""Every error that the lake raises, grouped by what a handler would do about it.

    LakeError
    ├── DataRefused          1  mend the data, then run again
    │   ├── SchemaRefused          columns or types differ from the table's
    │   ├── TypeRefused            a type that Delta cannot hold
    │   ├── ExpectationFailed      a rule of a job says that the table must not be published
    │   └── JobFailed              a job's own code raised
    ├── UsageError           2  mend the command, lake.toml or a job's declaration
    │   ├── NoProject              neither this folder nor one above it is a lake project
    │   ├── NotFound               also a KeyError: a table, commit, file or object of that name is not there
    │   └── UnsafeStore            the store ignores a condition that the lake's promises rest on
    ├── StoreError           3  the store did not answer, or not as S3 does: try again
    │   └── AccessRefused          the store answered, and said no to these keys
    ├── MachineError         3  this machine ran out of room, memory, files or processes: mend it, then run again
    └── Conflict             4  somebody else was first: read again, then try again

Each has a stable ``kind``, and says what happened, where, and what to do next.
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the ``lake`` command returns to the shell.

    >>> [code.name for code in ExitCode]
    ['OK', 'DATA_REFUSED', 'USAGE', 'STORE', 'CONFLICT']
    """

    OK = 0
    DATA_REFUSED = 1
    USAGE = 2
    STORE = 3
    CONFLICT = 4


class LakeError(Exception):
    """The base of all: ``what`` happened and where, and what to do ``next``.

    >>> str(LakeError("no table silver.fligths", next="the nearest name is silver.flights"))
    'no table silver.fligths\\n  next: the nearest name is silver.flights'
    """

    kind: ClassVar[str] = "lake"
    exit_code: ClassVar[ExitCode] = ExitCode.USAGE

    def __init__(self, what: str, *, next: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.next = next

    def __str__(self) -> str:
        return f"{self.what}\n  next: {self.next}" if self.next else self.what


class DataRefused(LakeError):
    """The data is not what was promised; nothing of it was published."""

    kind = "data-refused"
    exit_code = ExitCode.DATA_REFUSED


class SchemaRefused(DataRefused):
    """The columns or types differ from the table's."""

    kind = "schema-refused"


class TypeRefused(DataRefused):
    """A column has a type that a Delta table cannot hold."""

    kind = "type-refused"


class ExpectationFailed(DataRefused):
    """An expectation that fails its table did not hold."""

    kind = "expectation-failed"


class JobFailed(DataRefused):
    """A job's own code raised."""

    kind = "job-failed"


class UsageError(LakeError):
    """The command, lake.toml or a declaration is wrong."""

    kind = "usage"
    exit_code = ExitCode.USAGE


class NoProject(UsageError):
    """Neither the folder that the command runs in nor one above it is a lake project."""

    kind = "no-project"


class NotFound(UsageError, KeyError):
    """There is nothing of that name."""

    kind = "not-found"

    __str__ = LakeError.__str__


class UnsafeStore(UsageError):
    """The store ignores a condition that the lake's promises rest on."""

    kind = "unsafe-store"


class StoreError(LakeError):
    """The store did not answer, or not as S3 does."""

    kind = "store"
    exit_code = ExitCode.STORE


class AccessRefused(StoreError):
    """The store refused the keys, or what they asked for."""

    kind = "access-refused"


class MachineError(LakeError):
    """This machine could not do its part, whatever the data: no room on a disk, say, or no process to be had."""

    kind = "machine"
    exit_code = ExitCode.STORE


class Conflict(LakeError):
    """Somebody else was first: what was planned no longer stands on what is there."""

    kind = "conflict"
    exit_code = ExitCode.CONFLICT
