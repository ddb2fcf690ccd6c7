"""Jobs as values, for tests that need no project around them."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from lake import job
from lake.promote.declare import Job, collecting


def declared(table: str, **options: Any) -> Callable[[Callable[..., pl.LazyFrame]], Job]:
    """The decorator `job`, but that what it gives back is the job and not the function."""

    def declare(function: Callable[..., pl.LazyFrame]) -> Job:
        with collecting() as jobs:
            job(table, **options)(function)
        (made,) = jobs
        return made

    return declare


def collected(frames: Sequence[pl.LazyFrame]) -> list[pl.LazyFrame]:
    """What a room writes its rows down with, in memory."""
    return [rows.lazy() for rows in pl.collect_all(frames, engine="streaming")]
