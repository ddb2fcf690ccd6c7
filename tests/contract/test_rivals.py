"""Runs that publish at the same time, in an order that only their steps can bring about."""

import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from catalog.log import Log
from catalog.objects import Endpoint
from catalog.tables import Tables
from catalog.zones import TableName
from lake import Lake, publication
from lake.reading import open_lake
from tests.support.projects import project_on, variables

SECONDS_MAX = 60.0

JOBS = """
import polars as pl
from lake import Source, expect, job
"""

JOB = """
@job("silver.{name}", origin=["_file", "_line"], types={{"n": pl.Int64}},
     expect=[expect.rule("positive", pl.col("n") > 0, action="quarantine")])
def {name}(rows: Source["bronze.{name}"]) -> pl.LazyFrame:
    return rows.select("n", "_file", "_line")
"""


def drop_and_ingest(lake: Lake, folder: Path, bad: int) -> None:
    for name in "abd":
        path = folder / f"{name}{bad}.csv"
        path.write_text(f"n\n{10 + bad}\n{-bad}\n")
        lake.drop([path], name)
    lake.ingest()


def test_a_run_that_publishes_while_another_mends_keeps_its_rejects(
    fast_endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B publishes over A, so it looks at the quarantine again; D has put its own there by then, and publishes first."""
    lake = project_on(fast_endpoint, tmp_path / "lake")
    (lake.settings.project / "jobs" / "all.py").write_text(JOBS + "".join(JOB.format(name=name) for name in "abd"))
    drop_and_ingest(lake, tmp_path, 1)
    lake.promote()
    drop_and_ingest(lake, tmp_path, 2)

    runs: dict[str, threading.Thread] = {}
    d_is_settled, b_is_settled = threading.Event(), threading.Event()

    def start(name: str) -> threading.Thread:
        own = open_lake(lake.settings.project, variables(fast_endpoint))
        runs[name] = threading.Thread(target=own.promote, args=([f"silver.{name}"],), name=name)
        runs[name].start()
        return runs[name]

    settle = publication.set_aside

    def staged(tables: Tables, log: Log, pins: Mapping[TableName, int] | None = None) -> dict[TableName, int]:
        me, mends = threading.current_thread().name, pins is None
        if me == "b" and mends and "d" not in runs:
            start("d")
            assert d_is_settled.wait(SECONDS_MAX)
        found = settle(tables, log, pins)
        if me == "b" and not mends:
            start("a").join(SECONDS_MAX)
        elif me == "d" and not mends:
            d_is_settled.set()
            assert b_is_settled.wait(SECONDS_MAX)
        elif me == "b" and not b_is_settled.is_set():
            b_is_settled.set()
            runs["d"].join(SECONDS_MAX)
        return found

    monkeypatch.setattr(publication, "set_aside", staged)
    start("b").join(3 * SECONDS_MAX)
    assert set(runs) == {"a", "b", "d"}
    view = lake.at()
    for name in "abd":
        assert sorted(view.read(f"silver.{name}").collect()["n"]) == [11, 12]
    held = view.read("catalog.quarantine").collect().sort("table", "file")
    assert held.select("table", "file").rows() == [
        (f"silver.{name}", f"{name}/{name}{bad}.csv") for name in "abd" for bad in (1, 2)
    ]
