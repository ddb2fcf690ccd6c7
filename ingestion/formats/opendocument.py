"""Spreadsheets of LibreOffice (.ods): the rows of a sheet, cell by cell, in bounded memory.

The readers of Excel's formats take ODS, too, but lose its errors and refuse files that are indented.
"""

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, TypeAlias
from xml.parsers import expat

from ingestion.formats.sheetcells import Cell
from ingestion.refusal import FileRefused

CONTENT = "content.xml"

_MANIFEST = "META-INF/manifest.xml"
_CHUNK_BYTES = 1 << 16
_ROWS_MAX, _COLUMNS_MAX = 1 << 20, 1 << 14
_CELLS = ("table:table-cell", "table:covered-table-cell")
_ASIDE = ("office:annotation", "draw:frame", "draw:custom-shape", "text:ruby-text")
_SPAN = re.compile(r"(-?)PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d{1,6})\d*)?S)?")
_Packed: TypeAlias = str | float | bool | dict[str, str]
"""A value as JSON has it: a date or a time by its kind."""

_WHITE = {"text:s": " ", "text:tab": "\t", "text:line-break": "\n"}


@dataclass(frozen=True)
class OdsCell:
    """A cell with a value: its column, over how many columns it is repeated, and how many rows and columns it spans."""

    column: int
    repeated: int
    value: Cell
    span: tuple[int, int]


@dataclass(frozen=True)
class OdsRow:
    """A row of the file: its cells that have a value, and how many rows of the sheet it stands for."""

    repeated: int
    cells: list[OdsCell]


class OpenDocument:
    """An open spreadsheet. Its XML is read once, into a file in ``scratch`` for each sheet, from which rows are read.

    Raises `FileRefused` where it has a password, entities, or more cells than a spreadsheet has, and what `zipfile` and
    `expat` raise.
    """

    def __init__(self, path: Path, scratch: Path) -> None:
        self._scratch = scratch
        with zipfile.ZipFile(path) as archive:
            if _MANIFEST in archive.namelist() and b"encryption-data" in archive.read(_MANIFEST):
                raise FileRefused("password", "the workbook has a password: save it without one")
            with archive.open(CONTENT) as file:
                sheets = _spool(file, scratch)
        self.sheets = tuple(sheets)
        self._numbers = {name: number for number, (name, _) in enumerate(sheets)}

    def rows(self, name: str) -> Iterator[OdsRow]:
        """The rows of a sheet, as the file has them."""
        with _spooled(self._scratch, self._numbers[name]).open(encoding="utf-8") as file:
            for line in file:
                repeated, cells = json.loads(line)
                yield OdsRow(repeated, [_cell(*cell) for cell in cells])


def _spooled(scratch: Path, number: int) -> Path:
    return scratch / f"sheet-{number}.rows"


def _spool(content: IO[bytes], scratch: Path) -> list[tuple[str, bool]]:
    """Write each sheet's rows to scratch; the sheets' names, and whether each is visible."""
    reader = _Reader(scratch)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        while chunk := content.read(_CHUNK_BYTES):
            parser.Parse(chunk)
        parser.Parse(b"", True)
    finally:
        reader.close()
    return [(name, style not in reader.hidden) for name, style in reader.tables]


