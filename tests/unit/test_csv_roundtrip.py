"""What is written as CSV comes back exactly, each record with the line on which it begins, or the file is refused."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import polars as pl
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from ingestion.text.csvfile import close_account, read_csv
from ingestion.text.dialect import understand
from ingestion.text.gate import measure
from ingestion.protocol import Parsed, ParseRequest
from ingestion.refusal import FileRefused

AT = datetime(2026, 11, 23, 4, 5, 6, 789, tzinfo=UTC)
OWN = ["_file", "_line", "_batch", "_ingested_at", "_rescued"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("roundtrip")


def request(folder: Path, data: bytes, columns: tuple[str, ...] | None = None) -> ParseRequest:
    path = folder / "landed"
    path.write_bytes(data)
    return ParseRequest(path, "in/table.csv", folder / "out.parquet", "in/table.csv", "b-1", AT, columns)


def read(folder: Path, data: bytes, columns: tuple[str, ...] | None = None) -> tuple[Parsed, pl.DataFrame]:
    asked = request(folder, data, columns)
    return read_csv(asked), pl.read_parquet(asked.out)


def written(rows: list[list[str]], delimiter: str, end: str, quoting: Literal[0, 1]) -> tuple[str, list[int]]:
    """A table as Python's csv module writes it, and the physical line on which each of its rows begins.

    That module leaves a carriage return unquoted where lines end with a line feed, which makes a line end of it.
    """
    if any("\r" in cell for row in rows for cell in row):
        quoting = csv.QUOTE_ALL
    texts, lines, line = [], [], 1
    for row in rows:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerow(row)
        texts.append(text.getvalue())
        lines.append(line)
        line += texts[-1].count("\n")
    return "".join(texts), lines


DELIMITERS_AND_QUOTES = ["", " ", '"', '""', ",", ";", "\t", "|", "'", "\\", "Smith, Ann", "1,5"]
LINE_ENDS_AND_NOT = ["\n", "\r\n", "\r", "\n\n", "a\nb", "\u2028", "\x85", "\x0b", "\x1c"]
WORDS = ["NA", "null", "0870", "2013-01-01", "1e5", " padded ", "x", "é", "🙂", "\ufeff", "#"]
AWKWARD = st.sampled_from([*DELIMITERS_AND_QUOTES, *LINE_ENDS_AND_NOT, *WORDS])
CELLS = st.lists(AWKWARD, max_size=3).map("".join) | st.text(st.characters(codec="utf-8"), max_size=8)
HEADS = st.lists(
    st.sampled_from(["name", "x", "Größe", "a b", "", "*", "^y$", "line\nend", 'q"q', "_file"]), max_size=3
)


@dataclass(frozen=True)
class Form:
    """How a table is written."""

    delimiter: str
    end: str
    quoting: Literal[0, 1]
    bom: bool
    last_ends: int


FORMS = st.builds(
    Form,
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([0, 1]),
    st.booleans(),
    st.integers(0, 3),
)


@settings(max_examples=300, deadline=None)
@given(head=HEADS, form=FORMS, data=st.data())
def test_a_table_comes_back_exactly_or_is_refused(
    folder: Path, head: list[str], form: Form, data: st.DataObject
) -> None:
    body = data.draw(st.lists(st.lists(CELLS, min_size=len(head), max_size=len(head)), max_size=8))
    rows = [["id", *head]] + [[str(number), *cells] for number, cells in enumerate(body)]
    text, lines = written(rows, form.delimiter, form.end, form.quoting)
    text = text.removesuffix(form.end) + form.last_ends * form.end
    try:
        parsed, frame = read(folder, text.encode("utf-8-sig" if form.bom else "utf-8"))
    except FileRefused as refused:
        event(f"refused: {refused.rule}")
        return
    event("read")
    assert list(parsed.header) == rows[0]
    assert [list(row) for row in frame.drop(OWN).iter_rows()] == rows[1:]
    assert frame["_line"].to_list() == lines[1:]
    assert parsed.rows == parsed.records == len(body)
    assert parsed.lines == text.count("\n") + (not text.endswith("\n"))


@settings(max_examples=300, deadline=None)
@given(
    data=st.lists(
        st.sampled_from([b"a", b"1", b",", b";", b'"', b"\n", b"\r\n", b"\r", b"\xe9", b"\0", b" "]), max_size=40
    )
)
def test_any_bytes_are_read_as_they_stand_or_refused(folder: Path, data: list[bytes]) -> None:
    content = b"".join(data)
    try:
        parsed, frame = read(folder, content)
    except FileRefused:
        return
    strict = csv.reader(io.StringIO(content.decode(), newline=""), delimiter=parsed.dialect["delimiter"], strict=True)
    rows = [row for row in strict if row]
    assert [list(parsed.header), *(list(row) for row in frame.drop(OWN).iter_rows())] == rows


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_awkward_values_are_read_in_every_accepted_dialect(
    folder: Path, delimiter: str, end: str, quoting: Literal[0, 1]
) -> None:
    """Against a vacuous pass of the properties above: this table must be read, not refused."""
    rows = [["id", "text", "note"]]
    rows += [
        [str(number), text, ""] for number, text in enumerate(["0870", "NA", "", 'q"q', "a,b;c\td|e", "x\r\ny\nz"])
    ]
    text, lines = written(rows, delimiter, end, quoting)
    parsed, frame = read(folder, text.encode())
    assert [list(row) for row in frame.drop(OWN).iter_rows()] == rows[1:]
    assert frame["_line"].to_list() == lines[1:]
    assert parsed.dialect["delimiter"] == delimiter


def test_the_columns_of_the_lake_follow_those_of_the_file(folder: Path) -> None:
    _, frame = read(folder, b"b,a,_line\n1,2,3\n")
    assert dict(frame.schema) == {
        **dict.fromkeys(["b", "a", "_line_2", "_file"], pl.String()),
        "_line": pl.Int64(),
        "_batch": pl.String(),
        "_ingested_at": pl.Datetime("us", "UTC"),
        "_rescued": pl.String(),
    }
    assert frame.row(0) == ("1", "2", "3", "in/table.csv", 2, "b-1", AT, None)


def test_a_header_without_records_is_a_table_of_no_rows(folder: Path) -> None:
    parsed, frame = read(folder, b"a,b\n")
    assert (parsed.rows, parsed.records, parsed.lines, frame.height) == (0, 0, 1, 0)
    assert frame.columns == ["a", "b", *OWN]


def test_reordered_columns_are_written_in_the_order_of_the_table(folder: Path) -> None:
    parsed, frame = read(folder, b"b,a\n1,2\n", columns=("a", "b"))
    assert (parsed.columns, parsed.header) == (("a", "b"), ("b", "a"))
    assert frame.select("a", "b").row(0) == ("2", "1")


def test_other_columns_than_those_of_the_table_are_refused_by_name(folder: Path) -> None:
    with pytest.raises(FileRefused) as refused:
        read(folder, b"a,b,c\n1,2,3\n", columns=("a", "d"))
    assert refused.value.rule == "schema"
    assert refused.value.reason == "the columns are not those of the table: without d and with the unknown b, c"


def test_blank_lines_at_the_end_are_counted_and_are_no_rows(folder: Path) -> None:
    """Alone, after a header without records, and where the parser reads several parts of a large file at once."""
    for body in (b"", b"1,x\n", b'1,"\n\n"\n', b"1,x\n" * 300_000):
        parsed, frame = read(folder, b"a,b\n" + body + b"\n\r\n\n")
        _, plain = read(folder, b"a,b\n" + body)
        assert parsed.lines == 1 + body.count(b"\n") + 3
        assert parsed.rows == parsed.records == frame.height
        assert frame.equals(plain)


def test_a_ragged_file_is_not_read_as_one_column(folder: Path) -> None:
    with pytest.raises(FileRefused, match="line 2 has 1 field, the header has 2"):
        read(folder, b"k,v\n1\n")


def test_no_stored_name_is_a_pattern_to_polars(folder: Path) -> None:
    parsed, frame = read(folder, b"*,^.*$,id\n1,2,3\n")
    assert [frame.lazy().select(pl.col(name)).collect().columns for name in parsed.columns] == [
        [name] for name in parsed.columns
    ]


def test_a_note_below_the_table_is_refused(folder: Path) -> None:
    with pytest.raises(FileRefused, match="line 3 looks like a note below the table"):
        read(folder, b"a,b,c\n1,2,3\nSource: survey,,\n")


ALTERATIONS: list[tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = [
    (lambda frame: frame.head(2), "3 records were counted, 2 rows were read"),
    (lambda frame: frame.with_columns(pl.col("b").replace("", None)), "6 values were counted, 5 were read"),
    (
        lambda frame: frame.with_columns(pl.col("b").str.replace('"', "")),
        "the values have 7 bytes, the rows that were read 6",
    ),
    (lambda frame: frame.with_columns(pl.col("_line") + 1), "the last record begins on line 4, its row says 5"),
]


@pytest.mark.parametrize(("alter", "words"), ALTERATIONS)
def test_the_account_does_not_close_over_rows_that_differ_from_the_file(
    folder: Path, alter: Callable[[pl.DataFrame], pl.DataFrame], words: str
) -> None:
    """A row lost, an empty text made null, a character lost, a line miscounted: each is found without the parser."""
    asked = request(folder, b'a,b\n1,x\n2,""\n3,"p""q"\n')
    parsed = read_csv(asked)
    shape, dialect = measure(asked.path, ",", 2), understand(asked.path, asked.name)
    assert close_account(asked.out, parsed.columns, shape, dialect).records == 3
    alter(pl.read_parquet(asked.out)).write_parquet(asked.out)
    with pytest.raises(FileRefused, match=words):
        close_account(asked.out, parsed.columns, shape, dialect)


def test_lines_are_right_where_records_are_read_in_parallel(folder: Path) -> None:
    """Large enough for the parser to read several parts of the file at once."""
    rows = [["id", "text"]] + [[str(number), "x\ny" * (number % 3) + "z" * 50] for number in range(200_000)]
    text, lines = written(rows, ",", "\n", csv.QUOTE_MINIMAL)
    _, frame = read(folder, text.encode())
    assert frame["_line"].to_list() == lines[1:]
    assert frame["text"].to_list() == [row[1] for row in rows[1:]]
