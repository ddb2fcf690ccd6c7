"""``lake test``: a project's own cases, its tests in Python, and random histories of its cases' rows."""

from pathlib import Path

import polars as pl
import pytest

from catalog.errors import ExpectationFailed, UsageError
from lake.project import init
from lake.testing import run_job
from tests.support.projects import lake_command

SILVER = """
import polars as pl

from lake import Source, expect, job


@job(
    "silver.sales",
    mode="upsert",
    key=["day", "shop"],
    null_tokens=["NA"],
    types={"day": pl.Date, "amount": pl.Float64},
    origin=["_file", "_line"],
    expect=[expect.references("shop", "silver.shops", "shop")],
)
def sales(sales: Source["bronze.sales"]) -> pl.LazyFrame:
    return sales.select("day", "shop", "amount", "_file", "_line")


@job("silver.totals", mode="upsert", key=["shop"]DEPENDS)
def totals(sales: Source["bronze.sales"]) -> pl.LazyFrame:
    return sales.group_by("shop").agg(pl.len().alias("sales"))
"""
GOLD = "-- key: shop\n-- mode: upsert\nselect shop, sum(amount) as amount from silver.sales group by all"
SALES = "day,shop,amount\n2026-01-02,A,1.5\n2026-01-03,A,NA\n2026-01-03,B,x\n"
PYTHON = """
import polars as pl

from lake.testing import run_job


def test_sales():
    sales = pl.DataFrame({"day": ["2026-01-02"], "shop": ["A"], "amount": ["2"]})
    made = run_job("silver.sales", {"bronze.sales": sales, "silver.shops": pl.DataFrame({"shop": ["A"]})})
    assert made.rows["amount"].to_list() == [AMOUNT]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    init(tmp_path)
    write(tmp_path / "jobs" / "silver.py", SILVER.replace("DEPENDS", ""))
    write(tmp_path / "jobs" / "gold" / "amounts.sql", GOLD)
    case = tmp_path / "tests" / "silver.sales" / "some_case"
    write(case / "bronze.sales.csv", SALES)
    write(case / "silver.shops.csv", "shop\nA\nB\n")
    write(case / "expected.csv", "day,shop,amount\n2026-01-03,A,\n2026-01-02,A,1.50\n")
    write(case / "rejected.csv", "line,rule\n4,type:amount\n")
    write(tmp_path / "tests" / "silver.totals" / "one" / "bronze.sales.csv", SALES)
    write(tmp_path / "tests" / "silver.totals" / "one" / "expected.csv", "shop,sales\nA,2\nB,1\n")
    write(
        tmp_path / "tests" / "gold.amounts" / "one" / "silver.sales.csv",
        "day,shop,amount\n2026-01-02,A,1.5\n2026-01-03,A,2\n2026-01-03,B,3\n",
    )
    write(tmp_path / "tests" / "gold.amounts" / "one" / "expected.csv", "shop,amount\nA,3.5\nB,3\n")
    return tmp_path


def test_cases_pass_without_a_store(project: Path) -> None:
    done = lake_command(None, project, "test")
    assert (done.returncode, done.stdout) == (
        0,
        "pass  gold.amounts one\npass  silver.sales some_case\npass  silver.totals one\n",
    ), done.stderr
    assert lake_command(None, project, "test", "silver.totals").stdout == "pass  silver.totals one\n"


def test_what_differs_is_told_by_key(project: Path) -> None:
    case = project / "tests" / "silver.sales" / "some_case"
    write(case / "expected.csv", "day,shop,amount\n2026-01-02,A,1.6\n2026-01-04,A,2\n")
    write(case / "rejected.csv", "line,rule\n5,type:amount\n")
    write(project / "tests" / "gold.amounts" / "one" / "expected.csv", "shop,euros\nA,3.5\n")
    (project / "tests" / "silver.totals" / "one" / "expected.csv").unlink()
    done = lake_command(None, project, "test")
    assert done.returncode == 1
    assert done.stdout == (
        "FAIL  gold.amounts one\n"
        "      columns missing: euros; columns that are not in expected.csv: amount\n"
        "FAIL  silver.sales some_case\n"
        "      day=2026-01-02, shop=A: amount is 1.5, expected 1.6\n"
        "      day=2026-01-04, shop=A: missing, expected amount=2\n"
        "      day=2026-01-03, shop=A: unexpected, amount=NULL\n"
        "      set aside: line=5, rule=type:amount: missing\n"
        "      set aside: line=4, rule=type:amount: unexpected\n"
        "FAIL  silver.totals one\n"
        "      there is no expected.csv\n"
    )


def test_a_refusal_can_be_expected(project: Path) -> None:
    case = project / "tests" / "silver.sales" / "some_case"
    write(case / "silver.shops.csv", "shop\nB\n")
    assert "shop: 1 value is absent from silver.shops: A (2 rows)" in _failing(project)
    write(case / "refused.txt", "absent from silver.shops")
    assert lake_command(None, project, "test").returncode == 0
    write(case / "silver.shops.csv", "shop\nA\nB\n")
    assert "not refused, though refused.txt is there" in _failing(project)


def test_mistakes_in_cases_are_told(project: Path) -> None:
    write(project / "tests" / "silver.totals" / "one" / "bronze.sails.csv", "a\n1\n")
    done = lake_command(None, project, "test")
    assert done.returncode == 2
    assert "bronze.sails.csv is no table that silver.totals reads\n  next: name it bronze.sales.csv" in done.stderr


def test_python_tests_run_too(project: Path) -> None:
    write(project / "tests" / "test_jobs.py", PYTHON.replace("AMOUNT", "2.0"))
    done = lake_command(None, project, "test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    write(project / "tests" / "test_jobs.py", PYTHON.replace("AMOUNT", "3.0"))
    assert "1 failed" in _failing(project)


def test_histories_pass_with_what_is_derived(project: Path) -> None:
    done = lake_command(None, project, "test", "--incremental", "--histories", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pass  silver.sales: 16 changes by row of bronze.sales" in done.stdout
    assert "pass  silver.totals: 16 changes by key shop of bronze.sales" in done.stdout


def test_a_dependence_that_is_stated_wrongly_is_caught(project: Path) -> None:
    """The smallest change that shows it has no row too many."""
    stated = SILVER.replace("DEPENDS", ', depends={"bronze.sales": by_row()}').replace("Source,", "Source, by_row,")
    write(project / "jobs" / "silver.py", stated)
    done = lake_command(None, project, "test", "--incremental", "silver.totals")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "FAIL  silver.totals"
    assert "made by row of bronze.sales, the table is not what it is when it is made whole" in lines[1]
    changed = [line for line in lines if "bronze.sales has" in line or " loses " in line or " gets " in line]
    assert len(changed) == 2, done.stdout


def test_a_job_runs_on_frames(project: Path) -> None:
    shops = pl.DataFrame({"shop": ["A"]})
    sales = pl.DataFrame({"day": ["2026-01-02", "x"], "shop": ["A", "A"], "amount": ["NA", "1"]})
    made = run_job("silver.sales", {"bronze.sales": sales, "silver.shops": shops}, project)
    assert made.rows["amount"].to_list() == [None]
    assert made.rejects.select("line", "rule").rows() == [(3, "type:day")]
    with pytest.raises(ExpectationFailed):
        run_job("silver.sales", {"bronze.sales": sales, "silver.shops": shops.clear()}, project)
    with pytest.raises(UsageError, match="no job makes"):
        run_job("silver.sails", {}, project)
    with pytest.raises(UsageError, match="of which there are no rows"):
        run_job("silver.sales", {}, project)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _failing(project: Path) -> str:
    done = lake_command(None, project, "test")
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout
