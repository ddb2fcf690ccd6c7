"""What was expected and what came: each status, counted from a ledger as the lake writes it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from catalog.ledger import Entry, Fate, frame_of
from lake.deliveries import SCHEMA, deliveries
from lake.schedule import Period, Schedule

MONTHLY = Schedule("month", "cpi_{yyyy}-{mm}*", "Tirol", due_days=15, starts=Period.of("month", date(2026, 1, 1)))


class Ledger:
    """Entries as a lake writes them, a batch each."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, file: str, day: date, rows: int = 10, fate: Fate = Fate.INGESTED, **more: Any) -> str:
        number = len(self.entries) + 1
        moment = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
        values = {
            "dataset": "prices",
            "batch": f"prices/{number:08d}",
            "delivery": f"prices/{number:08d}/000000",
            "sha256": f"bytes {number}",
            "on_correction": "replace",
        }
        rest = {"version_id": "v", "size_bytes": 1, "archived_as": None, "arrived_at": moment}
        entry = Entry(
            **values | rest | {"ingested_at": moment + timedelta(hours=1)} | more, file=file, fate=fate, rows=rows
        )
        self.entries.append(entry)
        return entry.delivery

    def told(self, today: date, schedule: Schedule | None = MONTHLY) -> list[dict[str, Any]]:
        schedules = {} if schedule is None else {"prices": schedule}
        frame = deliveries(frame_of(self.entries), schedules, today)
        assert frame.schema == SCHEMA
        return frame.to_dicts()


def test_expected_missing_arrived_late() -> None:
    """By the day it is due: nothing is expected of a period that is not over."""
    ledger = Ledger()
    ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 15))
    ledger.add("prices/cpi_2026-03.csv", date(2026, 4, 16))
    told = {row["period"]: row["status"] for row in ledger.told(date(2026, 5, 15))}
    assert told == {"2026-01": "arrived", "2026-02": "missing", "2026-03": "late", "2026-04": "expected"}
    assert ledger.told(date(2026, 5, 16))[-1]["status"] == "missing"
    assert [row["due"] for row in ledger.told(date(2026, 2, 1))] == [date(2026, 2, 15)]
    assert ledger.told(date(2026, 1, 31)) == []


def test_as_it_was_on_a_day() -> None:
    """What arrived later was not known then."""
    ledger = Ledger()
    ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 20))
    assert [row["status"] for row in ledger.told(date(2026, 2, 19))] == ["missing"]
    assert [row["status"] for row in ledger.told(date(2026, 2, 20))] == ["late"]


def test_a_correction_takes_the_place_of_what_came() -> None:
    """Its rows count, and it does not make late what came in time; under append both count."""
    for policy, rows in (("replace", 7), ("append", 17)):
        ledger = Ledger()
        ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 10), on_correction=policy)
        ledger.add("prices/cpi_2026-01.csv", date(2026, 3, 1), rows=7, on_correction=policy)
        (row,) = ledger.told(date(2026, 3, 1), MONTHLY)[:1]
        assert (row["status"], row["corrected"], row["files"], row["rows"]) == ("arrived", 1, 1, rows)
        assert row["arrived_at"].date() == date(2026, 2, 10)


def test_a_replay_is_no_correction() -> None:
    """The same bytes, read again, take the place of their earlier reading, whatever the policy."""
    ledger = Ledger()
    first = ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 10), rows=9, on_correction="append")
    ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 12), rows=10, on_correction="append", origin=first)
    (row,) = ledger.told(date(2026, 2, 14))
    assert (row["rows"], row["corrected"], row["duplicates"]) == (10, 0, 0)


def test_duplicates_are_counted() -> None:
    """The same bytes under the same name, and under another."""
    ledger = Ledger()
    ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 10), sha256="x")
    ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 11), rows=0, fate=Fate.KNOWN, sha256="x")
    ledger.add("prices/cpi_2026-01 (2).csv", date(2026, 2, 12), sha256="x")
    (row,) = ledger.told(date(2026, 2, 14))
    assert (row["duplicates"], row["files"], row["corrected"]) == (2, 2, 0)


def test_what_could_not_be_read_has_not_arrived() -> None:
    """It is said to be set aside; read in the end, it arrived when the good one did."""
    ledger = Ledger()
    ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 10), rows=0, fate=Fate.REJECTED)
    (row,) = ledger.told(date(2026, 2, 20))
    assert (row["status"], row["set_aside"], row["rows"]) == ("set aside", 1, 0)
    ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 19))
    assert ledger.told(date(2026, 2, 20))[0]["status"] == "late"


def test_what_waits_is_shown_and_not_how_often_it_was_read() -> None:
    """A file that is read again and again waits once; read in the end, or corrected, it waits no more."""
    for policy, last in (("replace", 0), ("append", 1)):
        ledger = Ledger()
        first = ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 10), rows=0, fate=Fate.REJECTED)
        ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 10), rows=0, fate=Fate.REJECTED, origin=first)
        assert ledger.told(date(2026, 2, 20))[0]["set_aside"] == 1
        ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 11), rejected=2, refused=1, on_correction=policy)
        (row,) = ledger.told(date(2026, 2, 20))
        assert (row["status"], row["set_aside"], row["rejected"]) == ("arrived", last + 1, 2)
        ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 11), origin=first, on_correction="append")
        assert ledger.told(date(2026, 2, 20))[0]["set_aside"] == 1


