"""Values as text and in other types: hypothesis looks for one that comes out as another."""

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingestion.values import as_text, fitted, json_object

TYPES: list[pl.DataType] = [
    pl.Boolean(),
    pl.Int8(),
    pl.Int32(),
    pl.Int64(),
    pl.Float32(),
    pl.Float64(),
    pl.Decimal(10, 2),
    pl.Decimal(38, 20),
    pl.String(),
    pl.Binary(),
    pl.Date(),
    pl.Datetime("us"),
    pl.Datetime("us", "UTC"),
    pl.List(pl.Int64()),
    pl.Struct({"a": pl.String(), "*": pl.Float64()}),
]

NUMBERS_AS_TEXT = st.one_of(
    st.integers().map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.floats().map(str),
    st.from_regex(r"[+-]?0{0,2}[0-9]{1,20}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
TIMES_AS_TEXT = st.one_of(
    st.dates().map(str),
    st.datetimes().map(str),
    st.datetimes().map(lambda t: t.isoformat() + "Z"),
    st.from_regex(r"[0-9]{4}-[0-9]{1,2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,7})?Z?)?", fullmatch=True),
)


def some(dtype: pl.DataType) -> st.SearchStrategy[Any]:
    """Values of a type, as Python has them."""
    if isinstance(dtype, pl.Decimal):
        bound = Decimal(10) ** (dtype.precision - dtype.scale) - 1
        return st.decimals(-bound, bound, places=dtype.scale, allow_nan=False, allow_infinity=False)
    strategies: dict[type[pl.DataType], st.SearchStrategy[Any]] = {
        pl.Boolean: st.booleans(),
        pl.Int8: st.integers(-(2**7), 2**7 - 1),
        pl.Int32: st.integers(-(2**31), 2**31 - 1),
        pl.Int64: st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300),
        pl.Float32: st.floats(width=32) | st.integers(-300, 300).map(float),
        pl.Float64: st.floats() | st.integers(-300, 300).map(float) | st.floats(width=32),
        pl.String: st.one_of(
            st.text(), NUMBERS_AS_TEXT, TIMES_AS_TEXT, st.sampled_from(["true", "false", "NaN", "inf", "-inf", "nan"])
        ),
        pl.Binary: st.binary() | st.text().map(str.encode),
        pl.Date: st.dates(),
        pl.Datetime: st.datetimes(timezones=st.just(UTC)) if getattr(dtype, "time_zone", None) else st.datetimes(),
        pl.List: st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=3),
        pl.Struct: st.fixed_dictionaries({"a": st.none() | st.text(), "*": st.none() | st.floats()}),
    }
    return strategies[type(dtype)]


def equal(left: Any, right: Any) -> bool:
    """The same value, NaN being itself."""
    return left == right or (isinstance(left, float) and math.isnan(left) and math.isnan(right))


def means(text: str, value: Any) -> bool:
    """Whether a text is a spelling of a value, judged by Python."""
    if isinstance(value, bool):
        return text == str(value).lower()
    if isinstance(value, float):
        if math.isfinite(value) and abs(Decimal(text)) != 0:
            digits = len(Decimal(text).as_tuple().digits)
            return float(text) == value or Decimal(f"{value:.{digits - 1}e}") == Decimal(text)
        return equal(float(text), value)
    if isinstance(value, int | Decimal):
        return Decimal(text) == value
    if isinstance(value, datetime):
        return datetime.fromisoformat(text) == value
    return text == (value.decode() if isinstance(value, bytes) else str(value))


def through(value: Any, have: pl.DataType, want: pl.DataType) -> Any:
    """What is stored of a value in a column of another type."""
    frame = pl.LazyFrame({"v": [None, value]}, schema={"v": have})
    made = frame.with_columns(kept=fitted(pl.col("v"), have, want)).collect(engine="streaming")["kept"]
    assert made.dtype == want
    assert made.to_list()[0] is None
    return made.to_list()[1]


@settings(deadline=None)
@given(data=st.data(), have=st.sampled_from(TYPES))
def test_nothing_changes_on_its_way_into_text(data: st.DataObject, have: pl.DataType) -> None:
    """A text column keeps every value, with all that it says; only bytes that are no text do not fit."""
    value = data.draw(some(have))
    kept = through(value, have, pl.String())
    if isinstance(value, bytes):
        assert kept is None or kept.encode() == value
        assert kept is not None or b"\xef\xbf\xbd" in value.decode(errors="replace").encode()
    elif isinstance(have, pl.List):
        assert json.loads(kept) == value
    elif isinstance(have, pl.Struct):
        told = json.loads(kept)
        assert told["a"] == value["a"]
        assert (told["*"] is None and value["*"] is None) or equal(float(told["*"]), value["*"])
    elif isinstance(have, pl.Float32):
        assert equal(pl.Series([kept]).cast(pl.Float32)[0], value)
    else:
        assert means(kept, value)


@settings(deadline=None)
@given(data=st.data(), want=st.sampled_from(TYPES))
@example(data=None, want=pl.Int64())
def test_a_text_that_fits_means_the_value(data: st.DataObject | None, want: pl.DataType) -> None:
    """What is stored of a text is what the text says, digit for digit."""
    for text in ("007", "+7", " 7", "7 ", "7.", "1e3", "") if data is None else [data.draw(some(pl.String()))]:
        kept = through(text, pl.String(), want)
        if data is None:
            assert kept is None
        if kept is not None:
            assert means(text, kept)
            assert not isinstance(want, pl.Int64) or str(kept) == text


