"""Which rows `--partition` means."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from catalog.errors import UsageError
from lake.promote.redo import rows_of

ROWS = pl.LazyFrame(
    {
        "month": ["2026-01", "2026-02", None],
        "day": [date(2026, 1, 1), date(2026, 2, 1), None],
        "at": [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC), None],
        "n": [1, 2, None],
    },
    schema_overrides={"at": pl.Datetime("us", "UTC")},
)


@pytest.mark.parametrize(
    "values",
    [
        {"month": "2026-02"},
        {"day": "2026-02-01"},
        {"at": "2026-02-01T00:00:00Z"},
        {"at": "2026-02-01 01:00:00+01:00"},
        {"n": "2"},
        {"n": "2", "month": "2026-02"},
    ],
)
def test_a_value_means_the_rows_that_have_it(values: dict[str, str]) -> None:
    found = ROWS.filter(rows_of(ROWS.collect_schema(), values)).collect()
    assert found["n"].to_list() == [2]


@pytest.mark.parametrize("values", [{"day": "nonsense"}, {"at": "2026-02-01"}, {"n": "2.0"}])
def test_what_is_no_value_of_the_column_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="is no value of"):
        rows_of(ROWS.collect_schema(), values)
