"""Which jobs begin now, with how much memory, and when one more worker is started for one that waits."""
# ruff: noqa: F821 - Source["bronze.rows"] names a table, not a type

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest

from catalog.tables import Tables
from catalog.zones import TableName
from lake import Source
from lake.promote.hand import Hand
from lake.promote.pool import START_SECONDS, Pool, Site
from lake.promote.work import Work
from tests.support.jobs import declared


@declared("silver.made")
def made(rows: Source["bronze.rows"]) -> pl.LazyFrame:
    return rows


@pytest.fixture
def pool() -> Pool:
    """One that may have two workers and four gigabytes; it has started none."""
    here = Path()
    return Pool(cast("Tables", None), Site(here, here, here, 0, "run", memory_gb=4.0, seconds_max=1.0, jobs_max=2))


def take_on(pool: Pool, *names: str) -> None:
    for name in names:
        pool.begin(Work(replace(made, table=TableName.parse(f"silver.{name}")), {}, None, "new", cast("Any", None)))


@dataclass(eq=False)
class At:
    """A worker's place, without a process."""

    memory_gb: float
    is_gone: bool = False


def add_hand(pool: Pool, memory_gb: float = 0.0) -> None:
    """A worker: with memory, one that is at a job."""
    hand = cast("Hand", At(memory_gb))
    pool._hands[hand] = pool._queue.pop(0) if memory_gb else None


def begins(pool: Pool) -> list[tuple[str, float]]:
    return [(order.work.job.table.name, memory_gb) for order, memory_gb in pool._next()]


def test_the_first_begins_at_once_and_leaves_the_second_its_share(pool: Pool) -> None:
    take_on(pool, "a", "b")
    assert begins(pool) == [("a", 2.0)]


def test_whoever_is_idle_takes_the_next(pool: Pool) -> None:
    take_on(pool, "a", "b")
    add_hand(pool)
    add_hand(pool)
    assert begins(pool) == [("a", 2.0), ("b", 2.0)]


def test_another_worker_is_started_for_what_has_waited(pool: Pool) -> None:
    """Whichever it is: one that is tried again waits for less long than those behind it."""
    take_on(pool, "a", "b", "c")
    add_hand(pool, memory_gb=2.0)
    assert begins(pool) == []
    pool._queue[1].due = time.monotonic() - START_SECONDS
    assert begins(pool) == [("b", 2.0)]


def test_no_more_are_started_than_there_may_be(pool: Pool) -> None:
    take_on(pool, "a", "b", "c")
    add_hand(pool, memory_gb=2.0)
    add_hand(pool, memory_gb=2.0)
    pool._queue[0].due -= START_SECONDS
    assert begins(pool) == []
