"""The gate accepts only what no reader can misread, counts it rightly, and names the line of what it refuses."""

import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.columns import safe_names
from ingestion.refusal import FileRefused
from ingestion.text.dialect import Dialect
from ingestion.text.encoding import Text
from ingestion.text.gate import Shape, measure
from ingestion.text.head import read_head
from ingestion.text.index import LineIndex
from ingestion.text.plain import Plain, PlainBlocks

BOM = b"\xef\xbb\xbf"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gate") / "table.csv"


def outcome(
    path: Path, data: bytes, width: int = 2, *, above: int = 0, comment: str = "", quote: str = '"', **options: int
) -> Shape | tuple[str, str, int | None]:
    """What the gate says of a file with a header of ``above`` lines, and as many columns as ``width``."""
    path.write_bytes(data)
    header = tuple(f"column_{number}" for number in range(1, width + 1))
    dialect = Dialect(
        ",",
        header,
        safe_names(header),
        quote=quote,
        comment=comment,
        header_line=min(above, 1),
        header_rows=above,
        first_line=above + 1,
    )
    text = Text(path, begin=len(BOM) if data.startswith(BOM) else 0)
    try:
        with LineIndex(path.with_suffix(".index")) as index:
            shape = measure(text, dialect, read_head(text, dialect), index, **options)
        assert (index.records, index.last_line) == (shape.records, shape.last_line)
        return shape
    except FileRefused as refused:
        return refused.rule, refused.reason, refused.line


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        (b"a,b\n1,2\n", Shape(2, 2, 0, 2, 4, False, 4)),
        (b"a,b\n1,2", Shape(2, 2, 0, 2, 4, False, 4)),
        (b"a,b\r\n1,2\r\n", Shape(2, 2, 0, 2, 5, False, 4)),
        (BOM + b"a,b\n1,2\n", Shape(2, 2, 0, 2, 7, False, 4)),
        (b'"a\nx",b\n"1""\r\n\r\n",\n,\n', Shape(3, 6, 0, 6, 19, True, 10)),
        (b"a,b", Shape(1, 1, 0, 1, 0, False, 2)),
        (b"a,b\n1,2\n\n", Shape(2, 3, 1, 2, 4, False, 4)),
        (BOM + b"a,b\r\n\r\n\n\r\n", Shape(1, 4, 3, 1, 3, False, 2)),
        (b'a,b\n1,"\n\n"\n\n\n', Shape(2, 6, 2, 2, 4, True, 5)),
        ('é,"""ß"""\n'.encode(), Shape(1, 1, 0, 1, 0, False, 6)),
        (b"\n\r\n", Shape(0, 2, 2, 0, 0, False, 0)),
    ],
    ids=[
        "plain",
        "no last line end",
        "crlf",
        "byte order mark",
        "quoted line ends",
        "one record",
        "a blank line at the end",
        "blank lines of both kinds",
        "blank lines after quoted ones",
        "doubled quotes",
        "blank lines only",
    ],
)
def test_it_counts_records_lines_and_bytes_of_value(file: Path, data: bytes, shape: Shape) -> None:
    assert outcome(file, data) == shape


@pytest.mark.parametrize(
    ("data", "above", "shape"),
    [
        (b"a,b\n1,2\n", 1, Shape(1, 2, 0, 2, 4, False, 2)),
        (b"a,b", 1, Shape(0, 1, 0, 0, 0, False, 0)),
        (b"a,b\r\n\r\n\n", 1, Shape(0, 3, 2, 0, 0, False, 0)),
        (BOM + b"Title \xc3\x9f\n\na,b\n1,2\n", 3, Shape(1, 4, 0, 4, 17, False, 2)),
        (b"a,b\n", 3, Shape(0, 1, 0, 0, 0, False, 0)),
    ],
)
def test_lines_above_the_records_are_counted_as_lines_only(file: Path, data: bytes, above: int, shape: Shape) -> None:
    assert outcome(file, data, above=above) == shape


