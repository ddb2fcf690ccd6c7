"""Which files can hold rows, by their statistics: one that does is never left out, and most that do not are."""

import json
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from catalog.tables import DataFile
from lake.promote.reach import VALUES_MAX, reach_of


def file(least: Any, greatest: Any, path: str = "f") -> DataFile:
    return DataFile(path, 1, 1, json.dumps({"minValues": {"k": least}, "maxValues": {"k": greatest}}))


@pytest.mark.parametrize(
    ("values", "bounds", "may_be"),
    [
        ([5, 9], (6, 8), False),
        ([5, 7], (6, 8), True),
        (list(range(0, 8 * VALUES_MAX, 4)), (1, 2), True),
        (list(range(100, 100 + 2 * VALUES_MAX)), (1, 99), False),
        ([5, None], (6, 8), True),
        (["a", "e"], ("b", "d"), False),
        (["b"], ("b", "d"), True),
        ([date(2026, 1, 5)], ("2026-01-06", "2026-01-08"), False),
        ([date(2026, 1, 6)], ("2026-01-06", "2026-01-08"), True),
        ([datetime(2026, 1, 5, 12)], ("2026-01-05T12:00:00.000Z", "2026-01-08T00:00:00Z"), True),
        ([datetime(2026, 1, 5, 12)], ("2026-01-05 12:00:01", "2026-01-08 00:00:00"), False),
        ([datetime(2026, 1, 5, 12, 0, 0, 400)], ("2026-01-05T12:00:00", "2026-01-05T12:00:00"), True),
        ([datetime(2026, 1, 5, tzinfo=UTC)], ("2026-01-05T00:00:01Z", "2026-01-08T00:00:00Z"), False),
        ([1.5], (2, 3), True),
        ([True], (0, 0), True),
        ([5], ("6", "8"), True),
    ],
)
def test_a_file_is_left_out_only_where_its_bounds_say_so(
    values: list[Any], bounds: tuple[Any, Any], may_be: bool
) -> None:
    reach = reach_of(pl.LazyFrame({"k": values}), ["k"])
    assert bool(reach.files([file(*bounds)])) is may_be


def test_rows_outside_are_not_within_and_all_that_are_meant_are() -> None:
    meant = pl.LazyFrame({"k": [3, 5], "t": ["a", None]})
    reach = reach_of(meant, ["k", "t"])
    rows = pl.LazyFrame({"k": [1, 3, 4, 5, None], "t": ["a", "z", None, "b", "a"]})
    assert rows.filter(reach.within()).collect()["k"].to_list() == [3, 4, 5]
    assert reach.files([DataFile("unknown", 1, 1, "{}")])
