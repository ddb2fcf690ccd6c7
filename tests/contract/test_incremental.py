"""A table made of what is new in its sources: what is read, what is written again, and when it is made whole."""
# ruff: noqa: F821 - Source["bronze.rows"] names a table, not a type

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from catalog.errors import DataRefused, ExpectationFailed, UsageError
from catalog.objects import Endpoint, ObjectStore
from catalog.tables import Change, Snapshot
from catalog.zones import TableName
from lake import Source, expect
from lake.promote.change import state_of, why_run
from lake.promote.declare import Job, Query
from lake.promote.dependent import Dependence, by_key, by_row, whole
from lake.promote.outcome import Outcome, RunOptions
from lake.promote.setaside import RECORD
from lake.promote.task import Task
from tests.support.jobs import declared
from tests.support.promotion import Promotion
from tests.support.proxy import Proxy


class Line:
    """One job, its source ``bronze.rows``, and the version of its table that is published."""

    def __init__(self, endpoint: Endpoint, folder: Path) -> None:
        self.lake = Promotion(endpoint, folder)
        self.pin: Snapshot | None = None
        self.outcome: Outcome | None = None

    def land(self, rows: Mapping[str, Any], *, replace: bool = False) -> Snapshot:
        return self.lake.land_frame("bronze.rows", pl.LazyFrame(rows), replace)

    def run(self, made: Job, **options: Any) -> Outcome:
        inputs = {name: snapshot for name in made.sources if (snapshot := self.lake.tables.open(name)) is not None}
        task = Task(made, inputs, self.pin, self.lake.desk())
        self.outcome, self.pin = task.run("asked", RunOptions(**options))
        return self.outcome

    def rows(self) -> list[tuple[object, ...]]:
        assert self.pin is not None
        return sorted(self.pin.scan().collect().rows(), key=repr)

    def files(self) -> set[str]:
        assert self.pin is not None
        return {file.path for file in self.pin.files}

    def rejects(self) -> list[tuple[object, ...]]:
        assert self.pin is not None
        told = self.pin.metadata["rejects"]
        if told is None:
            return []
        path = self.lake.folder / "rejects.parquet"
        self.lake.objects.fetch("catalog", told["key"], path)
        found = pl.read_parquet(path)
        assert found["id"].to_list() == [f"{told['source']}:{number}" for number in range(1, told["rows"] + 1)]
        return sorted(found.select(list(RECORD)).rows(), key=repr)


@pytest.fixture
def line(fast_endpoint: Endpoint, tmp_path: Path) -> Line:
    return Line(fast_endpoint, tmp_path)


def job(
    mode: str,
    depends: Dependence,
    body: Callable[[pl.LazyFrame], pl.LazyFrame] = lambda rows: rows,
    **options: Any,
) -> Job:
    """A job from bronze.rows to silver.made that states how it depends."""

    @declared("silver.made", mode=mode, depends={"bronze.rows": depends}, **options)
    def made(rows: Source["bronze.rows"]) -> pl.LazyFrame:
        return body(rows)

    return replace(made, code="1")


def data_reads(proxy: Proxy) -> set[str]:
    """The data files that were asked for since the log was last empty."""
    return {
        request.target.partition("?")[0].rpartition("/")[2]
        for request in proxy.log
        if request.method == "GET" and "/part-" in request.target and "_delta_log" not in request.target
    }


def test_by_row_only_what_came_is_read_and_nothing_of_the_table(fast_proxy: Proxy, tmp_path: Path) -> None:
    line = Line(fast_proxy.endpoint, tmp_path)
    line.land({"k": list(range(1000))})
    keep = job("append", by_row(), lambda rows: rows.filter(pl.col("k") % 2 == 0))
    line.run(keep)
    first = line.files()
    before = {file.path for file in line.lake.tables.open(TableName.parse("bronze.rows")).files}  # type: ignore[union-attr]
    line.land({"k": [1001, 1002]})
    fast_proxy.log.clear()
    outcome = line.run(keep)
    assert (outcome.how, outcome.rows_read, outcome.rows_in, outcome.rows_out) == (
        "by row of bronze.rows",
        2,
        1002,
        501,
    )
    read = data_reads(fast_proxy)
    assert read
    assert not read & (before | first)
    assert first < line.files()
    assert outcome.bytes_out == sum(file.size_bytes for file in line.pin.files if file.path not in first)  # type: ignore[union-attr]


