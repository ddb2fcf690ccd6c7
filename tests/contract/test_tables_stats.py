"""Statistics in the log never cost a row: readers that skip files by them find what a look at all rows finds."""

import json
import operator
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.objects import Endpoint, ObjectStore
from catalog.tables import Snapshot, Tables
from catalog.tables.options import delta_options, polars_options
from tests.support.delta import append, make, uri

SCHEMA = pl.Schema(
    {
        "i": pl.Int64(),
        "small": pl.Int8(),
        "text": pl.String(),
        "day": pl.Date(),
        "naive": pl.Datetime("us"),
        "utc": pl.Datetime("us", "UTC"),
        "f": pl.Float64(),
        "yes": pl.Boolean(),
        "a.b": pl.Int64(),
        "a": pl.Struct({"b": pl.Int64()}),
    }
)

# Around 64 bytes Polars cuts a bound; the last character of Unicode cannot be counted up; \uffff and the planes beyond
# sort differently in UTF-16.
LETTERS = "ab\x00\x7f\x80é\ud7ff\ue000\uffff\U00010000\U00020000\U0010ffff"
TEXT = st.one_of(
    st.text(LETTERS, max_size=3),
    st.builds(
        lambda c, n, end: c * n + end, st.sampled_from(LETTERS), st.integers(13, 70), st.text(LETTERS, max_size=2)
    ),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "i": st.one_of(st.integers(-3, 3), st.sampled_from([-(2**63), 2**63 - 1, 2**53, 2**53 + 1, -(2**53) - 1])),
    "small": st.integers(-128, 127),
    "text": TEXT,
    "day": st.one_of(st.dates(), st.sampled_from([date.min, date.max, date(1969, 12, 31), date(1970, 1, 1)])),
    "naive": st.one_of(
        st.datetimes(), st.sampled_from([datetime.min, datetime.max, datetime(1969, 12, 31, 23, 59, 59, 999_999)])
    ),
    "utc": st.datetimes(timezones=st.just(UTC)),
    "f": st.sampled_from([float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1.5, -2.5]),
    "yes": st.booleans(),
    "a.b": st.integers(-3, 3),
    "a": st.fixed_dictionaries({"b": st.none() | st.integers(-30, 30)}),
}
ROWS = st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()})
COMPARISONS: list[Callable[[Any, Any], Any]] = [
    operator.eq,
    operator.ne,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
]


@pytest.fixture
def tables(fast_endpoint: Endpoint) -> Tables:
    return Tables(ObjectStore(fast_endpoint))


