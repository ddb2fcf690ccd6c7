"""Tables to bytes, in every way in which offices write them; nothing of the lake's or Python's CSV has a part in it."""

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from hypothesis import strategies as st

from tests.dirty.tables import LANGUAGES, WIDE, Cells, Table

LINE_END = re.compile(r"\r\n|\r|\n")
MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}
PLAIN_DELIMITERS = (",", ";", "\t", "|")
RARE_DELIMITERS = ("||", ";;", "::", ", ", "^", "~", "\x01", "\x1f", " ", ":")
MIXED_ENDS = ("\r\n", "\n", "\n", "\r")


@dataclass(frozen=True)
class Writing:
    """How a table is written. ``quoted`` is ``needed``, ``text`` (whatever is no number) or ``all``."""

    encoding: str = "utf-8"
    mark: bool = False
    delimiter: str = ","
    quote: str = '"'
    quoted: str = "needed"
    escape: str = "double"
    ends: Cells = ("\n",)
    last_ends: bool = True

    def record(self, cells: Sequence[str]) -> str:
        """A record without its line end."""
        if len(cells) == 1 and not cells[0]:
            return self.quote * 2
        return self.delimiter.join(map(self._cell, cells))

    def fit(self, cell: str) -> str:
        """The nearest cell that this writing can hold, and that one who reads it can tell from another."""
        cell = "".join(letter for letter in cell if self._can_write(letter))
        if self.quote == "":
            cell = re.sub(f'[{re.escape(self.delimiter)}\r\n"]', "/", cell)
        if self.escape == "backslash":
            cell = cell.replace("\\", "/")
        if self.delimiter == ", ":
            cell = cell.strip()
        return cell

    def fitted(self, table: Table) -> Table:
        """A table of cells that this writing can hold."""
        rows = tuple(tuple(map(self.fit, row)) for row in table.rows)
        return replace(table, rows=rows, head=tuple(tuple(map(self.fit, row)) for row in table.head))

    def _can_write(self, letter: str) -> bool:
        try:
            letter.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True

    def _cell(self, cell: str) -> str:
        if not self.quote or not self._is_quoted(cell):
            return cell
        escaped = ("\\" if self.escape == "backslash" else self.quote) + self.quote
        return self.quote + cell.replace(self.quote, escaped) + self.quote

    def _is_quoted(self, cell: str) -> bool:
        special = self.delimiter[0] in cell or self.quote in cell or LINE_END.search(cell) is not None
        number = re.fullmatch(r"[-+\d.,: ]*", cell) is not None
        return special or self.quoted == "all" or (self.quoted == "text" and not number)


@dataclass(frozen=True)
class Piece:
    """What stands in a file from one line end to the next: a header, record, title, note, comment or blank line.

    ``cells`` are what a record holds; None where the piece is no record, or its damage leaves that open. ``damage``
    names what was done to it. ``raw`` are its bytes where they are not those of the text.
    """

    kind: str
    text: str
    cells: Cells | None = None
    damage: str = ""
    raw: bytes | None = None
    end: str | None = None


@dataclass(frozen=True)
class Placed:
    """A piece and the physical lines that it takes."""

    piece: Piece
    first: int
    last: int


@dataclass(frozen=True)
class Written:
    """A file: its pieces in order, how they are written, and the table that they are of."""

    table: Table
    writing: Writing
    pieces: tuple[Piece, ...]

    @cached_property
    def data(self) -> bytes:
        """The file's bytes."""
        mark = MARKS.get(self.writing.encoding, b"") if self.writing.mark else b""
        return mark + b"".join(self._bytes(piece, end) for piece, end in self._ended())

    @cached_property
    def text(self) -> str:
        """The file's text, as if no byte of it were damaged."""
        return "".join(piece.text + end for piece, end in self._ended())

    @property
    def damages(self) -> list[str]:
        """What was done to the file."""
        return [piece.damage for piece in self.pieces if piece.damage]

    @property
    def lines(self) -> int:
        """How many physical lines the file has, whichever line ends it uses."""
        ends = list(LINE_END.finditer(self.text))
        return len(ends) + (self.text != "" and (not ends or ends[-1].end() < len(self.text)))

    def placed(self) -> Iterator[Placed]:
        """The pieces with their lines."""
        line, cursor = 1, 0
        starts = [match.end() for match in LINE_END.finditer(self.text)]
        begin = 0
        for piece, end in self._ended():
            while cursor < len(starts) and starts[cursor] <= begin:
                cursor, line = cursor + 1, line + 1
            yield Placed(piece, line, line + len(LINE_END.findall(piece.text)))
            begin += len(piece.text + end)

    def _ended(self) -> Iterator[tuple[Piece, str]]:
        ends = self.writing.ends
        for number, piece in enumerate(self.pieces):
            end = piece.end if piece.end is not None else ends[number % len(ends)]
            yield piece, "" if number == len(self.pieces) - 1 and not self.writing.last_ends else end

    def _bytes(self, piece: Piece, end: str) -> bytes:
        raw = piece.text.encode(self.writing.encoding) if piece.raw is None else piece.raw
        return raw + end.encode(self.writing.encoding)


@st.composite
def writings(draw: st.DrawFn, table: Table) -> Writing:
    """Any writing in which a reader can find out how the table is written."""
    encodings = LANGUAGES[table.language].encodings
    encoding = draw(st.sampled_from([*encodings, "utf-8", "utf-8", *encodings[len(WIDE) :] * 3]))
    delimiter = draw(st.sampled_from([*PLAIN_DELIMITERS * 3, *RARE_DELIMITERS]))
    quote, quoted = draw(
        st.sampled_from([*[('"', "needed")] * 3, ('"', "text"), ('"', "all"), ("'", "all"), ("", "needed")])
    )
    ends = draw(st.sampled_from([("\n",), ("\n",), ("\r\n",), ("\r\n",), ("\r",), MIXED_ENDS]))
    return Writing(
        encoding=encoding,
        mark=draw(st.booleans()) if encoding in WIDE else False,
        delimiter=delimiter,
        quote=quote,
        quoted=quoted,
        escape=draw(st.sampled_from(["double", "double", "backslash"])) if quote else "none",
        ends=ends,
        last_ends=draw(st.sampled_from([True, True, False])),
    )


def is_decidable(table: Table, writing: Writing) -> bool:
    """Whether a file alone says how it is written; CSV.md lists what it leaves open.

    A mark in the first cell is one of the file, too.
    """
    cells = [cell for row in (*table.head, *table.rows) for cell in row]
    delimiter = writing.delimiter
    if not writing.mark and cells[0].startswith("\ufeff"):
        return False
    if table.width == 1:
        return not any(re.search(r"[,;:|^~\s\x01\x1f\"']", cell) for cell in cells)
    if delimiter in {" ", ":"}:
        return all(cell and not re.search(r"[,;\t|: ]", cell) for cell in cells)
    if writing.quote == "" and any(cell[:1] in {"'", "`"} for cell in cells):
        return False
    if delimiter == "," and table.width == 2 and not table.head:
        return not all(cell.isdigit() for cell in cells)
    doubled = {writing.record(row).count(delimiter * 2) for row in (*table.head, *table.rows)}
    return len(doubled) > 1 or doubled == {0}
