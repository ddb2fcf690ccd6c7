"""Text to types, where every value either fits exactly or is told apart: nothing becomes NULL in silence.

Accepted are plain spellings only: decimal points, ISO 8601 dates and times, ``true`` and ``false``. What is written in
another way (decimal commas, spaces, local dates) is for the job to rewrite before.
"""

import polars as pl

from catalog.errors import UsageError

INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64)
FLOATS = (pl.Float32, pl.Float64)
SUPPORTED = "the integers Int8 to Int64, Float32, Float64, Decimal, Boolean, Date, Datetime in microseconds, String"

_DATE = r"^\d{4}-\d{2}-\d{2}$"
_CLOCK = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6}0*)?)?"
_OFFSET = r"(Z|[+-]\d{2}:?\d{2})"


def as_type(dtype: type[pl.DataType] | pl.DataType) -> pl.DataType:
    """A declared type as a value; raises `UsageError` for one that text cannot be cast to exactly.

    >>> as_type(pl.Datetime)
    Datetime(time_unit='us', time_zone=None)
    """
    found = dtype() if isinstance(dtype, type) else dtype
    if isinstance(found, (*INTEGERS, *FLOATS, pl.Boolean, pl.Date, pl.String)):
        return found
    if isinstance(found, pl.Decimal) and found.scale is not None:
        return found
    if isinstance(found, pl.Datetime) and found.time_unit == "us" and found.time_zone in {None, "UTC"}:
        return found
    raise UsageError(f"text is not cast to {found}", next=f"declare one of {SUPPORTED}")


def cast(column: str, dtype: pl.DataType) -> pl.Expr:
    """The column's text as a value of the type, NULL where it does not fit exactly.

    >>> pl.DataFrame({"n": ["7", "7.0", "x"]}).select(cast("n", pl.Int32())).to_series().to_list()
    [7, None, None]
    """
    text = pl.col(column)
    if isinstance(dtype, pl.Datetime):
        return _instant(text, dtype)
    if isinstance(dtype, pl.Date):
        return _only(text.str.contains(_DATE), text.str.to_date("%Y-%m-%d", strict=False))
    if isinstance(dtype, pl.Boolean):
        return text.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    value = text.cast(dtype, strict=False)
    if isinstance(dtype, FLOATS):
        return _only(value.is_finite(), value)
    if isinstance(dtype, pl.Decimal):
        return _only(text.str.contains(rf"^[+-]?\d*(\.\d{{0,{dtype.scale}}}0*)?$"), value)
    return value


def misfit(column: str, dtype: pl.DataType) -> pl.Expr:
    """True where there is text that does not fit the type."""
    return pl.col(column).is_not_null() & cast(column, dtype).is_null()


def _instant(text: pl.Expr, dtype: pl.Datetime) -> pl.Expr:
    formats: tuple[str, ...]
    if dtype.time_zone is None:
        formats = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M")
        pattern = rf"{_CLOCK}$"
    else:
        formats = ("%+", "%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M%#z")
        pattern = rf"{_CLOCK}{_OFFSET}$"
    parsed = [text.str.to_datetime(f, strict=False, time_unit="us", time_zone=dtype.time_zone) for f in formats]
    return _only(text.str.contains(pattern), pl.coalesce(parsed))


def _only(fits: pl.Expr, value: pl.Expr) -> pl.Expr:
    return pl.when(fits).then(value)
