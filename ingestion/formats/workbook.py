"""A workbook's sheets: their cells by one means, the number of cells by another.

Of Excel's formats python-calamine gives the cells and fastexcel counts them; both take a cell with an error for an
empty one, but fastexcel says in words which cells it could not convert. Of ODS the cells that the file declares are
counted.
"""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import fastexcel
import numpy as np
import polars as pl
import pyarrow as pa
from python_calamine import CalamineSheet, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

from ingestion.formats import opendocument
from ingestion.formats.biff12 import require_known_cells
from ingestion.formats.opendocument import OpenDocument
from ingestion.formats.sheetcells import Cell
from ingestion.formats.sheethead import Merged
from ingestion.refusal import FileRefused

_ZIP = b"PK\x03\x04"
_ERRORS = {
    "'Error(Div0)'": "#DIV/0!",
    "'Error(NA)'": "#N/A",
    "'Error(Name)'": "#NAME?",
    "'Error(Null)'": "#NULL!",
    "'Error(Num)'": "#NUM!",
    "'Error(Ref)'": "#REF!",
    "'Error(Value)'": "#VALUE!",
    "'Error(GettingData)'": "#GETTING_DATA",
}

Counts: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.int64]]"


@dataclass(frozen=True)
class SheetInfo:
    """A sheet of a workbook; one that is no table is a chart, a macro or a dialog."""

    name: str
    is_table: bool
    is_visible: bool


@dataclass(frozen=True)
class Sheet:
    """The cells of a sheet. Rows count from 0 at the sheet's top, columns from the first one that has a cell.

    ``rows`` gives all rows, the empty ones too, with errors as their text. ``filled`` has the number of cells of each
    row, counted by other means. ``merged`` is None where the format does not tell which cells are merged.
    """

    name: str
    rows: Callable[[], Iterator[list[Cell]]]
    filled: Counts
    merged: tuple[Merged, ...] | None


class Workbook(Protocol):
    """An open workbook."""

    sheets: tuple[SheetInfo, ...]

    def sheet(self, name: str) -> Sheet | None:
        """A sheet by name; None where it has no cell."""


def open_workbook(path: Path, scratch: Path) -> tuple[str, Workbook]:
    """The format of a workbook (xlsx, xls, xlsb or ods) and its sheets.

    Raises `FileRefused` where it has a password or cells that cannot be read, and what the libraries raise.
    """
    format_ = _format(path)
    if format_ == "ods":
        return format_, _OdsWorkbook(path, scratch)
    if format_ == "xlsb":
        require_known_cells(path)
    try:
        return format_, _ExcelWorkbook(path)
    except PasswordError:
        raise FileRefused("password", "the workbook has a password: save it without one") from None


def _format(path: Path) -> str:
    """All formats but the oldest are zip archives with a member of their own; one with a password is none."""
    with path.open("rb") as file:
        if file.read(len(_ZIP)) != _ZIP:
            return "xls"
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    if opendocument.CONTENT in names:
        return "ods"
    return "xlsb" if "xl/workbook.bin" in names else "xlsx"


class _ExcelWorkbook:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._book = CalamineWorkbook.from_path(path)
        self.sheets = tuple(
            SheetInfo(sheet.name, sheet.typ is SheetTypeEnum.WorkSheet, sheet.visible is SheetVisibleEnum.Visible)
            for sheet in self._book.sheets_metadata
        )

    def sheet(self, name: str) -> Sheet | None:
        filled, errors = self._counted(name)
        cells = self._book.get_sheet_by_name(name)
        if cells.start is None:
            return None
        left, ranges = cells.start[1], cells.merged_cell_ranges
        merged = None if ranges is None else tuple(((a, b - left), (c, d - left)) for (a, b), (c, d) in ranges)
        return Sheet(name, lambda: _excel_rows(cells, errors), filled, merged)

    def _counted(self, name: str) -> tuple[Counts, dict[int, dict[int, str]]]:
        """How many cells each row has, and the errors by row and column."""
        sheet = fastexcel.read_excel(self._path).load_sheet(name, header_row=None, skip_rows=0, dtypes="string")
        if sheet.width == 0 or sheet.height == 0:
            return np.zeros(0, np.int64), {}
        batch, failed = sheet.to_arrow_with_errors()
        table = pl.DataFrame(pa.Table.from_batches([batch]))
        is_filled = (pl.all() != "").fill_null(False).cast(pl.Int64)
        filled = np.array(table.select(pl.sum_horizontal(is_filled)).to_series().to_numpy(), np.int64)
        errors: dict[int, dict[int, str]] = {}
        for error in failed.errors if failed is not None else ():
            row, column = error.position
            said = next((shown for name, shown in _ERRORS.items() if error.detail.endswith(name)), None)
            if said is not None:
                errors.setdefault(row, {})[column] = said
            filled[row] += 1
        return filled, errors


def _excel_rows(cells: CalamineSheet, errors: Mapping[int, Mapping[int, str]]) -> Iterator[list[Cell]]:
    for number, row in enumerate(cells.iter_rows()):
        for column, error in errors.get(number, {}).items():
            row[column] = error
        yield row


class _OdsWorkbook:
    def __init__(self, path: Path, scratch: Path) -> None:
        self._document = OpenDocument(path, scratch)
        self.sheets = tuple(SheetInfo(name, is_table=True, is_visible=shown) for name, shown in self._document.sheets)

    def sheet(self, name: str) -> Sheet | None:
        blocks: list[tuple[int, int, int]] = []
        columns: set[int] = set()
        merged: list[Merged] = []
        top = 0
        for row in self._document.rows(name):
            count = 0
            for cell in row.cells:
                column = cell.column
                count += cell.repeated
                columns |= {column, column + cell.repeated - 1}
                down, right = cell.span
                if (down, right) != (1, 1):
                    merged.append(((top, column), (top + down - 1, column + right - 1)))
            if count:
                blocks.append((top, row.repeated, count))
            top += row.repeated
        if not columns:
            return None
        left, width = min(columns), max(columns) - min(columns) + 1
        shifted = tuple(((a, b - left), (c, d - left)) for (a, b), (c, d) in merged)
        return Sheet(name, self._rows(name, left, width), _filled(blocks), shifted)

    def _rows(self, name: str, left: int, width: int) -> Callable[[], Iterator[list[Cell]]]:
        return lambda: opendocument.expand(lambda: self._document.rows(name), left, width)


def _filled(blocks: list[tuple[int, int, int]]) -> Counts:
    top, repeated, _ = blocks[-1]
    opendocument.require_rows(top + repeated)
    filled = np.zeros(top + repeated, np.int64)
    for top, repeated, count in blocks:
        filled[top : top + repeated] = count
    return filled
