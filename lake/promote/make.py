"""A job's table made whole, of all rows of its sources: written, and not committed yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl

from catalog.tables import DataFile, Snapshot
from catalog.zones import TableName
from lake.promote.check import Finding, judge, refuse
from lake.promote.desk import Bench, View
from lake.promote.frames import Nulls, count_tokens
from lake.promote.levels import Measures, measures, weigh
from lake.promote.modes import HISTORIES
from lake.promote.setaside import Told, put, rejects_of
from lake.promote.sides import Read
from lake.promote.write import files_of


@dataclass(frozen=True)
class Made:
    """A version to be: its files and columns, what rules found, what was set aside, and what was read for it.

    ``told`` is what its commit tells beside that, ``columns`` what is known of them, such as their labels.
    """

    how: str
    files: Sequence[DataFile]
    schema: pl.Schema
    findings: tuple[Finding, ...]
    rejects: Told | None
    nulls: Nulls
    read: Read
    measured: Measures
    told: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """What is to be made, where, of what, and in the place of which version; ``operation`` names its rejects."""

    bench: Bench
    inputs: Mapping[TableName, Snapshot]
    pin: Snapshot | None
    operation: str

    @property
    def lookups(self) -> dict[TableName, pl.LazyFrame]:
        """The tables that expectations refer to."""
        return {name: snapshot.scan() for name, snapshot in self.inputs.items()}


def make_whole(order: Order, reason: str) -> Made:
    """The table of all rows of its sources. Raises what the job raises, `DataRefused` and its kin, `StoreError`."""
    bench, job = order.bench, order.bench.job
    nulls = _null_counts({name: order.inputs[name] for name in job.null_tokens}, bench)
    rows = bench.result({name: View.of(order.inputs[name]) for name in job.inputs})
    verdict = judge(job, rows, order.lookups, bench.room)
    table = bench.keep(verdict.accepted) if job.mode in HISTORIES else verdict.accepted
    files = files_of(bench.desk.tables, job, table, order.pin, bench.room, bench.shelf.files(table))
    measured, found = weighed(order, files, table.collect_schema())
    return Made(
        how=f"whole: {reason}",
        files=files,
        schema=table.collect_schema(),
        findings=verdict.findings + found,
        rejects=put(bench, order.operation, rejects_of(verdict), verdict.rejected),
        nulls=nulls,
        read=Read.of(*(order.inputs[name] for name in job.inputs)),
        measured=measured,
    )


def weighed(order: Order, files: Sequence[DataFile], schema: pl.Schema) -> tuple[Measures, tuple[Finding, ...]]:
    """What the rules on the table as a whole find of the version to be. Raises `ExpectationFailed`, `JobFailed`."""
    job = order.bench.job
    before: Measures = (order.pin.metadata.get("measures") if order.pin else None) or {}
    measured = measures(job, order.bench.desk.tables.scan_files(job.table, files, schema), before)
    found = weigh(job, measured, before, datetime.now(UTC))
    refuse(job, found)
    return measured, found


def _null_counts(sources: Mapping[TableName, Snapshot], bench: Bench) -> Nulls:
    counts = {
        str(name): count_tokens(snapshot.scan(), bench.job.null_tokens[name]) for name, snapshot in sources.items()
    }
    return {name: columns for name, columns in counts.items() if columns}
