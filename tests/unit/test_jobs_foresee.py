"""What a job's columns say before any row is read: the table's schema, or a mistake with its line and the way out."""

from pathlib import Path

import polars as pl
import pytest

from catalog.errors import LakeError
from catalog.zones import TableName
from lake.promote.find import find_jobs
from lake.promote.foresee import Foreseen, foresee

ROWS = TableName.parse("bronze.rows")
SCHEMA = pl.Schema({"carrier": pl.String, "day": pl.String, "n": pl.String, "_file": pl.String, "_line": pl.Int64})
HEAD = "import polars as pl\nfrom lake import Source, expect, job\n"
"""Two lines: what follows begins in line 3."""


def foreseen(folder: Path, python: str = "", **queries: str) -> dict[str, Foreseen]:
    (folder / "jobs" / "gold").mkdir(parents=True)
    (folder / "jobs" / "a.py").write_text(HEAD + python, encoding="utf-8")
    for name, text in queries.items():
        (folder / "jobs" / "gold" / f"{name}.sql").write_text(text, encoding="utf-8")
    return {str(name): seen for name, seen in foresee(find_jobs(folder, [ROWS]), {ROWS: SCHEMA}).items()}


def made(options: str, body: str = "rows") -> str:
    return f'@job("silver.t"{options})\ndef t(rows: Source["bronze.rows"]) -> pl.LazyFrame:\n    return {body}\n'


def test_a_table_has_the_columns_that_casts_and_the_mode_give(tmp_path: Path) -> None:
    types = 'types={"day": pl.Date, "n": pl.Int32}, origin=["_file", "_line"]'
    silver = made(f', mode="scd2", key=["carrier"], sequence="day", {types}')
    seen = foreseen(tmp_path, silver, g="-- key: carrier\nselect carrier, sum(n) as n from silver.t group by all")
    assert seen["silver.t"] == pl.Schema(
        {
            "carrier": pl.String,
            "day": pl.Date,
            "n": pl.Int32,
            "valid_from": pl.Date,
            "valid_to": pl.Date,
            "current": pl.Boolean,
        }
    )
    assert seen["gold.g"] == pl.Schema({"carrier": pl.String, "n": pl.Int64})


@pytest.mark.parametrize(
    ("options", "body", "message"),
    [
        (
            ', key=["carier"]',
            "rows",
            "key names the column 'carier', which the result lacks (|a.py:3)|nearest is carrier",
        ),
        (', mode="partition", partition_by=["dy"]', "rows", "partition_by names the column 'dy'|nearest is day"),
        (', expect=[expect.not_null("m")]', "rows", "not_null(m) names the column 'm'|nearest is"),
        (', units={"carier": "EUR"}', "rows", "units names the column 'carier'|nearest is carrier"),
        (', types={"_line": pl.Date}', "rows", "types casts text, and '_line' is Int64|a.py:3"),
        ("", 'rows.select("carier")', "unable to find column|a.py:|the nearest is carrier"),
        (', expect=[expect.references("n", "silver.t2", "m")]', "rows", "silver.t2 has no column 'm'|nearest is n"),
    ],
)
def test_a_wrong_column_in_python_is_told_with_its_line(tmp_path: Path, options: str, body: str, message: str) -> None:
    other = '@job("silver.t2")\ndef t2(rows: Source["bronze.rows"]) -> pl.LazyFrame:\n    return rows.select("n")\n'
    error = foreseen(tmp_path, made(options, body) + other)["silver.t"]
    assert isinstance(error, LakeError)
    assert all(part in f"{error.what} {error.next}" for part in message.split("|")), error


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("-- key: carier\nselect carrier from bronze.rows", "key names the column 'carier'|g.sql:1|nearest is carrier"),
        ("select\n  carier\nfrom bronze.rows", 'column "carier" not found|g.sql:2|nearest is carrier'),
        ("select lenght(n) as n from bronze.rows", "lenght does not exist|g.sql:1|nearest is length"),
        ("select n - 1 as n from bronze.rows", "g.sql:1"),
        ("select interval 1 day as n from bronze.rows", "'n' is interval, which a table cannot hold"),
    ],
)
def test_a_wrong_name_in_sql_is_told_with_its_line(tmp_path: Path, query: str, message: str) -> None:
    error = foreseen(tmp_path, g=query)["gold.g"]
    assert isinstance(error, LakeError)
    assert all(part in f"{error.what} {error.next}" for part in message.split("|")), error


def test_what_comes_of_a_mistake_is_not_judged(tmp_path: Path) -> None:
    seen = foreseen(tmp_path, made(', key=["carier"]'), g="select nothing from silver.t")
    assert list(seen) == ["silver.t"]


def test_a_job_that_does_not_bear_to_see_no_row_may_be_right(tmp_path: Path) -> None:
    assert foreseen(tmp_path, made("", 'rows.head(rows.collect()["_line"][0])')) == {}
    assert foreseen(tmp_path / "sql", g="select error('none')::int as n from bronze.rows having count(*) = 0") == {}
