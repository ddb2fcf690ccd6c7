"""Where the table of a sheet begins: the titles above it, and its header of one or more rows."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ingestion.formats.sheetcells import Cell, text
from ingestion.options import ReadOptions

Row = Sequence[Cell]
Merged = tuple[tuple[int, int], tuple[int, int]]
"""The first and the last cell of a merged range, as rows and columns from 0."""

_HEADER_ROWS_MAX = 6
_FILLED_SHARE = 0.6
_YEARS = range(1800, 2201)


@dataclass(frozen=True)
class Head:
    """The rows above the data, by number from 0: titles up to ``header_row``, then ``header_rows`` of names.

    ``names`` has one for each column, empty where the sheet has none; it is empty where there is no header.
    """

    header_row: int
    header_rows: int
    names: tuple[str, ...]
    titles: tuple[tuple[int, str], ...]
    assumptions: tuple[str, ...] = ()

    @property
    def first_row(self) -> int:
        """The row on which the data may begin."""
        return self.header_row + self.header_rows


def understand(rows: Sequence[Row], merged: Sequence[Merged] | None, options: ReadOptions) -> Head:
    """The head of a sheet of which ``rows`` are the first, with at least one cell.

    ``merged`` are its merged ranges; None where the format does not tell, so that a gap in a row of names is taken for
    one. ``options`` may pin how many rows are skipped, and how many the header has.
    """
    begin = _begin(rows, merged) if options.skip_lines is None else options.skip_lines
    assumptions: list[str] = []
    if options.header_lines is not None:
        count = options.header_lines
    elif options.names or not _is_header(_row(rows, begin)):
        count = 0
        assumptions.append(f"row {begin + 1} is data: the table has no header")
    else:
        count = _depth(rows, begin, merged)
    names = _names(rows[begin : begin + count], begin, merged) if count else ()
    return Head(begin, count, names, _titles(rows[:begin]), tuple(assumptions))


def _begin(rows: Sequence[Row], merged: Sequence[Merged] | None) -> int:
    """The first row that has about as many cells as the rows of the sheet have."""
    counts = [_filled(row) for row in rows]
    wide = [count for count in counts if count > 1]
    if not wide:
        return next(number for number, count in enumerate(counts) if count)
    needed = max(2.0, _FILLED_SHARE * statistics.median(wide))
    filled = [
        _filled(_with_merged(row, number, merged)) if counts[number] > 1 else 1 for number, row in enumerate(rows)
    ]
    first = next(number for number, count in enumerate(filled) if count >= needed)
    begin = _widest(rows, filled, first)
    is_upper = begin > 0 and merged is None and counts[begin - 1] > 1 and _is_text(rows[begin - 1])
    return begin - 1 if is_upper and _is_text(rows[begin]) else begin


def _widest(rows: Sequence[Row], filled: Sequence[int], first: int) -> int:
    """The widest row of names above the first row of data; ``first`` where no data is near, as in a table of text."""
    near = range(first, min(first + _HEADER_ROWS_MAX, len(rows)))
    data = next((number for number in near if filled[number] > 1 and not _is_header(rows[number])), first)
    return max(range(first, max(data, first + 1)), key=lambda number: (filled[number], -number))


def _depth(rows: Sequence[Row], begin: int, merged: Sequence[Merged] | None) -> int:
    """How many rows the header has: down to the end of its merged cells, and one below those that span columns."""
    if merged is None:
        return 2 if _has_names_below(rows, begin) else 1
    last = begin
    while last - begin < _HEADER_ROWS_MAX:
        within = [(top, bottom, left, right) for (top, left), (bottom, right) in merged if begin <= top <= last]
        spans = [bottom + (1 if right > left else 0) for _, bottom, left, right in within]
        deeper = max([last, *spans])
        if deeper == last or not _is_header(_row(rows, deeper)):
            break
        last = deeper
    return last - begin + 1


def _has_names_below(rows: Sequence[Row], begin: int) -> bool:
    """Whether the next row fills the gaps of a row of names, and data comes below it."""
    upper, lower, data = (_row(rows, begin + step) for step in range(3))
    gaps = [number for number, cell in enumerate(upper) if cell == ""]
    is_filled = any(lower[number] != "" for number in gaps if number < len(lower))
    return is_filled and _is_text(lower) and _filled(data) > 0 and not _is_text(data)


def _names(rows: Sequence[Row], begin: int, merged: Sequence[Merged] | None) -> tuple[str, ...]:
    filled = [_with_merged(row, begin + number, merged) for number, row in enumerate(rows)]
    if merged is None:
        filled = [*map(_filled_right, filled[:-1]), filled[-1]]
    columns = zip(*filled, strict=True)
    return tuple(" ".join(dict.fromkeys(text(cell).strip() for cell in cells if cell != "")) for cells in columns)


def _with_merged(row: Row, number: int, merged: Sequence[Merged] | None) -> list[Cell]:
    """The row, with the text of a merged range in each column of the range that has its first row here."""
    cells = list(row)
    for (top, left), (_, right) in merged or ():
        if top == number and left < len(cells):
            cells[left : right + 1] = [cells[left]] * len(cells[left : right + 1])
    return cells


def _filled_right(row: Row) -> list[Cell]:
    cells: list[Cell] = []
    for cell in row:
        cells.append(cell if cell != "" or not cells else cells[-1])
    return cells


def _titles(rows: Sequence[Row]) -> tuple[tuple[int, str], ...]:
    shown = [(number, " | ".join(text(cell) for cell in row if cell != "")) for number, row in enumerate(rows)]
    return tuple((number, title) for number, title in shown if title)


def _is_header(row: Row) -> bool:
    """Whether a row may be names: text, beside which there may be years."""
    texts = [cell for cell in row if isinstance(cell, str) and cell != ""]
    return bool(texts) and all(isinstance(cell, str) or _is_year(cell) for cell in row)


def _is_year(cell: Cell) -> bool:
    return isinstance(cell, float) and cell.is_integer() and int(cell) in _YEARS


def _is_text(row: Row) -> bool:
    return all(isinstance(cell, str) for cell in row)


def _filled(row: Row) -> int:
    return sum(cell != "" for cell in row)


def _row(rows: Sequence[Row], number: int) -> Row:
    return rows[number] if number < len(rows) else ()
