"""Periods of the calendar, the names that tell them, and the day on which a delivery is due."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.schedule import PERIODS, Period, Schedule, require_period
from lake.values import Unfit

DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))


@given(st.sampled_from(PERIODS), DAYS)
def test_each_day_is_in_one_period(kind: str, day: date) -> None:
    """From its start to its end; the next begins the day after; and its name names it."""
    period = Period.of(kind, day)
    assert period.start <= day <= period.end
    assert period.next.start == period.end + timedelta(days=1)
    assert Period.of(kind, period.end) == period
    assert Period.parse(kind, str(period)) == period


@given(st.sampled_from(PERIODS), DAYS)
def test_names_sort_as_the_periods_do(kind: str, day: date) -> None:
    """So that a table of periods reads in order."""
    period = Period.of(kind, day)
    assert str(period) < str(period.next)


@pytest.mark.parametrize(
    ("kind", "day", "name", "end"),
    [
        ("month", date(2024, 2, 29), "2024-02", date(2024, 2, 29)),
        ("month", date(2100, 2, 1), "2100-02", date(2100, 2, 28)),
        ("quarter", date(2026, 12, 31), "2026-Q4", date(2026, 12, 31)),
        ("quarter", date(2026, 5, 1), "2026-Q2", date(2026, 6, 30)),
        ("week", date(2021, 1, 3), "2020-W53", date(2021, 1, 3)),
        ("week", date(2024, 12, 30), "2025-W01", date(2025, 1, 5)),
        ("year", date(2026, 7, 1), "2026", date(2026, 12, 31)),
        ("day", date(2024, 2, 29), "2024-02-29", date(2024, 2, 29)),
    ],
)
def test_the_calendar_has_its_corners(kind: str, day: date, name: str, end: date) -> None:
    """Leap years, and weeks that belong to another year than their days."""
    period = Period.of(kind, day)
    assert (str(period), period.end) == (name, end)


@pytest.mark.parametrize(
    ("kind", "files", "key", "period"),
    [
        ("month", "cpi_{yyyy}{mm}*", "prices/cpi_202602_v2.csv", "2026-02"),
        ("month", "cpi_{yyyy}{mm}*", "cpi_202613.csv", None),
        ("month", "cpi_{yy}-{mm}.csv", "cpi_26-02.csv", "2026-02"),
        ("month", "post/{yyyy}/{mm}/*", "post/2026/02/a.csv", "2026-02"),
        ("month", "post/{yyyy}/{mm}/*", "2026/02/a.csv", None),
        ("month", "{yyyy}/{yyyy}-{mm}.csv", "2026/2026-02.csv", "2026-02"),
        ("month", "{yyyy}/{yyyy}-{mm}.csv", "2025/2026-02.csv", None),
        ("quarter", "lfs_{yyyy}Q{q}.*", "lfs_2026Q3.sav", "2026-Q3"),
        ("quarter", "lfs_{yyyy}Q{q}.*", "lfs_2026Q5.sav", None),
        ("week", "deaths-{yyyy}-{ww}.csv", "deaths-2020-53.csv", "2020-W53"),
        ("week", "deaths-{yyyy}-{ww}.csv", "deaths-2021-53.csv", None),
        ("day", "{yyyy}-{mm}-{dd}.csv", "rates/2024-02-29.csv", "2024-02-29"),
        ("day", "{yyyy}-{mm}-{dd}.csv", "rates/2026-02-29.csv", None),
        ("year", "*{yyyy}*", "census of 2026.xlsx", "2026"),
        ("year", "a+b ({yyyy}).csv", "a+b (2026).csv", "2026"),
    ],
)
def test_a_name_tells_its_period(kind: str, files: str, key: str, period: str | None) -> None:
    """Where it fits the pattern and the date is one; else it tells none."""
    found = Schedule(kind, files).period_of(key)
    assert (None if found is None else str(found)) == period


def test_days_until_it_is_due() -> None:
    """Counted from the period's last day: all of them, or business days alone, without the holidays."""
    february = Period.of("month", date(2026, 2, 1))
    assert Schedule("month", "x", due_days=15).due(february) == date(2026, 3, 15)
    assert Schedule("month", "x").due(february) == date(2026, 2, 28)
    assert Schedule("month", "x", due_days=5, business_days=True).due(february) == date(2026, 3, 6)
    holidays = frozenset({date(2026, 3, 4), date(2026, 3, 9)})
    assert Schedule("month", "x", due_days=5, business_days=True, holidays=holidays).due(february) == date(2026, 3, 10)
    assert Schedule("month", "x", business_days=True).due(february) == date(2026, 3, 2)


def test_of_days_only_business_days_are_expected() -> None:
    """Where the calendar says so: a weekend and a holiday pass."""
    first = Period.of("day", date(2026, 1, 2))
    schedule = Schedule("day", "x", business_days=True, holidays=frozenset({date(2026, 1, 6)}))
    days = [period.start.day for period in schedule.expected(first, date(2026, 1, 9))]
    assert days == [2, 5, 7, 8]
    every = [period.start.day for period in Schedule("day", "x").expected(first, date(2026, 1, 9))]
    assert every == [2, 3, 4, 5, 6, 7, 8]


@given(DAYS, st.integers(0, 40))
def test_what_is_due_later_is_due_no_earlier(day: date, days: int) -> None:
    """One more day's patience never makes a delivery due sooner."""
    week = Period.of("week", day)
    dues = [Schedule("week", "x", due_days=n, business_days=True).due(week) for n in range(days, days + 3)]
    assert all(left <= right for left, right in pairwise(dues))


@pytest.mark.parametrize(
    ("period", "files", "told"),
    [
        ("month", "a_{yyyy}", "{mm}"),
        ("day", "a_{yyyy}{mm}", "{dd}"),
        ("week", "a_{ww}", "{yyyy}"),
        ("quarter", "a_{yyyy}{mm}", "{q}"),
        ("year", "a_{YY}", "{yyyy}"),
    ],
)
def test_a_pattern_must_tell_the_period(period: str, files: str, told: str) -> None:
    """Else what it lacks is named."""
    with pytest.raises(Unfit) as unfit:
        require_period(period, files)
    assert told in unfit.value.next
