"""What a mode makes of rows, against the same said slowly in plain Python; frames in, frames out."""
# ruff: noqa: F821 - Source["bronze.rows"] names a table, not a type

import datetime as dt
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import ExpectationFailed, JobFailed, UsageError
from catalog.zones import TableName
from lake import Source, by_row
from lake import job as declare
from lake.promote.check import judge
from lake.promote.declare import Job
from lake.promote.frames import result_of
from lake.promote.memory import Room
from lake.promote.modes import shape, table_key
from tests.support.jobs import collected, declared

Row = dict[str, Any]
ROOM = Room(1.0, collected)
TIGHT = Room(1e-6, collected)
"""Room for some forty cells: histories are made in many shares of the keys."""

SCHEMA = {"k": pl.Int64, "j": pl.String, "t": pl.Int64, "gone": pl.Boolean, "v": pl.String, "w": pl.Float64}


def made(mode: str, **options: Any) -> Job:
    @declared("silver.t", mode=mode, **options)
    def table(rows: Source["bronze.rows"]) -> pl.LazyFrame:
        return rows

    return table


SCD2 = made("scd2", key=["k", "j"], sequence="t", deletes="gone")
SNAPSHOT = made("snapshot", key=["k", "j"], sequence="t")

states = st.fixed_dictionaries(
    {
        "gone": st.booleans(),
        "v": st.sampled_from(["a", "b", None]),
        "w": st.sampled_from([1.0, float("nan"), None]),
    }
)
moments = st.tuples(st.integers(1, 3), st.sampled_from(["x", "y"]), st.integers(1, 6))


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    """Rows of which none contradicts another, some of them said again, in any order."""
    said = draw(st.dictionaries(moments, states, max_size=24))
    rows = [{"k": k, "j": j, "t": t, **state} for (k, j, t), state in said.items()]
    rows += draw(st.lists(st.sampled_from(rows), max_size=4)) if rows else []
    return draw(st.permutations(rows))


def changes(rows: list[Row]) -> list[Row]:
    """The table of mode scd2, one key and one moment at a time."""
    table = []
    for key in {(row["k"], row["j"]) for row in rows}:
        at = {row["t"]: row for row in rows if (row["k"], row["j"]) == key}
        spans: list[Row] = []
        last = None
        for moment in sorted(at):
            state = None if at[moment]["gone"] else (at[moment]["v"], str(at[moment]["w"]))
            if state == last:
                continue
            if last is not None:
                spans[-1] |= {"valid_to": moment, "current": False}
            if state is not None:
                spans.append(span(at[moment]))
            last = state
        table += spans
    return table


def dumps(rows: list[Row]) -> list[Row]:
    """The table of mode snapshot, one dump after another."""
    table: list[Row] = []
    standing: dict[tuple[Any, ...], Row] = {}
    for moment in sorted({row["t"] for row in rows}):
        dump = {(row["k"], row["j"]): row for row in rows if row["t"] == moment}
        for key, since in list(standing.items()):
            now = dump.get(key)
            if now is None or any(str(now[name]) != str(since[name]) for name in ("gone", "v", "w")):
                since |= {"valid_to": moment, "current": False}
                del standing[key]
        for key, row in dump.items():
            if key not in standing:
                standing[key] = span(row)
                table.append(standing[key])
    return table


def span(row: Row) -> Row:
    return {**row, "valid_from": row["t"], "valid_to": None, "current": True}


def table_of(job: Job, rows: list[Row], room: Room | None = None) -> list[tuple[Any, ...]]:
    return shape(job, pl.LazyFrame(rows, schema=SCHEMA), room).collect(engine="streaming").rows()


def sorted_text(rows: list[tuple[Any, ...]]) -> list[str]:
    return sorted(map(repr, rows))


@settings(deadline=None)
@given(histories())
def test_a_history_of_changes_is_that_of_plain_python(rows: list[Row]) -> None:
    names = ("k", "j", "t", "v", "w", "valid_from", "valid_to", "current")
    wanted = sorted_text([tuple(row[name] for name in names) for row in changes(rows)])
    assert sorted_text(table_of(SCD2, rows)) == wanted
    assert sorted_text(table_of(SCD2, rows, TIGHT)) == wanted


