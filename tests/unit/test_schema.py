"""Schemas without a store: what is widened, what is refused, and what tells two schemas apart."""

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing.parametric import dataframes

from catalog.errors import DataRefused, SchemaRefused, TypeRefused
from catalog.tables import difference, storable
from catalog.tables.schema import from_delta, has_naive_time, require_storable, to_delta

LEAVES: list[pl.DataType] = [
    pl.Boolean(),
    pl.Int8(),
    pl.Int16(),
    pl.Int32(),
    pl.Int64(),
    pl.Float32(),
    pl.Float64(),
    pl.String(),
    pl.Binary(),
    pl.Date(),
    pl.Decimal(38, 6),
    pl.Decimal(5, 0),
    pl.Datetime("us"),
    pl.Datetime("us", "UTC"),
]
KEPT = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        inner.map(pl.List),
        st.lists(inner, min_size=1, max_size=3).map(lambda types: pl.Struct({f"f{i}": t for i, t in enumerate(types)})),
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.lists(KEPT, min_size=1, max_size=4))
def test_a_schema_comes_back_from_delta(types: list[pl.DataType]) -> None:
    """Types that are kept as they are need no cast, and are the same after a table."""
    schema = pl.Schema({f"column {number}": dtype for number, dtype in enumerate(types)})
    require_storable(schema)
    assert storable(pl.LazyFrame(schema=schema)).collect_schema() == schema
    assert from_delta(to_delta(schema)) == schema


@settings(deadline=None)
@given(dataframes(min_cols=1, max_cols=5, max_size=5, allow_null=True, excluded_dtypes=[pl.Array]))
def test_a_frame_is_kept_exactly_or_refused(frame: pl.DataFrame) -> None:
    """No value is changed by being made storable, and what is storable stays as it is."""
    try:
        kept = storable(frame.lazy()).collect()
    except DataRefused:
        return
    require_storable(kept.schema)
    assert storable(kept.lazy()).collect().equals(kept)
    assert list(map(repr, frame.rows())) == list(map(repr, kept.rows()))


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        (pl.UInt8(), pl.Int16()),
        (pl.UInt16(), pl.Int32()),
        (pl.UInt32(), pl.Int64()),
        (pl.Categorical(), pl.String()),
        (pl.Enum(["a"]), pl.String()),
        (pl.Datetime("ms"), pl.Datetime("us")),
        (pl.Datetime("ms", "UTC"), pl.Datetime("us", "UTC")),
        (pl.List(pl.UInt8()), pl.List(pl.Int16())),
        (pl.Struct({"a": pl.List(pl.Categorical())}), pl.Struct({"a": pl.List(pl.String())})),
    ],
)
def test_what_delta_lacks_is_widened(found: pl.DataType, kept: pl.DataType) -> None:
    """To a type that holds every value of it; a commit asks that this was done before."""
    assert storable(pl.LazyFrame(schema={"x": found})).collect_schema() == {"x": kept}
    with pytest.raises(TypeRefused, match=r"'x' is .* cannot hold") as raised:
        require_storable(pl.Schema({"x": found}))
    assert str(kept) in raised.value.next


@pytest.mark.parametrize("dtype", [pl.Struct({"a": pl.Null()}), pl.List(pl.Struct({"a": pl.Time()}))])
def test_a_field_that_cannot_be_held_is_named(dtype: pl.DataType) -> None:
    """Down to the field inside of a column."""
    with pytest.raises(TypeRefused, match=r"'x\.a' is"):
        storable(pl.LazyFrame(schema={"x": dtype}))


@pytest.mark.parametrize(
    ("dtype", "has"),
    [
        (pl.Datetime("us"), True),
        (pl.Datetime("us", "UTC"), False),
        (pl.List(pl.Struct({"a": pl.List(pl.Datetime("us"))})), True),
        (pl.Struct({"a": pl.Date(), "b": pl.Datetime("us", "UTC")}), False),
    ],
)
def test_times_without_a_zone_are_found(dtype: pl.DataType, has: bool) -> None:
    """However deep they lie."""
    assert has_naive_time(dtype) is has


def test_names_that_are_one_to_delta_are_refused() -> None:
    """Names that differ in case only, in any alphabet, and none."""
    for names in (["a", "A"], ["Größe", "GRÖSSE".replace("SS", "ß")]):
        with pytest.raises(SchemaRefused, match="differ in case only"):
            storable(pl.LazyFrame({name: [1] for name in names}))


class TestDifference:
    def test_is_empty_for_the_same_columns_in_any_order(self) -> None:
        """An order is no difference: a commit names columns."""
        assert (
            difference(pl.Schema({"a": pl.Int64(), "b": pl.Date()}), pl.Schema({"b": pl.Date(), "a": pl.Int64()})) == ""
        )

    @pytest.mark.parametrize(
        ("found", "said"),
        [
            ({"a": pl.Int64()}, "missing 'b'"),
            ({"a": pl.Int64(), "b": pl.Date(), "c": pl.Date()}, "unknown 'c'"),
            ({"a": pl.Int32(), "b": pl.Date()}, "'a' is Int32, not Int64"),
            ({"A": pl.Int64(), "b": pl.Date()}, "missing 'a'; unknown 'A'"),
        ],
    )
    def test_names_what_differs(self, found: dict[str, pl.DataType], said: str) -> None:
        """Each column, with its type where that is it."""
        assert difference(pl.Schema({"a": pl.Int64(), "b": pl.Date()}), pl.Schema(found)) == said

    def test_sees_inside_of_types(self) -> None:
        """A field's type or zone counts."""
        one: dict[str, Any] = {"a": pl.List(pl.Struct({"t": pl.Datetime("us")}))}
        other: dict[str, Any] = {"a": pl.List(pl.Struct({"t": pl.Datetime("us", "UTC")}))}
        assert difference(pl.Schema(one), pl.Schema(other)).startswith("'a' is List(Struct(")


def test_an_empty_frame_keeps_its_types() -> None:
    """No rows are no reason to forget a column."""
    frame = pl.DataFrame({"day": [date(2024, 1, 1)], "at": [datetime(2024, 1, 1)]}).clear()
    assert storable(frame.lazy()).collect().schema == frame.schema


@pytest.mark.parametrize("name", ["__lake_count", "__LAKE_x"])
def test_a_name_that_is_the_lake_s_own_while_it_works_is_refused(name: str) -> None:
    with pytest.raises(SchemaRefused, match=f"column '{name}': names that begin with __lake_ are the lake's own"):
        storable(pl.LazyFrame({name: [1]}))
