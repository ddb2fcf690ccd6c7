"""A workbook by two libraries: python-calamine gives the cells, fastexcel counts them and tells the errors apart.

Both take a cell with an error for an empty one; fastexcel says in words which cells it could not convert.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import fastexcel
import numpy as np
import polars as pl
import pyarrow as pa
from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from ingestion.formats.sheetcells import Cell
from ingestion.formats.sheethead import Merged

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


@dataclass(frozen=True)
class SheetInfo:
    """A sheet of a workbook; one that is no table is a chart, a macro or a dialog."""

    name: str
    is_table: bool
    is_visible: bool


@dataclass(frozen=True)
class Sheet:
    """The cells of a sheet. Rows count from 0 at the sheet's top, columns from the first one that has a cell.

    ``filled`` has the number of cells of each row, as the second library counts them.
    """

    name: str
    cells: CalamineSheet
    errors: Mapping[int, Mapping[int, str]]
    filled: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    merged: tuple[Merged, ...] | None

    def rows(self) -> Iterator[list[Cell]]:
        """All rows, the empty ones too; errors as their text."""
        for number, row in enumerate(self.cells.iter_rows()):
            for column, error in self.errors.get(number, {}).items():
                row[column] = error
            yield row


class Workbook:
    """An open workbook; raises what the libraries raise."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._book = CalamineWorkbook.from_path(path)
        self.sheets = tuple(
            SheetInfo(sheet.name, sheet.typ is SheetTypeEnum.WorkSheet, sheet.visible is SheetVisibleEnum.Visible)
            for sheet in self._book.sheets_metadata
        )

    def sheet(self, name: str) -> Sheet | None:
        """A sheet by name; None where it has no cell."""
        filled, errors = self._counted(name)
        cells = self._book.get_sheet_by_name(name)
        if cells.start is None:
            return None
        left = cells.start[1]
        ranges = cells.merged_cell_ranges
        merged = None if ranges is None else tuple(((a, b - left), (c, d - left)) for (a, b), (c, d) in ranges)
        return Sheet(name, cells, errors, filled, merged)

    def _counted(self, name: str) -> "tuple[np.ndarray[tuple[int], np.dtype[np.int64]], dict[int, dict[int, str]]]":
        """How many cells each row has, and the errors by row and column."""
        sheet = fastexcel.read_excel(self._path).load_sheet(name, header_row=None, skip_rows=0, dtypes="string")
        if sheet.width == 0 or sheet.height == 0:
            return np.zeros(0, np.int64), {}
        batch, failed = sheet.to_arrow_with_errors()
        table = pl.DataFrame(pa.Table.from_batches([batch]))
        counts = (
            table.select(pl.sum_horizontal((pl.all() != "").fill_null(False).cast(pl.Int64))).to_series().to_numpy()
        )
        filled = np.array(counts, np.int64)
        errors: dict[int, dict[int, str]] = {}
        for error in failed.errors if failed is not None else ():
            row, column = error.position
            said = next((shown for name, shown in _ERRORS.items() if error.detail.endswith(name)), None)
            if said is not None:
                errors.setdefault(row, {})[column] = said
            filled[row] += 1
        return filled, errors
