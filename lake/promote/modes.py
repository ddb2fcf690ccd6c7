"""What a mode makes of a job's rows: the same rows, or the history of each key.

A history has, for each key, one row for each span of time in which it was in one state: the job's columns without the
delete flag, ``valid_from`` (the first moment), ``valid_to`` (the first moment after; NULL while it lasts) and
``current`` (true while it lasts). Moments are values of the sequence column, and have its type: a date, a datetime or
an integer. The rows' order never matters: a history is a function of the rows.
"""

from collections.abc import Sequence

import polars as pl

from lake.promote.declare import Job, Mode
from lake.promote.memory import Room, shares

HISTORIES = {Mode.SCD2, Mode.SNAPSHOT}
"""The modes whose table holds, for each key, from when to when it was how."""

MOMENTS = (pl.Date, pl.Datetime, pl.Int8, pl.Int16, pl.Int32, pl.Int64)
"""The types of a sequence column, and so of ``valid_from`` and ``valid_to``."""

VALID_FROM, VALID_TO, CURRENT = "valid_from", "valid_to", "current"

_GONE, _STARTS, _DUMP, _NEXT = "__lake_gone", "__lake_starts", "__lake_dump", "__lake_next"


def table_key(job: Job) -> tuple[str, ...]:
    """The columns that together come once in the job's table."""
    return (*job.key, VALID_FROM) if job.mode in HISTORIES else job.key


def shape(job: Job, rows: pl.LazyFrame, room: Room | None = None) -> pl.LazyFrame:
    """The rows of the table that the job's accepted rows make, not yet run; `judge` has found no fault with them.

    With ``room``, histories are made for one share of the keys at a time, each written down; without, at once.
    """
    if job.mode not in HISTORIES:
        return rows
    passes = 1 if room is None else room.passes_over(rows)
    if job.mode is Mode.SNAPSHOT:
        rows = _with_dumps(rows, job.sequence)
    parts = (_history(job, rows.filter(share)) for share in shares(job.key, passes))
    if room is None or passes == 1:
        return next(parts)
    return pl.concat([room.keep(part) for part in parts])


def _history(job: Job, rows: pl.LazyFrame) -> pl.LazyFrame:
    """The histories of all keys in the rows."""
    taken = [name for name in rows.collect_schema() if name not in {job.deletes, _DUMP, _NEXT}]
    ordered = rows.sort(*job.key, job.sequence)
    spans = _spans_of_dumps if job.mode is Mode.SNAPSHOT else _spans_of_changes
    return spans(job, ordered, taken).select(
        *taken, pl.col(job.sequence).alias(VALID_FROM), VALID_TO, pl.col(VALID_TO).is_null().alias(CURRENT)
    )


def _spans_of_changes(job: Job, ordered: pl.LazyFrame, taken: Sequence[str]) -> pl.LazyFrame:
    """Each state lasts until the next different one of its key, or until the key is deleted."""
    states = [name for name in taken if name not in {*job.key, job.sequence}]
    gone = pl.col(job.deletes) if job.deletes else pl.lit(value=False)
    # A deleted key is in one state, whatever its other columns say.
    ordered = ordered.with_columns(
        gone.alias(_GONE), *(pl.when(~gone).then(pl.col(name)).alias(name) for name in states if job.deletes)
    )
    changes = ordered.filter(_differs(job.key) | _differs([_GONE, *states]))
    ends = pl.when(~_differs(job.key, -1)).then(pl.col(job.sequence).shift(-1))
    return changes.with_columns(ends.alias(VALID_TO)).filter(~pl.col(_GONE))


def _with_dumps(rows: pl.LazyFrame, sequence: str) -> pl.LazyFrame:
    """The rows with the number of the dump that they are of, and the moment of the next one."""
    dumps = rows.select(sequence).unique().sort(sequence)
    numbered = dumps.with_row_index(_DUMP).with_columns(
        pl.col(_DUMP).cast(pl.Int64), pl.col(sequence).shift(-1).alias(_NEXT)
    )
    return rows.join(numbered, on=sequence, how="left")


def _spans_of_dumps(job: Job, ordered: pl.LazyFrame, taken: Sequence[str]) -> pl.LazyFrame:
    """Each state lasts until the first dump that lacks the key, or has it in another state."""
    states = [name for name in taken if name not in {*job.key, job.sequence}]

    def breaks(offset: int) -> pl.Expr:
        is_far = (pl.col(_DUMP) - pl.col(_DUMP).shift(offset)).abs() > 1
        return _differs([*job.key, *states], offset) | is_far.fill_null(value=True)

    # Of each span, the first row and the last are left, which may be one row; the last one knows when it ended.
    spans = ordered.with_columns(breaks(1).alias(_STARTS), breaks(-1).alias(VALID_TO))
    edges = spans.filter(pl.col(_STARTS) | pl.col(VALID_TO))
    ends = pl.when(pl.col(VALID_TO)).then(pl.col(_NEXT)).otherwise(pl.col(_NEXT).shift(-1))
    return edges.with_columns(ends.alias(VALID_TO)).filter(pl.col(_STARTS))


def _differs(columns: Sequence[str], offset: int = 1) -> pl.Expr:
    """True for a row unlike the one before it (after it, with -1) in one of the columns.

    The first row and the last one differ from the nothing beside them in their key, which is never NULL.
    """
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(offset)) for name in columns)
