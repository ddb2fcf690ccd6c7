"""The quarantine says what is wrong with what is published: however many runs it took, and no longer than it is so."""

from pathlib import Path

import pytest

from catalog.objects import Endpoint
from lake import Lake
from tests.support.projects import project_on
from tests.support.stores import lake_on

JOB = """
import polars as pl
from lake import Source, expect, job

@job(
    "silver.prices",
    key=["day"],
    mode="{mode}",
    types={{"price": pl.Float64}},
    origin=["_file", "_line"],
    expect=[expect.rule("positive", pl.col("price") > 0, action="quarantine")],
)
def prices(prices: Source["bronze.prices"]) -> pl.LazyFrame:
    return prices.select("day", {price}, "_file", "_line")
"""

FILES = {
    "january.csv": "day,price\n01-01,1.5\n01-02,x\n01-03,-1\n",
    "february.csv": "day,price\n02-01,2.5\n02-02,y\n",
    "march.csv": "day,price\n03-01,3.5\n",
    "ragged.csv": "day,price\n04-01\n",
}


def declare(lake: Lake, mode: str, price: str = '"price"') -> None:
    path = lake.settings.project / "jobs" / "silver.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(JOB.format(mode=mode, price=price))


def drop(lake: Lake, folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text(FILES[name])
        lake.drop([folder / name], "prices")


def set_aside(lake: Lake) -> list[tuple[object, ...]]:
    """The quarantine as published, but for what differs from run to run: its source and its time."""
    columns = ("table", "stage", "file", "line", "rule", "message", "record")
    return sorted(lake.read("catalog.quarantine").select(columns).collect().rows(), key=repr)


@pytest.mark.parametrize("mode", ["replace", "upsert", "append"])
def test_the_quarantine_after_several_runs_equals_the_quarantine_after_one(
    fast_endpoint: Endpoint, tmp_path: Path, mode: str
) -> None:
    """Each run judges all rows of a table again; a row that is out stands in the quarantine once."""
    often = project_on(fast_endpoint, tmp_path / "often")
    once = project_on(lake_on(fast_endpoint), tmp_path / "once")
    for lake in (often, once):
        declare(lake, mode)
    for name in FILES:
        drop(often, tmp_path, name)
        assert often.run().is_published
    drop(once, tmp_path, *FILES)
    assert once.run().is_published
    assert set_aside(often) == set_aside(once)
    rules = [(row[2], row[3], row[4]) for row in set_aside(once) if row[1] == "promote"]
    assert rules == [
        ("prices/february.csv", 3, "type:price"),
        ("prices/january.csv", 3, "type:price"),
        ("prices/january.csv", 4, "positive"),
    ]
    assert [row[2] for row in set_aside(once) if row[1] == "ingest"] == ["prices/ragged.csv"]
    assert not often.run().is_published


def test_rows_that_a_mended_job_takes_are_in_quarantine_no_more(fast_endpoint: Endpoint, tmp_path: Path) -> None:
    """What no job sets aside any longer goes; the file that could not be read stays until it can."""
    lake = project_on(fast_endpoint, tmp_path / "lake")
    declare(lake, "replace")
    drop(lake, tmp_path, *FILES)
    lake.run()
    declare(lake, "replace", 'pl.lit("1").alias("price")')
    assert lake.run().is_published
    assert [row[1] for row in set_aside(lake)] == ["ingest"]
    assert lake.at().snapshot("silver.prices").rows == 6


def test_an_earlier_commit_keeps_the_quarantine_that_was_its_own(fast_endpoint: Endpoint, tmp_path: Path) -> None:
    """Published rows and published rejects are of one commit: together they are what bronze had then."""
    lake = project_on(fast_endpoint, tmp_path / "lake")
    declare(lake, "replace")
    for name in ("january.csv", "february.csv"):
        drop(lake, tmp_path, name)
        lake.run()
    for number, (accepted, rejected) in {1: (1, 2), 2: (2, 3)}.items():
        view = lake.at(number)
        assert view.read("silver.prices").collect().height == accepted
        assert view.read("catalog.quarantine").collect().height == rejected
        assert view.read("bronze.prices").collect().height == accepted + rejected