def in_order(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The rows as a multiset that NaN and NULL can be compared in."""
    return sorted(frame.rows(), key=repr)


def same(left: list[tuple[Any, ...]], right: list[tuple[Any, ...]]) -> bool:
    return list(map(repr, left)) == list(map(repr, right))


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    files=st.lists(st.lists(ROWS, min_size=1, max_size=4), min_size=1, max_size=3),
    sought=st.fixed_dictionaries({n: v for n, v in VALUES.items() if n != "a"}),
    is_from_checkpoint=st.booleans(),
    data=st.data(),
)
def test_a_filter_finds_every_row(
    tables: Tables,
    files: list[list[dict[str, Any]]],
    sought: dict[str, Any],
    is_from_checkpoint: bool,
    data: st.DataObject,
) -> None:
    """For every type, comparison and value, also one that is there; from the log and from a checkpoint."""
    frames = [pl.DataFrame(rows, schema=SCHEMA) for rows in files]
    rows = pl.concat(frames)
    snapshot = make(tables, frames[0].lazy())
    for frame in frames[1:]:
        snapshot = append(tables, snapshot, frame.lazy())
    if is_from_checkpoint:
        snapshot.handle.create_checkpoint()
    predicates = [pl.col(data.draw(st.sampled_from(list(SCHEMA)))).is_null()]
    predicates.append(pl.col(data.draw(st.sampled_from(list(SCHEMA)))).is_not_null())
    for name, value in sought.items():
        there = [found for found in rows[name] if found is not None]
        literal = pl.lit(data.draw(st.sampled_from([*there, value])), SCHEMA[name])
        compare = data.draw(st.sampled_from(COMPARISONS))
        predicates.append(compare(pl.col(name), literal))
    skipping = pl.scan_delta(uri(snapshot), storage_options=polars_options(tables.endpoint))
    found = pl.collect_all([scan.filter(each) for scan in (skipping, snapshot.scan()) for each in predicates])
    for result, predicate in zip(found, predicates * 2, strict=True):
        assert same(in_order(result), in_order(rows.filter(predicate))), predicate
    assert_held(snapshot, frames, sought["text"])


def assert_held(snapshot: Snapshot, frames: list[pl.DataFrame], text: str) -> None:
    """No file is ruled out that holds one of the texts that are sought."""
    for sought in {text, *(found for frame in frames for found in frame["text"] if found is not None)}:
        may = [file for file in snapshot.files if file.may_hold("text", {"never there", sought})]
        assert len(may) >= sum(sought in frame["text"] for frame in frames)


@pytest.mark.parametrize("text", ["\U00020000", "\U0010ffff" * 20, "\uffff" * 70, "b" * 200])
def test_text_at_the_edge(text: str, tables: Tables) -> None:
    """delta-rs reads an escaped pair of surrogates as another character; Polars cuts long bounds."""
    snapshot = append(tables, make(tables, pl.LazyFrame({"text": [text]})), pl.LazyFrame({"text": ["a"]}))
    scan = pl.scan_delta(uri(snapshot), storage_options=polars_options(tables.endpoint))
    assert scan.filter(pl.col("text") == text).collect().height == 1
    assert scan.filter(pl.col("text") >= text).collect().height == 1


@pytest.mark.parametrize("name", ["i", "small", "day", "naive", "utc", "a.b"])
def test_pyarrow_finds_every_row(name: str, tables: Tables) -> None:
    """The dataset of delta-rs takes the log's statistics for guarantees."""
    edges: dict[str, list[Any]] = {
        "i": [-(2**63), -(2**53) - 1, 0, 2**53 + 1, 2**63 - 1],
        "small": [-128, 0, 127],
        "day": [date.min, date(1969, 12, 31), date(1970, 1, 1), date.max],
        "naive": [
            datetime.min,
            datetime(1969, 12, 31, 23, 59, 59, 999_999),
            datetime(2024, 2, 29, 1, 2, 3, 4),
            datetime.max,
        ],
        "utc": [datetime(1900, 1, 1, 0, 0, 0, 1, UTC), datetime(2024, 2, 29, 1, 2, 3, 4, UTC)],
        "a.b": [-1, 1],
    }
    frames = [pl.DataFrame({name: [value, None]}, schema={name: SCHEMA[name]}) for value in edges[name]]
    snapshot = make(tables, frames[0].lazy())
    for frame in frames[1:]:
        snapshot = append(tables, snapshot, frame.lazy())
    other = DeltaTable(uri(snapshot), storage_options=delta_options(tables.endpoint))
    for value in edges[name]:
        found = pl.from_arrow(other.to_pyarrow_table(filters=[(name, "=", value)]))
        assert isinstance(found, pl.DataFrame)
        assert found[name].to_list() == [value]
        at_least = pl.from_arrow(other.to_pyarrow_table(filters=[(name, ">=", value)]))
        assert isinstance(at_least, pl.DataFrame)
        assert sorted(at_least[name]) == [edge for edge in edges[name] if edge >= value]


def test_statistics_are_there(tables: Tables) -> None:
    """What has bounds is found without reading every file: the promise above is not kept by telling nothing."""
    first = make(tables, pl.LazyFrame({"text": ["b", "d"], "n": [1, 2]}))
    second = append(tables, first, pl.LazyFrame({"text": ["f", "h"], "n": [3, 4]}))
    assert [file.may_hold("text", {"c"}) for file in first.files] == [True]
    assert sorted(file.may_hold("text", {"g"}) for file in second.files) == [False, True]
    assert sorted(file.may_hold("text", {"a", "z"}) for file in second.files) == [False, False]
    actions = pl.DataFrame(second.handle.get_add_actions(flatten=True))
    assert sorted(actions["min.n"]) == [1, 3]
    assert sorted(actions["max.text"]) == ["d", "h"]


PROGRAM = """
import json, sys
from datetime import UTC, datetime
import polars as pl
from catalog.objects import Endpoint, ObjectStore
from catalog.tables import Change, Tables
from catalog.zones import TableName

tables, name = Tables(ObjectStore(Endpoint(**json.loads(sys.argv[1])))), TableName.parse("silver.times")
frame = pl.LazyFrame({"at": [datetime(2026, 1, 1, tzinfo=UTC), datetime(1066, 1, 1, 0, 0, 0, 6, tzinfo=UTC)]})
tables.commit(Change(name, "op", None, frame.collect_schema(), tables.sink(name, frame)))
bounds = json.loads(tables.open(name).files[0].stats)
print(json.dumps([bounds["minValues"]["at"], bounds["maxValues"]["at"], "pandas" in sys.modules]))
"""


def test_times_have_bounds_and_pandas_is_not_imported_for_them(fast_endpoint: Endpoint) -> None:
    """It takes half a second of every command; pyarrow imports it for a time in UTC, where it is installed."""
    told = subprocess.check_output([sys.executable, "-c", PROGRAM, json.dumps(asdict(fast_endpoint))])
    assert json.loads(told) == ["1066-01-01 00:00:00.000006+00:00", "2026-01-01 00:00:00+00:00", False]
