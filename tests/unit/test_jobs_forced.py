"""What a person may force a run to make anew: which tables an option is about, and which it cannot be about."""
# ruff: noqa: F821 - Source["bronze.rows"] names a table, not a type

from datetime import UTC, datetime

import polars as pl
import pytest

from catalog.errors import UsageError
from lake import Source
from lake.promote.declare import Job
from lake.promote.forced import options_for, require_applicable
from lake.promote.outcome import RunOptions
from tests.support.jobs import declared

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


@declared("silver.kept", mode="upsert", key=["k"])
def kept(rows: Source["bronze.rows"]) -> pl.LazyFrame:
    return rows


@declared("silver.whole")
def whole(rows: Source["bronze.rows"]) -> pl.LazyFrame:
    return rows


@declared("gold.sums", mode="upsert", key=["k"])
def sums(rows: Source["silver.kept"]) -> pl.LazyFrame:
    return rows


@pytest.mark.parametrize(("job", "is_meant"), [(kept, True), (whole, False), (sums, False)])
def test_since_without_names_is_about_what_reads_bronze_and_can_be_made_in_part(job: Job, is_meant: bool) -> None:
    options = RunOptions(since=MOMENT)
    require_applicable([kept, whole, sums], options)
    assert (options_for(job, options).since is not None) is is_meant


def test_options_with_names_are_about_those_alone() -> None:
    options = RunOptions(since=MOMENT, tables=("gold.sums",))
    require_applicable([kept, whole, sums], options)
    assert [options_for(job, options).since for job in (kept, whole, sums)] == [None, None, MOMENT]
    with pytest.raises(UsageError, match=r"silver.whole is in mode replace, of which no part is made anew by itself"):
        require_applicable([kept, whole], RunOptions(since=MOMENT, tables=("silver.whole",)))


def test_since_that_is_about_no_table_is_refused() -> None:
    with pytest.raises(UsageError, match="none can be made anew since a date"):
        require_applicable([whole, sums], RunOptions(since=MOMENT))


def test_options_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="--full, --since exclude each other"):
        require_applicable([kept], RunOptions(full=True, since=MOMENT))
