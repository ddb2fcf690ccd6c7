"""Text becomes a type only where it fits exactly; what does not is told apart, and absent stays absent."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lake.promote.casts import as_type, cast, misfit

UTC = pl.Datetime("us", "UTC")


def one(text: str | None, dtype: pl.DataType | type[pl.DataType]) -> tuple[object, bool]:
    frame = pl.DataFrame({"c": [text]}, schema={"c": pl.String})
    made = as_type(dtype)
    return frame.select(value=cast("c", made), bad=misfit("c", made)).row(0)


@pytest.mark.parametrize(
    ("text", "dtype", "value"),
    [
        ("7", pl.Int8, 7),
        ("007", pl.Int32, 7),
        ("-9223372036854775808", pl.Int64, -(2**63)),
        ("1e3", pl.Float64, 1000.0),
        ("0.1", pl.Float64, 0.1),
        ("0.1", pl.Float32, pytest.approx(0.1)),
        ("12.100000000000000000", pl.Float64, 12.1),
        ("0.30000000000000004", pl.Float64, 0.1 + 0.2),
        ("1.000000000000000056e-01", pl.Float64, 0.1),
        ("100000000000000000000", pl.Float64, 1e20),
        ("9007199254740992", pl.Float64, 2.0**53),
        ("16777216", pl.Float32, 2.0**24),
        ("-0.000", pl.Float64, 0.0),
        ("0e7", pl.Float64, 0.0),
        ("12.50", pl.Decimal(10, 1), Decimal("12.5")),
        ("true", pl.Boolean, True),
        ("2013-02-28", pl.Date, dt.date(2013, 2, 28)),
        ("2013-01-01T10:00", pl.Datetime, dt.datetime(2013, 1, 1, 10)),
        ("2013-01-01 10:00:00.25", pl.Datetime, dt.datetime(2013, 1, 1, 10, 0, 0, 250000)),
        ("2013-01-01T10:00:00Z", UTC, dt.datetime(2013, 1, 1, 10, tzinfo=dt.UTC)),
        ("2013-01-01 10:00:00+02:00", UTC, dt.datetime(2013, 1, 1, 8, tzinfo=dt.UTC)),
        ("x", pl.String, "x"),
        ("", pl.String, ""),
    ],
)
def test_a_text_that_fits_is_its_value(text: str, dtype: pl.DataType, value: object) -> None:
    assert one(text, dtype) == (value, False)


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("", pl.Int32),
        ("NA", pl.Int32),
        ("1.0", pl.Int32),
        (" 1", pl.Int32),
        ("1 000", pl.Int32),
        ("128", pl.Int8),
        ("1,5", pl.Float64),
        ("nan", pl.Float64),
        ("inf", pl.Float64),
        ("1e400", pl.Float64),
        ("1e39", pl.Float32),
        ("16777217", pl.Float32),
        ("1234567.89", pl.Float32),
        ("9007199254740993", pl.Float64),
        ("12345678901234567890", pl.Float64),
        ("0.33333333333333333333", pl.Float64),
        ("1e-400", pl.Float64),
        ("1e-50", pl.Float32),
        ("1.23456789e-320", pl.Float64),
        ("0." + "1" * 5000, pl.Float64),
        ("1_000", pl.Float64),
        ("infinity", pl.Float32),
        ("12.55", pl.Decimal(10, 1)),
        ("1e-3", pl.Decimal(10, 1)),
        ("12345", pl.Decimal(4, 1)),
        ("yes", pl.Boolean),
        ("1", pl.Boolean),
        ("2013-02-29", pl.Date),
        ("13-01-01", pl.Date),
        ("01.02.2013", pl.Date),
        ("2013-01-01T10:00:00", pl.Date),
        ("2013-01-01T10:00:00Z", pl.Datetime),
        ("2013-01-01T10:00:00.1234567", pl.Datetime),
        ("2013-01-01T25:00:00", pl.Datetime),
        ("2013-01-01T10:00:00", UTC),
    ],
)
def test_a_text_that_does_not_fit_is_told_apart(text: str, dtype: pl.DataType) -> None:
    assert one(text, dtype) == (None, True)


@pytest.mark.parametrize(
    "dtype", [pl.Int32, pl.Float64, pl.Decimal(10, 2), pl.Boolean, pl.Date, pl.Datetime, UTC, pl.String]
)
def test_absent_stays_absent_and_is_no_misfit(dtype: pl.DataType) -> None:
    assert one(None, dtype) == (None, False)


@settings(deadline=None)
@given(st.integers(-(2**70), 2**70))
def test_an_integer_is_itself_or_a_misfit(number: int) -> None:
    fits = -(2**31) <= number < 2**31
    assert one(str(number), pl.Int32) == ((number, False) if fits else (None, True))


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**6), max_value=10**6))
def test_a_decimal_keeps_every_digit_or_is_a_misfit(number: Decimal) -> None:
    value, bad = one(f"{number:f}", pl.Decimal(12, 2))
    assert (value == number) is not bad


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False), st.sampled_from([pl.Float32, pl.Float64]))
def test_a_float_written_with_the_text_s_digits_is_the_text_or_a_misfit(
    number: Decimal, dtype: type[pl.DataType]
) -> None:
    value, bad = one(str(number), dtype)
    if not bad:
        assert isinstance(value, float)
        digits = max(1, len("".join(map(str, number.as_tuple().digits)).strip("0")))
        assert Decimal(f"{value:.{digits - 1}e}") == number


@settings(deadline=None)
@given(st.floats(-1.7e308, 1.7e308))
@example(2**-24)
def test_a_float_that_was_written_in_full_comes_back(number: float) -> None:
    for text in (repr(number), f"{number:.16e}", f"{number:.18e}", f"{number:.15g}"):
        value, bad = one(text, pl.Float64)
        assert (value, bad) == (float(text), False)


@settings(deadline=None)
@given(st.text(max_size=12))
def test_no_text_vanishes(text: str) -> None:
    for dtype in (pl.Int64, pl.Float64, pl.Date, UTC, pl.Boolean):
        value, bad = one(text, dtype)
        assert (value is None) is bad