@settings(deadline=None)
@given(histories())
def test_a_history_of_dumps_is_that_of_plain_python(rows: list[Row]) -> None:
    names = (*SCHEMA, "valid_from", "valid_to", "current")
    wanted = sorted_text([tuple(row[name] for name in names) for row in dumps(rows)])
    assert sorted_text(table_of(SNAPSHOT, rows)) == wanted
    assert sorted_text(table_of(SNAPSHOT, rows, TIGHT)) == wanted


@settings(deadline=None)
@given(histories())
def test_a_history_comes_once_a_key_and_moment_and_its_spans_do_not_overlap(rows: list[Row]) -> None:
    for job in (SCD2, SNAPSHOT):
        table = shape(job, pl.LazyFrame(rows, schema=SCHEMA)).collect()
        assert table.select(table_key(job)).is_duplicated().any() is False
        for spans in table.sort("valid_from").partition_by("k", "j"):
            assert all(one["valid_to"] <= two["valid_from"] for one, two in pairwise(spans.to_dicts()))
            assert spans.head(-1)["current"].any() is False
            assert (spans["valid_from"] < spans["valid_to"]).all()
            assert spans["current"].to_list() == spans["valid_to"].is_null().to_list()


@pytest.mark.parametrize(
    ("moments", "dtype"),
    [
        ([dt.date(2026, 1, 2), dt.date(2026, 2, 1)], pl.Date()),
        ([dt.datetime(2026, 1, 2, 3), dt.datetime(2026, 2, 1)], pl.Datetime("us")),
        ([2, 3], pl.Int32()),
    ],
)
@pytest.mark.parametrize("mode", ["scd2", "snapshot"])
def test_moments_have_the_type_of_the_sequence(mode: str, moments: list[object], dtype: pl.DataType) -> None:
    rows = pl.LazyFrame({"k": [1, 1], "t": pl.Series(moments, dtype=dtype), "v": ["a", "b"]})
    table = shape(made(mode, key=["k"], sequence="t"), rows).collect().sort("valid_from")
    assert (table.schema["valid_from"], table.schema["valid_to"]) == (dtype, dtype)
    assert table.select("valid_from", "valid_to").rows() == [tuple(moments), (moments[1], None)]


def test_modes_without_a_history_leave_the_rows_as_they_are() -> None:
    rows = pl.LazyFrame({"k": [2, 1], "v": ["a", "b"]})
    jobs = [made("replace"), made("append"), made("upsert", key=["k"]), made("partition", partition_by=["v"])]
    assert [shape(job, rows, ROOM).collect().rows() for job in jobs] == [[(2, "a"), (1, "b")]] * 4
    assert [table_key(job) for job in jobs] == [(), (), ("k",), ()]
    assert table_key(SCD2) == ("k", "j", "valid_from")


CONTRADICTION = {"k": [1, 1, 2, 2], "t": [5, 5, 5, 5], "gone": [False] * 4, "v": ["a", "b", "c", "c"]}


@pytest.mark.parametrize("mode", ["scd2", "snapshot"])
@pytest.mark.parametrize("room", [ROOM, TIGHT])
def test_two_states_of_a_key_at_one_moment_are_refused(mode: str, room: Room) -> None:
    """What is said twice is no contradiction, wherever it was read."""
    told = pl.LazyFrame({**CONTRADICTION, "_line": [1, 2, 3, 4]})
    job = made(mode, key=["k"], sequence="t", origin=["_line"])
    with pytest.raises(ExpectationFailed, match=r"k, t: 1 value comes in more than one state: \(1, 5\) \(2 rows\)"):
        judge(job, told, {}, room)
    assert judge(job, told.filter(k=2), {}, room).accepted.collect().height == 1


