"""Datasets without a job: their tables in silver, with types, as whole runs and as runs on what is new make them."""

import random
from pathlib import Path
from typing import Annotated

import polars as pl
import pytest

from catalog.objects import Endpoint
from catalog.tables import Change
from catalog.zones import TableName
from lake import Source
from lake.promote.automatic import automatic_job, automatic_jobs
from tests.support.jobs import declared
from tests.support.projects import lake_command, project_on
from tests.support.promotion import Promotion

SALES = automatic_job(TableName.parse("bronze.sales"))


@pytest.fixture
def lake(fast_endpoint: Endpoint, tmp_path: Path) -> Promotion:
    return Promotion(fast_endpoint, tmp_path)


def test_rows_come_with_types_and_once(lake: Promotion) -> None:
    """Exact duplicates are left out, counted and said; empty texts of a column of numbers are missing, and counted."""
    lake.land("bronze.sales", {"shop": ["A", "A", "B"], "amount": ["1.5", "1.5", ""]})
    outcome = lake.run(SALES)["silver.sales"]
    assert lake.rows("silver.sales") == [("A", 1.5), ("B", None)]
    assert outcome.nulls == {"bronze.sales": {"amount": {"": 1}}}
    assert outcome.warnings == ("1 row of bronze.sales is the same as another one, and left out",)
    assert lake.run(SALES)["silver.sales"].reason == "nothing new"


def test_rows_that_fit_are_added_and_others_change_the_type(lake: Promotion) -> None:
    lake.land("bronze.sales", {"shop": ["A", "B"], "amount": ["1", "2"]})
    lake.run(SALES)
    files = {file.path for file in lake.published("silver.sales").files}
    lake.land("bronze.sales", {"shop": ["C", "A"], "amount": ["3", "1"]})
    outcome = lake.run(SALES)["silver.sales"]
    assert outcome.how == "by key (shop, amount) of bronze.sales"
    assert lake.rows("silver.sales") == [("A", 1), ("B", 2), ("C", 3)]
    assert files < {file.path for file in lake.published("silver.sales").files}
    lake.land("bronze.sales", {"shop": ["D"], "amount": ["n/a"]})
    outcome = lake.run(SALES)["silver.sales"]
    said = "column amount is no longer Int64: 'n/a' on line 1 of bronze.sales"
    assert (outcome.how, outcome.warnings[-1]) == (f"whole: {said}", said)
    assert lake.rows("silver.sales") == [("A", "1"), ("B", "2"), ("C", "3"), ("D", "n/a")]
    lake.land("bronze.sales", {"shop": ["A"], "amount": ["4"]}, replace=True)
    outcome = lake.run(SALES)["silver.sales"]
    assert outcome.how == "whole: column amount is no longer String: it is Int64, all 1 value fit"
    assert lake.rows("silver.sales") == [("A", 4)]


def test_a_dataset_of_which_all_was_set_aside_is_not_there_yet(lake: Promotion) -> None:
    """Its bronze table has no column but the lake's own; other tables are made meanwhile."""
    own = {"_file": pl.String, "_line": pl.Int64, "_batch": pl.String}
    lake.land_frame("bronze.aside", pl.LazyFrame(schema=own))
    lake.land("bronze.sales", {"shop": ["A"]})
    outcomes = lake.run(automatic_job(TableName.parse("bronze.aside")), SALES)
    reason = "bronze.aside is not there yet: lake drop FILE --into aside"
    assert (outcomes["silver.aside"].status, outcomes["silver.aside"].reason) == ("skipped", reason)
    assert lake.rows("silver.sales") == [("A",)]


def test_labels_go_with_the_columns(lake: Promotion) -> None:
    table = TableName.parse("bronze.sales")
    frame = pl.LazyFrame({"einkommen": ["7"], "_file": ["a.sav"], "_line": [1]})
    lake.tables.commit(
        Change(
            name=table,
            operation="one",
            base=None,
            schema=frame.collect_schema(),
            add=lake.tables.sink(table, frame),
            columns={"einkommen": {"label": "Household income", "codelist": '{"9": "refused"}'}},
        )
    )
    lake.run(SALES)
    assert lake.published("silver.sales").columns == {
        "einkommen": {"label": "Household income", "codelist": '{"9": "refused"}'}
    }


@pytest.mark.parametrize("seed", range(4))
def test_histories_give_what_a_whole_run_gives(lake: Promotion, seed: int) -> None:
    """Random rows come and are replaced: each time rows and columns are those of all rows at once."""
    dice = random.Random(seed)
    pool = ["1", "2", "3", "", None] if seed % 2 else ["1", "2.5", "x", "", None, "2026-01-01"]
    other = automatic_job(TableName.parse("bronze.again"))
    for _ in range(5):
        rows = {name: dice.choices(pool, k=4) for name in ("a", "b")}
        lake.land("bronze.sales", rows, replace=dice.random() < 0.3)
        lake.run(SALES)
        lake.land_frame("bronze.again", lake.tables.open(TableName.parse("bronze.sales")).scan(), replace=True)  # type: ignore[union-attr]
        lake.run(other)
        one, all_at_once = lake.published("silver.sales"), lake.published("silver.again")
        assert one.schema == all_at_once.schema
        assert lake.rows("silver.sales") == lake.rows("silver.again")


def test_a_dataset_that_a_job_reads_is_left_to_it() -> None:
    @declared("silver.other")
    def other(notes: Annotated[pl.LazyFrame, Source["bronze.prices__notes"]]) -> pl.LazyFrame:
        return notes

    bronze = [TableName.parse(f"bronze.{name}") for name in ("prices", "prices__notes", "sales", "sales__q1", "other")]
    assert [str(job.table) for job in automatic_jobs([other], bronze)] == ["silver.sales", "silver.sales__q1"]


def test_a_project_without_jobs_gets_its_tables(fast_endpoint: Endpoint, tmp_path: Path) -> None:
    """Plan says what run does; a job for the dataset takes over; and it can be switched off."""
    project = tmp_path / "lake"
    project_on(fast_endpoint, project)
    (tmp_path / "sales.csv").write_text("day,shop,amount\n2026-01-02,A,1.5\n2026-01-03,B,2\n")

    def lake(*arguments: str) -> str:
        done = lake_command(fast_endpoint, project, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    lake("drop", str(tmp_path / "sales.csv"), "--into", "sales")
    planned = lake("plan")
    assert "run   silver.sales" in planned
    lake("run")
    assert lake("query", "select day + 1 as d, amount from silver.sales order by all", "--format", "csv").startswith(
        "d,amount\n2026-01-03,1.5\n2026-01-04,2.0\n"
    )
    (project / "jobs" / "silver").mkdir(parents=True)
    (project / "jobs" / "silver" / "shops.sql").write_text("select distinct shop from bronze.sales")
    assert "silver.sales" not in lake("plan")
    (project / "jobs" / "silver" / "shops.sql").unlink()
    (project / "jobs" / "gold").mkdir()
    (project / "jobs" / "gold" / "total.sql").write_text("select sum(amount) as total from silver.sales")
    lake("run", "gold.total")
    assert "3.5" in lake("query", "from gold.total", "--format", "csv")
    (project / "jobs" / "gold" / "total.sql").unlink()
    (project / "lake.toml").write_text("[promote]\nautomatic = false\n")
    assert "silver" not in lake("plan")
