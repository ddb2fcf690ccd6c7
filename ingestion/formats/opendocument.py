"""Spreadsheets of LibreOffice (.ods): the rows of a sheet, cell by cell, in bounded memory.

The readers of Excel's formats take ODS, too, but lose its errors and refuse files that are indented.
"""

import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
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
_WHITE = {"text:s": " ", "text:tab": "\t", "text:line-break": "\n"}


@dataclass
class OdsCell:
    """A cell of the file: its attributes, its text, and over how many columns and rows it reaches."""

    attributes: dict[str, str]
    paragraphs: list[str] = field(default_factory=list)

    @property
    def repeated(self) -> int:
        """How many columns have this cell."""
        return int(self.attributes.get("table:number-columns-repeated", 1))

    @property
    def span(self) -> tuple[int, int]:
        """Over how many rows and columns it is merged."""
        spanned = self.attributes.get
        return int(spanned("table:number-rows-spanned", 1)), int(spanned("table:number-columns-spanned", 1))

    @property
    def is_filled(self) -> bool:
        """Whether the file says that there is a value or a text, whatever it is."""
        return "office:value-type" in self.attributes or any(self.paragraphs)

    def value(self) -> Cell:
        """The cell's value; a text where it has no value of its own, as an error has none."""
        kind, shown = self.attributes.get("office:value-type"), "\n".join(self.paragraphs)
        if kind in {"float", "percentage", "currency"}:
            return float(self.attributes["office:value"])
        if kind == "boolean":
            return self.attributes["office:boolean-value"] == "true"
        if kind == "date":
            return _instant(self.attributes["office:date-value"])
        if kind == "time":
            return _span(self.attributes["office:time-value"])
        return self.attributes.get("office:string-value") or shown


@dataclass(frozen=True)
class OdsRow:
    """A row of the file: its cells, and how many rows of the sheet it stands for."""

    cells: list[OdsCell]
    repeated: int


class OpenDocument:
    """An open spreadsheet; raises `FileRefused` where it has a password, and what `zipfile` and `expat` raise."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with zipfile.ZipFile(path) as archive:
            if _MANIFEST in archive.namelist() and b"encryption-data" in archive.read(_MANIFEST):
                raise FileRefused("password", "the workbook has a password: save it without one")
        outline = _Outline()
        for _ in self._parsed(outline):
            pass
        self.sheets = tuple((name, style not in outline.hidden) for name, style in outline.tables)

    def rows(self, name: str) -> Iterator[OdsRow]:
        """The rows of a sheet in which there is a cell or another row comes behind, as the file has them."""
        reader = _Rows(name)
        for _ in self._parsed(reader):
            yield from reader.taken()

    def _parsed(self, reader: "_Outline | _Rows") -> Iterator[None]:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
        parser.CharacterDataHandler = reader.text
        parser.StartDoctypeDeclHandler = _refuse_doctype
        with zipfile.ZipFile(self._path) as archive, archive.open(CONTENT) as file:
            while chunk := file.read(_CHUNK_BYTES):
                parser.Parse(chunk)
                yield
            parser.Parse(b"", True)
            yield


class _Outline:
    """Takes note of the sheets, and of the styles that hide one."""

    def __init__(self) -> None:
        self.tables: list[tuple[str, str]] = []
        self.hidden: set[str] = set()
        self._style = ""
        self._tables = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "style:style":
            self._style = attributes.get("style:name", "")
        elif name == "style:table-properties" and attributes.get("table:display") == "false":
            self.hidden.add(self._style)
        elif name == "table:table":
            self._tables += 1
            if self._tables == 1:
                self.tables.append((attributes.get("table:name", ""), attributes.get("table:style-name", "")))

    def end(self, name: str) -> None:
        if name == "table:table":
            self._tables -= 1

    def text(self, _: str) -> None:
        """No text belongs to the outline."""


class _Rows:
    """Takes the rows of one sheet, of which `taken` hands out those that are complete."""

    def __init__(self, sheet: str) -> None:
        self._sheet = sheet
        self._rows: list[OdsRow] = []
        self._tables, self._aside = 0, 0
        self._is_here = False
        self._repeated = 1
        self._cells: list[OdsCell] = []
        self._is_paragraph = False

    def taken(self) -> list[OdsRow]:
        rows, self._rows = self._rows, []
        return rows

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table:table":
            self._tables += 1
            self._is_here = attributes.get("table:name", "") == self._sheet if self._tables == 1 else self._is_here
        if not self._is_here or self._tables != 1:
            return
        if name in _ASIDE:
            self._aside += 1
        elif not self._aside:
            self._start(name, attributes)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table:table-row":
            self._cells, self._repeated = [], int(attributes.get("table:number-rows-repeated", 1))
        elif name in _CELLS:
            self._cells.append(OdsCell(attributes))
        elif name == "text:p" and self._cells:
            self._cells[-1].paragraphs.append("")
            self._is_paragraph = True
        elif name in _WHITE:
            self.text(_WHITE[name] * min(int(attributes.get("text:c", 1)), _CHUNK_BYTES))

    def end(self, name: str) -> None:
        if name == "table:table":
            self._tables -= 1
        if not self._is_here or self._tables != 1:
            return
        if name in _ASIDE:
            self._aside -= 1
        elif name == "text:p" and not self._aside:
            self._is_paragraph = False
        elif name == "table:table-row":
            self._rows.append(OdsRow(self._cells, self._repeated))

    def text(self, data: str) -> None:
        if self._is_paragraph and not self._aside and self._is_here and self._tables == 1:
            self._cells[-1].paragraphs[-1] += data


def expand(rows: Callable[[], Iterator[OdsRow]], left: int, width: int) -> Iterator[list[Cell]]:
    """The rows of a sheet as it shows them, in ``width`` columns from ``left``; none behind the last one with a cell.

    Raises `FileRefused` where there are too many.
    """
    nothing: list[Cell] = [""] * width
    blank, count = 0, 0
    for row in rows():
        cells = _cells(row, left, width)
        if all(cell == "" for cell in cells):
            blank += row.repeated
            continue
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
    cells: list[Cell] = []
    for cell in row.cells:
        room = left + width - len(cells)
        if room <= 0:
            break
        cells += [cell.value()] * min(cell.repeated, room)
    return (cells + [""] * (left + width - len(cells)))[left:]


def places(row: OdsRow) -> Iterator[tuple[int, OdsCell]]:
    """The filled cells of a row and the first column of each; raises `FileRefused` where a row has too many columns."""
    column = 0
    for cell in row.cells:
        if cell.is_filled and cell.value() != "":
            if column + cell.repeated > _COLUMNS_MAX:
                raise FileRefused(
                    "too-large", f"a row has more than {_COLUMNS_MAX:,} columns: no spreadsheet has so many"
                )
            yield column, cell
        column += cell.repeated


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