@pytest.mark.parametrize(
    ("data", "rule", "line"),
    [
        (b"a,b\n1,2\na,b\n3,4\n", "header", 3),
        (b"a,b\r\n1,2\r\na,b\r\n", "header", 3),
        (b"a,b\n1,2\n" + BOM + b"a,b\n", "mark", 3),
        (b"a,b\n" + BOM + b"1,2\n", "encoding", 2),
        (b'a,b\n1,"x\n2,3\n4"\n', "quote", 3),
        (b'a,b\n1,"x\n"",""\n4"\n', "quote", 3),
        (b"a,b\n#1,2\n", "mark", 2),
        (b"a,b\n1,2\n#,\n", "mark", 3),
        (b"Title\ra,b\n1,2\n", "line-end", 1),
    ],
    ids=[
        "the header once more",
        "the header once more, CRLF",
        "a byte order mark in the midst",
        "a byte order mark before the first record",
        "a record in a quoted field",
        "a record of empty cells in a quoted field",
        "a comment first",
        "a comment",
        "a CR in the head",
    ],
)
def test_what_only_looks_regular_does_not_pass(file: Path, data: bytes, rule: str, line: int) -> None:
    found = outcome(file, data, above=1, comment="#")
    assert isinstance(found, tuple)
    assert (found[0], found[2]) == (rule, line)
    assert outcome(file, data, above=1, comment="#", chunk_bytes=1) == found


def test_what_only_begins_like_the_header_passes(file: Path) -> None:
    assert isinstance(outcome(file, b"a,b\na,bc\nxa,b\n1,b\n", above=1), Shape)
    assert isinstance(outcome(file, b'a,b\n1,"x\n2\n"\n', above=1), Shape)


def test_quotes_that_mean_nothing_are_bytes_like_others(file: Path) -> None:
    assert outcome(file, b'1" pipe,"\n"x,y"\n', quote="") == Shape(2, 2, 0, 2, 10, False, 12)
    assert outcome(file, b"'1,''a',\"\n", quote="'") == Shape(1, 1, 0, 1, 0, False, 5)


@pytest.mark.parametrize(
    ("data", "rule", "line", "words"),
    [
        (b"a,b\n1,2\n1\n", "width", 3, "line 3 has 1 field, the header has 2"),
        (b'a,b\n"1\n1",2\n1,2,3\n', "width", 4, "line 4 has more fields than the header, which has 2"),
        (b'a,b\n1,"2\n2",3\n', "width", 2, "line 2 has more fields"),
        (b"a,b\n1,2\n1", "width", 3, "line 3 has 1 field"),
        (b"a,b\n\n1,2\n", "blank", 2, "line 2 is blank"),
        (b"a,b\r\n1,2\r\n\r\n3,4\r\n", "blank", 3, "line 3 is blank"),
        (b"a,b\n1,2\n\n \n\n", "blank", 3, "line 3 is blank"),
        (b"\n\n1,2\n", "blank", 1, "line 1 is blank"),
        (b"\xef\xbb\xbf\n\n1,2\n", "blank", 1, "line 1 is blank"),
        (b"a,b\n1,2\n\r\n\r\r\n", "blank", 3, "line 3 is blank"),
        (b"a,b\n1,2\r\r\n\n", "line-end", 2, "carriage return without"),
        (b'a,b\n1,"x\n\n\n', "quote", 2, "never closes"),
        (b"\na,b\n", "blank", 1, "line 1 is blank"),
        (b"a,b\n1,2\n\xe9,2\n", "encoding", 3, "line 3 is not UTF-8 (byte 0xE9)"),
        (b"a,b\n1,2\xc3", "encoding", 2, "line 2 is not UTF-8"),
        (b"a,b\n1,\x002\n", "nul", 2, "line 2 holds a NUL byte"),
        (b"a,b\r1,2\r", "line-end", 1, "line 1 holds a carriage return without a line feed"),
        (b'a,b\n1,"2\r3"\n', "line-end", 2, "line 2 holds a carriage return"),
        (b"a,b\n1,2\r", "line-end", 2, "line 2 holds a carriage return"),
        (b'a,b\n1,5" pipe\n', "quote", 2, "line 2 has a quote in the middle of a field"),
        (b'a,b\n1,"x"y\n', "quote", 2, "line 2 has text between a closing quote and the end of the field"),
        (b'a,b\n1, "x"\n', "quote", 2, "line 2 has a quote in the middle"),
        (b'a,b\n1,"x\n2\n', "quote", 2, "a quote that opens in the record on line 2 never closes"),
        (b'a,b\n1,"x\n2,3\n', "quote", 3, "line 3 stands in quotes, with as many delimiters as a record has"),
    ],
)
def test_it_refuses_with_the_physical_line(file: Path, data: bytes, rule: str, line: int, words: str) -> None:
    found = outcome(file, data)
    assert isinstance(found, tuple)
    assert (found[0], found[2]) == (rule, line)
    assert words in found[1]