class _Reader:
    """Takes the XML's events: writes the rows of each sheet, and notes the sheets and the styles that hide one."""

    def __init__(self, scratch: Path) -> None:
        self.tables: list[tuple[str, str]] = []
        self.hidden: set[str] = set()
        self._scratch = scratch
        self._out: IO[str] | None = None
        self._style = ""
        self._tables, self._aside = 0, 0
        self._repeated = 1
        self._column = 0
        self._cells: list[tuple[int, int, _Packed, int, int]] = []
        self._cell: dict[str, str] = {}
        self._paragraphs: list[str] = []
        self._is_paragraph = False

    def close(self) -> None:
        if self._out is not None:
            self._out.close()
            self._out = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in _ASIDE:
            self._aside += 1
        elif self._aside:
            return
        elif name in _CELLS:
            self._cell, self._paragraphs = attributes, []
        elif name == "text:p":
            self._paragraphs.append("")
            self._is_paragraph = True
        elif name in _WHITE:
            self.text(_WHITE[name] * min(int(attributes.get("text:c", 1)), _CHUNK_BYTES))
        else:
            self._start_outer(name, attributes)

    def _start_outer(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table:table-row" and self._tables == 1:
            self._cells, self._column = [], 0
            self._repeated = int(attributes.get("table:number-rows-repeated", 1))
        elif name == "table:table":
            self._tables += 1
            if self._tables == 1:
                self.tables.append((attributes.get("table:name", ""), attributes.get("table:style-name", "")))
                self._out = _spooled(self._scratch, len(self.tables) - 1).open("w", encoding="utf-8")
        elif name == "style:style":
            self._style = attributes.get("style:name", "")
        elif name == "style:table-properties" and attributes.get("table:display") == "false":
            self.hidden.add(self._style)

    def end(self, name: str) -> None:
        if name in _ASIDE:
            self._aside -= 1
        elif self._aside:
            return
        elif name == "text:p":
            self._is_paragraph = False
        elif name in _CELLS and self._tables == 1:
            self._end_cell()
        elif name == "table:table-row" and self._tables == 1 and self._out is not None:
            self._out.write(json.dumps([self._repeated, self._cells]) + "\n")
        elif name == "table:table":
            self._tables -= 1
            if not self._tables:
                self.close()

    def _end_cell(self) -> None:
        cell = self._cell
        repeated = int(cell.get("table:number-columns-repeated", 1))
        value = _value(cell, self._paragraphs)
        if value != "":
            if self._column + repeated > _COLUMNS_MAX:
                reason = f"a row has more than {_COLUMNS_MAX:,} columns: no spreadsheet has so many"
                raise FileRefused("too-large", reason)
            down = int(cell.get("table:number-rows-spanned", 1))
            right = int(cell.get("table:number-columns-spanned", 1))
            self._cells.append((self._column, repeated, value, down, right))
        self._column += repeated

    def text(self, data: str) -> None:
        if self._is_paragraph and not self._aside:
            self._paragraphs[-1] += data


def _value(cell: dict[str, str], paragraphs: list[str]) -> _Packed:
    """A cell's value; its text where it has no value of its own, as an error has none. Dates and spans are packed."""
    kind = cell.get("office:value-type")
    if kind in {"float", "percentage", "currency"}:
        return float(cell["office:value"])
    if kind == "boolean":
        return cell["office:boolean-value"] == "true"
    if kind == "date":
        return {"date": cell["office:date-value"]}
    if kind == "time":
        return {"time": cell["office:time-value"]}
    return cell.get("office:string-value") or "\n".join(paragraphs)


def _cell(column: int, repeated: int, value: _Packed, down: int, right: int) -> OdsCell:
    return OdsCell(column, repeated, _unpacked(value), (down, right))


def _unpacked(value: _Packed) -> Cell:
    if isinstance(value, dict):
        return _instant(value["date"]) if "date" in value else _span(value["time"])
    return value


def expand(rows: Callable[[], Iterator[OdsRow]], left: int, width: int) -> Iterator[list[Cell]]:
    """The rows of a sheet as it shows them, in ``width`` columns from ``left``; none behind the last one with a cell.

    Raises `FileRefused` where there are too many.
    """
    nothing: list[Cell] = [""] * width
    blank, count = 0, 0
    for row in rows():
        if not row.cells:
            blank += row.repeated
            continue
        cells = _cells(row, left, width)
        count += blank + row.repeated
        require_rows(count)
        yield from (list(nothing) for _ in range(blank))
        yield from (list(cells) for _ in range(row.repeated))
        blank = 0


def require_rows(count: int) -> None:
    """Raise `FileRefused` where a sheet has more rows than a spreadsheet can have."""
    if count > _ROWS_MAX:
        raise FileRefused("too-large", f"the sheet has more than {_ROWS_MAX:,} rows: no spreadsheet has so many")


def _cells(row: OdsRow, left: int, width: int) -> list[Cell]:
    cells: list[Cell] = [""] * width
    for cell in row.cells:
        begin = cell.column - left
        cells[begin : begin + cell.repeated] = [cell.value] * cell.repeated
    return cells


def _instant(text: str) -> Cell:
    """A date, or a date with a time; a text where it is neither, or has a time zone."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return text
    if "T" not in text:
        return instant.date()
    return instant if instant.tzinfo is None else text


def _span(text: str) -> Cell:
    found = _SPAN.fullmatch(text)
    if found is None:
        return text
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:4])
    micros = int((found[5] or "").ljust(6, "0"))
    span = timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=micros)
    return -span if found[1] else span


def _refuse_doctype(*_: object) -> None:
    raise FileRefused("xml-entities", "the spreadsheet declares entities, which none needs: they are not read")
