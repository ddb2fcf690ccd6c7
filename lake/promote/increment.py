"""What is new for a table since its published version, source by source; or why the table is made whole.

The sources are gone through in turn: while one of them is taken from old to new, those before it are new already, and
those behind it still old. What each step adds and takes away makes up the whole difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import polars as pl

from catalog.errors import NotFound
from catalog.tables import DataFile, Snapshot, Tables, difference
from catalog.zones import TableName
from lake.promote.change import REDONE, state_of
from lake.promote.declare import Job, Mode
from lake.promote.dependence import dependences
from lake.promote.dependent import ByKey, ByRow, Whole
from lake.promote.expect import References
from lake.promote.modes import HISTORIES, VALID_FROM
from lake.promote.names import listed
from lake.promote.outcome import RunOptions

INGESTED_AT = "_ingested_at"
"""The column of bronze that says when a row came."""

NAMED_MAX = 8
"""A key of more columns is told by their number."""


@dataclass(frozen=True)
class Stage:
    """One source taken from old to new: the files that came and went; ``since``: rows that count as changed, too."""

    source: TableName
    dependence: ByRow | ByKey
    before: Snapshot
    after: Snapshot
    since: datetime | None = None

    @property
    def came(self) -> Snapshot:
        """The new version, but for the files that the old one has, too."""
        return replace(self.after, files=_without(self.after, self.before))

    @property
    def went(self) -> Snapshot:
        """The old version, but for the files that the new one has, too."""
        return replace(self.before, files=_without(self.before, self.after))

    @property
    def stayed(self) -> Snapshot:
        """The files that both have."""
        came = {file.path for file in self.came.files}
        return replace(self.after, files=tuple(file for file in self.after.files if file.path not in came))

    @property
    def how(self) -> str:
        """How the table is made of what is new, in words."""
        if isinstance(self.dependence, ByRow):
            return f"by row of {self.source}"
        columns = self.dependence.columns
        told = listed(columns) if len(columns) <= NAMED_MAX else f"{len(columns)} columns"
        return f"by key ({told}) of {self.source}"


@dataclass(frozen=True)
class Increment:
    """The sources of a table as they were for its published version and as they are, and what to do about it."""

    old: Mapping[TableName, Snapshot]
    new: Mapping[TableName, Snapshot]
    stages: tuple[Stage, ...]

    @property
    def how(self) -> str:
        """How the table is made of what is new, in words."""
        return "; ".join(stage.how for stage in self.stages) or "nothing changed"

    @property
    def is_redone(self) -> bool:
        """Whether rows are made anew although nothing says that they are others now."""
        return any(stage.since is not None for stage in self.stages)

    def during(self, number: int) -> dict[TableName, Snapshot]:
        """The sources while one of them is in between: those before it are new, those behind it old."""
        done = {stage.source for stage in self.stages[:number]}
        return {name: self.new[name] if name in done else self.old[name] for name in self.new}


def increment(
    job: Job, inputs: Mapping[TableName, Snapshot], pin: Snapshot | None, tables: Tables, options: RunOptions
) -> Increment | Whole:
    """What is new since the pin, or why the table is made whole. Opens the sources' older versions.

    Raises `StoreError`.
    """
    if pin is None:
        return Whole("never built")
    if reason := _why_whole(job, inputs, pin, options):
        return Whole(reason)
    old = _as_read(inputs, pin, tables)
    if isinstance(old, Whole):
        return old
    schemas = {name: snapshot.schema for name, snapshot in inputs.items()}
    ways = dependences(job, schemas, {name: _key_of(snapshot) for name, snapshot in inputs.items()})
    stages = []
    for name in job.sources:
        since = options.since if name in _dated(job, inputs) else None
        if since is None and old[name] is inputs[name]:
            continue
        way = _looked_up(job, name) or ways.get(name, Whole(f"{name} is not known"))
        if isinstance(way, Whole):
            return Whole(f"{name}: {way.reason}")
        if differs := difference(old[name].schema, inputs[name].schema):
            return Whole(f"the columns of {name} changed: {differs}")
        stages.append(Stage(name, way, old[name], inputs[name], since if since is None else _aware(since)))
    return Increment(old, inputs, tuple(stages))


def _why_whole(job: Job, inputs: Mapping[TableName, Snapshot], pin: Snapshot, options: RunOptions) -> str:
    """Why the table is made whole whatever its sources are; empty where nothing says so."""
    told: Mapping[str, Any] = pin.metadata
    undated = f"no table that it reads has {INGESTED_AT}, which tells since when a row is there"
    reasons = (
        ("its published version was not made by a job", "code" not in told),
        ("asked to", options.full),
        ("mode replace", job.mode is Mode.REPLACE),
        ("the job's code changed", told.get("code") != job.code),
        ("the job's mode or key changed", (told.get("mode"), told.get("key")) != (str(job.mode), list(job.key))),
        (REDONE, bool(told.get("redone"))),
        (undated, options.since is not None and not _dated(job, inputs)),
    )
    return next((reason for reason, holds in reasons if holds), "")


def _dated(job: Job, inputs: Mapping[TableName, Snapshot]) -> list[TableName]:
    """The tables that a job reads in which each row says when it came."""
    return [name for name in job.inputs if INGESTED_AT in inputs[name].schema]


def _as_read(inputs: Mapping[TableName, Snapshot], pin: Snapshot, tables: Tables) -> dict[TableName, Snapshot] | Whole:
    """The sources as the pin's rows were made of them: the very snapshot of ``inputs`` where it has the same files."""
    read: Mapping[str, Any] = pin.metadata.get("sources", {})
    found = {}
    for name, snapshot in inputs.items():
        told = read.get(str(name))
        if told is None:
            return Whole(f"{name} is new to the job")
        if told["files"] == state_of(snapshot).files:
            found[name] = snapshot
            continue
        before = as_read(name, told, tables)
        if before is None:
            return Whole(f"version {told['version']} of {name} is gone")
        found[name] = before
    return found


def as_read(name: TableName, told: Mapping[str, Any], tables: Tables) -> Snapshot | None:
    """The version of a source that a commit tells it was made from; None where that is gone, or is another one now."""
    try:
        before = tables.open(name, told["version"])
    except NotFound:
        return None
    return before if before is not None and state_of(before).files == told["files"] else None


def _key_of(snapshot: Snapshot) -> tuple[str, ...]:
    """The columns that together come once in a source, as the job that made it has promised; empty where none has."""
    key = tuple(snapshot.metadata.get("key", ()))
    is_history = snapshot.metadata.get("mode") in {str(mode) for mode in HISTORIES}
    return (*key, VALID_FROM) if key and is_history else key


def _looked_up(job: Job, name: TableName) -> Whole | None:
    """A rule that refers to a table may judge any row another way when that table changes."""
    rules = (rule for rule in job.expect if isinstance(rule, References) and rule.table == name)
    return next((Whole(f"looked up by {rule.name}") for rule in rules), None)


def _without(these: Snapshot, those: Snapshot) -> tuple[DataFile, ...]:
    there = {file.path for file in those.files}
    return tuple(file for file in these.files if file.path not in there)


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def is_since(moment: datetime) -> pl.Expr:
    """True for a row that came at that moment or later."""
    return pl.col(INGESTED_AT) >= pl.lit(moment)
