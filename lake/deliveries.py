"""What was expected and what came: the ledger's entries against each dataset's schedule, period by period."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl

from catalog.ledger import Fate
from lake.schedule import Period, Schedule

SCHEMA = pl.Schema(
    {
        "dataset": pl.String(),
        "supplier": pl.String(),
        "period": pl.String(),
        "due": pl.Date(),
        "status": pl.String(),
        "arrived_at": pl.Datetime("us", "UTC"),
        "files": pl.Int64(),
        "corrected": pl.Int64(),
        "duplicates": pl.Int64(),
        "set_aside": pl.Int64(),
        "rejected": pl.Int64(),
        "rows": pl.Int64(),
        "rows_before": pl.Int64(),
        "change": pl.Float64(),
        "file": pl.String(),
    }
)
"""``status`` is expected (its period is over, it is not due yet), missing (nothing came by the day it was due),
arrived, late (came after that day), set aside (what came could not be read), retracted (what came was taken back), or
unplanned (a file whose name tells no period). ``rows`` are those in bronze now; ``change`` is their growth against the
period before. What waits in the quarantine now: ``set_aside`` are files, or parts of files, that wait whole,
``rejected`` are single records of what is in bronze."""

USED = (
    *("dataset", "delivery", "file", "sha256", "fate", "on_correction", "origin", "arrived_at", "ingested_at"),
    *("rows", "rejected", "refused"),
)
"""The columns of the ledger that are looked at."""


@dataclass
class _Name:
    """One landing name: by delivery, the entry of the reading that stands, and the deliveries that wait whole."""

    standing: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)

    def take(self, entry: Mapping[str, Any], origin: str) -> None:
        """A delivery that went in, or is kept as it is.

        Where corrections replace, the older ones of a name give way to one that was read, also those that waited.
        """
        is_read = entry["fate"] == Fate.INGESTED
        if is_read and entry["on_correction"] == "replace":
            self.standing = {name: kept for name, kept in self.standing.items() if name > origin}
            self.waiting = {name for name in self.waiting if name > origin}
        if is_read:
            self.waiting.discard(origin)
        self.standing[origin] = entry


@dataclass
class _Arrivals:
    """What came under the names of one period, or under one name that tells none."""

    names: dict[str, _Name] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last_file: str = ""

    @property
    def files(self) -> int:
        """How many names came."""
        return len(self.names)

    @property
    def is_there(self) -> bool:
        """Whether anything of it was taken in."""
        return any(name.standing for name in self.names.values())

    @property
    def rows(self) -> int:
        """The rows that are in bronze."""
        return self._sum("rows")

    @property
    def rejected(self) -> int:
        """The records that wait, of what is in bronze."""
        return self._sum("rejected")

    @property
    def set_aside(self) -> int:
        """The files that wait whole, and the parts of others that do."""
        return sum(len(name.waiting) for name in self.names.values()) + self._sum("refused")

    def _sum(self, column: str) -> int:
        return sum(entry[column] or 0 for name in self.names.values() for entry in name.standing.values())

    def add(self, entry: Mapping[str, Any], *, is_twin: bool) -> None:
        """One more entry of the ledger, in the order of the deliveries."""
        file, fate = entry["file"], entry["fate"]
        name, origin = self.names.setdefault(file, _Name()), entry["origin"] or entry["delivery"]
        self.last_file = file
        if fate in (Fate.INGESTED, Fate.KEPT):
            self.counts["duplicates"] += is_twin
            self.counts["corrected"] += bool(name.standing) and origin not in name.standing
            self.first = min(self.first or entry["arrived_at"], entry["arrived_at"])
            name.take(entry, origin)
        elif fate == Fate.RETRACTED:
            self.names[file] = _Name()
            self.first = None
            self.counts["retracted"] += 1
        elif fate == Fate.REJECTED and origin not in name.standing:
            name.waiting.add(origin)
        elif fate == Fate.KNOWN:
            self.counts["duplicates"] += entry["origin"] is None

    def status(self, due: date | None, today: date) -> str:
        """What became of a period that is due on a day."""
        if self.is_there and self.first is not None:
            return "late" if due is not None and self.first.date() > due else "arrived"
        if self.set_aside:
            return "set aside"
        if self.counts["retracted"]:
            return "retracted"
        return "expected" if due is not None and today <= due else "missing"


def deliveries(ledger: pl.DataFrame, schedules: Mapping[str, Schedule], today: date) -> pl.DataFrame:
    """What was expected by a day and what came, in columns as `SCHEMA`, by dataset and period.

    ``ledger`` has the columns of `USED`. What arrived after ``today`` is left out. A dataset without a schedule has a
    row for each name that arrived.
    """
    known = _until(ledger, today).sort("dataset", "delivery")
    datasets = sorted({*known["dataset"].unique(), *schedules})
    rows: list[dict[str, Any]] = []
    for dataset in datasets:
        entries = known.filter(dataset=dataset).iter_rows(named=True)
        schedule = schedules.get(dataset)
        periods, names = _sorted_out(entries, schedule)
        if schedule is not None:
            rows += _expected(dataset, schedule, periods, today)
        for name, came in names.items():
            status = "unplanned" if schedule is not None and came.rows else came.status(None, today)
            rows.append(_row(dataset, came) | {"status": status, "file": name})
    return pl.DataFrame(rows, schema=SCHEMA)


def _until(ledger: pl.DataFrame, today: date) -> pl.DataFrame:
    """What was known by the end of a day: a file since it arrived, what a person did since it was done."""
    is_landed = pl.col("origin").is_null() & (pl.col("fate") != Fate.RETRACTED)
    since = pl.when(is_landed).then("arrived_at").otherwise("ingested_at")
    return ledger.filter(since.dt.date() <= today, pl.col("fate") != Fate.WITHDRAWN)


def _sorted_out(
    entries: Iterable[Mapping[str, Any]], schedule: Schedule | None
) -> tuple[dict[Period, _Arrivals], dict[str, _Arrivals]]:
    """What came for each period, and under each name that tells none."""
    periods: dict[Period, _Arrivals] = {}
    names: dict[str, _Arrivals] = {}
    first_names: dict[str, str] = {}
    for entry in entries:
        file, sha256 = entry["file"], entry["sha256"]
        period = None if schedule is None else schedule.period_of(file)
        came = names.setdefault(file, _Arrivals()) if period is None else periods.setdefault(period, _Arrivals())
        is_twin = sha256 is not None and first_names.setdefault(sha256, file) != file
        came.add(entry, is_twin=is_twin)
    return periods, names


def _expected(
    dataset: str, schedule: Schedule, periods: Mapping[Period, _Arrivals], today: date
) -> Iterator[dict[str, Any]]:
    """A row for each period that is over, and for each that something came for before its end."""
    first = schedule.starts or min(periods, default=_last_over(schedule, today))
    wanted = sorted({*schedule.expected(first, today), *periods})
    before: int | None = None
    for period in wanted:
        came, due = periods.get(period, _Arrivals()), schedule.due(period)
        row = _row(dataset, came) | {
            "supplier": schedule.supplier or None,
            "period": str(period),
            "due": due,
            "status": came.status(due, today),
            "rows_before": before,
            "file": came.last_file or None,
        }
        yield row | {"change": round(came.rows / before - 1, 4) if before and came.rows else None}
        before = came.rows


def _last_over(schedule: Schedule, today: date) -> Period:
    """The last period that is over."""
    start = Period.of(schedule.period, today).start
    return Period.of(schedule.period, date.fromordinal(start.toordinal() - 1))


def _row(dataset: str, came: _Arrivals) -> dict[str, Any]:
    counted = {name: came.counts[name] for name in ("corrected", "duplicates")}
    now = {"rows": came.rows, "set_aside": came.set_aside, "rejected": came.rejected}
    return {"dataset": dataset, "files": came.files, "arrived_at": came.first, **counted, **now}
