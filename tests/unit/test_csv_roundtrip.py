"""What is written as CSV comes back exactly, each record with the line on which it begins, or the file is refused."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from ingestion.found import Found, Source
from ingestion.refusal import FileRefused
from ingestion.text import encoding
from ingestion.text.csvfile import read_csv
from tests.unit.slow_reader import physical_lines


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("roundtrip")


def read(folder: Path, data: bytes) -> tuple[Found, pl.DataFrame]:
    """The one table of a file, written and its account closed as the worker does."""
    path, scratch = folder / "landed", folder / "scratch"
    scratch.mkdir(exist_ok=True)
    path.write_bytes(data)
    (found,) = read_csv(Source(path, "in/table.csv", scratch))
    out = folder / "out.parquet"
    found.rows.sink_parquet(out, maintain_order=True)
    assert found.check is not None
    found.check(out)
    return found, pl.read_parquet(out)


def rejects(found: Found) -> list[tuple[int, str, str]]:
    if found.rejects is None:
        return []
    return pl.read_parquet(found.rejects).select("line", "rule", "record").sort("line").rows()


def cells(frame: pl.DataFrame) -> list[list[str]]:
    return [list(row) for row in frame.drop("_line").iter_rows()]


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
        line += len(physical_lines(texts[-1]))
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


@settings(max_examples=200, deadline=None)
@given(head=HEADS, form=FORMS, data=st.data())
def test_a_table_comes_back_exactly_or_is_refused(
    folder: Path, head: list[str], form: Form, data: st.DataObject
) -> None:
    """A sound record is rejected only where its inside may be records, and one column has no blank lines to lose."""
    body = data.draw(st.lists(st.lists(CELLS, min_size=len(head), max_size=len(head)), max_size=8))
    rows = [["id", *head]] + [[str(number), *row] for number, row in enumerate(body)]
    text, lines = written(rows, form.delimiter, form.end, form.quoting)
    text = text.removesuffix(form.end) + form.last_ends * form.end
    try:
        found, frame = read(folder, text.encode("utf-8-sig" if form.bom else "utf-8"))
    except FileRefused as refused:
        event(f"refused: {refused.rule}")
        return
    if list(found.header) != rows[0] or found.dialect["quote"] != '"':
        event("another dialect, said")
        assert found.dialect["assumptions"] or found.rejected
        return
    event("all rows" if not found.rejected else "rows and rejects")
    accepted = dict(zip(frame["_line"], cells(frame), strict=True))
    expected = dict(zip(lines[1:], rows[1:], strict=True))
    assert accepted == {line: row for line, row in expected.items() if line in accepted}
    blank = [line for line, rule, _ in rejects(found) if rule == "blank"]
    assert sorted([*accepted, *(line for line, _, _ in rejects(found))]) == lines[1:] + blank
    assert found.records == len(body) + len(blank)
    assert found.lines == len(physical_lines(text))


@settings(max_examples=200, deadline=None)
@given(
    data=st.lists(
        st.sampled_from([b"a", b"1", b",", b";", b'"', b"\n", b"\r\n", b"\r", b"\xe9", b"\0", b" "]), max_size=40
    )
)
def test_any_bytes_are_read_line_by_line_or_refused(folder: Path, data: list[bytes]) -> None:
    """Whatever a file is taken for, each of its lines is in the account, and each reject is a part of the text."""
    content = b"".join(data)
    try:
        found, frame = read(folder, content)
    except FileRefused as refused:
        event(f"refused: {refused.rule}")
        if refused.rule == "account":
            raise
        return
    assert found.records == frame.height + found.rejected
    text = content.decode(str(found.dialect["encoding"]), "backslashreplace")
    assert found.lines == len(physical_lines(text))
    lines = [*frame["_line"], *(line for line, _, _ in rejects(found))]
    assert len(set(lines)) == len(lines)
    assert all(record in text for _, rule, record in rejects(found) if rule != "encoding")


@settings(max_examples=200, deadline=None)
@given(
    data=st.lists(
        st.sampled_from(
            [b"a,b\n", b"1,2\n", b"3,\xc3\xa9\n", b'"x",4\r\n', b"5\n", b"caf\xe9,6\n", b"\xc3", b"\0", b"\xef\xbb\xbf"]
        ),
        max_size=12,
    )
)
def test_a_file_that_is_presumed_to_be_utf8_comes_to_the_same(folder: Path, data: list[bytes]) -> None:
    """Large files are, by their beginning: here all files are, and what is wrong with them is behind that."""
    content = b"a,b\n" + b"1,2\n" * 1100 + b"".join(data)

    def outcome() -> object:
        try:
            found, frame = read(folder, content)
        except FileRefused as refused:
            return refused.rule, refused.reason, refused.line
        return frame.rows(), rejects(found), found.header, found.dialect, found.notices, found.lines, found.records

    judged = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "_PRESUMED_BYTES_MIN", 0)
        assert outcome() == judged


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
    found, frame = read(folder, text.encode())
    assert cells(frame) == rows[1:]
    assert frame["_line"].to_list() == lines[1:]
    assert found.dialect["delimiter"] == delimiter


def test_the_columns_have_stored_names_and_the_line_follows_them(folder: Path) -> None:
    found, frame = read(folder, b"b,a x,_line\n1,2,3\n")
    assert dict(frame.schema) == {**dict.fromkeys(["b", "a_x", "_line_2"], pl.String()), "_line": pl.Int64()}
    assert frame.row(0) == ("1", "2", "3", 2)
    assert found.header == ("b", "a x", "_line")
    assert found.metadata == {"a_x": {"label": "a x"}, "_line_2": {"label": "_line"}}


def test_a_header_without_records_is_a_table_of_no_rows(folder: Path) -> None:
    found, frame = read(folder, b"a,b\n")
    assert (found.records, found.lines, frame.height) == (0, 1, 0)
    assert frame.columns == ["a", "b", "_line"]


def test_blank_lines_at_the_end_are_counted_and_are_no_rows(folder: Path) -> None:
    """Alone, after a header without records, and where the parser reads several parts of a large file at once."""
    for body in (b"", b"1,x\n", b'1,"\n\n"\n', b"1,x\n" * 300_000):
        found, frame = read(folder, b"a,b\n" + body + b"\n\r\n\n")
        _, plain = read(folder, b"a,b\n" + body)
        assert found.lines == 1 + body.count(b"\n") + 3
        assert found.records == frame.height
        assert not any(notice.startswith("read record by record") for notice in found.notices)
        assert frame.equals(plain)


def test_a_ragged_file_is_not_read_as_one_column(folder: Path) -> None:
    found, frame = read(folder, b"k,v\n1\n2,3\n")
    assert (rejects(found), cells(frame)) == ([(2, "width", "1")], [["2", "3"]])


def test_no_stored_name_is_a_pattern_to_polars(folder: Path) -> None:
    _, frame = read(folder, b"*,^.*$,id\n1,2,3\n")
    names = frame.columns[:-1]
    assert [frame.lazy().select(pl.col(name)).collect().columns for name in names] == [[name] for name in names]


def test_a_note_below_the_table_is_rejected(folder: Path) -> None:
    found, frame = read(folder, b"a,b,c\n1,2,3\nSource: survey,,\n")
    assert (rejects(found), frame.height) == ([(3, "footer", "Source: survey,,")], 1)


def test_records_above_the_header_of_another_table_are_rejected_and_titles_are_not(folder: Path) -> None:
    above = b"Stand: 2024-05-01\nn;v;w\n1;2;3\n4;5;6\n\n"
    found, frame = read(folder, above + b"id;x\nA;1\nB;2\nC;3\nD;4\nE;5\n")
    assert (found.header, frame.height) == (("id", "x"), 5)
    assert [(line, record) for line, _, record in rejects(found)] == [(3, "1;2;3"), (4, "4;5;6")]


@pytest.mark.parametrize("damage", [b"4,5,6\n", b"a,b\n", b'4,"x"y\n', b"4,\0\n", b"\n"])
def test_a_file_that_does_not_pass_the_gate_is_read_to_the_same_rows(folder: Path, damage: bytes) -> None:
    """But for one damaged record in its midst, which is rejected, or a blank line."""
    body = b'1,x\n2,"y\nz"\n'
    found, frame = read(folder, b"a,b\n" + body + damage + body)
    _, sound = read(folder, b"a,b\n" + body + body)
    assert frame.drop("_line").equals(sound.drop("_line"))
    assert frame["_line"].to_list() == [2, 3, 6, 7]
    assert [line for line, _, _ in rejects(found)] == ([5] if damage != b"\n" else [])
    assert any(notice.startswith("read record by record: line 5") for notice in found.notices)


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
    found, frame = read(folder, b'a,b\n1,x\n2,""\n3,"p""q"\n')
    out = folder / "altered.parquet"
    alter(frame).write_parquet(out)
    assert found.check is not None
    with pytest.raises(FileRefused, match=words):
        found.check(out)


def test_lines_are_right_where_records_are_read_in_parallel(folder: Path) -> None:
    """Large enough for the parser to read several parts of the file at once."""
    rows = [["id", "text"]] + [[str(number), "x\ny" * (number % 3) + "z" * 50] for number in range(200_000)]
    text, lines = written(rows, ",", "\n", csv.QUOTE_MINIMAL)
    found, frame = read(folder, text.encode())
    assert found.notices == ()
    assert frame["_line"].to_list() == lines[1:]
    assert frame["text"].to_list() == [row[1] for row in rows[1:]]
