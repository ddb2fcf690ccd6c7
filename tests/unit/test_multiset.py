"""Multisets of rows: what one frame has more of than another, as counting in Python tells."""

import struct
from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.promote.memory import Room
from lake.promote.multiset import balance, fewer, less, more
from tests.support.jobs import collected

SCHEMA = pl.Schema(
    {
        "text": pl.String,
        "float": pl.Float64,
        "small": pl.Float32,
        "list": pl.List(pl.Float64),
        "struct": pl.Struct({"x": pl.Float64, "y": pl.List(pl.String)}),
        "bytes": pl.Binary,
        "exact": pl.Decimal(10, 2),
    }
)
OTHER_NAN = struct.unpack("d", struct.pack("Q", 0xFFF8000000000001))[0]
FLOATS = st.sampled_from([None, 0.0, -0.0, 1.5, float("nan"), OTHER_NAN, float("inf")])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.sampled_from([None, "", "a"]),
            "float": FLOATS,
            "small": st.sampled_from([None, 0.0, -0.0]),
            "list": st.one_of(st.none(), st.lists(FLOATS, max_size=2)),
            "struct": st.one_of(
                st.none(), st.fixed_dictionaries({"x": FLOATS, "y": st.sampled_from([None, [], [None], ["a"]])})
            ),
            "bytes": st.sampled_from([None, b"", b"a"]),
            "exact": st.sampled_from([None, "1.10"]),
        }
    ),
    max_size=12,
)


def frame(rows: list[dict[str, Any]]) -> pl.LazyFrame:
    return pl.DataFrame(rows, schema=SCHEMA | {"exact": pl.String}).cast({"exact": pl.Decimal(10, 2)}).lazy()


def counted(rows: pl.LazyFrame) -> Counter[str]:
    return Counter(map(repr, rows.collect().rows()))


@pytest.mark.parametrize("memory_gb", [1.0, 5e-6])
@settings(deadline=None)
@given(new=ROWS, old=ROWS, both=ROWS)
def test_a_balance_is_what_counting_gives(
    memory_gb: float, new: list[dict[str, Any]], old: list[dict[str, Any]], both: list[dict[str, Any]]
) -> None:
    here, there = frame(new + both + new[:2]), frame(both + old)
    room = Room(memory_gb, collected)
    found = balance(here, there, room)
    assert counted(more(found)) == counted(here) - counted(there)
    assert counted(less(found)) == counted(there) - counted(here)
    assert fewer(found).collect().height == len(counted(there) - counted(here))
