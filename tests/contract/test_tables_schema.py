"""What a table's columns may be: kept exactly or refused, also when they change, for every reader of Delta."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from catalog.errors import SchemaRefused, TypeRefused
from catalog.objects import Endpoint, ObjectStore
from catalog.tables import Change, Snapshot, Tables, storable, without
from tests.support.delta import append, change, fresh_name, make, numbers, read_everywhere, replace_all

EVERY_TYPE = pl.DataFrame(
    {
        "bool": [True, False, None],
        "i8": pl.Series([-(2**7), 2**7 - 1, None], dtype=pl.Int8),
        "i16": pl.Series([-(2**15), 2**15 - 1, None], dtype=pl.Int16),
        "i32": pl.Series([-(2**31), 2**31 - 1, None], dtype=pl.Int32),
        "i64": pl.Series([-(2**63), 2**63 - 1, None], dtype=pl.Int64),
        "u8": pl.Series([0, 2**8 - 1, None], dtype=pl.UInt8),
        "u16": pl.Series([0, 2**16 - 1, None], dtype=pl.UInt16),
        "u32": pl.Series([0, 2**32 - 1, None], dtype=pl.UInt32),
        "f32": pl.Series([float("nan"), float("-inf"), None], dtype=pl.Float32),
        "f64": [float("inf"), -0.0, None],
        "text": ["", "größe 😀 \U0010ffff \x00", None],
        "category": pl.Series(["b", "a", None], dtype=pl.Categorical),
        "enum": pl.Series(["y", "x", None], dtype=pl.Enum(["y", "x"])),
        "bytes": [b"", b"\xff\x00", None],
        "decimal": pl.Series([Decimal("-" + "9" * 34), Decimal("0.0001"), None], dtype=pl.Decimal(38, 4)),
        "date": [date(1, 1, 1), date(9999, 12, 31), None],
        "far date": pl.Series([-800_000, 100_000_000, None], dtype=pl.Int32).cast(pl.Date),
        "naive": [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999), None],
        "far time": pl.Series([-(2**62), 2**62, None], dtype=pl.Int64).cast(pl.Datetime("us")),
        "utc": [
            datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
            None,
        ],
        "ms": pl.Series([datetime(2024, 1, 1), datetime(1960, 1, 1), None], dtype=pl.Datetime("ms")),
        "list": pl.Series([[1, None], [], None], dtype=pl.List(pl.UInt8)),
        "struct": pl.Series([{"a": 1, "b": "x"}, {"a": None, "b": None}, None]),
        "deep": pl.Series([[{"t": [datetime(2024, 1, 1)]}], [], None]),
        "two words; and, (signs)=\n": [1, 2, None],
        "list.of.dots": [1, None, None],
    }
)


@pytest.fixture
def tables(fast_endpoint: Endpoint) -> Tables:
    return Tables(ObjectStore(fast_endpoint))


def assert_read_everywhere(snapshot: Snapshot, rows: pl.DataFrame) -> None:
    """Every reader finds these rows, in any order, with these types."""
    for reader, found in read_everywhere(snapshot).items():
        assert found.schema == rows.schema, reader
        assert found.sort(pl.all(), nulls_last=True).equals(rows.sort(pl.all(), nulls_last=True)), reader


class TestStorable:
    def test_every_type_is_kept_exactly(self, endpoint: Endpoint) -> None:
        """On both servers, by every reader; what Delta lacks is widened, never cut."""
        kept = storable(EVERY_TYPE.lazy()).collect()
        assert kept.select("u8", "u16", "u32", "category", "enum", "ms").dtypes == [
            pl.Int16,
            pl.Int32,
            pl.Int64,
            pl.String,
            pl.String,
            pl.Datetime("us"),
        ]
        assert kept["u32"].to_list() == EVERY_TYPE["u32"].to_list()
        assert kept["enum"].to_list() == ["y", "x", None]
        snapshot = make(Tables(ObjectStore(endpoint)), kept.lazy())
        assert snapshot.schema == kept.schema
        for reader, found in read_everywhere(snapshot).items():
            assert found.schema == kept.schema, reader
            assert found.equals(kept), reader

    @pytest.mark.parametrize(
        ("column", "advice"),
        [
            (pl.Series([None], dtype=pl.Null), "cast"),
            (pl.Series([1], dtype=pl.UInt64), "pl.Int64"),
            (pl.Series([1], dtype=pl.Int128), "pl.Decimal"),
            (pl.Series([0], dtype=pl.Int64).cast(pl.Time), "pl.String"),
            (pl.Series([0], dtype=pl.Int64).cast(pl.Duration("us")), "total_seconds"),
            (pl.Series([datetime(2024, 1, 1)], dtype=pl.Datetime("ns")), "cast_time_unit"),
            (pl.Series([datetime(2024, 1, 1)]).dt.replace_time_zone("Europe/Berlin"), "convert_time_zone"),
            (pl.Series([object()], dtype=pl.Object), "own types"),
            (pl.Series([[1]], dtype=pl.List(pl.UInt64)), "pl.Int64"),
            (pl.Series([{"inner": None}]), "cast"),
            (pl.Series([{}], dtype=pl.Struct([])), "drop"),
            (pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2)), "cast"),
        ],
        ids=lambda value: str(value.dtype) if isinstance(value, pl.Series) else "",
    )
    def test_what_delta_cannot_hold_is_refused(self, column: pl.Series, advice: str, tables: Tables) -> None:
        """With the column's name and what to make of it, before anything is written or committed."""
        frame = pl.LazyFrame({"good": [1], "the_column": column})
        with pytest.raises(TypeRefused, match="'the_column") as raised:
            storable(frame)
        assert advice in raised.value.next
        name = fresh_name()
        with pytest.raises(TypeRefused, match="'the_column"):
            tables.commit(Change(name, "operation", None, frame.collect_schema()))
        assert tables.open(name) is None

    def test_a_commit_widens_nothing_itself(self, tables: Tables) -> None:
        """A type that would be widened is refused there: rows and schema must agree."""
        schema = pl.Schema({"n": pl.UInt32()})
        with pytest.raises(TypeRefused, match="cast it to Int64"):
            tables.commit(Change(fresh_name(), "operation", None, schema))

    @pytest.mark.parametrize(
        ("frame", "said"),
        [
            (pl.LazyFrame({"Name": [1], "name": [2]}), "'Name' and 'name'"),
            (pl.LazyFrame({"": [1]}), "no name"),
            (pl.LazyFrame(), "no columns"),
        ],
    )
    def test_names_that_delta_cannot_hold_are_refused(self, frame: pl.LazyFrame, said: str) -> None:
        """Names that differ in case only are one to Delta."""
        with pytest.raises(SchemaRefused, match=said):
            storable(frame)


