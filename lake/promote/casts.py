"""Text to types, where every value either fits exactly or is told apart: nothing becomes NULL in silence.

Accepted are plain spellings only: decimal points, ISO 8601 dates and times, ``true`` and ``false``. What is written in
another way (decimal commas, spaces, local dates) is for the job to rewrite before.

A number fits a float where the float, written with as many significant digits as the text, is the text: 0.1 does, and
so does every number of up to 15 digits in Float64 (6 in Float32). 16777217 does not fit Float32, which has 16777216;
nor does 0.33333333333333333333 fit Float64, which has a third only to 16 digits. For those there is Decimal, or text.
"""

import re
from functools import partial

import polars as pl

from catalog.errors import UsageError

INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64)
FLOATS = (pl.Float32, pl.Float64)
SUPPORTED = "the integers Int8 to Int64, Float32, Float64, Decimal, Boolean, Date, Datetime in microseconds, String"

_SAFE_DIGITS: dict[pl.DataType, int] = {pl.Float32(): 6, pl.Float64(): 15}
"""So many significant digits survive in a float always: FLT_DIG and DBL_DIG of C's float.h."""

_SMALLEST: dict[pl.DataType, float] = {pl.Float32(): 1.2e-38, pl.Float64(): 2.3e-308}
"""Below these, floats have fewer digits."""

_DIGITS_MAX = 767
"""No float has more significant digits, written out in full."""

_NUMBER = re.compile(r"[+-]?(\d*)\.?(\d*)(?:[eE][+-]?\d+)?")

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
        return _only(text.str.contains(_DATE), text.str.to_date("%Y-%m-%d", strict=False, cache=False))
    if isinstance(dtype, pl.Boolean):
        return text.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    if isinstance(dtype, FLOATS):
        return text.map_batches(partial(_floats, dtype=dtype), return_dtype=dtype, is_elementwise=True)
    value = text.cast(dtype, strict=False)
    if isinstance(dtype, pl.Decimal):
        return _only(text.str.contains(rf"^[+-]?\d*(\.\d{{0,{dtype.scale}}}0*)?$"), value)
    return value


def misfit(column: str, dtype: pl.DataType) -> pl.Expr:
    """True where there is text that does not fit the type."""
    return pl.col(column).is_not_null() & cast(column, dtype).is_null()


def _floats(texts: pl.Series, dtype: pl.DataType) -> pl.Series:
    """The texts as floats, NULL where digits are lost; what is short and not tiny loses none, the rest is looked at."""
    values = texts.cast(dtype, strict=False)
    is_doubtful = (texts.str.len_bytes() > _SAFE_DIGITS[dtype]) | ~(values.abs() >= _SMALLEST[dtype])
    doubtful = pl.DataFrame({"text": texts, "value": values}).filter(is_doubtful, values.is_not_null()).unique()
    lost = [text for text, value in doubtful.rows() if not _keeps_digits(text, value)]
    return pl.select(pl.when(~texts.is_in(lost) & values.is_finite()).then(values)).to_series()


def _keeps_digits(text: str, value: float) -> bool:
    """Whether a float has all digits of the decimal text that it was read from.

    >>> _keeps_digits("0.30000000000000004", 0.30000000000000004), _keeps_digits("16777217", 16777216.0)
    (True, False)
    >>> _keeps_digits("5.960464477539063e-08", 2**-24)
    True
    """
    parts, shortest = _NUMBER.fullmatch(text), _NUMBER.fullmatch(repr(abs(value)))
    digits = "".join(parts.groups("")).strip("0") if parts else ""
    if not digits or value == 0:
        return parts is not None and not digits
    if len(digits) > _DIGITS_MAX:
        return False
    written = f"{abs(value):.{len(digits) - 1}e}".partition("e")[0].replace(".", "")
    # Half way between two decimals of so many digits, the shortest one that is read back may be either.
    return written == digits or (shortest is not None and "".join(shortest.groups("")).strip("0") == digits)


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