@pytest.mark.parametrize("is_sql", [True, False])
def test_a_source_whose_rows_are_put_beside_the_others_is_not_read_for_them(
    fast_proxy: Proxy, tmp_path: Path, is_sql: bool
) -> None:
    line = Line(fast_proxy.endpoint, tmp_path)

    @declared("silver.made", mode="append")
    def python(rows: Source["bronze.rows"], more: Source["bronze.more"]) -> pl.LazyFrame:
        return pl.concat([rows.filter(pl.col("k") > 0), more])

    tables = tuple(map(TableName.parse, ("bronze.rows", "bronze.more")))
    sql = "select k from bronze.rows where k > 0 union all select k from bronze.more"
    both = replace(python, code="1", **({"body": Query(sql, tables)} if is_sql else {}))
    line.land({"k": [1, 2]})
    line.lake.land_frame("bronze.more", pl.LazyFrame({"k": list(range(1000))}))
    line.run(both)
    line.land({"k": [0, 3]})
    fast_proxy.log.clear()
    outcome = line.run(both)
    assert (outcome.how, outcome.rows_read, outcome.rows_in, outcome.rows_out) == (
        "by row of bronze.rows",
        2,
        1004,
        1003,
    )
    more = line.lake.tables.open(tables[1])
    assert more is not None
    assert not data_reads(fast_proxy) & {file.path for file in more.files}


@pytest.mark.parametrize("kind", ["text", "integer", "date"])
def test_by_key_files_that_cannot_hold_a_key_are_not_read(fast_proxy: Proxy, tmp_path: Path, kind: str) -> None:
    """Ten files of the source and ten of the table, by ranges of the key: one row is corrected."""
    line = Line(fast_proxy.endpoint, tmp_path)
    number = pl.col("k")
    keys = {
        "text": number.cast(pl.String).str.zfill(4),
        "integer": number,
        "date": pl.date(2026, 1, 1) + number * pl.duration(days=1),
    }[kind]
    made = job("upsert", by_key("k"), lambda rows: rows.group_by("k").agg(pl.col("v").sum()), key=["k"])
    for start in range(0, 100, 10):
        frame = pl.LazyFrame({"k": range(start, start + 10)}).select(k=keys, v=pl.lit(1))
        line.lake.land_frame("bronze.rows", frame)
        line.run(made)
    assert len(line.files()) == 10
    before = line.files()
    source = line.lake.tables.open(TableName.parse("bronze.rows"))
    assert source is not None
    old = {file.path for file in source.files}
    line.lake.land_frame("bronze.rows", pl.LazyFrame({"k": [55]}).select(k=keys, v=pl.lit(7)))
    fast_proxy.log.clear()
    outcome = line.run(made)
    assert (outcome.how, outcome.rows_read) == ("by key (k) of bronze.rows", 11 + 1)
    read = data_reads(fast_proxy)
    assert (len(read & before), len(read & old)) == (1, 1)
    assert len(before - line.files()) == 1
    assert sorted(row[1] for row in line.rows()) == [1] * 99 + [8]


