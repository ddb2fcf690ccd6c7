"""What a run of a job would read and change, as far as it can be told without reading a row."""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import polars as pl

from catalog.errors import DataRefused, LakeError
from catalog.tables import Snapshot, Tables
from catalog.zones import TableName
from lake.promote.declare import Frames, Job, Query
from lake.promote.dependence import dependences
from lake.promote.dependent import Whole
from lake.promote.foresee import foresee
from lake.promote.frames import result_of
from lake.promote.increment import Increment, increment
from lake.promote.outcome import HABIT, error_from_dict, error_to_dict


@dataclass(frozen=True)
class Ahead:
    """A job that would run: its sources as they are (those that are there), and which of them change before it runs."""

    job: Job
    inputs: Mapping[TableName, Snapshot]
    pin: Snapshot | None
    changing: frozenset[TableName]


@dataclass(frozen=True)
class Preview:
    """How a table would be made, of how many rows and bytes (None where a source changes first), its columns' changes.

    ``error`` is a mistake in the job that shows before a row is read.
    """

    how: str = ""
    rows: int | None = None
    size_bytes: int | None = None
    columns: tuple[str, ...] = ()
    error: LakeError | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same in what JSON has."""
        error = None if self.error is None else error_to_dict(self.error)
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return values | {"columns": list(self.columns), "error": error}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preview":
        """What `to_dict` gave."""
        error = None if values["error"] is None else error_from_dict(values["error"])
        return cls(**(dict(values) | {"columns": tuple(values["columns"]), "error": error}))


def preview(
    jobs: Sequence[Ahead], tables: Tables, *, only_errors: bool = False, until: float = math.inf
) -> dict[TableName, Preview]:
    """Look ahead at jobs that would run, sources first. They are called with frames without rows.

    Those whose turn comes after ``until``, by the monotonic clock, are not looked at. A table that is to be made first
    has the columns that its job is seen to give it; where these may depend on the data nothing is told of the jobs that
    read it, and no mistake is found in them. Raises `StoreError`.
    """
    known: dict[TableName, pl.Schema] = {}
    for ahead in jobs:
        known |= {name: snapshot.schema for name, snapshot in ahead.inputs.items()}
    # What a changed job makes may have other columns than what it made.
    for ahead in jobs:
        if ahead.pin is None or ahead.pin.metadata.get("code") != ahead.job.code:
            known.pop(ahead.job.table, None)
    found = {}
    for ahead in jobs:
        is_late = time.monotonic() > until
        found[ahead.job.table] = Preview() if is_late else _preview(ahead, known, tables, only_errors=only_errors)
    return found


def _preview(ahead: Ahead, known: dict[TableName, pl.Schema], tables: Tables, *, only_errors: bool) -> Preview:
    job = ahead.job
    if not all(source in known for source in job.sources):
        return Preview()
    schemas = {source: known[source] for source in job.sources}
    try:
        seen = None if looks_at_data(job, schemas) else foresee([job], schemas).get(job.table)
        if isinstance(seen, DataRefused):
            return Preview(error=seen)
        if seen is not None and job.table not in known:
            known[job.table] = seen
        if only_errors:
            return Preview()
        columns = differences(ahead.pin.schema, seen) if ahead.pin is not None and seen is not None else ()
        return Preview(*_amount(ahead, schemas, tables), columns)
    except DataRefused as error:
        return Preview(error=error)
    except LakeError:
        # The job itself may raise any error, and do better when it runs.
        return Preview()


def looks_at_data(job: Job, schemas: Mapping[TableName, pl.Schema]) -> bool:
    """Whether a job looks at rows while it says what to do with them, as for a pivot: then its columns may be any."""
    if not isinstance(job.body, Frames):
        return isinstance(job.body, Query) and "pivot" in job.body.sql.lower()
    looked = False

    def look(rows: pl.DataFrame) -> pl.DataFrame:
        nonlocal looked
        looked = True
        return rows

    frames = {name: pl.LazyFrame(schema=schemas[name]).map_batches(look, schema=schemas[name]) for name in job.inputs}
    with suppress(LakeError):
        result_of(job, frames)
    return looked


def _amount(ahead: Ahead, schemas: Mapping[TableName, pl.Schema], tables: Tables) -> tuple[str, int | None, int | None]:
    """How the table would be made, and of how many rows and bytes."""
    job, inputs = ahead.job, ahead.inputs
    found: Increment | Whole = Whole("never built")
    if all(source in inputs for source in job.sources):
        found = increment(job, inputs, ahead.pin, tables, HABIT)
    if ahead.changing:
        if isinstance(found, Whole):
            return f"whole: {found.reason}", None, None
        ways = dependences(job, schemas)
        whole = next((way for way in ways.values() if isinstance(way, Whole)), None)
        hows = [f"{ways[source]} of {source}" for source in job.sources if source in ahead.changing]
        return (str(whole) if whole else "; ".join(hows)), None, None
    if isinstance(found, Whole):
        read = [inputs[name] for name in job.inputs]
        return f"whole: {found.reason}", sum(each.rows for each in read), sum(each.size_bytes for each in read)
    changed = {stage.source for stage in found.stages}
    read = [each for stage in found.stages for each in (stage.came, stage.went)]
    read += [inputs[name] for name in job.inputs if name not in changed]
    return found.how, sum(each.rows for each in read), sum(each.size_bytes for each in read)


def differences(old: pl.Schema, new: pl.Schema) -> tuple[str, ...]:
    """What becomes of the columns, in words.

    >>> differences(pl.Schema({"a": pl.Int64, "b": pl.String}), pl.Schema({"a": pl.Float64, "c": pl.Date}))
    ('+ c Date', '- b String', 'a Int64 -> Float64')
    """
    return (
        *(f"+ {name} {dtype}" for name, dtype in new.items() if name not in old),
        *(f"- {name} {dtype}" for name, dtype in old.items() if name not in new),
        *(f"{name} {old[name]} -> {dtype}" for name, dtype in new.items() if name in old and old[name] != dtype),
    )
