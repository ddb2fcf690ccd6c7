"""How a text table is written: its delimiter and its header, judged from the first megabyte."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ingestion.text.cells import DELIMITERS, is_name, is_note, is_null, is_number_or_date, plausibility
from ingestion.columns import safe_names
from ingestion.formats.detect import refuse_other_formats
from ingestion.refusal import FileRefused, has_nul, lone_cr, not_utf8

SAMPLE_BYTES = 1 << 20
SAMPLE_LINES = 1500

_CELLS_SCORED_MAX = 3000
_PRIOR = {",": 1.0, ";": 1.0, "\t": 1.0, "|": 0.9}
_ONE_COLUMN = 0.3
_ONE_COLUMN_EXTENSIONS = (".csv", ".tsv", ".txt")
_TYPED_SHARE = 0.95
_HEADER_ROWS_MAX = 5
_BAD_CHARACTER = re.compile(r"\x00|\r(?!\n)")
_QUOTED_BESIDE_DELIMITER = re.compile(r'"[,;\t|]|[,;\t|]"')
_DIVIDED_SHARE_MAX = 0.2

Row = Sequence[str]


@dataclass(frozen=True)
class Dialect:
    """How a file is written, and what was assumed where the file alone does not say.

    ``delimiter`` is one or more characters, empty where there is one column. ``header`` has the names as found (of
    several rows joined by a space, made up where there is none), ``columns`` the names under which they are stored.
    ``encoding`` and ``bom`` are of the file as it landed. ``quote`` is one character, or empty: quotes mean nothing.
    ``escape`` is ``double``, ``backslash`` (it also escapes delimiters outside quotes) or ``none``. Lines that begin
    with ``comment`` are comments, where it is not empty.

    Lines are physical, from 1: the header begins on ``header_line`` and takes ``header_rows`` of them (both are 0 where
    there is none), data may begin on ``first_line``; what stands above both is preamble.
    """

    delimiter: str
    header: tuple[str, ...]
    columns: tuple[str, ...]
    encoding: str = "utf-8"
    bom: bool = False
    quote: str = '"'
    escape: str = "double"
    comment: str = ""
    header_line: int = 1
    header_rows: int = 1
    first_line: int = 2
    assumptions: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The dialect as JSON values, as the ledger keeps it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


@dataclass(frozen=True)
class _Reading:
    """The sample as one delimiter reads it; blank lines are left out."""

    delimiter: str
    rows: list[Row]
    first_line: int
    width: int
    score: float

    @property
    def is_one_column(self) -> bool:
        """Whether the delimiter divides neither most lines nor the header."""
        return self.width == 1 and len(self.rows[0]) == 1

    @property
    def divided_share(self) -> float:
        """The share of records that the delimiter divides."""
        return sum(len(row) > 1 for row in self.rows) / max(1, len(self.rows))


def understand(path: Path, name: str, sample_bytes: int = SAMPLE_BYTES) -> Dialect:
    """Judge a file from its beginning; ``name`` is its landing key. Raises `FileRefused` where it is no plain table."""
    with path.open("rb") as file:
        head = file.read(sample_bytes)
        whole = not file.read(1)
    if whole and not head.removeprefix(codecs.BOM_UTF8).strip():
        raise FileRefused("empty", "the file is empty")
    refuse_other_formats(head, name)
    bom = head.startswith(codecs.BOM_UTF8)
    text = _decode(head.removeprefix(codecs.BOM_UTF8), whole)
    readings = [_read(text, delimiter, whole) for delimiter in DELIMITERS]
    reading = _best(readings)
    if not reading.rows:
        raise FileRefused("record-size", f"the first record does not end within {sample_bytes:,} bytes", line=1)
    if reading.is_one_column:
        _refuse_doubtful_column(readings, text, name)
    header, assumptions = _header(reading)
    return Dialect(reading.delimiter, header, safe_names(header), bom=bom, assumptions=assumptions)


def refuse_footer(last: Row, line: int) -> None:
    """Raise `FileRefused` where the last record of a table, on this line, reads like a note below it."""
    if len(last) >= 3 and is_note(last[0]) and not any(cell.strip() for cell in last[1:]):
        reason = f"line {line} looks like a note below the table, which is not read yet: {last[0].strip()[:60]!r}"
        raise FileRefused("footer", reason, line=line)


def _decode(head: bytes, whole: bool) -> str:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=whole)
    except UnicodeDecodeError as error:
        raise not_utf8(1 + head.count(b"\n", 0, error.start), head[error.start]) from None
    if not whole:
        text = text.removesuffix("\r")
    bad = _BAD_CHARACTER.search(text)
    if bad is not None:
        line = 1 + text.count("\n", 0, bad.start())
        raise has_nul(line) if bad.group() == "\0" else lone_cr(line)
    return text


def _read(text: str, delimiter: str, whole: bool) -> _Reading:
    csv.field_size_limit(2 * SAMPLE_BYTES)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[Row] = []
    first_line = line = 1
    complete = whole
    for row in reader:
        if row and not rows:
            first_line = line
        if row:
            rows.append(row)
        line = reader.line_num + 1
        if line > SAMPLE_LINES:
            complete = True
            break
    if not complete:
        rows = rows[:-1]
    width, score = _score(rows, delimiter)
    return _Reading(delimiter, rows, first_line, width, score)


def _score(rows: list[Row], delimiter: str) -> tuple[int, float]:
    """The modal width, and p² · (w-1)/w · t² · prior: p is the share of that width, t how plausible its cells are."""
    if not rows:
        return 0, 0.0
    widths = Counter(len(row) for row in rows)
    width = max(widths, key=lambda width: (widths[width], width == len(rows[0])))
    share = widths[width] / len(rows)
    cells = [cell for row in rows[: max(10, _CELLS_SCORED_MAX // width)] for cell in row]
    plausible = sum(map(plausibility, cells)) / len(cells)
    columns = (width - 1) / width if width > 1 else _ONE_COLUMN
    return width, share**2 * columns * plausible**2 * _PRIOR[delimiter]


def _best(readings: Sequence[_Reading]) -> _Reading:
    """The reading with the best score. A header that shows a delimiter outweighs lines that do not: they are ragged."""
    best = max(readings, key=lambda reading: reading.score)
    if best.width != 1:
        return best
    shown = [reading for reading in readings if reading.rows and len(reading.rows[0]) > 1]
    return max(shown, key=lambda reading: reading.score, default=best)


def _refuse_doubtful_column(readings: Sequence[_Reading], text: str, name: str) -> None:
    if PurePosixPath(name).suffix.lower() not in _ONE_COLUMN_EXTENSIONS:
        raise FileRefused("dialect", "no delimiter (comma, semicolon, tab, bar) divides the lines into columns")
    divided = max(reading.divided_share for reading in readings)
    if divided > _DIVIDED_SHARE_MAX:
        reason = f"the file reads as one column, though {divided:.0%} of its lines hold delimiters"
        raise FileRefused("dialect", reason)
    lines = text.split("\n")[:SAMPLE_LINES]
    if sum(_QUOTED_BESIDE_DELIMITER.search(line) is not None for line in lines) > _DIVIDED_SHARE_MAX * len(lines):
        reason = "the file reads as one column, though quoted fields stand beside delimiters in many lines"
        raise FileRefused("dialect", reason)


def _header(reading: _Reading) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The header and what was assumed for it: the one leading row that matches no column of numbers or dates below."""
    first, line = reading.rows[0], reading.first_line
    if len(first) != reading.width:
        fields = "1 field" if len(first) == 1 else f"{len(first)} fields"
        why = "lines above the header are not read yet" if reading.width > 1 else "the header does not fit its lines"
        raise FileRefused("header", f"line {line} has {fields}, most lines have {reading.width}: {why}", line=line)
    _refuse_title(reading)
    rows = [row for row in reading.rows if len(row) == reading.width]
    typed = _typed_columns(rows)
    matching = [column for column in typed if is_number_or_date(first[column])]
    if matching:
        reason = f"line {line} looks like data: {first[matching[0]]!r} stands above a column of numbers or dates"
        raise FileRefused("header", f"{reason}; files without a header row are not read yet", line=line)
    if not typed:
        _refuse_unless_names(first, line)
        return tuple(first), ("the first row is the header: no column holds numbers or dates that would tell",)
    leading = _leading_rows(rows, typed)
    if leading > 1 and len(typed) > 1:
        reason = f"the header seems to take {leading} rows: such headers are not read yet"
        raise FileRefused("header", reason, line=line)
    return tuple(first), ()


