"""What stands above the records of a text table: title lines and the header, read once for both ways of reading."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ingestion.refusal import FileRefused
from ingestion.text.cells import DELIMITERS, is_number_or_date
from ingestion.text.dialect import Dialect
from ingestion.text.encoding import Text
from ingestion.text.tokens import LINE_END, Grammar, Record

HEAD_BYTES_MAX = 16 << 20

_READ_BYTES = 1 << 16
_TITLES_MAX = 100
_RECORD_CELLS_MIN = 3
_TITLE_CHARACTERS_MAX = 1000


@dataclass(frozen=True)
class HeaderRow:
    """One record of the header: its bytes without the line end, and its cells."""

    raw: bytes
    cells: list[bytes]


@dataclass(frozen=True)
class Head:
    """The lines above the records: ``offset`` is where these may begin. Blank rows of the header are left out.

    ``titles`` is what stands above the header, for people: the first lines. ``doubtful`` are those lines, by number,
    that look as much like records as like titles, or stand below the same header: they are not to be passed over.
    """

    lines: int
    offset: int
    has_lone_cr: bool = False
    rows: tuple[HeaderRow, ...] = ()
    titles: tuple[str, ...] = ()
    doubtful: Mapping[int, str] = field(default_factory=dict)


def read_head(text: Text, dialect: Dialect, passed: int = 0) -> Head:
    """The lines above ``dialect.first_line``; raises `FileRefused` where they are no head but a file of its own.

    The first lines that are ``passed`` over by a pin are in no doubt.
    """
    wanted = dialect.first_line - 1
    data, ends = _first_lines(text, wanted)
    if len(ends) < wanted and len(data) > (ends[-1] if ends else 0):
        ends.append(len(data))
    if not ends:
        return Head(0, text.begin)
    begin = ends[dialect.header_line - 2] if 1 < dialect.header_line <= len(ends) else 0
    stop = ends[min(dialect.header_line + dialect.header_rows - 1, len(ends)) - 1] if dialect.header_rows else begin
    has_lone_cr = data[: ends[-1]].count(b"\r") > data[: ends[-1]].count(b"\r\n")
    rows = _rows(data[begin:stop], Grammar.of(dialect))
    above = _lines(data[: begin if dialect.header_rows else ends[-1]])
    header = data[begin:stop].decode(errors="backslashreplace").strip()
    first = above.index(header) if header in above else len(above)
    doubtful = {
        number: line
        for number, line in enumerate(above, start=1)
        if number > passed and line.strip() and (number > first or _is_doubtful(line, dialect))
    }
    return Head(len(ends), text.begin + ends[-1], has_lone_cr, rows, _titles(above), doubtful)


def _lines(data: bytes) -> list[str]:
    return [line.decode(errors="backslashreplace") for line in LINE_END.split(data)]


def _titles(lines: Sequence[str]) -> tuple[str, ...]:
    """The first lines that are not blank."""
    return tuple(line.strip()[:_TITLE_CHARACTERS_MAX] for line in lines[:_TITLES_MAX] if line.strip())


def _is_doubtful(line: str, dialect: Dialect) -> bool:
    """Whether a line above a table may be a record: it is divided, and no header shows where they begin.

    Above a header too, where it is divided into so many cells, numbers or dates among them, as no title is.
    """
    if dialect.comment and line.startswith(dialect.comment):
        return False
    marks = [dialect.delimiter] if dialect.delimiter else list(DELIMITERS)
    divided = [[cell.strip(f" {dialect.quote}") for cell in line.split(mark) if cell.strip()] for mark in marks]
    if not dialect.header_rows:
        return any(len(cells) > 1 for cells in divided)
    return any(len(cells) >= _RECORD_CELLS_MIN and any(map(is_number_or_date, cells)) for cells in divided)


def _first_lines(text: Text, wanted: int) -> tuple[bytes, list[int]]:
    """The beginning of a file, and where its first lines end: a line end, looked at with the byte behind it."""
    data, ends = b"", list[int]()
    with text.path.open("rb") as file:
        file.seek(text.begin)
        while len(ends) < wanted and (chunk := file.read(max(_READ_BYTES, len(data)))):
            data += chunk
            if len(data) > HEAD_BYTES_MAX:
                reason = f"the {wanted:,} lines above the records have more than {HEAD_BYTES_MAX:,} bytes"
                raise FileRefused("header", reason, line=1)
            ends = [found.end() for _, found in zip(range(wanted), LINE_END.finditer(data), strict=False)]
            if ends and ends[-1] == len(data) and data.endswith(b"\r"):
                ends.pop()
    if len(ends) < wanted and data.endswith(b"\r"):
        ends.append(len(data))
    return data, ends


def _rows(raw: bytes, grammar: Grammar) -> tuple[HeaderRow, ...]:
    rows, at = [], 0
    while at < len(raw):
        record = grammar.record(raw, at)
        if not isinstance(record, Record):
            break
        if any(cell.strip() for cell in record.fields):
            rows.append(HeaderRow(raw[at : record.end].rstrip(b"\r\n"), record.fields))
        at = record.end
    return tuple(rows)
