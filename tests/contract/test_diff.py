"""What a run would change in a table's rows is shown before anyone sees it, and leaves nothing behind."""

import json
from pathlib import Path

import polars as pl
import pytest

from catalog.errors import ExpectationFailed, JobFailed, NotFound
from catalog.objects import Endpoint
from catalog.zones import Zone
from lake import Lake
from lake.promote.declare import Mode
from tests.support.projects import lake_command, project_on
from tests.support.published import publish

JOB = """
import os

import polars as pl

from lake import Source, expect, job


@job("gold.stock", mode="{mode}", {options})
def stock(parts: Source["silver.parts"]) -> pl.LazyFrame:
    {body}
    return parts.select({columns})
"""
KEYED = 'key=["k"]'
OLD = pl.DataFrame({"k": ["a", "b", "c", None], "n": [1, 2, 3, 4], "x": [0.0, 1.5, float("nan"), None]})
NEW = pl.DataFrame({"k": ["a", "b", "d", None], "n": [1, 20, 3, 4], "x": [-0.0, 1.5, float("nan"), None]})


@pytest.fixture
def lake(fast_endpoint: Endpoint, tmp_path: Path) -> Lake:
    """A lake with one published table, silver.parts."""
    made = project_on(fast_endpoint, tmp_path / "lake")
    publish(made, silver__parts=OLD.drop_nulls("k"))
    return made


def declare(
    lake: Lake, options: str = KEYED, *, mode: str = "replace", body: str = "", columns: str = '"k", "n", "x"'
) -> None:
    """The one job of the project."""
    jobs = lake.settings.project / "jobs"
    jobs.mkdir(exist_ok=True)
    (jobs / "all.py").write_text(JOB.format(mode=mode, options=options, body=body or "pass", columns=columns))


def everything(lake: Lake) -> set[tuple[str, str, str]]:
    """Every object of the lake."""
    zones = [Zone.SILVER, Zone.GOLD, Zone.CATALOG]
    return {(zone, each.key, each.etag) for zone in zones for each in lake.objects.list_objects(zone)}


@pytest.mark.parametrize("mode", [Mode.REPLACE, Mode.UPSERT, Mode.APPEND])
def test_rows_are_compared_by_key(lake: Lake, fast_endpoint: Endpoint, mode: Mode) -> None:
    """One comes, one goes, two change, one of them from 0.0 to -0.0: whole or by row, and a run does the same."""
    declare(lake, mode=mode)
    lake.run()
    publish(lake, silver__parts=NEW.drop_nulls("k"))
    before, head = everything(lake), lake.log.head()
    found = lake.diff("gold.stock").difference
    assert (found.how == "by row of silver.parts") == (mode is not Mode.REPLACE)
    assert (found.key, found.columns, found.rows_before, found.rows_after) == (("k",), (), 3, 3)
    assert found.added.rows["k"].to_list() == ["d"]
    assert found.removed.rows["k"].to_list() == ["c"]
    assert (found.added.count, found.removed.count, found.changed.count) == (1, 1, 2)
    assert found.before.rows() == [("a", 1, 0.0), ("b", 2, 1.5)]
    assert found.changed.rows.rows() == [("a", 1, -0.0), ("b", 20, 1.5)]
    said = lake_command(fast_endpoint, lake.settings.project, "plan", "--diff", "gold.stock", "--limit", "1")
    assert said.returncode == 0, said.stderr
    assert "3 rows -> 3: 1 added, 1 removed, 2 changed" in said.stdout
    assert "\nchanged, the first 1 of 2:\nk  column  old  new" in said.stdout
    assert "a  x       0.0  -0.0\n" in said.stdout
    assert (everything(lake), lake.log.head()) == (before, head)
    lake.run()
    assert lake.diff("gold.stock").difference.is_empty


def test_json_lines_say_the_same(lake: Lake, fast_endpoint: Endpoint) -> None:
    """A line of counts for each table, then its rows."""
    declare(lake)
    lake.run()
    publish(lake, silver__parts=NEW.drop_nulls("k"))
    said = lake_command(fast_endpoint, lake.settings.project, "plan", "--diff", "gold.stock", "--format", "jsonl")
    counts, *rows = map(json.loads, said.stdout.splitlines())
    assert (counts["added"], counts["removed"], counts["changed"], counts["key"]) == (1, 1, 2, ["k"])
    assert [row["kind"] for row in rows] == ["added", "removed", "changed", "changed"]
    assert rows[3]["row"] == {"k": "b", "column": "n", "old": "2", "new": "20"}


