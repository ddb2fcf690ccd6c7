"""A job's rejected rows: one object beside the catalog for each version of its table, which the version names."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import polars as pl

from catalog.quarantine import SCHEMA, WAITING
from catalog.zones import Zone
from lake.promote.account import count_rows, require_balance
from lake.promote.apply import OutOfStep
from lake.promote.check import Verdict
from lake.promote.desk import Bench
from lake.promote.multiset import balance, less, more

RECORD = pl.Schema({name: SCHEMA[name] for name in ("file", "line", "rule", "message", "record")})
"""What tells one rejected row from another."""

Told = Mapping[str, Any]
"""What a version says of its rejects: their object, how many they are, and which operation set them aside."""


def rejects_of(verdict: Verdict) -> pl.LazyFrame:
    """The rows that a verdict sets aside, in columns as `RECORD`; none where it sets none aside."""
    return pl.LazyFrame(schema=RECORD) if verdict.rejects is None else verdict.rejects


def put(bench: Bench, operation: str, rows: pl.LazyFrame, count: int) -> Told | None:
    """Put ``count`` rejected rows, in columns as `RECORD`, beside the catalog; None where there are none.

    Raises `StoreError`; `DataRefused` where other rows are written than were counted.
    """
    if not count:
        return None
    job = bench.job
    made = (
        rows.with_row_index("number", offset=1)
        .with_columns(
            id=pl.concat_str(pl.lit(f"{operation}:"), pl.col("number").cast(pl.String)),
            source=pl.lit(operation),
            table=pl.lit(str(job.table)),
            stage=pl.lit("promote"),
            delivery=pl.lit(None, pl.String),
            archived_as=pl.lit(None, pl.String),
            run=pl.lit(bench.desk.run),
            status=pl.lit(WAITING),
            done_by=pl.lit(None, pl.String),
            at=pl.lit(datetime.now(UTC)),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
    )
    key = f"rejects/{job.table}/{operation}.parquet"
    path = bench.folder / "rejects.parquet"
    made.sink_parquet(path, engine="streaming")
    require_balance(job, {"set aside": count, "in its rejects": count_rows(pl.scan_parquet(path))})
    bench.desk.objects.put_file(Zone.CATALOG, key, path)
    return {"key": key, "rows": count, "source": operation}


def carry(bench: Bench, operation: str, told: Told | None, come: pl.LazyFrame, gone: pl.LazyFrame) -> Told | None:
    """The rejects of the version before, without those that went and with those that came; the same where none did.

    Raises `OutOfStep` where one is not there that should go, and what `put` raises.
    """
    room = bench.room
    if not count_rows(balance(come, gone, room)):
        return told
    rejects = balance(pl.concat([fetched(bench, told), come]), gone, room)
    if count_rows(less(rejects)):
        raise OutOfStep("its rejects lack rows that should go")
    kept = room.keep(more(rejects))
    return put(bench, operation, kept, count_rows(kept))


def fetched(bench: Bench, told: Told | None) -> pl.LazyFrame:
    """The rows that a version says it set aside, in columns as `RECORD`. Raises `StoreError`."""
    if told is None:
        return pl.LazyFrame(schema=RECORD)
    path = bench.folder / f"rejects-{uuid4().hex}.parquet"
    bench.desk.objects.fetch(Zone.CATALOG, told["key"], path)
    return pl.scan_parquet(path, glob=False).select(list(RECORD))
