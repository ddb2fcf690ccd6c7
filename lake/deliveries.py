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
        "rows": pl.Int64(),
        "rows_before": pl.Int64(),
        "change": pl.Float64(),
        "file": pl.String(),
    }
)
"""``status`` is expected (its period is over, it is not due yet), missing (nothing came by the day it was due),
arrived, late (came after that day), set aside (what came could not be read), retracted (what came was taken back), or
unplanned (a file whose name tells no period). ``rows`` are those in bronze now; ``change`` is their growth against the
period before."""

USED = ("dataset", "delivery", "file", "sha256", "fate", "on_correction", "origin", "arrived_at", "ingested_at", "rows")
"""The columns of the ledger that are looked at."""


@dataclass
class _Arrivals:
    """What came under the names of one period, or under one name that tells none."""

    files: set[str] = field(default_factory=set)
    standing: dict[str, dict[str, int]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last_file: str = ""

    @property
    def rows(self) -> int:
        """The rows that are in bronze."""
        return sum(sum(rows.values()) for rows in self.standing.values())

    def add(self, entry: Mapping[str, Any], *, is_twin: bool) -> None:
        """One more entry of the ledger, in the order of the deliveries."""
        file, fate = entry["file"], entry["fate"]
        standing = self.standing.setdefault(file, {})
        self.last_file = file
        self.files.add(file)
        if fate in (Fate.INGESTED, Fate.KEPT):
            self._take(standing, entry)
            self.counts["duplicates"] += is_twin
        elif fate == Fate.RETRACTED:
            standing.clear()
            self.first = None
            self.counts["retracted"] += 1
        elif fate == Fate.REJECTED:
            self.counts["set_aside"] += 1
        elif fate == Fate.KNOWN:
            self.counts["duplicates"] += 1

    def _take(self, standing: dict[str, int], entry: Mapping[str, Any]) -> None:
        """A reading that went in: another one of the same bytes takes the place of the one before."""
        if entry["origin"] is None:
            self.counts["corrected"] += bool(standing)
            if entry["on_correction"] == "replace":
                standing.clear()
        standing[entry["origin"] or entry["delivery"]] = entry["rows"]
        self.first = min(self.first or entry["arrived_at"], entry["arrived_at"])

    def status(self, due: date | None, today: date) -> str:
        """What became of a period that is due on a day."""
        if any(self.standing.values()) and self.first is not None:
            return "late" if due is not None and self.first.date() > due else "arrived"
        if self.counts["retracted"]:
            return "retracted"
        if self.counts["set_aside"]:
            return "set aside"
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
    counts = {name: came.counts[name] for name in ("corrected", "duplicates", "set_aside")}
    return {"dataset": dataset, "files": len(came.files), "rows": came.rows, "arrived_at": came.first, **counts}
