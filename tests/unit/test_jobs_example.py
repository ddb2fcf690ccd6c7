"""The example project's jobs are functions of frames: tested with a few rows, without a store."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from catalog.zones import TableName
from lake.promote.casts import misfit
from lake.promote.declare import Frames, Job, Mode
from lake.promote.find import find_jobs
from lake.promote.frames import result_of
from lake.promote.modes import shape

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
JOBS = {str(job.table): job for job in find_jobs(EXAMPLE, [])}


def made(job: Job, **columns: list[object]) -> pl.DataFrame:
    assert isinstance(job.body, Frames)
    return job.body.function(pl.LazyFrame(columns)).collect()


def test_delays_are_counted_by_month() -> None:
    result = made(JOBS["gold.delays_by_month"], month=[2, 1, 1, 1], dep_delay=[5, None, 16, -4])
    assert result.rows() == [(1, 3, 1, 6.0, 0.5), (2, 1, 0, 5.0, 0.0)]
    assert result.columns == ["month", "flights", "cancelled", "mean_dep_delay", "late_share"]


def test_the_example_uses_every_mode() -> None:
    assert {job.mode for job in JOBS.values()} == set(Mode)


def test_a_plane_that_changes_hands_has_a_row_for_each_airline() -> None:
    hours = [dt.datetime(2013, 1, 1, hour, tzinfo=dt.UTC) for hour in (5, 6, 7, 8)]
    flown = made(
        JOBS["silver.operators"],
        tailnum=["N1", "N1", "N1", "N1"],
        time_hour=[hours[2], hours[0], hours[1], hours[3]],
        carrier=["DL", "FL", "FL", "UA"],
        dep_time=[700, 500, 600, None],
    )
    history = shape(JOBS["silver.operators"], flown.lazy()).select("carrier", "valid_from", "valid_to").collect()
    assert sorted(history.rows()) == [("DL", hours[2], None), ("FL", hours[0], hours[2])]


def test_a_route_ends_in_the_first_month_that_lacks_it() -> None:
    job = JOBS["silver.routes"]
    flown = made(job, carrier=["UA"] * 4, origin=["EWR"] * 4, dest=["SFO", "SFO", "BQN", "SFO"], month=[1, 3, 2, 1])
    history = shape(job, flown.lazy()).select("dest", "valid_from", "valid_to").collect()
    assert sorted(history.rows()) == [("BQN", 2, 3), ("SFO", 1, 2), ("SFO", 3, None)]


def test_silver_takes_from_bronze_the_supplier_s_columns_and_where_each_row_came_from() -> None:
    columns = {"carrier": ["UA"], "name": ["United"], "_file": ["f"], "_line": [2], "_batch": [0], "_rescued": [None]}
    job = JOBS["silver.airlines"]
    assert made(job, **columns).columns == ["carrier", "name", "_file", "_line"]
    assert job.origin == ("_file", "_line")


@pytest.mark.parametrize("table", ["flights", "weather", "planes", "airports"])
def test_every_declared_type_holds_the_supplier_s_spelling(table: str) -> None:
    """A row as it is in the files, with NA in every column that has it there."""
    job = JOBS[f"silver.{table}"]
    spelled = {name: "NA" if i % 2 else "7" for i, name in enumerate(job.types)}
    if "time_hour" in spelled:
        spelled["time_hour"] = "2013-01-01T10:00:00Z"
    frame = pl.LazyFrame({name: [spelled.get(name, "x")] for name in {*spelled, *job.key, *job.origin, *_ruled(job)}})
    result = result_of(job, {TableName.parse(f"bronze.{table}"): frame}).collect()
    assert result.select(pl.any_horizontal(misfit(name, dtype) for name, dtype in job.types.items())).item() is False


def _ruled(job: Job) -> set[str]:
    return {name for rule in job.expect for name in rule.columns}


def test_the_hour_of_departure_is_in_utc() -> None:
    job = JOBS["silver.flights"]
    assert job.types["time_hour"] == pl.Datetime("us", dt.UTC)
    assert job.key == ("time_hour", "carrier", "flight", "origin")