class TestChange:
    def test_a_schema_changes_with_all_rows(self, tables: Tables) -> None:
        """To text, to other columns, to times without a zone inside a list: every version stays readable."""
        frames = [
            pl.DataFrame({"n": [1, 2]}),
            pl.DataFrame({"n": ["one"]}),
            pl.DataFrame({"at": [datetime(2024, 1, 1)], "n": ["one"]}),
            pl.DataFrame({"deep": [[{"at": datetime(2024, 1, 1)}]]}),
            pl.DataFrame(schema={"none": pl.Int64}),
            pl.DataFrame({"n": [1, 2], "m": [3, 4]}),
        ]
        snapshots = [make(tables, frames[0].lazy())]
        for frame in frames[1:]:
            snapshots.append(replace_all(tables, snapshots[-1], frame.lazy()))
        for snapshot, frame in zip(snapshots, frames, strict=True):
            assert_read_everywhere(snapshot, frame)
        snapshot = append(tables, snapshots[-1], pl.LazyFrame({"m": [5], "n": [6]}))
        assert_read_everywhere(snapshot, pl.DataFrame({"n": [1, 2, 6], "m": [3, 4, 5]}))

    def test_times_without_a_zone_come_into_a_table_without_rows(self, tables: Tables) -> None:
        """The feature that they need is added also where no row has to go."""
        empty = make(tables, numbers())
        times = pl.DataFrame({"at": [datetime(1, 1, 1), None]})
        assert_read_everywhere(replace_all(tables, empty, times.lazy()), times)

    def test_an_older_state_of_another_schema_comes_back(self, tables: Tables) -> None:
        """Its files are added again, and read as they were."""
        first = make(tables, pl.LazyFrame({"at": [datetime(2024, 1, 1)]}))
        second = replace_all(tables, first, numbers(1))
        back = tables.commit(Change(first.name, "back", second, first.schema, add=first.files, remove=second.files))
        assert_read_everywhere(back, pl.DataFrame({"at": [datetime(2024, 1, 1)]}))
        assert_read_everywhere(second, pl.DataFrame({"n": [1]}))

    @pytest.mark.parametrize(
        ("frame", "said"),
        [
            (pl.LazyFrame({"n": ["3"]}), "'n' is String, not Int64"),
            (pl.LazyFrame({"m": [3]}), "missing 'n'"),
            (pl.LazyFrame({"n": [3.0], "m": [3]}), "'n' is Float64, not Int64"),
            (pl.LazyFrame({"n": [3], "N": [3]}), "'n' and 'N'"),
        ],
    )
    def test_a_schema_only_widens_under_rows_that_stay(
        self, frame: pl.LazyFrame, said: str, fast_endpoint: Endpoint
    ) -> None:
        """Another type, a column less, a name that differs in case only: refused, and nothing is committed."""
        tables = Tables(ObjectStore(fast_endpoint))
        first = append(tables, make(tables, numbers(1)), numbers(2))
        for kept in (first.files, first.files[:1]):
            gone = [file for file in first.files if file not in kept]
            with pytest.raises(SchemaRefused, match=said):
                tables.commit(change(tables, first.name, first, frame, remove=gone))
        assert tables.open(first.name) == first


