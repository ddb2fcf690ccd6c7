"""SQL jobs: exact types, bounded reach, errors with the query's line."""

from pathlib import Path

import polars as pl
import pytest

from catalog.errors import JobFailed, TypeRefused
from catalog.zones import TableName
from lake.promote.declare import Job, Query
from lake.promote.sql import Bounds, SourceFiles, run_query

ROWS = TableName.parse("silver.rows")


@pytest.fixture
def rows(tmp_path: Path) -> SourceFiles:
    folder = tmp_path / "it's here"
    folder.mkdir()
    frame = pl.DataFrame({"n": [2**62, 2**62, 1], "s": ["a", "b", None]})
    frame.head(2).write_parquet(folder / "1.parquet")
    frame.tail(1).select("n").write_parquet(folder / "2.parquet")
    return SourceFiles(frame.schema, [folder / "1.parquet", folder / "2.parquet"])


def query(sql: str, source: SourceFiles, folder: Path) -> pl.DataFrame:
    work = folder / "work"
    work.mkdir()
    made = Job(TableName.parse("gold.t"), Query(sql, (ROWS,)), path=Path("jobs/gold/t.sql"), line=1)
    return run_query(made, {ROWS: source}, work, Bounds(folder, 0.3)).collect()


def test_a_file_that_lacks_a_column_has_it_absent(rows: SourceFiles, tmp_path: Path) -> None:
    assert query("select n % 10 as d, s from silver.rows order by s nulls last", rows, tmp_path).rows() == [
        (4, "a"),
        (4, "b"),
        (1, None),
    ]


def test_a_table_without_rows_has_its_columns(tmp_path: Path) -> None:
    empty = SourceFiles(pl.Schema({"n": pl.Int32, "t": pl.Datetime("us", "UTC")}), [])
    result = query("select *, n + 1 as m from silver.rows", empty, tmp_path)
    assert (result.height, result.schema["t"]) == (0, pl.Datetime("us", "UTC"))


def test_a_sum_of_integers_is_an_exact_integer(rows: SourceFiles, tmp_path: Path) -> None:
    result = query("select sum(n) as total from silver.rows where s is null or s = 'a'", rows, tmp_path)
    assert result.schema["total"] == pl.Int64
    assert result.item() == 2**62 + 1


def test_a_sum_that_does_not_fit_is_an_error_and_not_a_rounded_number(rows: SourceFiles, tmp_path: Path) -> None:
    with pytest.raises(JobFailed, match="out of range"):
        query("select sum(n) as total from silver.rows", rows, tmp_path)


def test_names_and_categories_become_text(rows: SourceFiles, tmp_path: Path) -> None:
    result = query(
        "select 'a'::enum('a', 'b') as e, uuid() as \"an \"\"id\"\"\" from silver.rows limit 1", rows, tmp_path
    )
    assert result.schema == {"e": pl.String, 'an "id"': pl.String}
    assert result["e"].item() == "a"


@pytest.mark.parametrize("value", ["interval 1 day", "[sum(n)]", "time '10:00'", "null", "{'t': [interval 1 day]}"])
def test_what_a_table_cannot_hold_is_refused_by_name(value: str, rows: SourceFiles, tmp_path: Path) -> None:
    with pytest.raises(TypeRefused, match="column 'v' is"):
        query(f"select {value} as v from silver.rows", rows, tmp_path)


def test_an_error_names_the_query_s_line(rows: SourceFiles, tmp_path: Path) -> None:
    with pytest.raises(JobFailed, match=r'"nn" not found.*\(jobs/gold/t\.sql:3\)'):
        query("-- key: n\nselect\n  nn\nfrom silver.rows", rows, tmp_path)


def test_a_query_reaches_no_other_file(rows: SourceFiles, tmp_path: Path) -> None:
    secret = tmp_path.parent / "secret.csv"
    secret.write_text("a\n1\n")
    with pytest.raises(JobFailed, match="Permission Error"):
        query(f"select * from read_csv('{secret}')", rows, tmp_path)


def test_a_query_beyond_its_memory_limit_spills_or_fails_alone(rows: SourceFiles, tmp_path: Path) -> None:
    result = query(
        "select count(*) as c from (select r.range, r.range::varchar || 'x' as t from range(2000000) r order by t)",
        rows,
        tmp_path,
    )
    assert result.item() == 2_000_000
