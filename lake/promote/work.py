"""A job that is due, and the hands that do it: in this process, or in others."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from catalog.errors import DataRefused, LakeError
from catalog.tables import Snapshot, Tables
from catalog.zones import TableName
from lake.promote.declare import Inferred, Job
from lake.promote.desk import Desk
from lake.promote.outcome import Event, Outcome, RunOptions
from lake.promote.preview import Ahead, Preview, preview
from lake.promote.task import Task

_PLACE = re.compile(r"\(([^()\n]+:\d+)\)$")

Tell = Callable[[Event], None]


@dataclass(frozen=True)
class Work:
    """One job that must run, the versions that it reads, and why it runs."""

    job: Job
    inputs: Mapping[TableName, Snapshot]
    pin: Snapshot | None
    reason: str
    options: RunOptions


class Hands(Protocol):
    """Whoever does the work: any number of jobs is begun, and each is told of once when it has ended."""

    tables: Tables

    def preview(self, jobs: Sequence[Ahead], *, only_errors: bool = False) -> Mapping[TableName, Preview]:
        """Look ahead at jobs that would run, sources first; what cannot be told is left out."""

    def begin(self, work: Work) -> None:
        """Take on one job, to be done as soon as there is room for it."""

    def ended(self) -> list[Outcome]:
        """Wait until one job or more have ended: they ran, or failed. Raises what ends a whole run."""


class Here:
    """Does the work in this process, one job after the other, without limits: for tests, and for jobs as values."""

    def __init__(self, desk: Desk) -> None:
        self.tables = desk.tables
        self._desk = desk
        self._queue: list[Work] = []

    def preview(self, jobs: Sequence[Ahead], *, only_errors: bool = False) -> Mapping[TableName, Preview]:
        """Look ahead at jobs that would run, sources first; mistakes are left for each job to find itself."""
        return {} if only_errors else preview(jobs, self.tables)

    def begin(self, work: Work) -> None:
        """Take on one job."""
        self._queue.append(work)

    def ended(self) -> list[Outcome]:
        """Do the job that was begun first. Raises `StoreError`, `MachineError`, `Conflict`, `UsageError`."""
        work = self._queue.pop(0)
        started_at, began = datetime.now(UTC), time.monotonic()
        try:
            outcome, _ = Task(work.job, work.inputs, work.pin, self._desk).run(work.reason, work.options)
        except LakeError as error:
            outcome = failed(work, error)
        return [replace(outcome, started_at=started_at, seconds=time.monotonic() - began, attempts=1)]


def failed(work: Work, error: LakeError) -> Outcome:
    """The outcome of a job that an error ended; raises the error where it is no fault of the job, and ends the run."""
    if not isinstance(error, DataRefused):
        raise error
    place = _PLACE.search(error.what)
    return Outcome(
        work.job.table,
        "failed",
        work.reason,
        error=error,
        where=place[1] if place else work.job.where,
        read=versions(work),
    )


def versions(work: Work | Ahead) -> dict[TableName, int]:
    """The versions that a job reads."""
    return {name: snapshot.version for name, snapshot in work.inputs.items()}


def request(work: Work | Ahead) -> dict[str, Any]:
    """What a worker is told of a job, in what JSON has: where it is declared, and which versions it is about."""
    job = work.job
    return {
        "path": str(job.path),
        "table": str(job.table),
        "source": str(job.body.source) if isinstance(job.body, Inferred) else "",
        "code": job.code,
        "inputs": {str(name): version for name, version in versions(work).items()},
        "pin": None if work.pin is None else work.pin.version,
    }