def test_without_a_key_rows_come_and_go_as_often_as_they_are(lake: Lake) -> None:
    """NULL is as NULL; of three alike two go."""
    declare(lake, "")
    publish(lake, silver__parts=pl.concat([OLD, OLD[:1], OLD[:1]]))
    lake.run()
    publish(lake, silver__parts=NEW)
    found = lake.diff("gold.stock").difference
    assert (found.key, found.added.count, found.removed.count, found.changed.count) == ((), 3, 5, 0)
    assert [row[0] for row in found.removed.rows.rows()] == ["a", "a", "a", "b", "c"]
    few = lake.diff("gold.stock", limit=2).difference
    assert (few.removed.count, few.removed.rows["k"].to_list()) == (5, ["a", "a"])


def test_a_table_that_is_not_published_is_all_new(lake: Lake) -> None:
    declare(lake)
    before, head = everything(lake), lake.log.head()
    found = lake.diff("gold.stock").difference
    assert (found.version, found.added.count, found.rows_before, found.rows_after) == (None, 3, 0, 3)
    assert found.added.rows["k"].to_list() == ["a", "b", "c"]
    assert (everything(lake), lake.log.head()) == (before, head)
    with pytest.raises(NotFound, match=r"no job makes gold\.stocks"):
        lake.diff("gold.stocks")


def test_columns_are_told_and_rows_compared_by_the_others(lake: Lake) -> None:
    """Also where no column stays what it was."""
    declare(lake)
    lake.run()
    declare(lake, columns='"k", pl.col("n").cast(pl.Float64), m=pl.lit(1)')
    found = lake.diff("gold.stock").difference
    assert found.columns == ("+ m Int32", "- x Float64", "n Int64 -> Float64")
    assert not found.is_empty
    assert (found.added.count, found.removed.count, found.changed.count) == (0, 0, 0)
    declare(lake, "", columns='pl.col("n").cast(pl.Float64)')
    found = lake.diff("gold.stock").difference
    assert (found.added.count, found.removed.count) == (3, 3)


def test_rejects_and_warnings_are_told_and_no_object_of_them_stays(lake: Lake) -> None:
    """Rows that would be set aside, and those that would be no more."""
    rules = (
        '{}, expect=[expect.rule("small", pl.col("n") < {}, action="quarantine"), expect.not_null("x", action="warn")]'
    )
    declare(lake, rules.format(KEYED, 3))
    lake.run()
    publish(lake, silver__parts=NEW.with_columns(x=pl.lit(None, pl.Float64)).drop_nulls("k"))
    before = everything(lake)
    found = lake.diff("gold.stock").difference
    assert (found.rejects_come.count, found.rejects_gone.count, found.removed.count) == (2, 1, 1)
    assert found.rejects_gone.rows["rule"].to_list() == ["small"]
    assert [warning.partition(":")[0] for warning in found.warnings] == ["small", "x"]
    assert everything(lake) == before


@pytest.mark.parametrize(
    ("options", "body", "error"),
    [
        ("expect=[expect.row_count(min=10)]", "", ExpectationFailed),
        (
            'expect=[expect.not_null("x", action="fail"), expect.unique("n")]',
            "parts = pl.concat([parts] * 2)",
            ExpectationFailed,
        ),
        ("", "os.abort()", JobFailed),
    ],
)
def test_what_fails_is_said_and_leaves_nothing(
    lake: Lake, fast_endpoint: Endpoint, options: str, body: str, error: type[Exception]
) -> None:
    """A rule of the table as a whole is asked when its files are written: they go, too."""
    declare(lake)
    lake.run()
    declare(lake, f'key=["k", "n"], {options}' if "min" in options else options, body=body)
    before, head = everything(lake), lake.log.head()
    with pytest.raises(error, match=r"gold\.stock"):
        lake.diff("gold.stock")
    said = lake_command(fast_endpoint, lake.settings.project, "plan", "--diff", "gold.stock")
    assert (said.returncode, said.stdout) == (1, "")
    assert "gold.stock: error: " in said.stderr
    assert (everything(lake), lake.log.head()) == (before, head)


def test_what_lands_is_said_and_not_read(lake: Lake, fast_endpoint: Endpoint, tmp_path: Path) -> None:
    """Bronze is read at its head; a source that a run would change first is named."""
    file = tmp_path / "sales.csv"
    file.write_text("day\n1\n2\n")
    lake.drop([file], "sales")
    text = 'from lake import Source, job\n\n\n@job("gold.sales")\ndef sales(sales: Source["bronze.sales"]):\n'
    (lake.settings.project / "jobs" / "sales.py").write_text(f'{text}    return sales.select("day")\n')
    with pytest.raises(NotFound, match=r"there is no bronze\.sales"):
        lake.diff("gold.sales")
    lake.ingest()
    file.write_text("day\n3\n")
    lake.drop([file], "sales")
    found = lake.diff("gold.sales")
    assert (found.difference.added.count, [str(name) for name in found.moving]) == (2, ["bronze.sales"])
    said = lake_command(fast_endpoint, lake.settings.project, "plan", "--diff", "gold.sales")
    assert "bronze.sales changes before it in a run" in said.stderr
    assert lake_command(fast_endpoint, lake.settings.project, "plan", "--diff").returncode == 2
