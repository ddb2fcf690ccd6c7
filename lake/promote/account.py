"""The account of a job's rows: counted by two means wherever they move, and closed before anything is committed."""

import polars as pl

from catalog.errors import DataRefused
from lake.promote.declare import Job


def count_rows(frame: pl.LazyFrame) -> int:
    """How many rows a frame has; runs it."""
    return int(frame.select(pl.len()).collect(engine="streaming").item())


def require_balance(job: Job, counts: dict[str, int]) -> None:
    """Raises `DataRefused` unless all these counts of the same rows agree; the keys say what was counted."""
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{count:,} {what}" for what, count in counts.items())
        raise DataRefused(
            f"{job.table}: the account of its rows is open: {told} ({job.where})",
            next="nothing of it is published; mode replace writes all rows anew; a fault of the lake, if it stays",
        )