def test_a_key_that_ends_and_is_there_at_one_moment_is_refused() -> None:
    rows = pl.LazyFrame({"k": [1, 1], "t": [5, 5], "gone": [True, False], "v": [None, None]})
    with pytest.raises(ExpectationFailed, match="more than one state"):
        judge(made("scd2", key=["k"], sequence="t", deletes="gone"), rows, {}, ROOM)
    ends = pl.LazyFrame({"k": [1, 1, 1], "t": [1, 5, 5], "gone": [False, True, True], "v": ["a", "b", "c"]})
    found = judge(made("scd2", key=["k"], sequence="t", deletes="gone"), ends, {}, ROOM)
    assert found.accepted.collect().rows() == [(1, 1, "a", 1, 5, False)]


def test_absent_keys_moments_and_flags_are_refused_with_their_number() -> None:
    rows = pl.LazyFrame({"k": [1, None], "t": [None, 1], "gone": [None, False]}, schema_overrides={"gone": pl.Boolean})
    with pytest.raises(ExpectationFailed) as caught:
        judge(made("scd2", key=["k"], sequence="t", deletes="gone"), rows, {}, ROOM)
    assert "k: null in 1 row; t: null in 1 row; gone: null in 1 row" in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"k": [1], "t": ["2026"], "gone": [False]}, "sequence names 't', which is String"),
        ({"k": [1], "t": [1.0], "gone": [False]}, "sequence names 't', which is Float64"),
        ({"k": [1], "t": [1], "gone": ["yes"]}, "deletes names 'gone', which is String"),
        ({"k": [1], "t": [1], "gne": [False]}, "deletes names the column 'gone', which the result lacks"),
        ({"k": [1], "t": [1], "gone": [False], "valid_to": [1]}, "a column 'valid_to', which mode scd2 adds"),
    ],
)
def test_columns_that_no_history_can_be_made_of_are_refused(columns: dict[str, list[object]], message: str) -> None:
    job = made("scd2", key=["k"], sequence="t", deletes="gone")
    with pytest.raises(JobFailed) as caught:
        result_of(job, {TableName.parse("bronze.rows"): pl.LazyFrame(columns)})
    assert message in str(caught.value)


def test_a_moment_may_be_a_text_that_types_casts() -> None:
    job = made("scd2", key=["k"], sequence="t", deletes="gone", types={"t": pl.Date, "gone": pl.Boolean})
    texts = pl.LazyFrame({"k": [1, 1], "t": ["2026-01-02", "2026-02-01"], "gone": ["false", "true"]})
    result = result_of(job, {TableName.parse("bronze.rows"): texts})
    table = judge(job, result, {}, ROOM).accepted.collect()
    assert table.rows() == [(1, dt.date(2026, 1, 2), dt.date(2026, 1, 2), dt.date(2026, 2, 1), False)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "scd2", "key": ["k"]}, "in mode scd2 without a sequence"),
        ({"mode": "snapshot", "sequence": "t"}, "in mode snapshot without a key"),
        ({"mode": "partition"}, "in mode partition without a partition_by"),
        ({"mode": "upsert", "key": ["k"], "sequence": "t"}, "has sequence, which mode upsert does not take"),
        ({"mode": "snapshot", "key": ["k"], "sequence": "t", "deletes": "d"}, "has deletes, which mode snapshot"),
        ({"partition_by": ["k"]}, "leave it out, or write mode=partition"),
        ({"mode": "scd2", "key": ["k", "t"], "sequence": "t"}, "names 't' twice"),
        ({"mode": "upsert", "key": ["k"], "origin": ["k"]}, "has 'k' in key and in origin"),
        ({"depends": {"bronze.row": by_row()}}, "depends names bronze.row, which silver.t does not read"),
        ({"depends": {"bronze.rows": "row"}}, "write by_row(), by_key"),
        ({"timeout": "soon"}, "not a span of time"),
        ({"timeout": 1800}, "not a span of time: 1800"),
        ({"mode": "scd2", "key": ["k"], "sequence": ["t"]}, "sequence is ['t'], not a column"),
        ({"partition_by": "k"}, 'write partition_by=["k"]'),
    ],
)
def test_a_mode_without_its_argument_is_refused_with_the_way_out(arguments: Row, message: str) -> None:
    def rows(rows: Source["bronze.rows"]) -> pl.LazyFrame:
        return rows

    with pytest.raises(UsageError) as caught:
        declare("silver.t", **arguments)(rows)
    assert message in str(caught.value)