class TestColumns:
    def test_columns_come_while_rows_stay(self, endpoint: Endpoint) -> None:
        """Of any type, on both servers: missing in the rows that were there, for every reader; older versions stand."""
        tables = Tables(ObjectStore(endpoint))
        narrow = numbers(1, 2, 3).collect()
        first = append(tables, make(tables, numbers(1)), numbers(2, 3))
        times = {"at": [datetime(2024, 1, 1)], "deep": [[{"t": [datetime(2024, 1, 1)], "x": 1.5}]]}
        wide = pl.DataFrame({"n": [4], **times})
        second = append(tables, first, wide.lazy())
        wider = pl.DataFrame({"s": [{"a": "x"}], **times, "n": [5]})
        third = append(tables, second, wider.lazy())
        assert_read_everywhere(first, narrow)
        assert_read_everywhere(second, pl.concat([narrow, wide], how="diagonal"))
        assert_read_everywhere(third, pl.concat([narrow, wide, wider], how="diagonal"))

    def test_columns_come_while_some_rows_go(self, fast_endpoint: Endpoint) -> None:
        """A correction that brings a column: what stays of a file is written again, in the wider schema."""
        tables = Tables(ObjectStore(fast_endpoint))
        first = make(tables, pl.LazyFrame({"f": ["a", "b"]}))
        first = append(tables, first, pl.LazyFrame({"f": ["c"]}))
        wide = pl.LazyFrame({"f": ["b"], "m": [1]})
        gone = without(tables, first, "f", {"b"}, wide.collect_schema())
        intent = change(tables, first.name, first, wide, remove=gone.removed)
        second = tables.commit(replace(intent, add=(*gone.kept, *intent.add)))
        assert_read_everywhere(second, pl.DataFrame({"f": ["a", "b", "c"], "m": [None, 1, None]}))

    def test_the_step_before_is_not_the_operation(self, fast_endpoint: Endpoint) -> None:
        """An operation that died between its commits is not in the history; what the table told of itself stands."""
        tables = Tables(ObjectStore(fast_endpoint))
        first = make(tables, numbers(1))
        first = tables.commit(change(tables, first.name, first, numbers(2), metadata={"batch": "6"}))
        wide = pl.LazyFrame({"n": [3], "m": [3]})
        second = tables.commit(change(tables, first.name, first, wide, operation="batch 7", metadata={"batch": "7"}))
        between = tables.open(first.name, second.version - 1)
        assert between is not None
        assert (between.schema, between.files) == (second.schema, first.files)
        assert (between.metadata["batch"], second.metadata["batch"]) == ("6", "7")
        assert tables.find_operation(between, "batch 7", after=0) is None
        assert tables.find_operation(second, "batch 7", after=0) == second

    def test_what_is_known_of_columns_stays(self, endpoint: Endpoint) -> None:
        """Labels come with a table, with a new column and with all rows anew; no commit that says none takes one."""
        tables = Tables(ObjectStore(endpoint))
        said = {"n": {"label": 'Größe "x" 😀', "missing": "[-9]"}, "other": {"label": "is no column"}}
        name = fresh_name()
        first = tables.commit(change(tables, name, None, numbers(1), columns=said))
        assert first.columns == {"n": said["n"]}
        second = append(tables, first, numbers(2))
        third = tables.commit(
            change(tables, name, second, pl.LazyFrame({"n": [3], "m": [3]}), columns={"m": {"label": "M"}})
        )
        assert second.columns == first.columns
        assert third.columns == {"n": said["n"], "m": {"label": "M"}}
        fourth = replace_all(tables, third, numbers(4))
        assert fourth.columns == first.columns
        fifth = tables.commit(
            change(tables, name, fourth, pl.LazyFrame({"n": ["x"]}), replacing=True, columns={"n": {"label": "N"}})
        )
        assert fifth.columns == {"n": {"label": "N", "missing": "[-9]"}}
        assert third.columns == {"n": said["n"], "m": {"label": "M"}}
        assert_read_everywhere(fifth, pl.DataFrame({"n": ["x"]}))