def test_rows_that_are_alike_go_as_often_as_they_went(line: Line) -> None:
    """NULL, NaN, the zeros, lists, structs, decimals and bytes; spread over several files of the table."""
    nan = float("nan")
    rows = [
        {"f": f, "n": n, "s": {"x": f}, "b": b, "d": d}
        for f, n in ((0.0, [0.0]), (-0.0, [-0.0]), (nan, [nan, None]), (None, None), (1.0, []))
        for b, d in ((b"a", "1.10"), (None, None))
    ]
    schema = pl.Schema(
        {"f": pl.Float64, "n": pl.List(pl.Float64), "s": pl.Struct({"x": pl.Float64}), "b": pl.Binary, "d": pl.String}
    )

    def frame(these: list[dict[str, Any]]) -> pl.LazyFrame:
        return pl.LazyFrame(these, schema=schema).with_columns(pl.col("d").cast(pl.Decimal(9, 2)))

    keep = job("append", by_row())
    parts = [rows, rows[::2] + rows, rows[::-1]]
    for part in parts:
        line.lake.land_frame("bronze.rows", frame(part))
        line.run(keep)
    source = line.lake.tables.open(TableName.parse("bronze.rows"))
    assert source is not None
    line.lake.land_frame("bronze.rows", frame(rows + rows[:3]), replace=True)
    assert line.run(keep).how == "by row of bronze.rows"
    expected = frame(rows + rows[:3]).collect().rows()
    assert list(map(repr, line.rows())) == sorted(map(repr, expected))


def test_many_small_files_are_put_together(line: Line) -> None:
    keep = job("append", by_row())
    for number in range(36):
        line.land({"k": [number]})
        line.run(keep)
    assert len(line.files()) == 36 - 32
    assert line.rows() == sorted(((number,) for number in range(36)), key=repr)


def test_rejects_are_those_of_all_rows_and_stay_the_same_object_while_none_changes(line: Line) -> None:
    rule = expect.rule("good", pl.col("k") < 10, action="quarantine")
    keep = job("append", by_row(), expect=[rule])
    line.land({"k": [1, 20, 20]})
    line.run(keep)
    told = line.pin.metadata["rejects"]  # type: ignore[union-attr]
    line.land({"k": [2]})
    assert line.run(keep).rejected == 2
    assert line.pin.metadata["rejects"] == told  # type: ignore[union-attr]
    line.land({"k": [30]})
    assert line.run(keep).rejected == 3
    assert [row[4] for row in line.rejects()] == ['{"k":20}', '{"k":20}', '{"k":30}']
    line.land({"k": [1, 2, 20, 30]}, replace=True)
    assert line.run(keep).rejected == 2
    assert [row[4] for row in line.rejects()] == ['{"k":20}', '{"k":30}']
    line.land({"k": [1]}, replace=True)
    assert (line.run(keep).rejected, line.rejects()) == (0, [])


def test_a_key_that_comes_again_is_refused_by_the_rows_that_are_there(line: Line) -> None:
    keep = job("upsert", by_row(), key=["k"], expect=[expect.unique("v")])
    line.land({"k": ["a", "b"], "v": [1, 2]})
    line.run(keep)
    line.land({"k": ["b", "c"], "v": [3, 1]})
    with pytest.raises(ExpectationFailed, match=r"v: 1 value comes more than once: 1 \(2 rows\).*key k: 1 value comes"):
        line.run(keep)
    line.land({"k": ["a", None], "v": [1, 2]}, replace=True)
    with pytest.raises(ExpectationFailed, match="k: null in 1 row"):
        line.run(keep)
    assert line.rows() == [("a", 1), ("b", 2)]


def test_for_a_key_the_rows_that_are_there_are_read_once(fast_proxy: Proxy, tmp_path: Path) -> None:
    line = Line(fast_proxy.endpoint, tmp_path)
    keep = job("upsert", by_row(), key=["k"])
    line.land({"k": [1, 3]})
    line.run(keep)
    (there,) = line.files()
    line.land({"k": [2]})
    fast_proxy.log.clear()
    line.run(keep)
    assert [read.method for read in fast_proxy.log if there in read.target].count("GET") == 2, "footer and column"


