"""The register of runs: one object says that a run began, and one how it ended.

A run puts down that it began before it writes anything else, and puts down its end once: whoever finds that a process
is gone writes the end for it, and the first end stands. What lies under ``runs/open/`` has no end yet, or one that the
table of runs does not hold yet; what lies under ``runs/ended/`` is the truth that the table is derived from.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from catalog.errors import NotFound
from catalog.formats import moment, opened, stored
from catalog.objects import ObjectStore
from catalog.zones import Zone

FORMAT = 1
OPEN, ENDED = "runs/open/", "runs/ended/"
EXPIRED_MAX = 1000
"""So many old objects go at a time; the rest with the next run."""

_STAMP = "%Y%m%dT%H%M%S%fZ"


class Status(StrEnum):
    """How a run stands; one that is ``running`` has no end yet."""

    OK = "ok"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    RUNNING = "running"


@dataclass(frozen=True)
class Begun:
    """What a run says of itself before it writes anything.

    The process is known by its host, the host's space of pids (a container has one of its own), its pid and when it
    started. ``head`` is the newest commit of the catalog at that time.
    """

    run: str
    command: str
    author: str
    revision: str
    at: datetime
    host: str
    space: str
    pid: int
    started: str
    head: int

    @property
    def key(self) -> str:
        """The end of its objects' keys, which sort by time."""
        return f"{self.at.strftime(_STAMP)}-{self.run}.json"


@dataclass(frozen=True)
class TableRun:
    """What a run did to one table.

    ``stage`` is ingest or promote; ``status`` is ran, failed or skipped; ``how`` says how much was computed; ``read``
    has the version of each source; ``files_aside`` counts the files that were set aside whole or in part; ``where`` is
    the file and line of the job that ``error`` is about.
    """

    table: str
    stage: str
    status: str
    reason: str = ""
    how: str = ""
    version: int | None = None
    read: Mapping[str, int] = field(default_factory=dict)
    rows_in: int = 0
    rows_read: int = 0
    rows_out: int = 0
    rejected: int = 0
    files_aside: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    memory_peak_bytes: int = 0
    started_at: datetime | None = None
    seconds: float = 0.0
    attempts: int = 1
    warnings: tuple[str, ...] = ()
    error: str | None = None
    where: str | None = None


@dataclass(frozen=True)
class Ended:
    """A run that is over: how, why, and what it did to each table; ``commit`` is the one that it made."""

    begun: Begun
    status: Status
    at: datetime
    error: str | None = None
    where: str | None = None
    commit: int | None = None
    tables: tuple[TableRun, ...] = ()


class Register:
    """The objects of the runs of one lake."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def begin(self, begun: Begun) -> None:
        """Put down that a run begins. Raises `StoreError`."""
        self._objects.create(Zone.CATALOG, OPEN + begun.key, stored(asdict(begun), version=FORMAT))

    def end(self, ended: Ended) -> Ended:
        """Put down a run's end; the one that stands, which may be another's. Raises `StoreError`."""
        key = ENDED + ended.begun.key
        if self._objects.create(Zone.CATALOG, key, stored(asdict(ended), version=FORMAT)):
            return ended
        return self.ended(ended.begun) or ended

    def ended(self, begun: Begun) -> Ended | None:
        """A run's end, None where it has none. Raises `StoreError`."""
        try:
            return _ended(self._objects.get(Zone.CATALOG, ENDED + begun.key))
        except NotFound:
            return None

    def close(self, begun: Begun) -> None:
        """Nothing is left to do for a run: the table holds it, or it did nothing. Raises `StoreError`."""
        self._objects.delete(Zone.CATALOG, OPEN + begun.key)

    def is_open(self, begun: Begun) -> bool:
        """Whether a run's beginning still lies there. Raises `StoreError`."""
        return self._objects.exists(Zone.CATALOG, OPEN + begun.key)

    def open(self) -> list[Begun]:
        """The runs that have no end, or one that the table does not hold yet, oldest first. Raises `StoreError`."""
        found = []
        for listed in self._objects.list_objects(Zone.CATALOG, OPEN):
            try:
                body = self._objects.get(Zone.CATALOG, listed.key)
            except NotFound:
                continue
            found.append(_begun(opened(body, newest=FORMAT, what="the beginning of a run")))
        return found

    def expire(self, before: datetime) -> int:
        """Delete the objects of ended runs that began earlier; how many there were. Raises `StoreError`."""
        end, gone = f"{ENDED}{before.strftime(_STAMP)}", 0
        for listed in self._objects.list_objects(Zone.CATALOG, ENDED):
            if listed.key >= end or gone == EXPIRED_MAX:
                break
            self._objects.delete(Zone.CATALOG, listed.key)
            gone += 1
        return gone


def _begun(fields: Mapping[str, Any]) -> Begun:
    return Begun(**{**fields, "at": moment(fields["at"])})


def _ended(body: bytes) -> Ended:
    fields = opened(body, newest=FORMAT, what="the end of a run")
    tables = tuple(_table_run(each) for each in fields["tables"])
    begun, status = _begun(fields["begun"]), Status(fields["status"])
    return Ended(**{**fields, "begun": begun, "status": status, "at": moment(fields["at"]), "tables": tables})


def _table_run(fields: Mapping[str, Any]) -> TableRun:
    started = fields["started_at"]
    return TableRun(
        **{**fields, "warnings": tuple(fields["warnings"]), "started_at": None if started is None else moment(started)}
    )
