"""Times by the clock: against every minute of the calendar, one by one, on days when clocks change and on others."""

from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lake.cron import DAYS, MONTHS, NAMED, Cron
from lake.values import Unfit

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

CHANGES = {
    "Europe/Vienna": [date(2026, 3, 29), date(2026, 10, 25)],
    "America/New_York": [date(2026, 3, 8), date(2026, 11, 1)],
    "Australia/Lord_Howe": [date(2026, 4, 5), date(2026, 10, 4)],
    "America/Havana": [date(2026, 3, 8), date(2026, 11, 1)],
    "Asia/Beirut": [date(2026, 3, 29), date(2026, 10, 25)],
    "Africa/Casablanca": [date(2026, 2, 15), date(2026, 3, 22)],
    "Pacific/Chatham": [date(2026, 4, 5), date(2026, 9, 27)],
    "Pacific/Apia": [date(2011, 12, 30)],
    "Antarctica/Troll": [date(2026, 3, 29), date(2026, 10, 25)],
    "Asia/Kathmandu": [date(2026, 5, 1)],
    "UTC": [date(2026, 2, 28)],
}
"""Days on which clocks change by half an hour, one, two or a whole day, at two, three or midnight; and none."""


@st.composite
def fields(draw: st.DrawFn, low: int, high: int, names: tuple[str, ...] = ()) -> str:
    """One field: a list of stars, numbers and ranges, some with steps or by name."""

    def value(number: int) -> str:
        name = names[(number - low) % len(names)] if names and number < low + len(names) else ""
        return draw(st.sampled_from([str(number), name, name.lower()])) if name else str(number)

    def item() -> str:
        first, last = sorted(draw(st.tuples(st.integers(low, high), st.integers(low, high))))
        step = draw(st.sampled_from(["", "", "/2", "/3", "/7", "/15", "/100"]))
        return draw(st.sampled_from(["*" + step, value(first), f"{value(first)}-{value(last)}{step}"]))

    return ",".join(item() for _ in range(draw(st.integers(1, 3))))


@st.composite
def expressions(draw: st.DrawFn) -> str:
    often = draw(st.booleans())
    free = ["*", "*"] if often else []
    return " ".join(
        [
            draw(fields(0, 59)),
            draw(st.sampled_from(["*", "0", "1-3", "2", "*/2"]) | fields(0, 23)),
            draw(st.sampled_from(free) | fields(1, 31) if free else fields(1, 31)),
            draw(st.sampled_from(["*", "*"]) | fields(1, 12, MONTHS)),
            draw(st.sampled_from(free) | fields(0, 7, DAYS) if free else fields(0, 7, DAYS)),
        ]
    )


@st.composite
def windows(draw: st.DrawFn) -> tuple[str, datetime]:
    zone = draw(st.sampled_from(sorted(CHANGES)))
    day = draw(st.sampled_from(CHANGES[zone]))
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - 2 * DAY
    return zone, start + draw(st.integers(0, 2 * 24 * 60)) * MINUTE


def expanded(field: str, low: int, high: int, names: tuple[str, ...] = ()) -> set[int]:
    """The numbers that a field stands for, by the words of crontab(5)."""
    found: set[int] = set()
    for item in field.upper().split(","):
        span, _, step = item.partition("/")
        ends = [low, high] if span == "*" else span.split("-")
        first, last = [names.index(end) + low if end in names else int(end) for end in (ends[0], ends[-1])]
        found |= set(range(first, last + 1, int(step or 1)))
    return found


class EachMinute:
    """What an expression names, found by looking at every minute."""

    def __init__(self, text: str, zone: str) -> None:
        minute, hour, day, month, weekday = text.split()
        self.minutes, self.hours = expanded(minute, 0, 59), expanded(hour, 0, 23)
        self.days, self.months = expanded(day, 1, 31), expanded(month, 1, 12, MONTHS)
        self.weekdays = {number % 7 for number in expanded(weekday, 0, 7, DAYS)}
        self.both = day.startswith("*") or weekday.startswith("*")
        self.zone = ZoneInfo(zone)

    def fits(self, wall: datetime) -> bool:
        by_number, by_weekday = wall.day in self.days, wall.isoweekday() % 7 in self.weekdays
        is_day = (by_number and by_weekday) if self.both else (by_number or by_weekday)
        return wall.minute in self.minutes and wall.hour in self.hours and is_day and wall.month in self.months

    def is_at(self, moment: datetime) -> bool:
        """Whether it comes at this minute: by what the clock shows now and, after a jump, by what it left out."""
        now, before = (each.astimezone(self.zone) for each in (moment, moment - MINUTE))
        wall = now.replace(tzinfo=None, fold=0)
        if len(self.hours) == 24:
            return self.fits(wall)
        left_out = before.replace(tzinfo=None, fold=0) + MINUTE
        while left_out < wall:
            if self.fits(left_out):
                return True
            left_out += MINUTE
        return now.fold == 0 and self.fits(wall)

    def between(self, after: datetime, until: datetime) -> list[datetime]:
        minutes = int((until - after) / MINUTE)
        return [after + n * MINUTE for n in range(1, minutes + 1) if self.is_at(after + n * MINUTE)]