def test_more_blank_lines_than_an_export_leaves_are_refused(file: Path) -> None:
    assert outcome(file, b"a,b\n1,2\n" + b"\n" * 100_000) == ("blank", "line 3 is blank", 3)


def test_blank_lines_in_one_column_are_refused_even_at_the_end(file: Path) -> None:
    """There they may be missing values."""
    assert outcome(file, b"a\n1\n\n", width=1) == ("blank", "line 3 is blank", 3)
    assert outcome(file, b"a\n1\n\n2\n", width=1) == ("blank", "line 3 is blank", 3)
    assert isinstance(outcome(file, b'a\n1\n""\n2\n', width=1), Shape)


def test_a_line_without_end_is_refused_in_bounded_memory(file: Path) -> None:
    data = b"a,b\n1," + b"x" * (64 << 20)
    tracemalloc.start()
    found = outcome(file, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    longest = "the record on line 2 is longer than 16,777,216 bytes: perhaps a quote that never closes"
    assert found == ("record-size", longest, 2)
    assert peak < 16 << 20


PIECES = st.sampled_from(
    [b"a", b"b,", b",", b'"', b'""', b"\n", b"\r\n", b"\r", "é".encode(), "🙂".encode(), b"\xe9", b"\0"]
)
ANY_BYTES = st.lists(PIECES, max_size=30).map(b"".join)
CELLS = st.sampled_from([b"", b"x", "é".encode(), b'""', b'"a,\r\n\n""b"', b'"\n"'])
TABLES = st.builds(
    lambda rows, end, last: end.join(b",".join(row) for row in rows) + last * end,
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8),
    st.sampled_from([b"\n", b"\r\n"]),
    st.integers(0, 3),
)
DAMAGED = st.builds(
    lambda table, piece, at: table[: at % (len(table) + 1)] + piece + table[at % (len(table) + 1) :],
    TABLES,
    PIECES,
    st.integers(0, 200),
)
EVEN = st.builds(
    lambda table, times, damaged: table * times + damaged,
    TABLES.map(lambda table: table.rstrip(b"\r\n") + b"\n"),
    st.integers(1, 60),
    st.just(b"") | DAMAGED,
)
FILES = st.builds(
    lambda bom, data: (b"\xef\xbb\xbf" if bom else b"") + data, st.booleans(), TABLES | DAMAGED | ANY_BYTES
)


@settings(max_examples=400, deadline=None)
@given(data=FILES, chunk=st.integers(1, 9), width=st.integers(1, 3), longest=st.integers(3, 40))
def test_the_outcome_does_not_depend_on_where_chunks_are_cut(
    file: Path, data: bytes, chunk: int, width: int, longest: int
) -> None:
    whole = outcome(file, data, width, record_bytes_max=longest)
    assert outcome(file, data, width, record_bytes_max=longest, chunk_bytes=chunk) == whole


