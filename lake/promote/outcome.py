"""What is asked of a run, and what became of one job in it; both as values that go from process to process as JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from catalog.errors import LakeError
from catalog.zones import TableName
from lake.promote.frames import Nulls

Status = Literal["ran", "skipped", "failed"]


@dataclass(frozen=True)
class RunOptions:
    """How a run departs from its habit, which is to do what is new, and to publish what came out well.

    ``full``: tables are made whole. ``since``: rows that came since then count as changed. ``partition``: only rows of
    these values are made anew, by column. ``tables`` are those that the three are about; empty for all, and for
    ``since`` those that read bronze in a mode that can be made in part.
    ``all_or_nothing``: one job that fails keeps all from publication. ``jobs_max``: so many jobs at once; 0 for as many
    as there are cores.
    """

    full: bool = False
    since: datetime | None = None
    partition: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    all_or_nothing: bool = False
    jobs_max: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The same in what JSON has."""
        since = None if self.since is None else self.since.isoformat()
        return asdict(self) | {"since": since, "tables": list(self.tables)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RunOptions":
        """What `to_dict` gave."""
        return cls(**(dict(values) | {"since": _moment(values["since"]), "tables": tuple(values["tables"])}))


HABIT = RunOptions()


@dataclass(frozen=True)
class Working:
    """One job is at work: for so long, with so much memory. Told when it begins, and every second or so."""

    table: TableName
    seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class Said:
    """A line that a job, or a library that it uses, wrote to standard output or standard error."""

    table: TableName
    line: str


@dataclass(frozen=True)
class Outcome:
    """What became of one job.

    ``version`` is the one that it made, None where it made none. ``rows_in`` are all rows of its sources, ``rows_read``
    those that it had to read; ``read`` are the versions of the sources; ``how`` tells whether the table was made whole
    or in part, and why. ``where`` is the file and the line of the job that an error is about.
    """

    table: TableName
    status: Status
    reason: str
    version: int | None = None
    rows_in: int = 0
    rows_out: int = 0
    rejected: int = 0
    warnings: tuple[str, ...] = ()
    nulls: Nulls = field(default_factory=dict)
    error: LakeError | None = None
    where: str = ""
    started_at: datetime | None = None
    seconds: float = 0.0
    attempts: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    memory_peak_bytes: int = 0
    how: str = ""
    read: Mapping[TableName, int] = field(default_factory=dict)
    rows_read: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The same in what JSON has."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return values | {
            "table": str(self.table),
            "warnings": list(self.warnings),
            "nulls": dict(self.nulls),
            "error": None if self.error is None else error_to_dict(self.error),
            "started_at": None if self.started_at is None else self.started_at.isoformat(),
            "read": {str(name): version for name, version in self.read.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Outcome":
        """What `to_dict` gave."""
        made = cls(**values)
        return replace(
            made,
            table=TableName.parse(values["table"]),
            warnings=tuple(values["warnings"]),
            error=None if values["error"] is None else error_from_dict(values["error"]),
            started_at=_moment(values["started_at"]),
            read={TableName.parse(name): version for name, version in values["read"].items()},
        )


Event = Working | Said | Outcome
"""What is heard of a job as a run goes."""


def error_to_dict(error: LakeError) -> dict[str, str]:
    """An error in what JSON has: its kind, and what it says."""
    return {"kind": error.kind, "what": error.what, "next": error.next}


def error_from_dict(values: Mapping[str, str]) -> LakeError:
    """What `error_to_dict` gave, as an error of the same class.

    >>> from catalog.errors import JobFailed
    >>> again = error_from_dict(error_to_dict(JobFailed("silver.a: ZeroDivisionError (jobs/a.py:7)", next="mend it")))
    >>> type(again).__name__, again.what, again.next
    ('JobFailed', 'silver.a: ZeroDivisionError (jobs/a.py:7)', 'mend it')
    """
    kinds = {each.kind: each for each in _classes(LakeError) if "kind" in vars(each)}
    return kinds.get(values["kind"], LakeError)(values["what"], next=values["next"])


def _classes(of: type[LakeError]) -> Iterator[type[LakeError]]:
    yield of
    for each in of.__subclasses__():
        yield from _classes(each)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