def test_a_correction_that_is_mended_takes_the_place_of_what_came() -> None:
    """Its rows alone are there, and what waited of the older reading waits no more."""
    ledger = Ledger()
    ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 10), rejected=3)
    second = ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 11), rows=0, fate=Fate.REJECTED)
    assert [ledger.told(date(2026, 2, 14))[0][name] for name in ("rows", "set_aside", "rejected")] == [10, 1, 3]
    ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 11), rows=7, origin=second)
    (row,) = ledger.told(date(2026, 2, 14))
    assert (row["rows"], row["set_aside"], row["rejected"], row["corrected"]) == (7, 0, 0, 1)


def test_what_was_taken_back_is_gone() -> None:
    """Until it comes again; one that was deleted before it was read never came."""
    ledger = Ledger()
    ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 10))
    ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 10), rows=0, fate=Fate.RETRACTED)
    ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 10), rows=0, fate=Fate.REJECTED)
    assert ledger.told(date(2026, 2, 20))[0]["status"] == "set aside"
    ledger.add("prices/cpi_2026-01.csv", date(2026, 2, 10), rows=0, fate=Fate.RETRACTED)
    (row,) = ledger.told(date(2026, 2, 20))
    assert (row["status"], row["rows"], row["set_aside"]) == ("retracted", 0, 0)
    ledger.add("prices/cpi_2026-02.csv", date(2026, 3, 1), rows=0, fate=Fate.WITHDRAWN)
    assert ledger.told(date(2026, 4, 1))[1]["status"] == "missing"


def test_rows_against_the_period_before() -> None:
    """A share of growth; none where the period before had none."""
    ledger = Ledger()
    for month, rows in ((1, 100), (2, 50), (4, 75)):
        ledger.add(f"prices/cpi_2026-{month:02}.csv", date(2026, month + 1, 1), rows=rows)
    told = [(row["rows"], row["rows_before"], row["change"]) for row in ledger.told(date(2026, 5, 1))]
    assert told == [(100, None, None), (50, 100, -0.5), (0, 50, None), (75, 0, None)]


def test_several_files_of_a_period_are_one_delivery() -> None:
    """Their rows are added."""
    ledger = Ledger()
    ledger.add("prices/cpi_2026-01_north.csv", date(2026, 2, 1), rows=3)
    ledger.add("prices/cpi_2026-01_south.csv", date(2026, 2, 2), rows=4)
    (row,) = ledger.told(date(2026, 2, 5))
    assert (row["files"], row["rows"], row["corrected"]) == (2, 7, 0)


def test_a_name_that_tells_no_period_is_unplanned() -> None:
    """And it does not stand for any period."""
    ledger = Ledger()
    ledger.add("prices/readme.csv", date(2026, 2, 1))
    told = [(row["period"], row["status"], row["file"]) for row in ledger.told(date(2026, 2, 20))]
    assert told == [("2026-01", "missing", None), (None, "unplanned", "prices/readme.csv")]


def test_a_period_that_something_came_for_early_is_shown() -> None:
    """Also before its end."""
    ledger = Ledger()
    ledger.add("prices/cpi_2026-02.csv", date(2026, 2, 5))
    told = {row["period"]: row["status"] for row in ledger.told(date(2026, 2, 6))}
    assert told == {"2026-01": "expected", "2026-02": "arrived"}


def test_without_a_start_the_first_that_came_is_the_first() -> None:
    """And where nothing came, the last period that is over is expected."""
    schedule = Schedule("quarter", "lfs_{yyyy}Q{q}*", due_days=30)
    ledger = Ledger()
    assert [row["period"] for row in ledger.told(date(2026, 5, 5), schedule)] == ["2026-Q1"]
    ledger.add("prices/lfs_2025Q3.csv", date(2025, 10, 5))
    periods = [row["period"] for row in ledger.told(date(2026, 5, 5), schedule)]
    assert periods == ["2025-Q3", "2025-Q4", "2026-Q1"]


def test_without_a_schedule_what_came_is_listed() -> None:
    """A row for each name."""
    ledger = Ledger()
    ledger.add("prices/a.csv", date(2026, 2, 1), rows=3)
    ledger.add("prices/b.csv", date(2026, 2, 1), rows=0, fate=Fate.REJECTED)
    told = [(row["file"], row["status"], row["rows"]) for row in ledger.told(date(2026, 2, 5), None)]
    assert told == [("prices/a.csv", "arrived", 3), ("prices/b.csv", "set aside", 0)]


def test_an_empty_ledger_is_no_error() -> None:
    """Nothing came, nothing is expected."""
    assert deliveries(frame_of([]), {}, date(2026, 1, 1)).equals(pl.DataFrame(schema=SCHEMA))
