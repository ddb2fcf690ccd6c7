"""A job's code has changed when its meaning has: not its layout, its comments or what is told about it."""

from pathlib import Path

import pytest

from lake.promote.find import read_jobs

BEFORE = '''import polars as pl
from lake import Source, by_row, job

LIMIT = 3

def helper(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.head(LIMIT)

@job("silver.a", description="first")
def a(rows: Source["bronze.rows"]) -> pl.LazyFrame:
    """All."""
    return helper(rows)

@job("silver.b")
def b(rows: Source["bronze.rows"]) -> pl.LazyFrame:
    return rows
'''
QUERY = "-- key: n\nselect n, count(*) as c from silver.rows group by n\n"


def codes(folder: Path, name: str, text: str) -> dict[str, str]:
    path = folder / "jobs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return {str(job.table): job.code for job in read_jobs(folder / "jobs")}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("return helper(rows)", "return helper(  rows  )  # now with space", ""),
        ('"""All."""', '"""Every one."""', ""),
        ('description="first"', 'description="second", owner="me"', ""),
        ('description="first"', 'units={"n": "EUR"}, pii=["n"], timeout="1 h"', ""),
        ('description="first"', 'depends={"bronze.rows": by_row()}', "a"),
        ("LIMIT = 3", "\n\nLIMIT = 3", ""),
        ("    return rows\n", "    return rows.tail(1)\n", "b"),
        ('@job("silver.b")', '@job("silver.b", key=["n"])', "b"),
        ("return helper(rows)", "return helper(rows).tail(1)", "a"),
        ("LIMIT = 3", "LIMIT = 4", "ab"),
        ("return helper(rows)", "return b(rows)", "a"),
    ],
)
def test_python_by_meaning(tmp_path: Path, old: str, new: str, changed: str) -> None:
    assert old in BEFORE
    before, after = codes(tmp_path, "x.py", BEFORE), codes(tmp_path, "x.py", BEFORE.replace(old, new))
    assert "".join(name for name in "ab" if before[f"silver.{name}"] != after[f"silver.{name}"]) == changed


def test_arguments_of_other_calls_have_meaning_whatever_their_name(tmp_path: Path) -> None:
    calls = BEFORE.replace("return helper(rows)", 'return convert(rows, units="{}")')
    one, other = (codes(tmp_path, "x.py", calls.replace("{}", unit)) for unit in ("miles", "km"))
    assert one["silver.a"] != other["silver.a"]


def test_a_job_that_another_one_calls_counts_for_both(tmp_path: Path) -> None:
    calls = BEFORE.replace("return helper(rows)", "return b(rows)")
    before, after = (
        codes(tmp_path, "x.py", calls),
        codes(tmp_path, "x.py", calls.replace("return rows\n", "return rows.tail(1)\n")),
    )
    assert before["silver.a"] != after["silver.a"]


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("select n, count(*)", "SELECT\n    n, -- the number\n    COUNT( * )", False),
        ("-- key: n", "-- key: n\n-- owner: me\n-- description: counts", False),
        ("count(*)", "sum(n)", True),
        ("-- key: n", "-- key: c", True),
        ("-- key: n", "-- key: n\n-- expect: not_null(c)", True),
        ("'x'", "'X'", False),
    ],
)
def test_sql_by_meaning(tmp_path: Path, old: str, new: str, changed: bool) -> None:
    before, after = codes(tmp_path, "gold/x.sql", QUERY), codes(tmp_path, "gold/x.sql", QUERY.replace(old, new))
    assert (before != after) is changed


def test_a_text_in_sql_keeps_its_case(tmp_path: Path) -> None:
    query = "select * from silver.rows where n = '{}'"
    assert codes(tmp_path, "gold/x.sql", query.format("a")) != codes(tmp_path, "gold/x.sql", query.format("A"))
