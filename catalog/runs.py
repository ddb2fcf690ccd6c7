"""The table of runs: every run that did something, with what became of each table, derived from the register."""

import json
import uuid
from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import polars as pl

from catalog.derived import on_newest, widened, written
from catalog.register import Begun, Ended, Status, TableRun
from catalog.tables import Change, Snapshot, Tables, in_columns, store_faults, without
from catalog.zones import TableName, Zone

RUNS = TableName(Zone.CATALOG, "runs")

SCHEMA = pl.Schema(
    {
        "run": pl.String(),
        "command": pl.String(),
        "status": pl.String(),
        "begun_at": pl.Datetime("us", "UTC"),
        "ended_at": pl.Datetime("us", "UTC"),
        "commit": pl.Int64(),
        "author": pl.String(),
        "host": pl.String(),
        "pid": pl.Int64(),
        "revision": pl.String(),
        "error": pl.String(),
        "error_at": pl.String(),
        "table": pl.String(),
        "stage": pl.String(),
        "outcome": pl.String(),
        "reason": pl.String(),
        "how": pl.String(),
        "version": pl.Int64(),
        "read": pl.String(),
        "rows_in": pl.Int64(),
        "rows_read": pl.Int64(),
        "rows_out": pl.Int64(),
        "rejected": pl.Int64(),
        "files_aside": pl.Int64(),
        "bytes_in": pl.Int64(),
        "bytes_out": pl.Int64(),
        "memory_peak_bytes": pl.Int64(),
        "started_at": pl.Datetime("us", "UTC"),
        "seconds": pl.Float64(),
        "attempts": pl.Int64(),
        "warnings": pl.String(),
        "table_error": pl.String(),
        "table_error_at": pl.String(),
    }
)
"""A row for each run and table; one without a table for a run that came to none. ``status``, ``error`` and what stands
before ``table`` are the run's; ``outcome`` and what comes after it are the table's. ``read`` (versions by source) and
``warnings`` are JSON."""


def frame_of(runs: Iterable[Ended | Begun]) -> pl.DataFrame:
    """Runs as rows of the table; those that have no end are running."""
    return pl.DataFrame([row for run in runs for row in _rows(run)], schema=SCHEMA)


def settle(tables: Tables, ended: Collection[Ended], before: datetime) -> Snapshot | None:
    """Make the table say of these runs what their ends say, and nothing of runs that began before a time.

    Its head afterwards, None where there is no table; no commit where all is so. Raises `StoreError`, and `Conflict`
    after many rivals.
    """
    wanted = frame_of(ended)
    return on_newest(tables, RUNS, lambda base: _settle(tables, base, wanted, before))


def rows_of(snapshot: Snapshot) -> pl.LazyFrame:
    """The rows of a version of the table, as `SCHEMA`, also of one that an older lake wrote."""
    return in_columns(snapshot.scan(), SCHEMA)


def _settle(tables: Tables, base: Snapshot | None, wanted: pl.DataFrame, before: datetime) -> Snapshot | None:
    base = widened(tables, base, SCHEMA)
    held = _held(base, set(wanted["run"]))
    differing = {run for run in wanted["run"].unique() if not _of(held, run).equals(_of(wanted, run))}
    gone = without(tables, base, "run", {*differing.intersection(held["run"]), *_older(base, before)})
    if not differing and not gone.removed:
        return base
    schema = SCHEMA if base is None else base.schema
    rows = wanted.lazy().filter(pl.col("run").is_in(sorted(differing))).pipe(in_columns, schema)
    new = written(tables, RUNS, base, rows, gone.removed)
    operation = f"{RUNS}:{uuid.uuid4().hex}"
    return tables.commit(Change(RUNS, operation, base, schema, (*gone.kept, *new.kept), (*gone.removed, *new.removed)))


def _held(base: Snapshot | None, runs: set[str]) -> pl.DataFrame:
    """What the table says of these runs."""
    if base is None or not runs:
        return pl.DataFrame(schema=SCHEMA)
    with store_faults(f"read {RUNS}"):
        return rows_of(base).filter(pl.col("run").is_in(sorted(runs))).collect(engine="streaming")


def _of(rows: pl.DataFrame, run: str) -> pl.DataFrame:
    return rows.filter(pl.col("run") == run).sort("table", "stage")


def _older(base: Snapshot | None, before: datetime) -> list[str]:
    """The runs of the table that began earlier."""
    if base is None:
        return []
    with store_faults(f"read {RUNS}"):
        old = rows_of(base).filter(pl.col("begun_at") < before).select(pl.col("run").unique())
        return old.collect(engine="streaming")["run"].to_list()


def _rows(run: Ended | Begun) -> list[dict[str, Any]]:
    begun, ended = (run.begun, run) if isinstance(run, Ended) else (run, None)
    of_run = {
        "run": begun.run,
        "command": begun.command,
        "status": Status.RUNNING if ended is None else ended.status,
        "begun_at": begun.at,
        "ended_at": None if ended is None else ended.at,
        "commit": None if ended is None else ended.commit,
        "author": begun.author,
        "host": begun.host,
        "pid": begun.pid,
        "revision": begun.revision,
        "error": None if ended is None else ended.error,
        "error_at": None if ended is None else ended.where,
    }
    return [of_run | _row(each) for each in ended.tables] if ended and ended.tables else [of_run]


def _row(each: TableRun) -> dict[str, Any]:
    row = asdict(each)
    row |= {"outcome": row.pop("status"), "table_error": row.pop("error"), "table_error_at": row.pop("where")}
    return row | {name: json.dumps(row[name], ensure_ascii=False) for name in ("read", "warnings")}
