"""What tells names of columns from values: numbers and dates below, years above numbers, values that recur."""

import re
from collections.abc import Sequence
from enum import Enum
from itertools import pairwise

from ingestion.text.cells import is_mark, is_name, is_null, is_number, is_number_or_date

Row = Sequence[str]

HEADER_ROWS_MAX = 8

_TYPED_SHARE = 0.95
_CELLS_WITH_MISFIT_MIN = 6
_BOM = "\ufeff"
_YEAR = re.compile(r"(1[89]|20|21)\d\d")
_INTEGER = re.compile(r"\d{1,9}")
_SCALES = frozenset(["100", "1000", "1 000", "1.000", "1,000", "1000000", "1 000 000", "1.000.000", "1,000,000"])
_STEPS_MIN = 3
_SAME_KIND_SHARE_MAX = 0.5
_SAME_STEPS_SHARE_MAX = 0.2
_ROWS_WITH_SHAPE_MIN = 3
_ROWS_TELLING_MIN = 3


class Verdict(Enum):
    """What a row is, held against the rows below it."""

    NAMES = "names"
    MOSTLY_NAMES = "mostly names"
    VALUES = "values"
    OPEN = "open"


class Body:
    """The rows below the first one of a table; ``typed`` are the columns of which 95% are numbers or dates.

    That is judged below all rows that could belong to a header, and without those of ``top`` that come again there.
    """

    def __init__(self, rows: Sequence[Row], width: int, top: Sequence[Row] = ()) -> None:
        self.rows = rows
        above = max(0, min(HEADER_ROWS_MAX, (len(rows) - 1) // 2))
        heads = [bare(row) for row in top[: above + 1] if not any(map(is_number_or_date, row))]
        self._lower = [row for row in rows[above:] if bare(row) not in heads]
        self.typed = [column for column in range(width) if self._is_typed(column)]
        typed = set(self.typed)
        self.untyped = [column for column in range(width) if column not in typed]

    @property
    def is_small(self) -> bool:
        """Whether so few rows are below the header that they may look typed by chance."""
        return len(self._lower) < _ROWS_TELLING_MIN

    def verdict(self, row: Row, *, is_first: bool = True) -> Verdict:
        """What a row has above the typed columns; open where it has nothing there.

        Only in the first row of a table an even sequence of integers can be names.
        """
        if any("\0" in cell for cell in row):
            return Verdict.VALUES
        is_nothing = is_null if is_first else is_mark
        filled = [column for column in self.typed if not is_nothing(row[column])]
        if all(is_mark(row[column]) for column in filled):
            return Verdict.OPEN
        matching = [column for column in filled if is_number_or_date(row[column])]
        if self.untyped and not any(row[column].strip() for column in self.untyped) and len(matching) < len(filled):
            matching = [column for column in matching if row[column].strip() not in _SCALES]
        if not matching or self._are_headings(row, matching, is_first):
            return Verdict.NAMES
        named = [column for column in filled if column not in matching and not is_mark(row[column])]
        return Verdict.MOSTLY_NAMES if len(named) > len(matching) else Verdict.VALUES

    def has_headings(self, row: Row) -> bool:
        """Whether some of a header's names are numbers or dates."""
        return any(is_number_or_date(row[column]) for column in self.typed)

    def recurring(self, row: Row) -> str | None:
        """A text in a row that is a value of its column further down; None where there is none."""
        same = bare(row)
        others = [other for other in self.rows if bare(other) != same]
        for column, cell in enumerate(row):
            if not is_null(cell) and not is_number_or_date(cell) and any(other[column] == cell for other in others):
                return cell
        return None

    def _are_headings(self, row: Row, columns: Sequence[int], is_first: bool) -> bool:
        """Whether numbers or dates in a row are names: years or periods above other values, or an even sequence."""
        cells = [row[column].strip() for column in columns]
        kind = _kind(cells)
        if kind is None or (kind is not _INTEGER and self._share_of(kind, columns) >= _SAME_KIND_SHARE_MAX):
            return False
        if kind is _PERIOD:
            return True
        is_named = self._has_names_beside(row)
        steps = _steps(cells)
        if kind is _YEAR:
            return len(set(cells)) == len(cells) and (
                is_named or (len(steps) > 0 and (min(steps) > 0 or max(steps) < 0))
            )
        if not is_first or not is_named or len(steps) < _STEPS_MIN or len(set(steps)) > 1 or steps[0] == 0:
            return False
        same = sum(_steps([other[column].strip() for column in columns]) == steps for other in self._lower)
        return same < _SAME_STEPS_SHARE_MAX * len(self._lower)

    def _has_names_beside(self, row: Row) -> bool:
        """Whether a row has names, and none of the values further down, above the columns that hold text."""
        named = [c for c in self.untyped if row[c].strip() and not is_number_or_date(row[c])]
        values = {(column, other[column]) for other in self._lower for column in named}
        return bool(named) and are_names([row[c] for c in named]) and not any((c, row[c]) in values for c in named)

    def has_shape_of(self, row: Row) -> bool | None:
        """Whether a row looks like the codes below it; None where there are no codes that always have one shape.

        >>> body = Body([["A1", "x"], ["B2", "yz"]] * 3, 2)
        >>> body.has_shape_of(["C3", "name"]), body.has_shape_of(["code", "x"])
        (True, False)
        """
        rows = [other for other in self.rows if other is not row and other != row]
        shapes = [(column, _common_shape([other[column] for other in rows])) for column in self.untyped]
        telling = [(column, shape) for column, shape in shapes if shape is not None]
        return all(_shape(row[column]) == shape for column, shape in telling) if telling else None

    def is_filled_below(self, row: Row) -> bool:
        """Whether the columns that a row has no name for have values in all rows."""
        empty = [column for column, cell in enumerate(row) if not cell.strip()]
        return all(other[column].strip() for other in self.rows for column in empty)

    def is_distinct(self, column: int) -> bool:
        """Whether no value of a column occurs twice."""
        cells = [row[column] for row in self.rows]
        return len(set(cells)) == len(cells) and all(map(str.strip, cells))

    def is_empty(self, column: int) -> bool:
        """Whether a column has no value at all."""
        return not any(row[column].strip() for row in self.rows)

    def _is_typed(self, column: int) -> bool:
        cells = [row[column] for row in self._lower if not is_mark(row[column])]
        misfits_max = max((1 - _TYPED_SHARE) * len(cells), len(cells) >= _CELLS_WITH_MISFIT_MIN)
        misfits = 0
        for cell in cells:
            misfits += not is_number_or_date(cell)
            if misfits > misfits_max:
                return False
        return bool(cells)

    def _share_of(self, kind: re.Pattern[str], columns: Sequence[int]) -> float:
        cells = [row[column].strip() for row in self._lower for column in columns if not is_null(row[column])]
        return sum(_kind([cell]) is kind for cell in cells) / max(1, len(cells))


_PERIOD = re.compile("a date or a period")


def bare(row: Row) -> tuple[str, ...]:
    """A row without the mark that stands before it where files were copied into one."""
    return (row[0].removeprefix(_BOM), *row[1:]) if row else ()


def _kind(cells: Sequence[str]) -> re.Pattern[str] | None:
    """What cells are all: years, periods (or dates), or integers."""
    if all(map(_YEAR.fullmatch, cells)):
        return _YEAR
    if not any(map(is_number, cells)):
        return _PERIOD
    return _INTEGER if all(map(_INTEGER.fullmatch, cells)) else None


def _steps(cells: Sequence[str]) -> tuple[int, ...]:
    """The differences of neighbours, where all cells are integers."""
    if not all(map(_INTEGER.fullmatch, cells)):
        return ()
    return tuple(int(right) - int(left) for left, right in pairwise(cells))


def _shape(cell: str) -> str:
    """Digits as 9, capitals as A, other letters as a.

    >>> _shape("AT-12b")
    'AA-99a'
    """
    return "".join(
        "9" if mark.isdigit() else "A" if mark.isupper() else "a" if mark.isalpha() else mark for mark in cell
    )


def _common_shape(cells: Sequence[str]) -> str | None:
    """The shape of all cells, where they have one that a name would not have by accident."""
    shapes = set(map(_shape, cells))
    if len(cells) < _ROWS_WITH_SHAPE_MIN or len(shapes) != 1:
        return None
    shape = shapes.pop()
    return shape if "9" in shape or (len(shape) > 1 and shape.isupper()) else None


def are_names(row: Row) -> bool:
    """Whether each cell could be the name of a column of its own.

    >>> are_names(["id", "tail number"]), are_names(["id", "ID"]), are_names(["id", "A sentence is no name."])
    (True, False, False)
    """
    return all(map(is_name, row)) and len({cell.strip().lower() for cell in row}) == len(row)