def _refuse_title(reading: _Reading) -> None:
    """A first row with one filled cell at most is a title, unless the table has two columns and the first no name."""
    filled = [position for position, cell in enumerate(reading.rows[0]) if cell.strip()]
    if reading.width == 1 or len(filled) > 1 or (reading.width == 2 and filled == [1]):
        return
    reason = f"line {reading.first_line} looks like a title above the table; such lines are not read yet"
    raise FileRefused("header", reason, line=reading.first_line)


def _typed_columns(rows: list[Row]) -> list[int]:
    """The columns in which, below all rows that could be a header, 95% of what is there are numbers or dates."""
    body = rows[max(1, min(_HEADER_ROWS_MAX + 1, len(rows) // 2)) :]
    typed = []
    for column in range(len(rows[0])):
        cells = [row[column] for row in body if not is_null(row[column])]
        if cells and sum(map(is_number_or_date, cells)) >= _TYPED_SHARE * len(cells):
            typed.append(column)
    return typed


def _leading_rows(rows: list[Row], typed: list[int]) -> int:
    """How many rows from the top have neither a number, a date nor a missing value in any typed column."""
    for leading, row in enumerate(rows):
        if leading > 0 and any(is_null(row[column]) or is_number_or_date(row[column]) for column in typed):
            return leading
    return len(rows)


def _refuse_unless_names(first: Row, line: int) -> None:
    names = [cell.strip() for cell in first]
    unlike = [name for name in names if not is_name(name)]
    if unlike:
        reason = f"line {line} cannot be told to be a header: {unlike[0][:60]!r} does not look like a name"
        raise FileRefused("header", f"{reason}; files without a header row are not read yet", line=line)
    if len({name.lower() for name in names}) != len(names):
        reason = f"line {line} cannot be told to be a header: its names are not unique"
        raise FileRefused("header", f"{reason}; files without a header row are not read yet", line=line)
