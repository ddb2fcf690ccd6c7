"""Avro files keep the types of their schema; each block is checked against its mark, its count and its length."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import polars as pl
import pytest

from ingestion.refusal import FileRefused
from tests.support.found import DATA, Table, main_table, tables


def written(folder: Path, schema: Any, records: list[Any], **options: Any) -> Path:
    path = folder / "made.avro"
    with path.open("wb") as file:
        fastavro.writer(file, schema, records, **options)
    return path


def table(folder: Path, schema: Any, records: list[Any], **options: Any) -> Table:
    return tables(folder, written(folder, schema, records, **options), "avro")[0]


def field(kind: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": "x", "type": kind}]}


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "zstandard", "bzip2"])
def test_avro_of_java(tmp_path: Path, codec: str) -> None:
    found = main_table(tmp_path, f"java-{codec}.avro")
    assert found.values == [
        {
            "id": 1,
            "name": "Süd",
            "born": date(1980, 1, 1),
            "seen": datetime(2020, 1, 1, 12, 34, 56, 789_000, UTC),
            "answer": "1",
            "tags": ["a", "b"],
            "home": {"city": "Köln", "zip": "50667"},
            "shares": [{"key": "x", "value": 0.5}],
        },
        {
            "id": 2,
            "name": None,
            "born": date(1600, 3, 1),
            "seen": datetime(1970, 1, 1, tzinfo=UTC),
            "answer": '"1"',
            "tags": [],
            "home": None,
            "shares": [],
        },
        {
            "id": 3,
            "name": "Öst",
            "born": None,
            "seen": datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC),
            "answer": None,
            "tags": ["ß"],
            "home": {"city": None, "zip": "01067"},
            "shares": [{"key": "y", "value": 1.0}, {"key": "z", "value": -2.5}],
        },
    ]
    assert found.found.dialect == {"codec": codec}


def test_xz(tmp_path: Path) -> None:
    assert table(tmp_path, field("int"), [{"x": 7}], codec="xz").values == [{"x": 7}]


def test_decimals_and_times_of_day(tmp_path: Path) -> None:
    money = {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}
    wide = {"type": "bytes", "logicalType": "decimal", "precision": 50, "scale": 0}
    clock = {"type": "int", "logicalType": "time-millis"}
    assert table(tmp_path, field(money), [{"x": Decimal("-1.50")}]).values == [{"x": Decimal("-1.50")}]
    assert table(tmp_path, field(wide), [{"x": Decimal(10**45)}]).values == [{"x": "1" + "0" * 45}]
    assert table(tmp_path, field(clock), [{"x": datetime(2020, 1, 1, 1, 2, 3).time()}]).values == [{"x": "01:02:03"}]


def test_a_record_that_holds_itself_is_json(tmp_path: Path) -> None:
    tree = {
        "type": "record",
        "name": "Tree",
        "fields": [{"name": "v", "type": "int"}, {"name": "next", "type": ["null", "Tree"]}],
    }
    found = table(tmp_path, tree, [{"v": 1, "next": {"v": 2, "next": None}}])
    assert found.values == [{"v": 1, "next": '{"Tree": {"v": 2, "next": null}}'}]


def test_a_union_of_records_says_which(tmp_path: Path) -> None:
    kinds = [{"type": "record", "name": name, "fields": [{"name": "v", "type": "int"}]} for name in "AB"]
    assert table(tmp_path, field(kinds), [{"x": ("B", {"v": 1})}]).values == [{"x": '{"B": {"v": 1}}'}]


def test_a_union_of_numbers_is_the_wider_one(tmp_path: Path) -> None:
    found = table(tmp_path, field(["null", "int", "long"]), [{"x": 1}, {"x": 2**40}, {"x": None}])
    assert found.rows["x"].to_list() == [1, 2**40, None]
    assert found.rows["x"].dtype == pl.Int64


def test_a_schema_that_is_no_record_makes_one_column(tmp_path: Path) -> None:
    assert table(tmp_path, "string", ["a", "b"]).values == [{"value": "a"}, {"value": "b"}]


def test_many_blocks_come_in_order(tmp_path: Path) -> None:
    found = table(tmp_path, field("long"), [{"x": number} for number in range(50_000)], sync_interval=1000)
    assert found.rows["x"].to_list() == list(range(50_000))
    assert found.rows["_line"].to_list() == list(range(1, 50_001))


def test_a_block_with_more_records_than_it_declares_is_refused(tmp_path: Path) -> None:
    """One bit of the count, and a record would be gone without a trace."""
    path = written(tmp_path, field("int"), [{"x": number} for number in range(10)], codec="null")
    data = path.read_bytes()
    mark = data[-16:]
    count = data.index(mark) + len(mark)
    assert data[count : count + 2] == bytes([20, 20])
    path.write_bytes(data[:count] + bytes([18]) + data[count + 1 :])
    with pytest.raises(FileRefused, match="more than its 9 records"):
        tables(tmp_path, path, "avro")


def test_a_file_that_breaks_off_is_refused(tmp_path: Path) -> None:
    data = (DATA / "java-deflate.avro").read_bytes()
    for end in range(0, len(data), 7):
        path = tmp_path / "cut.avro"
        path.write_bytes(data[:end])
        with pytest.raises(FileRefused):
            tables(tmp_path, path, "avro")


def test_a_block_that_does_not_have_its_checksum_is_refused(tmp_path: Path) -> None:
    data = bytearray((DATA / "java-snappy.avro").read_bytes())
    data[data.index("Köln".encode()) + 1] ^= 1
    path = tmp_path / "bad.avro"
    path.write_bytes(data)
    with pytest.raises(FileRefused, match="checksum"):
        tables(tmp_path, path, "avro")


def test_a_block_that_explodes_is_refused(tmp_path: Path) -> None:
    """300 MB of zeros in 300 kB: nothing that a writer of Avro makes of a table."""
    path = written(tmp_path, field("bytes"), [{"x": bytes(300_000_000)}], codec="deflate")
    with pytest.raises(FileRefused, match="larger than"):
        tables(tmp_path, path, "avro")


def test_a_codec_that_is_not_read_is_told(tmp_path: Path) -> None:
    data = (DATA / "java-deflate.avro").read_bytes().replace(b"\x0edeflate", b"\x0emadeupx")
    path = tmp_path / "codec.avro"
    path.write_bytes(data)
    with pytest.raises(FileRefused):
        tables(tmp_path, path, "avro")
