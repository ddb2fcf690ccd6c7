"""What is due: decided from what was served, what time it is, and since when somebody has been looking."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalog.errors import UsageError
from catalog.turns import Turn
from catalog.zones import TableName
from lake.cron import Cron
from lake.settings import Settings
from lake.timetable import TRIES_MAX, Clock, Due, Timetable, due_by_change, due_by_clock

HOURLY = Timetable("hourly", Cron.parse("0 * * * *"))
SKIPS = replace(HOURLY, missed="skip")


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 23, hour, minute, tzinfo=UTC)


def turn(number: int, due: datetime | None, ended: datetime | None = None, status: str = "ok") -> Turn:
    begun = due or ended
    assert begun is not None
    return Turn(number, begun, "here", "", 1, "", due=due, ended=ended, status=status if ended else "")


MORNING = at(7)
SERVED = turn(1, at(8), at(8, 5))
BROKEN = turn(2, at(9), at(9, 5), "interrupted")
AT_WORK = turn(2, at(9))


def due(
    timetable: Timetable, newest: Turn, now: datetime, awake: datetime = MORNING, *, is_gone: bool = False
) -> Due | None:
    return due_by_clock(timetable, newest, Clock(now, awake), is_gone=is_gone)


def test_a_time_is_due_when_it_has_come_and_is_not_served() -> None:
    """Not a second before it, once, and of several that passed the last."""
    assert due(HOURLY, SERVED, at(9) - timedelta(seconds=1)) is None
    assert due(HOURLY, SERVED, at(9)) == Due(at(9), "its time")
    assert due(HOURLY, turn(2, at(9), at(9, 1)), at(9, 2)) is None
    assert due(HOURLY, SERVED, at(11, 30)) == Due(at(11), "its time")


def test_what_is_new_owes_nothing_of_the_past() -> None:
    """Times count from when a schedule was first seen."""
    first = turn(0, None, at(8, 30))
    assert due(HOURLY, first, at(8, 59)) is None
    assert due(HOURLY, first, at(9)) == Due(at(9), "its time")


def test_times_that_passed_while_nothing_served_come_once_or_not_at_all() -> None:
    """By what the schedule says; a minute without a server is none."""
    awake = at(11, 30)
    assert due(HOURLY, SERVED, at(11, 31), awake) == Due(at(11), "missed, while nothing served it")
    assert due(SKIPS, SERVED, at(11, 31), awake) is None
    assert due(SKIPS, SERVED, at(12), awake) == Due(at(12), "its time")
    assert due(SKIPS, SERVED, at(11, 1), at(11, 0) + timedelta(seconds=50)) == Due(at(11), "its time")


def test_times_that_come_while_the_run_is_at_work_are_skipped() -> None:
    """Also once it has ended."""
    assert due(HOURLY, AT_WORK, at(11, 30)) is None
    assert due(HOURLY, turn(2, at(9), at(11, 30)), at(11, 31)) is None
    assert due(HOURLY, turn(2, at(9), at(11, 30)), at(12)) == Due(at(12), "its time")


@pytest.mark.parametrize(("newest", "is_gone"), [(AT_WORK, True), (BROKEN, False)])
def test_a_turn_that_was_broken_off_is_taken_again(newest: Turn, is_gone: bool) -> None:
    """A few times; then, as where missed times are skipped, the next time is the next."""
    again = due(HOURLY, newest, at(9, 30), is_gone=is_gone)
    assert again == Due(at(9), "its run was broken off", tries=2)
    assert due(HOURLY, replace(newest, tries=TRIES_MAX), at(9, 30), is_gone=is_gone) is None
    assert due(SKIPS, newest, at(9, 30), is_gone=is_gone) is None
    assert due(HOURLY, newest, at(10), is_gone=is_gone) == Due(at(10), "its time")


def test_a_clock_that_was_put_back_serves_nothing_twice() -> None:
    """Until it has caught up."""
    assert due(HOURLY, turn(1, at(9), at(9, 1)), at(8, 30)) is None
    assert due(HOURLY, turn(1, at(9), at(9, 1)), at(9, 30)) is None


def test_a_change_is_a_version_that_was_not_seen_or_a_file_in_landing() -> None:
    """The first look takes what is published for new."""
    follows = Timetable("follows", when=(TableName.parse("bronze.flights"),))
    seen = replace(SERVED, seen={"bronze.flights": 3})
    clock = Clock(at(9), at(7))

    def why(newest: Turn, published: dict[str, int], landed: int = 0) -> str:
        found = due_by_change(follows, newest, published, landed, clock, is_gone=False)
        return "" if found is None else found.why

    assert why(seen, {"bronze.flights": 3}) == ""
    assert why(seen, {"bronze.flights": 4}) == "bronze.flights is at version 4"
    assert why(seen, {"bronze.flights": 3}, 2) == "2 in landing"
    assert why(replace(seen, seen={}), {"bronze.flights": 0}) == "bronze.flights is at version 0"
    assert why(replace(seen, ended=None), {"bronze.flights": 4}) == ""
    assert why(replace(seen, status="interrupted"), {"bronze.flights": 3}) == "its run was broken off"
    assert follows.datasets == {"flights"}


def test_other_times_are_another_schedule() -> None:
    """What was served under the old ones says nothing of the new ones; what is run may change."""
    assert HOURLY.key == replace(HOURLY, run=("gold.a",), missed="skip").key
    assert HOURLY.key != replace(HOURLY, cron=Cron.parse("0 * * * *", "Europe/Vienna")).key


def load(folder: Path, toml: str) -> dict[str, Timetable]:
    (folder / "lake.toml").write_text(toml, encoding="utf-8")
    return Settings.load(folder, {}).timetables()


def test_schedules_are_read_from_the_settings(tmp_path: Path) -> None:
    """In the order of lake.toml."""
    toml = (
        '[schedules.nightly]\ncron = "30 2 * * mon-fri"\ntimezone = "Europe/Vienna"\nrun = ["gold.delays"]\n'
        '[schedules.follow]\nwhen = ["bronze.flights", "silver.planes"]\nmissed = "skip"\n'
        '[schedules.one]\nwhen = "bronze.flights"\n'
    )
    flights, planes = TableName.parse("bronze.flights"), TableName.parse("silver.planes")
    assert list(load(tmp_path, toml).values()) == [
        Timetable("nightly", Cron("30 2 * * 1-5", "Europe/Vienna"), run=("gold.delays",)),
        Timetable("follow", when=(flights, planes), missed="skip"),
        Timetable("one", when=(flights,)),
    ]


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("schedules = 3", ["schedules is a section"]),
        ("[schedules.n]", ["says nothing", "[schedules.n]"]),
        ('[schedules]\ncron = "@daily"', ["schedules.cron says nothing"]),
        ('[schedules.Nightly]\ncron = "@daily"', ["[schedules.Nightly]", "lower-case"]),
        ('[schedules.n]\nrun = ["gold.a"]', ["[schedules.n]", "does not say when"]),
        ('[schedules.n]\ncron = "@daily"\nwhen = "bronze.a"', ["both set"]),
        ('[schedules.n]\ncorn = "@daily"', ["'corn'", "'cron'"]),
        ('[schedules.n]\ncron = "@dayly"', ["[schedules.n] cron", "five fields"]),
        ('[schedules.n]\ncron = "@daily"\ntimezone = "Europe/Wien"', ["[schedules.n] timezone", "'Europe/Wien'"]),
        ('[schedules.n]\nwhen = "bronze.a"\ntimezone = "UTC"', ["timezone", "take it out"]),
        ('[schedules.n]\nwhen = "flights"', ["when", "'flights'"]),
        ("[schedules.n]\nwhen = []", ["when", "a table is needed"]),
        ('[schedules.n]\ncron = "@daily"\nrun = "gold.a"', ["run", "a list"]),
        ('[schedules.n]\ncron = "@daily"\nrun = ["bronze.a"]', ["run", "bronze.a"]),
        ('[schedules.n]\ncron = "@daily"\nmissed = "twice"', ["missed", "'once'"]),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, toml: str, said: list[str]) -> None:
    """Where it stands, and what to write."""
    with pytest.raises(UsageError) as raised:
        load(tmp_path, toml)
    assert all(text in str(raised.value) for text in said), str(raised.value)
    assert raised.value.next