def test_a_table_that_lacks_what_should_go_is_made_whole(line: Line) -> None:
    """Its rows were made in another way than the job makes them now, and its code does not tell."""
    line.land({"k": ["a", "b"]})
    line.run(job("append", by_row(), lambda rows: rows.select(pl.col("k") + "!")))
    line.land({"k": ["b"]}, replace=True)
    outcome = line.run(job("append", by_row()))
    assert outcome.how == "whole: by row of bronze.rows, but it lacks rows that should go"
    assert line.rows() == [("b",)]


@pytest.mark.parametrize(("mode", "options"), [("upsert", {"key": ["k"]}), ("partition", {"partition_by": ["k"]})])
def test_a_key_that_is_not_there_as_its_sources_made_it_makes_a_table_whole(
    line: Line, mode: str, options: dict[str, Any]
) -> None:
    line.land({"k": ["a", "b"]})
    line.run(job(mode, by_key("k"), lambda rows: rows.filter(pl.col("k") != "a"), **options))
    line.land({"k": ["b", "c"]}, replace=True)
    outcome = line.run(job(mode, by_key("k"), **options))
    assert outcome.how.startswith("whole: by key (k) of bronze.rows, but it has 0 rows where its sources made 1 before")
    assert line.rows() == [("b",), ("c",)]


def test_older_files_that_are_gone_make_a_table_whole(line: Line) -> None:
    keep = job("append", by_row())
    before = line.land({"k": ["a"]})
    line.run(keep)
    line.land({"k": ["b"]}, replace=True)
    ObjectStore(before.endpoint).delete("bronze", f"tables/rows/{before.files[0].path}")
    outcome = line.run(keep)
    assert outcome.how.startswith("whole: by row of bronze.rows, but older files of its sources are gone")
    assert line.rows() == [("b",)]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"code": "2"}, "the job's code changed"),
        ({"depends": {TableName.parse("bronze.rows"): whole()}}, "bronze.rows: the job says so"),
        ({}, "the columns of bronze.rows changed: unknown 'w'"),
    ],
)
def test_why_a_table_is_made_whole(line: Line, change: dict[str, Any], why: str) -> None:
    keep = job("append", by_row(), lambda rows: rows.select("k"))
    line.land({"k": ["a"]})
    assert line.run(keep).how == "whole: never built"
    line.land({"k": ["b"]} if change else {"k": ["b"], "w": [1]})
    assert line.run(replace(keep, **change)).how == f"whole: {why}"
    assert line.rows() == [("a",), ("b",)]


def test_files_written_again_with_the_same_rows_are_no_change(line: Line) -> None:
    keep = job("upsert", by_row(), key=["k"])
    line.land({"k": ["a", "b"]})
    line.run(keep)
    before = line.files()
    line.land({"k": ["b", "a"]}, replace=True)
    assert line.run(keep).how == "by row of bronze.rows"
    assert line.files() == before


def test_rows_that_came_since_a_date_are_made_anew(line: Line) -> None:
    """Of a table that is wrong in a way that nothing tells of, as after an upgrade of a library."""
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    line.land({"k": ["a", "b", "c"], "_ingested_at": days})
    line.run(job("upsert", by_row(), lambda rows: rows.select("k", v=pl.lit(1)), key=["k"]))
    right = job("upsert", by_row(), lambda rows: rows.select("k", v=pl.lit(2)), key=["k"])
    outcome = line.run(right, since=days[1])
    assert outcome.how == "by row of bronze.rows"
    assert line.rows() == [("a", 1), ("b", 2), ("c", 2)]
    with pytest.raises(UsageError, match="mode append"):
        line.run(job("append", by_row()), since=days[1])


def test_a_table_whose_sources_tell_no_date_is_made_whole_since_one(line: Line) -> None:
    line.land({"k": ["a"]})
    made = job("upsert", by_row(), key=["k"])
    line.run(made)
    assert "no table that it reads has _ingested_at" in line.run(made, since=datetime(2026, 1, 1, tzinfo=UTC)).how