@settings(deadline=None)
@given(data=st.data(), have=st.sampled_from(TYPES), want=st.sampled_from(TYPES))
def test_a_value_that_fits_another_type_is_the_same_there(
    data: st.DataObject, have: pl.DataType, want: pl.DataType
) -> None:
    """Numbers stay equal, days are their midnight; a truth is no number, a day no count, an instant needs its zone."""
    if pl.String() in {have, want} or have == want:
        return
    value = data.draw(some(have))
    kept = through(value, have, want)
    if kept is None:
        return
    numbers = (int, float, Decimal)
    if isinstance(value, numbers) and isinstance(kept, numbers):
        assert not isinstance(value, bool)
        assert not isinstance(kept, bool)
        text = str(pl.Series([value], dtype=have).cast(pl.String)[0])
        assert equal(value, kept) or means(text, kept) or Decimal(text) == kept
    else:
        assert {type(value), type(kept)} == {date, datetime}
        assert pl.Series([kept]).cast(have)[0] == value
        assert (value if isinstance(value, datetime) else kept).tzinfo is None


@pytest.mark.parametrize(
    ("value", "have", "want", "kept"),
    [
        ("12", pl.String(), pl.Float64(), 12.0),
        ("12.50", pl.String(), pl.Float64(), 12.5),
        ("0.30000000000000004", pl.String(), pl.Float64(), 0.1 + 0.2),
        ("0.3000000000000000444", pl.String(), pl.Float64(), None),
        ("16777217", pl.String(), pl.Float32(), None),
        ("1e400", pl.String(), pl.Float64(), None),
        ("1.5", pl.String(), pl.Decimal(10, 2), Decimal("1.50")),
        ("1.505", pl.String(), pl.Decimal(10, 2), None),
        ("12345678901", pl.String(), pl.Decimal(10, 2), None),
        ("2024-02-29", pl.String(), pl.Date(), date(2024, 2, 29)),
        ("2023-02-29", pl.String(), pl.Date(), None),
        ("2024-01-01T10:00:00", pl.String(), pl.Datetime("us"), datetime(2024, 1, 1, 10)),
        ("2024-01-01T10:00:00Z", pl.String(), pl.Datetime("us"), None),
        ("2024-01-01T10:00:00Z", pl.String(), pl.Datetime("us", "UTC"), datetime(2024, 1, 1, 10, tzinfo=UTC)),
        ("2024-01-01 23:59:60", pl.String(), pl.Datetime("us"), None),
        (7, pl.Int64(), pl.Float64(), 7.0),
        (2**53 + 1, pl.Int64(), pl.Float64(), None),
        (7.0, pl.Float64(), pl.Int64(), 7),
        (7.5, pl.Float64(), pl.Int64(), None),
        (1e30, pl.Float64(), pl.Decimal(38, 20), None),
        (0.125, pl.Float64(), pl.Decimal(10, 2), None),
        (300, pl.Int64(), pl.Int8(), None),
        (True, pl.Boolean(), pl.Int64(), None),
        (1, pl.Int64(), pl.Boolean(), None),
        (date(2024, 1, 1), pl.Date(), pl.Int64(), None),
        (date(2024, 1, 1), pl.Date(), pl.Datetime("us"), datetime(2024, 1, 1)),
        (datetime(2024, 1, 1, 1), pl.Datetime("us"), pl.Date(), None),
        (datetime(2024, 1, 1), pl.Datetime("us"), pl.Datetime("us", "UTC"), None),
        (b"abc", pl.Binary(), pl.String(), "abc"),
        (b"\xff", pl.Binary(), pl.String(), None),
        ([1], pl.List(pl.Int64()), pl.List(pl.Int32()), None),
    ],
)
def test_what_fits(value: Any, have: pl.DataType, want: pl.DataType, kept: Any) -> None:
    assert through(value, have, want) == kept


def test_times_that_no_calendar_has() -> None:
    """They are counts of their units: Polars itself panics on them."""
    days = pl.Series("v", [0, 2**31 - 1, -(2**31)], dtype=pl.Int32).cast(pl.Date)
    instants = pl.Series("v", [0, 2**63 - 1, -(2**63)], dtype=pl.Int64).cast(pl.Datetime("us"))
    for series, said in ((days, "2147483647 days since 1970"), (instants, "9223372036854775807 us since 1970")):
        texts = series.to_frame().select(as_text(pl.col("v"), series.dtype)).to_series().to_list()
        assert texts[0].startswith("1970-01-01")
        assert texts[1] == said


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["a", 'b"', "^ü.*$", "\n"]), st.text()), max_size=4))
def test_json_of_named_texts(rows: list[dict[str, str]]) -> None:
    """Any JSON reader finds the texts that are there, and nothing else."""
    names = ["a", 'b"', "^ü.*$", "\n"]
    frame = pl.LazyFrame(
        [[row.get(name) for name in names] for row in rows], dict.fromkeys("wxyz", pl.String), orient="row"
    )
    made = frame.select(json_object(zip(names, map(pl.col, "wxyz"), strict=True))).collect(engine="streaming")
    assert [{} if text is None else json.loads(text) for text in made.to_series()] == rows
