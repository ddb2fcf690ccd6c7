"""Values of any type as text, and in another type where that holds them exactly: expressions that run in a stream."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from polars._typing import PolarsDataType

_INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64)
_FLOATS = (pl.Float32, pl.Float64)

_DAYS_MAX = 95_000_000
_SECONDS_MAX = 8_000_000_000_000
"""Polars writes no date or time as text that is some 260,000 years away or more: it panics."""

_NUMBER = r"^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$"
_INSTANT = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?"
_ZONE = r"(Z|\+00:00)$"

_SAFE_DIGITS: dict[type[pl.DataType], int] = {pl.Float32: 6, pl.Float64: 15}
"""So many significant digits survive in a float always: FLT_DIG and DBL_DIG of C's float.h."""

_SMALLEST: dict[type[pl.DataType], float] = {pl.Float32: 1.2e-38, pl.Float64: 2.3e-308}
"""Below these, floats have fewer digits."""


def as_text(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """The value as text, exactly: numbers with all their digits, bytes in hexadecimal, lists and structs as JSON.

    >>> frame = pl.DataFrame({"x": [{"a": 1, "b": [b"\\xff"]}, None]})
    >>> frame.select(as_text(pl.col("x"), frame.schema["x"])).to_series().to_list()
    ['{"a":1,"b":["ff"]}', None]
    """
    if isinstance(dtype, pl.List | pl.Struct):
        return pl.when(value.is_not_null()).then(_json(_leaves_as_text(value, dtype)))
    if isinstance(dtype, pl.Binary):
        return value.bin.encode("hex")
    if isinstance(dtype, pl.Date):
        return _near(value, value.to_physical(), _DAYS_MAX, "days")
    if isinstance(dtype, pl.Datetime):
        per_second = {"ms": 10**3, "us": 10**6, "ns": 10**9}[dtype.time_unit]
        return _near(value, value.to_physical(), min(_SECONDS_MAX * per_second, 2**63 - 1), dtype.time_unit)
    return value if isinstance(dtype, pl.String) else value.cast(pl.String)


def fitted(value: pl.Expr, have: pl.DataType, want: pl.DataType) -> pl.Expr:
    """The value in the type ``want``, null where that does not hold it exactly.

    Everything but bytes that are not UTF-8 fits text. Text fits where it is a plain spelling of a value: no leading
    zeros, plus signs or blanks, no digit that a float loses, ISO 8601 dates and times. Numbers fit numbers, and dates
    times without a zone, where the way back leads to the same value. Nothing else fits: a list or a struct is not
    taken apart.

    >>> texts = pl.DataFrame({"x": ["7", "007", "7.0"]})
    >>> texts.select(fitted(pl.col("x"), pl.String(), pl.Int64())).to_series().to_list()
    [7, None, None]
    """
    if have == want:
        return value
    if isinstance(want, pl.String):
        return _decoded(value) if isinstance(have, pl.Binary) else as_text(value, have)
    if isinstance(have, pl.String):
        return _parsed(value, want)
    if _is_number(have) and _is_number(want):
        # By their digits: Polars raises on a float that is too large for a decimal, and takes 0.125 for 0.12.
        is_by_digits = isinstance(want, pl.Decimal) or (isinstance(have, pl.Decimal) and isinstance(want, _FLOATS))
        return _parsed(as_text(value, have), want) if is_by_digits else _there_and_back(value, have, want)
    if _is_without_zone(have) and _is_without_zone(want):
        return _there_and_back(value, have, want)
    return pl.lit(None, dtype=want)


def json_object(texts: Iterable[tuple[str, pl.Expr]]) -> pl.Expr:
    """A JSON object of named texts, those that are null left out; null where all are.

    >>> frame = pl.DataFrame({"a": ['say "x"', None], "b": [None, None]}, schema_overrides={"b": pl.String})
    >>> frame.select(json_object((name, pl.col(name)) for name in "ab")).to_series().to_list()
    ['{"a":"say \\\\"x\\\\""}', None]
    """
    members = [
        pl.when(text.is_not_null()).then(pl.concat_str(pl.lit(f"{json.dumps(name, ensure_ascii=False)}:"), _json(text)))
        for name, text in texts
    ]
    if not members:
        return pl.lit(None, dtype=pl.String)
    joined = pl.concat_str(members, separator=",", ignore_nulls=True)
    return pl.when(joined != "").then(pl.concat_str(pl.lit("{"), joined, pl.lit("}")))


def _json(value: pl.Expr) -> pl.Expr:
    encoded = pl.struct(value.alias("v")).struct.json_encode()
    return encoded.str.strip_prefix('{"v":').str.strip_suffix("}")


def _leaves_as_text(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A nested value with its leaves as text, but for what JSON has itself: Polars' own encoder drops NaN."""
    if isinstance(dtype, pl.List):
        return value.list.eval(_leaves_as_text(pl.element(), _type(dtype.inner)))
    if isinstance(dtype, pl.Struct):
        # By number, since a name may look like a pattern of names.
        numbered = value.struct.rename_fields([str(number) for number in range(len(dtype.fields))])
        fields = [
            _leaves_as_text(numbered.struct.field(str(number)), _type(field.dtype)).alias(field.name)
            for number, field in enumerate(dtype.fields)
        ]
        return pl.when(value.is_not_null()).then(pl.struct(fields))
    if isinstance(dtype, (pl.Boolean, *_INTEGERS)):
        return value
    return as_text(value, dtype)


def _near(value: pl.Expr, count: pl.Expr, count_max: int, unit: str) -> pl.Expr:
    """A date or a time as text; one that is too far away for that as the count of its units since 1970."""
    is_near = count.is_between(-count_max, count_max)
    far = pl.concat_str(count.cast(pl.String), pl.lit(f" {unit} since 1970"))
    return pl.when(is_near).then(pl.when(is_near).then(value).cast(pl.String)).otherwise(far)


def _decoded(value: pl.Expr) -> pl.Expr:
    return value.map_batches(_utf8, return_dtype=pl.String, is_elementwise=True)


def _utf8(values: pl.Series) -> pl.Series:
    try:
        return values.cast(pl.String)
    except pl.exceptions.ComputeError:
        return pl.Series(values.name, [_utf8_or_none(value) for value in values], dtype=pl.String)


def _utf8_or_none(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _parsed(text: pl.Expr, want: pl.DataType) -> pl.Expr:
    """Text as a value of another type, null where it is no plain spelling of one."""
    if isinstance(want, _INTEGERS):
        return _integer(text, want)
    if isinstance(want, _FLOATS):
        return _float(text, want)
    if isinstance(want, pl.Decimal):
        is_plain = text.str.contains(rf"^-?(0|[1-9]\d*)(\.\d{{0,{want.scale}}}0*)?$")
        return pl.when(is_plain).then(text).cast(want, strict=False)
    if isinstance(want, pl.Date | pl.Datetime):
        return _day(text) if isinstance(want, pl.Date) else _instant(text, want)
    if isinstance(want, pl.Boolean):
        return text.replace_strict(["true", "false"], [True, False], default=None, return_dtype=pl.Boolean)
    return text.cast(pl.Binary) if isinstance(want, pl.Binary) else pl.lit(None, dtype=want)


def _integer(text: pl.Expr, want: pl.DataType) -> pl.Expr:
    number = text.cast(want, strict=False)
    return pl.when(number.cast(pl.String) == text).then(number)


def _day(text: pl.Expr) -> pl.Expr:
    day = text.str.to_date("%Y-%m-%d", strict=False)
    return pl.when(as_text(day, pl.Date()) == text).then(day)


def _float(text: pl.Expr, want: pl.DataType) -> pl.Expr:
    """A float that has all digits of the text: because there are few, or because it is written like that itself."""
    number = text.cast(want, strict=False)
    digits = text.str.replace(r"[eE].*$", "").str.replace_all(r"[-.]", "").str.strip_chars_start("0")
    is_short = digits.str.len_bytes() <= _SAFE_DIGITS[type(want)]
    is_in_range = number.abs().is_between(_SMALLEST[type(want)], float("inf"), closed="left") | (digits == "")
    is_plain = text.str.contains(_NUMBER) & is_short & is_in_range
    return pl.when(is_plain | (number.cast(pl.String) == text)).then(number)


def _instant(text: pl.Expr, want: pl.Datetime) -> pl.Expr:
    """A time to the microsecond, with the zone that it needs or without any."""
    is_plain = text.str.contains(_INSTANT + (_ZONE if want.time_zone else "$"))
    clock = text.str.replace(_ZONE, "").str.replace("T", " ", literal=True)
    instant = clock.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")
    is_on_clock = as_text(instant, pl.Datetime("us")).str.head(19) == clock.str.head(19)
    zoned = instant.dt.replace_time_zone(want.time_zone) if want.time_zone else instant
    return pl.when(is_plain & is_on_clock).then(zoned).cast(want)


def _there_and_back(value: pl.Expr, have: pl.DataType, want: pl.DataType) -> pl.Expr:
    there = value.cast(want, strict=False)
    return pl.when(there.cast(have, strict=False).eq_missing(value)).then(there)


def _is_number(dtype: pl.DataType) -> bool:
    return isinstance(dtype, (*_INTEGERS, *_FLOATS, pl.Decimal))


def _is_without_zone(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Date) or (isinstance(dtype, pl.Datetime) and dtype.time_zone is None)


def _type(dtype: "PolarsDataType") -> pl.DataType:
    return dtype if isinstance(dtype, pl.DataType) else dtype()
