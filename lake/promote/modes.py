"""What a mode makes of a job's rows: the same rows, or the history of each key."""

import polars as pl

from lake.promote.declare import Job, Mode

HISTORIES = {Mode.SCD2, Mode.SNAPSHOT}
"""The modes whose table holds, for each key, from when to when it was how."""

VALID_FROM, VALID_TO, CURRENT = "valid_from", "valid_to", "current"


def table_key(job: Job) -> tuple[str, ...]:
    """The columns that together come once in the job's table."""
    return (*job.key, VALID_FROM) if job.mode in HISTORIES else job.key


def shape(job: Job, rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of the table that the job's accepted rows make."""
    if job.mode in HISTORIES:
        raise NotImplementedError(job.mode)
    return rows
