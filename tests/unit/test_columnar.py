"""Parquet, ORC and Arrow files keep their types, or become what Delta holds without losing a digit."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from ingestion.formats import columnar
from ingestion.found import Source
from ingestion.refusal import FileRefused
from tests.support.found import DATA, Table, main_table, tables


def parquet(folder: Path, table: pa.Table, **options: object) -> Table:
    pq.write_table(table, folder / "made.parquet", **options)
    return tables(folder, folder / "made.parquet", "parquet")[0]


def stream(folder: Path, table: pa.Table) -> Path:
    with pa.OSFile(str(folder / "made.arrows"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=1)
    return folder / "made.arrows"


def test_parquet_of_duckdb(tmp_path: Path) -> None:
    table = main_table(tmp_path, "duckdb.parquet")
    first, second, third = table.values
    assert first == {
        "id": Decimal(1),
        "name": "Süd",
        "income": Decimal("1234.50"),
        "born": date(1980, 1, 1),
        "seen": datetime(2020, 1, 1, 12, 34, 56, 789_000),
        "clock": "12:34:56.000000",
        "tags": ["a", "b"],
        "home": {"city": "Köln", "zip": "50667"},
        "shares": [{"key": "x", "value": Decimal("0.5")}],
        "small": 1,
        "moment": datetime(2020, 1, 1, 10, tzinfo=UTC),
        "key": "00000000-0000-0000-0000-000000000001",
        "fine": "2020-01-01 00:00:00.123456789",
    }
    assert (second["id"], second["born"], second["tags"]) == (Decimal(2**64 - 1), date(1600, 2, 29), [])
    assert (third["home"], third["small"]) == ({"city": None, "zip": "01067"}, 0)
    assert table.rows["_line"].to_list() == [1, 2, 3]


def test_orc_of_java(tmp_path: Path) -> None:
    assert main_table(tmp_path, "java.orc").values == [
        {
            "id": 1,
            "name": "Süd",
            "income": Decimal("1234.50"),
            "born": date(1980, 1, 1),
            "tags": ["a", "b"],
            "home": {"city": "Köln", "zip": "50667"},
        },
        {"id": 2, "name": None, "income": None, "born": date(2000, 2, 29), "tags": [], "home": None},
        {
            "id": 3,
            "name": 'Öst "x"',
            "income": Decimal("-0.01"),
            "born": None,
            "tags": ["ß"],
            "home": {"city": None, "zip": "01067"},
        },
    ]


@pytest.mark.parametrize("name", ["polars.arrow", "polars.arrows"])
def test_arrow_of_polars(tmp_path: Path, name: str) -> None:
    """Times of day, spans, categories and other zones have a form that Delta holds, and the metadata says which."""
    table = main_table(tmp_path, name)
    assert table.values[0] == {
        "id": 1,
        "name": "Süd",
        "born": date(1980, 1, 1),
        "at": "12:34:56.000000000",
        "long": 1_500_000,
        "region": "N",
        "count": Decimal(2**64 - 1),
        "seen": datetime(2020, 1, 1, 11, tzinfo=UTC),
        "nothing": None,
        "home": {"city": "Köln"},
    }
    assert table.found.metadata == {"long": {"unit": "us"}, "seen": {"time_zone": "Europe/Berlin"}}


@pytest.mark.parametrize("name", ["js.arrow", "js.arrows"])
def test_arrow_of_javascript(tmp_path: Path, name: str) -> None:
    assert main_table(tmp_path, name).values == [
        {"id": 1, "x": 0.5, "name": "Süd"},
        {"id": 2, "x": -1.0, "name": "b"},
        {"id": 3, "x": 1e300, "name": "b"},
    ]


def test_nanoseconds_are_times_where_none_is_cut(tmp_path: Path) -> None:
    """One value that microseconds would cut makes the whole column text, in a list, too."""
    exact, cut = pa.array([1_000, None], pa.timestamp("ns")), pa.array([1_000, 1_001], pa.timestamp("ns"))
    table = parquet(
        tmp_path, pa.table({"exact": exact, "cut": cut, "inner": pa.array([[cut[1].value], []], pa.list_(cut.type))})
    )
    assert table.rows["exact"].to_list() == [datetime(1970, 1, 1, microsecond=1), None]
    assert table.rows["cut"].to_list() == ["1970-01-01 00:00:00.000001000", "1970-01-01 00:00:00.000001001"]
    assert table.rows["inner"].to_list() == [["1970-01-01 00:00:00.000001001"], []]


def test_the_oldest_times_of_parquet_reach_all_years(tmp_path: Path) -> None:
    """INT96 wraps around where it is read as nanoseconds outside of 1677 to 2262."""
    years = [datetime(1, 1, 1), datetime(2020, 1, 1, microsecond=1), None]
    far = parquet(tmp_path, pa.table({"t": pa.array(years, pa.timestamp("us"))}), use_deprecated_int96_timestamps=True)
    assert far.rows["t"].to_list() == years
    fine = pa.table({"t": pa.array([1_001], pa.timestamp("ns"))})
    cut = parquet(tmp_path, fine, use_deprecated_int96_timestamps=True)
    assert cut.rows["t"].to_list() == ["1970-01-01 00:00:00.000001001"]


def test_types_that_delta_has_not(tmp_path: Path) -> None:
    wide = pa.array([Decimal("1" + "0" * 45), None], pa.decimal256(50, 2))
    table = pa.table(
        {
            "narrow": pa.array([Decimal("1.50"), None], pa.decimal256(50, 2)),
            "wide": wide,
            "half": pa.array([1.5, None], pa.float16()),
            "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.uint8())),
            "spaced": pa.array([{"a b": 1}, None]),
            "fixed": pa.array([b"ab", None], pa.binary(2)),
            "interval": pa.array([pa.MonthDayNano([1, 2, 3]), None]),
        }
    )
    path = tmp_path / "made.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    assert tables(tmp_path, path, "arrow")[0].values[0] == {
        "narrow": Decimal("1.50"),
        "wide": "1" + "0" * 45 + ".00",
        "half": 1.5,
        "map": [{"key": "a", "value": 1}],
        "spaced": '{"a b": 1}',
        "fixed": b"ab",
        "interval": "[1, 2, 3]",
    }


def test_a_union_is_json_text(tmp_path: Path) -> None:
    """The number 1 and the text 1 stay two values."""
    union = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 0]), pa.array(["", "1"])])
    path = stream(tmp_path, pa.table({"u": union}))
    assert tables(tmp_path, path, "arrow")[0].rows["u"].to_list() == ["1", '"1"']


def test_names_that_delta_cannot_hold(tmp_path: Path) -> None:
    """Names that are double, or differ in case only, are numbered; the name as found is the label."""
    found = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3]), pa.array([4])], ["a", "A", "a", "b c"])
    table = parquet(tmp_path, found)
    assert table.values == [{"a": 1, "A_2": 2, "a_3": 3, "b_c": 4}]
    assert table.found.header == ("a", "A", "a", "b c")
    assert table.found.metadata == {"A_2": {"label": "A"}, "a_3": {"label": "a"}, "b_c": {"label": "b c"}}


def test_many_batches_come_in_order(tmp_path: Path) -> None:
    numbers = pa.table({"n": range(200_000), "t": pa.array(range(200_000), pa.timestamp("ns"))})
    pq.write_table(numbers, tmp_path / "groups.parquet", row_group_size=30_000)
    orc.write_table(numbers.select(["n"]), tmp_path / "stripes.orc", stripe_size=1 << 16)
    for table in (
        tables(tmp_path, tmp_path / "groups.parquet", "parquet")[0],
        tables(tmp_path, tmp_path / "stripes.orc", "orc")[0],
    ):
        assert table.rows["n"].to_list() == list(range(200_000))
        assert table.rows["_line"].to_list() == list(range(1, 200_001))


def test_a_file_without_rows(tmp_path: Path) -> None:
    table = parquet(tmp_path, pa.table({"a": pa.array([], pa.int8())}))
    assert (table.rows.height, table.rows.schema["a"]) == (0, pl.Int8)


def test_a_stream_without_its_end_mark_is_said(tmp_path: Path) -> None:
    """Cut between two messages, a stream looks whole: only the missing mark tells."""
    path = stream(tmp_path, pa.table({"a": [1, 2]}))
    assert tables(tmp_path, path, "arrow")[0].found.notices == ()
    path.write_bytes(path.read_bytes()[:-8])
    (notice,) = tables(tmp_path, path, "arrow")[0].found.notices
    assert "no end mark" in notice


def test_a_stream_that_declares_more_rows_is_refused(tmp_path: Path) -> None:
    path = stream(tmp_path, pa.table({"a": [1, 2]}))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileRefused, match="breaks off"):
        tables(tmp_path, path, "arrow")


def test_feather_of_the_first_version_is_told(tmp_path: Path) -> None:
    path = tmp_path / "old.feather"
    path.write_bytes(b"FEA1" + bytes(100) + b"FEA1")
    with pytest.raises(FileRefused, match="first version"):
        tables(tmp_path, path, "arrow")


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """Polars would take the bytes for text and fail, or worse, much later."""
    bad = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    with pytest.raises(FileRefused, match="cannot be read"):
        tables(tmp_path, stream(tmp_path, pa.table({"a": bad})), "arrow")


def test_a_file_of_another_format_is_refused() -> None:
    for format_ in ("parquet", "orc", "arrow"):
        with pytest.raises(FileRefused):
            tables(DATA, DATA / "pspp.sav", format_)


def test_readers_ask_again_for_each_query(tmp_path: Path) -> None:
    """A lazy frame may be collected twice: to look at it, then to write it."""
    (found,) = columnar.read_parquet(Source(DATA / "duckdb.parquet", "x", tmp_path))
    assert found.rows.head(1).collect().height == 1
    assert found.rows.select("name").filter(pl.col("name") == "Öst").collect().height == 1
    assert found.rows.collect().height == 3
