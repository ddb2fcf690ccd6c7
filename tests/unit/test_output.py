"""Rows as text: legible for people, exact for programs."""

import csv
import io
import json
from datetime import UTC, date, datetime, time
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import UsageError
from lake.cli.output import MISSING, as_csv, as_jsonl, as_table

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
TABLE = st.lists(st.tuples(st.one_of(st.none(), TEXT), st.one_of(st.none(), TEXT)), max_size=8)

HARD = pl.DataFrame(
    {
        "utc": [datetime(2020, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)],
        "local": [datetime(2020, 1, 1, 12)],
        "day": [date(2020, 1, 1)],
        "clock": [time(10, 20, 30)],
        "bytes": [b"\xff\x00"],
        "price": pl.Series([Decimal("1.50")], dtype=pl.Decimal(9, 2)),
        "sum": pl.Series([Decimal(10) ** 37], dtype=pl.Decimal(38, 0)),
        "big": pl.Series([2**64 - 1], dtype=pl.UInt64),
        "f32": pl.Series([0.1], dtype=pl.Float32),
        "f64": [1e300],
        "list": [[1, None]],
        "struct": [{"a": "x", "b": date(2020, 1, 1)}],
        "truth": [True],
    }
)


def frame_of(rows: list[tuple[str | None, str | None]]) -> pl.DataFrame:
    """Two columns of text."""
    return pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row")


@given(TABLE)
def test_csv_is_read_back_by_another_reader(rows: list[tuple[str | None, str | None]]) -> None:
    """Python's reader finds the same texts, whatever signs are in them."""
    told = list(csv.reader(io.StringIO(as_csv(frame_of(rows), header=True), newline="")))
    assert told == [["a", "b"], *[[a or "", b or ""] for a, b in rows]]


@given(TABLE)
def test_csv_tells_missing_from_empty(rows: list[tuple[str | None, str | None]]) -> None:
    """An empty text is quoted, a missing value is not."""
    lines = [[MISSING if a is None else a and "x", MISSING if b is None else b and "x"] for a, b in rows]
    plain = as_csv(frame_of([(a and "x", b and "x") for a, b in rows]), header=False)
    spelled = {MISSING: "", "": '""', "x": "x"}
    assert plain == "".join(f"{spelled[a]},{spelled[b]}\n" for a, b in lines)


@given(TABLE)
def test_json_lines_are_read_back(rows: list[tuple[str | None, str | None]]) -> None:
    """A line is an object, whatever signs are in its texts."""
    text, lost = as_jsonl(frame_of(rows))
    assert [json.loads(line) for line in text.split("\n")[:-1]] == [{"a": a, "b": b} for a, b in rows]
    assert lost == 0


def test_hard_types_as_csv() -> None:
    """Times by ISO 8601, bytes as hex, all digits of numbers, what is nested as JSON."""
    (row,) = csv.DictReader(io.StringIO(as_csv(HARD, header=True)))
    assert row == {
        "utc": "2020-01-01T12:00:00.500Z",
        "local": "2020-01-01T12:00:00",
        "day": "2020-01-01",
        "clock": "10:20:30",
        "bytes": "ff00",
        "price": "1.50",
        "sum": "1" + "0" * 37,
        "big": "18446744073709551615",
        "f32": "0.1",
        "f64": "1e+300",
        "list": "[1,null]",
        "struct": '{"a":"x","b":"2020-01-01"}',
        "truth": "true",
    }


def test_hard_types_as_json() -> None:
    """Whole numbers are numbers with all digits, decimals are text with theirs, and what is nested stays so."""
    row = json.loads(as_jsonl(HARD)[0])
    assert row["sum"] == 10**37
    assert row["big"] == 2**64 - 1
    assert row["price"] == "1.50"
    assert row["utc"] == "2020-01-01T12:00:00.500Z"
    assert row["bytes"] == "ff00"
    assert row["list"] == [1, None]
    assert row["struct"] == {"a": "x", "b": "2020-01-01"}
    assert row["truth"] is True


def test_a_missing_list_is_missing() -> None:
    """It is not the text ``null``."""
    frame = pl.DataFrame({"l": [None, [1]], "n": [1, 2]}, schema={"l": pl.List(pl.Int64), "n": pl.Int64})
    assert as_csv(frame, header=False) == ",1\n[1],2\n"


def test_bytes_inside_of_what_is_nested_are_refused() -> None:
    """JSON has no bytes: the error names the column and the form that has them."""
    with pytest.raises(UsageError, match="column 'l' holds bytes") as refused:
        as_csv(pl.DataFrame({"l": [[b"x"]]}), header=True)
    assert "parquet" in refused.value.next


def test_a_table_shows_what_is_missing_and_what_is_empty() -> None:
    """A missing value, an empty text and the text NULL are three things."""
    assert as_table(pl.DataFrame({"a": [None, "", "NULL"], "b": ["x", "x", "x"]})).splitlines()[2:] == [
        "∅     x",
        "      x",
        "NULL  x",
    ]


def test_a_table_never_steers_the_terminal() -> None:
    """Escape sequences, line ends and signs without width in data and in names are spelled out."""
    shown = as_table(pl.DataFrame({"a\x1b[2J": ["\x1b[31mred\n", "\u202eright to left"]}), width=60)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[31mred\\n" in shown


def test_a_wide_table_is_cut_to_the_terminal() -> None:
    """The longest columns give way; no line is wider, and what was cut is marked."""
    frame = pl.DataFrame({"n": [1], "long": ["x" * 200], "wide": ["漢" * 40]})
    lines = as_table(frame, width=60).splitlines()
    assert max(len(line) + line.count("漢") for line in lines) <= 60
    assert lines[2].count("…") == 2


def test_a_table_of_many_columns_becomes_blocks() -> None:
    """Where columns cannot be cut further each row is a block of lines, and no column is lost."""
    frame = pl.DataFrame({f"column_{n:02}": [f"{n} " + "x" * 40] * 2 for n in range(30)})
    lines = as_table(frame, width=50).splitlines()
    assert len(lines) == 2 * 31
    assert lines[0] == "-- row 1 --"
    assert all(len(line) <= 50 for line in lines)
    assert lines[1] == "column_00  0 " + "x" * 36 + "…"


def test_a_table_without_rows_has_its_names() -> None:
    """Wide or not."""
    assert as_table(pl.DataFrame(schema={"a": pl.Int64, "b": pl.String})) == "a  b\n-  -"
    wide = pl.DataFrame(schema=dict.fromkeys([f"column_{n}" for n in range(20)], pl.String))
    assert "column_19" in as_table(wide, width=40)
