"""A spreadsheet's cells as a column's values: one type where all cells agree, else text as the program shows them."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, TypeAlias

import polars as pl

Cell: TypeAlias = str | float | bool | date | time | timedelta
"""What python-calamine makes of a cell: an empty one is an empty text, a date at midnight has no time."""

_BROKEN = "fraction"
_INT_MAX = 2**53
_TYPES: dict[frozenset[object], pl.DataType] = {
    frozenset({float}): pl.Int64(),
    frozenset({float, _BROKEN}): pl.Float64(),
    frozenset({bool}): pl.Boolean(),
    frozenset({date}): pl.Date(),
    frozenset({datetime}): pl.Datetime("us"),
    frozenset({date, datetime}): pl.Datetime("us"),
}
_NUMBERS, _INSTANTS = {pl.Int64(), pl.Float64()}, {pl.Date(), pl.Datetime("us")}


class Kinds:
    """The kinds of cells that a column has, one after the other, and the type that holds them all."""

    def __init__(self) -> None:
        self._seen: set[object] = set()

    def add(self, cell: Cell) -> None:
        """Take note of a cell that is not empty."""
        kind = type(cell)
        if kind is int:
            kind = float
        self._seen.add(kind)
        if kind is float and not (float(cell).is_integer() and abs(float(cell)) <= _INT_MAX):  # type: ignore[arg-type]
            self._seen.add(_BROKEN)

    @property
    def is_empty(self) -> bool:
        """Whether no cell was seen."""
        return not self._seen

    @property
    def dtype(self) -> pl.DataType:
        """The column's type."""
        return _TYPES.get(frozenset(self._seen), pl.String())


def common_type(types: Iterable[pl.DataType]) -> pl.DataType:
    """The type that holds the values of columns of these types, as text where they have nothing in common.

    >>> common_type([pl.Int64(), pl.Float64()]), common_type([pl.Int64(), pl.Date()])
    (Float64, String)
    """
    found = set(types)
    if len(found) == 1:
        return found.pop()
    if found <= _NUMBERS:
        return pl.Float64()
    return pl.Datetime("us") if found <= _INSTANTS else pl.String()


def series(name: str, cells: Sequence[Cell], dtype: pl.DataType) -> pl.Series:
    """The cells as a column of a type that holds them; empty cells are null."""
    convert = _CONVERSIONS.get(dtype, text)
    return pl.Series(name, [None if cell == "" else convert(cell) for cell in cells], dtype=dtype)


def text(cell: Cell) -> str:
    """A cell as text: numbers in their shortest form, times of day and spans in hours, dates as ISO has them.

    >>> text(1.0), text(0.1), text(True), text(datetime(2020, 1, 2, 3)), text(timedelta(days=1, hours=6))
    ('1', '0.1', 'TRUE', '2020-01-02 03:00:00', '30:00:00')
    """
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, int | float):
        return str(int(cell)) if float(cell).is_integer() else repr(cell)
    if isinstance(cell, timedelta):
        return _span(cell)
    return cell.isoformat(sep=" ") if isinstance(cell, datetime) else cell.isoformat()


def _span(span: timedelta) -> str:
    sign, span = ("-", -span) if span < timedelta(0) else ("", span)
    seconds, micros = span.days * 86_400 + span.seconds, span.microseconds
    fraction = f".{micros:06d}" if micros else ""
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}"


def _instant(cell: Any) -> datetime:
    return cell if isinstance(cell, datetime) else datetime(cell.year, cell.month, cell.day)


_CONVERSIONS: dict[pl.DataType, Callable[[Any], Any]] = {
    pl.Int64(): int,
    pl.Float64(): float,
    pl.Boolean(): bool,
    pl.Date(): lambda cell: cell,
    pl.Datetime("us"): _instant,
}
