"""The table of one sheet: its columns and their types, the notes below it, and its rows as frames."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from ingestion.columns import safe_names
from ingestion.formats.sheetcells import Cell, Kinds, series, text
from ingestion.formats.sheethead import Head, understand
from ingestion.formats.workbook import Sheet
from ingestion.options import ReadOptions
from ingestion.refusal import FileRefused

_HEAD_ROWS = 100
_FRAME_ROWS = 10_000
_FOOTERS_MAX = 20
_NOTE_CHARACTERS = 60
_NOTE = re.compile(
    r"(notes?|sources?|remarks?|legend|footnotes?|last updated|quellen?|anmerkung(en)?|hinweise?|stand|fußnoten?)\b|"
    r"[*†‡¹²³©]|\(?\d{1,2}\)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class SheetTable:
    """What a look at all cells of a sheet found.

    ``positions`` are the columns that are kept, by place in the sheet's rows; ``footers`` the notes below the data, by
    row from 0; ``blank_rows`` lie between the rows of data, ``merged`` ranges among them have their first cell only.
    """

    sheet: Sheet
    head: Head
    positions: tuple[int, ...]
    header: tuple[str, ...]
    types: tuple[pl.DataType, ...]
    footers: Mapping[int, str]
    blank_rows: int
    empty_columns: int
    merged: int
    patches: Mapping[int, str]

    @property
    def records(self) -> int:
        """The rows of data and notes that have a cell, as the second library counts them."""
        return int((self.sheet.filled[self.head.first_row :] > 0).sum())

    @property
    def names(self) -> tuple[str, ...]:
        """The stored names of the columns."""
        return safe_names(self.header)

    @property
    def schema(self) -> pl.Schema:
        """The stored columns, without ``_line``."""
        return pl.Schema(zip(self.names, self.types, strict=True))

    def frames(self, types: Sequence[pl.DataType]) -> Iterator[pl.DataFrame]:
        """The rows of data, as columns of these types and ``_line``, the row's number in the sheet."""
        rows = (
            (number, row) for number, row in _data(self.sheet, self.head, self.patches) if number not in self.footers
        )
        while piece := list(islice(rows, _FRAME_ROWS)):
            columns = [
                series(name, [row[position] for _, row in piece], dtype)
                for name, position, dtype in zip(self.names, self.positions, types, strict=True)
            ]
            yield pl.DataFrame([*columns, pl.Series("_line", [number + 1 for number, _ in piece], dtype=pl.Int64)])

    def check(self, path: Path) -> None:
        """Raise `FileRefused` where the Parquet file of the rows has not as many values as the sheet has cells."""
        if self.patches:
            return
        expected = int(self.sheet.filled[self.head.first_row :].sum()) - len(self.footers)
        counts = pl.scan_parquet(path, glob=False).select(pl.col(self.names).count()).collect().row(0)
        if sum(counts) != expected:
            reason = f"sheet {self.sheet.name!r} has {expected:,} cells of data, {sum(counts):,} values were written"
            raise FileRefused("account", f"the account does not close: {reason}")


def survey(sheet: Sheet, options: ReadOptions, patches: Mapping[int, str]) -> SheetTable | None:
    """Look at all cells of a sheet; None where it has none below the rows that ``options`` skip."""
    head_rows = list(islice(sheet.rows(), _HEAD_ROWS + (options.skip_lines or 0)))
    if not any(cell != "" for row in head_rows[options.skip_lines or 0 :] for cell in row):
        return None
    head = understand(head_rows, sheet.merged, options)
    kinds = [Kinds() for _ in head_rows[0]]
    waiting: list[tuple[int, Sequence[Cell]]] = []
    rows, last = 0, head.first_row - 1
    for number, row in _data(sheet, head, patches):
        is_note = number + 1 not in patches and _is_note(row, after_blank=number > last + 1 or bool(waiting))
        rows, last = rows + 1, number
        waiting.append((number, row))
        if not is_note or len(waiting) > _FOOTERS_MAX:
            _take(kinds, waiting)
            waiting = []
    names = options.names or head.names
    positions = tuple(n for n, kind in enumerate(kinds) if not kind.is_empty or (n < len(names) and names[n]))
    if not positions:
        return None
    merged = [top for (top, _), _ in sheet.merged or () if top >= head.first_row]
    return SheetTable(
        sheet=sheet,
        head=head,
        positions=positions,
        header=tuple(names[n] if n < len(names) and names[n] else f"column_{n + 1}" for n in positions),
        types=tuple(kinds[n].dtype for n in positions),
        footers={number: text(row[_first(row)]) for number, row in waiting},
        blank_rows=last + 1 - head.first_row - rows,
        empty_columns=len(kinds) - len(positions),
        merged=len(merged),
        patches=patches,
    )


def _data(sheet: Sheet, head: Head, patches: Mapping[int, str]) -> Iterator[tuple[int, list[Cell]]]:
    """The rows below the header that have a cell, by number from 0, as a person mended them."""
    for number, row in enumerate(sheet.rows()):
        if number >= head.first_row and any(cell != "" for cell in row):
            yield number, _patched(row, patches[number + 1]) if number + 1 in patches else row


def _patched(row: Sequence[Cell], patch: str) -> list[Cell]:
    """A row's cells from a person's text, with a tab between cells."""
    cells = [_typed(cell) for cell in patch.split("\t")]
    if len(cells) > len(row):
        raise FileRefused("width", f"the corrected row has {len(cells)} cells, the sheet has {len(row)} columns")
    return cells + [""] * (len(row) - len(cells))


def _typed(cell: str) -> Cell:
    try:
        return float(cell)
    except ValueError:
        return cell


def _take(kinds: Sequence[Kinds], rows: Sequence[tuple[int, Sequence[Cell]]]) -> None:
    for _, row in rows:
        for kind, cell in zip(kinds, row, strict=True):
            if cell != "":
                kind.add(cell)


def _is_note(row: Sequence[Cell], *, after_blank: bool) -> bool:
    """Whether a row of a table may be a note below it: one text, in the first column, that reads like one."""
    first = row[0]
    if len(row) == 1 or not isinstance(first, str) or first == "" or any(cell != "" for cell in row[1:]):
        return False
    return after_blank or _NOTE.match(first.strip()) is not None or len(first) > _NOTE_CHARACTERS


def _first(row: Sequence[Cell]) -> int:
    return next(number for number, cell in enumerate(row) if cell != "")