@settings(deadline=None)
@given(expressions(), windows())
@example("30 2 * * *", ("Europe/Vienna", datetime(2026, 3, 28, 12, tzinfo=UTC)))
@example("*/15 * * * *", ("Europe/Vienna", datetime(2026, 10, 25, 0, 40, tzinfo=UTC)))
@example("0,30 2-3 * * *", ("Australia/Lord_Howe", datetime(2026, 10, 3, 12, tzinfo=UTC)))
@example("35 7-7/2 * * *", ("UTC", datetime(2026, 5, 31, 5, tzinfo=UTC)))
@example("*/20 * 25 10 SUN", ("Europe/Vienna", datetime(2026, 10, 24, 23, tzinfo=UTC)))
def test_the_times_are_those_of_every_minute(text: str, window: tuple[str, datetime]) -> None:
    """All of three days, in order and once each; what is found by looking at each minute is the reference."""
    zone, after = window
    until = after + 3 * DAY
    expected = EachMinute(text, zone).between(after, until)
    try:
        cron = Cron.parse(text, zone)
    except Unfit:
        # A day that no month has, which the cases below tell from one that some month has.
        assert expected == []
        return
    assert [*takewhile(lambda moment: moment <= until, cron.times(after))] == expected
    assert cron.after(after) == (expected[0] if expected else cron.after(until))
    assert cron.latest(after, until) == (expected[-1] if expected else None)


@pytest.mark.parametrize(
    ("zone", "text", "day", "comes"),
    [
        ("Europe/Vienna", "30 2 * * *", date(2026, 3, 29), ["03:00+02:00"]),
        ("Europe/Vienna", "30 2 * * *", date(2026, 10, 25), ["02:30+02:00"]),
        ("Europe/Vienna", "0,30 2-3 * * *", date(2026, 3, 29), ["03:00+02:00", "03:30+02:00"]),
        (
            "Europe/Vienna",
            "30 * * * *",
            date(2026, 3, 29),
            [f"{h:02}:30+0{1 if h < 2 else 2}:00" for h in range(24) if h != 2],
        ),
        ("America/New_York", "15 2 * * *", date(2026, 3, 8), ["03:00-04:00"]),
        ("America/New_York", "15 1 * * *", date(2026, 11, 1), ["01:15-04:00"]),
        ("Australia/Lord_Howe", "10 2 * * *", date(2026, 10, 4), ["02:30+11:00"]),
        ("Australia/Lord_Howe", "45 1 * * *", date(2026, 4, 5), ["01:45+11:00"]),
        ("Asia/Beirut", "@daily", date(2026, 3, 29), ["01:00+03:00"]),
        ("America/Havana", "@daily", date(2026, 11, 1), ["00:00-04:00"]),
        ("Antarctica/Troll", "30 1,2 * * *", date(2026, 3, 29), ["03:00+02:00"]),
    ],
)
def test_a_day_on_which_the_clock_changes(zone: str, text: str, day: date, comes: list[str]) -> None:
    """A time that is left out comes once, at the jump; one that comes twice is the first of the two."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) - MINUTE
    until = (datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) + DAY).astimezone(UTC)
    found = takewhile(lambda moment: moment < until, Cron.parse(text, zone).times(midnight.astimezone(UTC)))
    assert [
        moment.astimezone(ZoneInfo(zone)).isoformat()[11:].replace(":00+", "+").replace(":00-", "-") for moment in found
    ] == comes


def test_every_quarter_of_an_hour_stays_one_through_both_changes() -> None:
    """Whoever wants data every quarter of an hour gets no gap in autumn, and none in spring."""
    cron = Cron.parse("*/15 * * * *", "Europe/Vienna")
    for month, day in ((3, 29), (10, 25)):
        start = datetime(2026, month, day, tzinfo=UTC)
        found = [*takewhile(lambda moment: moment <= start + DAY, cron.times(start))]  # noqa: B023
        assert found == [start + n * 15 * MINUTE for n in range(1, 97)]


def test_names_of_times_and_of_days() -> None:
    """@daily and its kind, and names that a range may end with."""
    assert {name: Cron.parse(name).text for name in NAMED} == NAMED
    assert Cron.parse("0 6 * jan,JUL fri-sun").text == "0 6 * 1,7 5-7"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("30 2 * *", "five fields"),
        ("0 30 2 * * *", "five fields"),
        ("@reboot", "five fields"),
        ("60 * * * *", "no such minute"),
        ("0 24 * * *", "no such hour"),
        ("0 0 31 2 *", "no such day of the month"),
        ("0 0 * * 8", "no such day of the week"),
        ("0 0 * * 5-1", "no such day of the week"),
        ("5/15 * * * *", "'5/15' is no minute"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("0 0 L * *", "'L' is no day of the month"),
        ("0 0 * * MON#2", "'1#2' is no day of the week"),
        ("0 0 * * monday", "'MONDAY' is no day of the week"),
        ("1,,2 * * * *", "'' is no minute"),
    ],
)
def test_what_is_no_expression_is_said(text: str, said: str) -> None:
    """Also what other tools understand and crontab(5) does not have."""
    with pytest.raises(Unfit) as raised:
        Cron.parse(text)
    assert said in raised.value.what
    assert raised.value.next


@pytest.mark.parametrize(
    ("zone", "next"), [("Europe/vienna", "'Europe/Vienna'"), ("", "Europe/Vienna"), ("../etc", "")]
)
def test_what_is_no_zone_is_said(zone: str, next: str) -> None:
    """With the nearest there is."""
    with pytest.raises(Unfit) as raised:
        Cron.parse("@daily", zone)
    assert next in raised.value.next


def test_a_long_time_is_looked_through_at_once() -> None:
    """What was last, after years in which nothing ran."""
    start, now = datetime(2001, 1, 1, tzinfo=UTC), datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
    assert Cron.parse("* * * * *").latest(start, now) == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert Cron.parse("0 0 29 2 *").latest(start, now) == datetime(2024, 2, 29, tzinfo=UTC)
    assert Cron.parse("0 0 29 2 *").latest(datetime(2024, 3, 1, tzinfo=UTC), now) is None