def test_rows_made_anew_since_a_date_hide_no_key_that_comes_again(line: Line) -> None:
    made = job("upsert", by_row(), key=["k"])
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 5)]
    line.land({"k": ["a", "b"], "v": [1, 2], "_ingested_at": [days[0]] * 2})
    line.run(made)
    line.land({"k": ["a"], "v": [9], "_ingested_at": days[1:]})
    with pytest.raises(ExpectationFailed, match="key k: 1 value comes more than once"):
        line.run(made, since=days[1])


def test_a_key_that_goes_from_one_source_to_another_stays_while_rows_are_made_anew(line: Line) -> None:
    @declared("silver.made", mode="upsert", key=["k"])
    def union(rows: Source["bronze.rows"], more: Source["bronze.more"]) -> pl.LazyFrame:
        return pl.concat([rows, more])

    made = replace(union, code="1")
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 5)]
    line.land({"k": ["a"], "v": [1], "_ingested_at": days[:1]})
    more = {"k": ["k", "z"], "v": [2, 3], "_ingested_at": [days[0]] * 2}
    line.lake.land_frame("bronze.more", pl.LazyFrame(more))
    line.run(made)
    line.land({"k": ["k"], "v": [7], "_ingested_at": days[1:]})
    line.lake.land_frame("bronze.more", pl.LazyFrame(more).filter(k="z"), replace=True)
    assert line.run(made, since=days[1]).how.endswith("but several sources make rows of one key")
    assert [row[:2] for row in line.rows()] == [("a", 1), ("k", 7), ("z", 3)]


def test_a_part_made_anew_of_rows_that_are_withdrawn_again_goes(line: Line) -> None:
    made = job("partition", by_key("g"), partition_by=["g"])
    before = line.land({"g": ["x", "y"], "v": [1, 3]})
    line.run(made)
    after = line.land({"g": ["x"], "v": [66]})
    line.run(made, partition={"g": "x"})
    gone = [file for file in after.files if file not in before.files]
    head = line.lake.tables.commit(Change(after.name, "withdrawn", after, after.schema, remove=gone))
    reason = "a part of it was made anew by itself"
    assert why_run(made, state_of(line.pin), {head.name: state_of(head)}) == reason  # type: ignore[arg-type]
    assert line.run(made).how == f"whole: {reason}"
    assert line.rows() == [("x", 1), ("y", 3)]


def test_one_partition_is_made_anew_by_itself_and_the_next_run_catches_up(line: Line) -> None:
    made = job("partition", by_key("g"), partition_by=["g"])
    line.land({"g": ["x", "x", "y"], "v": [1, 2, 3]})
    line.run(made)
    assert len(line.files()) == 2
    before = line.files()
    line.land({"g": ["x", "y", "y"], "v": [1, 4, 5]}, replace=True)
    assert line.run(made, partition={"g": "x"}).how == "the rows of g=x"
    assert line.rows() == [("x", 1), ("y", 3)]
    assert len(before & line.files()) == 1
    assert line.run(made).how == "whole: a part of it was made anew by itself"
    assert line.rows() == [("x", 1), ("y", 4), ("y", 5)]
    assert line.run(made, partition={"g": "y"}).how == "the rows of g=y"
    assert line.run(made).how == "nothing changed"
    with pytest.raises(UsageError, match="not divided by 'v'"):
        line.run(made, partition={"v": "1"})


def test_a_refused_run_leaves_the_version_that_is_there(line: Line) -> None:
    keep = job("append", by_row(), expect=[expect.not_null("k")])
    line.lake.land("bronze.rows", {"k": ["a"]})
    line.run(keep)
    line.lake.land("bronze.rows", {"k": [None]})
    with pytest.raises(DataRefused, match="k: null in 1 row"):
        line.run(keep)
    head = line.lake.tables.open(TableName.parse("silver.made"))
    assert head is not None
    assert head.version == 0