@settings(max_examples=400, deadline=None)
@given(
    data=FILES | EVEN,
    width=st.integers(1, 3),
    sizes=st.tuples(st.integers(3, 400), st.sampled_from([7, 64, 65, 300, 1 << 19])),
    comment=st.sampled_from(["", "#", "x"]),
)
def test_blocks_that_are_plain_are_counted_as_byte_by_byte(
    file: Path, data: bytes, width: int, sizes: tuple[int, int], comment: str
) -> None:
    """A long file of the same lines has words of 64 bytes that begin and end anywhere in a record."""
    longest, chunk = sizes
    found = outcome(file, data, width, comment=comment, record_bytes_max=longest, chunk_bytes=chunk)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PlainBlocks, "plain", lambda *_: None)
        assert outcome(file, data, width, comment=comment, record_bytes_max=longest, chunk_bytes=chunk) == found


def test_most_blocks_are_plain(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotes, CR, letters, an empty cell and a delimiter in quotes make no block odd."""
    found: list[Plain | None] = []
    told = PlainBlocks.plain
    monkeypatch.setattr(PlainBlocks, "plain", lambda *given: found.append(told(*given)) or found[-1])
    data = 'é,"a ""b"", c"\r\n"",1\r\n'.encode() * 50
    assert outcome(file, data, chunk_bytes=256) == Shape(100, 100, 0, 100, len(data) - 6, False, 11 * 50)
    assert len(found) > 3
    assert None not in found


@settings(max_examples=400, deadline=None)
@given(data=FILES, width=st.integers(1, 3))
def test_it_agrees_with_a_reader_that_goes_character_by_character(file: Path, data: bytes, width: int) -> None:
    found = outcome(file, data, width)
    expected = read_slowly(data, width)
    if expected is None:
        assert isinstance(found, tuple), found
    else:
        assert isinstance(found, Shape), found
        assert found.records == len(expected)
        assert found.lines == data.count(b"\n") + (not data.endswith(b"\n") and bool(expected))
        assert found.value_bytes == sum(record.value_bytes for record in expected)
        if expected:
            assert found.last_line == expected[-1].line
            assert found.last_offset == expected[-1].offset


@dataclass
class Record:
    line: int
    offset: int
    value_bytes: int


def read_slowly(data: bytes, width: int) -> list[Record] | None:
    """The strict grammar, one character at a time; None where the file is outside it."""
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        return None
    if "\0" in text or text.replace("\r\n", "").count("\r"):
        return None
    records: list[Record] = []
    at, line, above = 0, 1, len(BOM) * data.startswith(BOM)
    while at < len(text):
        if width > 1 and not text[at:].replace("\r\n", "\n").strip("\n"):
            break
        record, fields = Record(line, above + len(text[:at].encode()), 0), 0
        begin = at
        while True:
            value, at = read_field(text, at)
            if value is None or (width > 1 and any(line.count(",") == width - 1 for line in value.split("\n")[1:-1])):
                return None
            fields += 1
            record.value_bytes += len(value.encode())
            if text[at : at + 1] != ",":
                break
            at += 1
        blank = at == begin
        end = at + (2 if text[at : at + 2] == "\r\n" else 1)
        line += text.count("\n", begin, end)
        at = end
        if fields != width or blank:
            return None
        records.append(record)
    return records


def read_field(text: str, at: int) -> tuple[str | None, int]:
    if text[at : at + 1] != '"':
        end = at
        while end < len(text) and text[end] not in ",\n" and text[end : end + 2] != "\r\n":
            end += 1
        return (None if '"' in text[at:end] else text[at:end]), end
    value, at = "", at + 1
    while True:
        closing = text.find('"', at)
        if closing < 0:
            return None, at
        value += text[at:closing]
        at = closing + 1
        if text[at : at + 1] != '"':
            break
        value, at = value + '"', at + 1
    at_edge = at == len(text) or text[at] in ",\n" or text[at : at + 2] == "\r\n"
    return (value if at_edge else None), at
