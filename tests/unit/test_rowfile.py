"""Rows whose columns grow are one table; lines are cut and counted alike however a file is divided into blocks."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.formats import lines, rowfile
from ingestion.formats.lines import count_lines, line_at, line_batches
from ingestion.formats.rowfile import RowFile, stored_names
from ingestion.refusal import FileRefused


def test_rows_from_before_a_column_was_seen_have_nulls_in_it(tmp_path: Path) -> None:
    rows = RowFile(tmp_path)
    rows.write([1, 2], {"a": ["1", None]})
    rows.write([3], {"b": ["x"], "a": [b"3"]})
    rows.write([4], {"c": ["z"]})
    names = stored_names({"c": "c", "a": "a", "b": "a"})
    assert rows.scan(names).collect().rows() == [
        (None, "1", None, 1),
        (None, None, None, 2),
        (None, "3", "x", 3),
        ("z", None, None, 4),
    ]
    assert rows.rows == 4


def test_columns_without_rows_are_columns(tmp_path: Path) -> None:
    rows = RowFile(tmp_path)
    rows.write([], {"a": []})
    assert rows.scan({"a": "a"}).collect().schema == {"a": pl.String(), "_line": pl.Int64()}


def test_a_value_that_is_lost_later_is_missed(tmp_path: Path) -> None:
    rows = RowFile(tmp_path)
    rows.write([1, 2], {"a": ["1", "2"], "b": [None, "x"]})
    written = tmp_path / "written.parquet"
    frame = rows.scan({"a": "a", "b": "b"})
    frame.sink_parquet(written)
    rows.check({"a": "a", "b": "b"}, written)
    frame.with_columns(pl.col("a").replace("2", None)).sink_parquet(written)
    with pytest.raises(FileRefused, match="column 'a' has 2 values, 1 were written"):
        rows.check({"a": "a", "b": "b"}, written)


def test_wide_rows_are_written_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rowfile, "_CELLS_MAX", 10)
    rows = RowFile(tmp_path)
    rows.write(range(1, 30), {number: [f"{number}-{row}" for row in range(29)] for number in range(4)})
    frame = rows.scan({number: str(number) for number in range(4)}).collect()
    assert frame["3"].to_list() == [f"3-{row}" for row in range(29)]
    assert frame["_line"].to_list() == list(range(1, 30))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lines") / "landed"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["", " ", "a", "\u2028", "é b"]), st.sampled_from(["\n", "\r\n", "\r"]))),
    st.sampled_from(["", "x", "\t"]),
    st.integers(1, 9),
)
def test_lines_are_those_of_universal_line_ends(
    path: Path, parts: list[tuple[str, str]], last: str, block_bytes: int
) -> None:
    data = ("".join(text + end for text, end in parts) + last).encode()
    expected = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    expected = expected if expected[-1] else expected[:-1]
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block_bytes)
        batches = list(line_batches(path))
        assert [item for batch in batches for item in batch.items] == expected
        assert [line for batch in batches for line in batch.lines] == list(range(1, len(expected) + 1))
        assert count_lines(path) == (len(expected), sum(bool(line.strip()) for line in expected))
        assert line_at(path, len(data)) == len(expected) + (not last)


def test_a_line_longer_than_a_record_may_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 10)
    monkeypatch.setattr(lines, "RECORD_BYTES_MAX", 100)
    path = tmp_path / "landed"
    path.write_bytes(b"short\n" + b"x" * 200)
    with pytest.raises(FileRefused, match="the record on line 2 is longer than 100 bytes"):
        list(line_batches(path))
