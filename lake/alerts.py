"""Alerts: whoever should know of a failed run, of rows that were set aside, or of a delivery that is late, is told.

An alert is sent after everything is written down, beside whatever comes next, and within a time: what does not answer
delays nothing, and is said. The same alert is not sent again for some hours.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from catalog.errors import LakeError
from catalog.ledger import LEDGER, SCHEMA
from catalog.register import Ended, Status, TableRun
from catalog.tables import store_faults
from lake.deliveries import USED, deliveries
from lake.local import write_private
from lake.logs import LOGGER, RunLog
from lake.outlets import Outlets
from lake.published import Published
from lake.sending import Said, send
from lake.workspace import Workspace

STATE_FILE = "alerts.json"
FORMAT = 1

OVERDUE = ("late", "missing")
LATE_DAYS = 31
"""A delivery that was due earlier is no news any more."""

NAMED_MAX = 20
"""So many tables, or deliveries, are named in one alert."""


@dataclass(frozen=True)
class Alert:
    """What somebody is to know: ``key`` is the same for what is the same, ``details`` is JSON."""

    event: str
    subject: str
    text: str
    key: tuple[str, ...]
    details: Mapping[str, Any] = field(default_factory=dict)


def alert(lake: Workspace, ended: Ended | None, log: RunLog) -> None:
    """Tell of what a run (None: one that did nothing) came to, as the settings say. Raises nothing, waits for nothing.

    A run that failed since the store does not answer is told of all the same.
    """
    outlets = lake.settings.outlets()
    if not outlets:
        return

    def said(level: int, told: str) -> None:
        log.append(level, "alert", told)
        if level >= logging.WARNING:
            LOGGER.getChild("alerts").log(level, "%s", log.redact(told))

    memory = _Memory.read(lake.settings.state / STATE_FILE)
    for each in _of_end(lake.settings.name, outlets, ended):
        if memory.is_new(each.key, timedelta(hours=outlets.repeat_hours)):
            _send(lake, outlets, each, log, said)
    if "late" in outlets.events and lake.settings.schedules() and memory.is_due(ended is not None):
        try:
            rows = [row for row in _overdue(lake) if memory.is_new(_key(row), timedelta(days=LATE_DAYS * 2))]
        except LakeError as error:
            said(logging.ERROR, f"which deliveries are late is not known: {error.what}")
        else:
            if rows:
                _send(lake, outlets, of_deliveries(lake.settings.name, rows), log, said)
    memory.write()


def _send(lake: Workspace, outlets: Outlets, what: Alert, log: RunLog, said: Said) -> None:
    body = {"lake": lake.settings.name, "event": what.event, "subject": what.subject, "text": what.text, **what.details}
    send(outlets, log.redact(body | {"at": datetime.now(UTC).isoformat(timespec="seconds")}), said)


def _of_end(lake: str, outlets: Outlets, ended: Ended | None) -> Iterator[Alert]:
    if ended is not None and "failed" in outlets.events and ended.status is Status.FAILED:
        yield of_failure(lake, ended)
    if ended is not None and "quarantined" in outlets.events and any(map(_aside, ended.tables)):
        yield of_quarantine(lake, ended)


def of_failure(lake: str, ended: Ended) -> Alert:
    """A run failed: which tables did, and why."""
    failed = [each for each in ended.tables if each.status == "failed"]
    told = [f"{each.table}: {each.error}" for each in failed[:NAMED_MAX]] or [str(ended.error)]
    more = [f"and {len(failed) - NAMED_MAX} more tables"] if len(failed) > NAMED_MAX else []
    ways = [f"next: lake runs show {ended.begun.run}", f"      lake runs log {ended.begun.run}"]
    return Alert(
        "failed",
        f"{lake}: {ended.begun.command} failed",
        "\n".join([f"Run {ended.begun.run} on {ended.begun.host} failed.", "", *told, *more, "", *ways]),
        ("failed", ended.begun.command, *(each.table for each in failed), "" if failed else str(ended.error)),
        _of_run(ended) | {"error": ended.error, "where": ended.where, "tables": [each.table for each in failed]},
    )


def of_quarantine(lake: str, ended: Ended) -> Alert:
    """A run set something aside: of which tables, and how much."""
    aside = {each.table: _aside(each) for each in ended.tables if _aside(each)}
    told = [f"{table}: {text}" for table, text in list(aside.items())[:NAMED_MAX]]
    begun = ended.begun
    return Alert(
        "quarantined",
        f"{lake}: {begun.command} set records aside",
        "\n".join([f"Run {begun.run} on {begun.host} set aside:", "", *told, "", "next: lake quarantine list"]),
        ("quarantined", begun.run),
        _of_run(ended) | {"tables": aside},
    )


def of_deliveries(lake: str, rows: Sequence[Mapping[str, Any]]) -> Alert:
    """Deliveries that were due are missing, or came late."""
    told = [
        f"{row['dataset']} {row['period']}{' of ' + row['supplier'] if row['supplier'] else ''} was due on {row['due']}"
        + (" and is missing" if row["status"] == "missing" else " and came late")
        for row in rows[:NAMED_MAX]
    ]
    more = [f"and {len(rows) - NAMED_MAX} more"] if len(rows) > NAMED_MAX else []
    fields = ("dataset", "supplier", "period", "due", "status")
    overdue = [{name: str(row[name] or "") for name in fields} for row in rows]
    subject = f"{lake}: {told[0]}" if len(rows) == 1 else f"{lake}: {len(rows)} deliveries are late"
    text = "\n".join([*told, *more, "", "next: lake deliveries"])
    return Alert("late", subject, text, ("late",), {"deliveries": overdue})


def _of_run(ended: Ended) -> dict[str, Any]:
    return {"run": ended.begun.run, "command": ended.begun.command, "status": str(ended.status)}


def _aside(each: TableRun) -> str:
    """How much was set aside of one table; empty where nothing was."""
    told = [f"{each.rejected:,} records"] if each.rejected else []
    return " and ".join([*told, f"{each.files_aside:,} files"] if each.files_aside else told)


def _overdue(lake: Workspace) -> list[dict[str, Any]]:
    """The deliveries of late that are missing, or came after their day, by what is published. Raises `StoreError`."""
    view = Published(lake.store, lake.log.head(), lake.settings)
    if view.commit.version(LEDGER) is None:
        return []
    with store_faults(f"read {LEDGER}"):
        known = view.read_own(LEDGER, SCHEMA).select(USED).collect(engine="streaming")
    today = datetime.now(UTC).date()
    found = deliveries(known, lake.settings.schedules(), today)
    is_recent = pl.col("due") >= today - timedelta(days=LATE_DAYS)
    return found.filter(is_recent, pl.col("status").is_in(OVERDUE)).to_dicts()


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return ("late", row["dataset"], str(row["period"]), row["status"])


class _Memory:
    """What was told lately, and on which day it was looked for deliveries that are late."""

    def __init__(self, path: Path, told: Mapping[str, str], day: str) -> None:
        self._path = path
        self._now = datetime.now(UTC)
        self._told = {key: until for key, until in told.items() if until > self._now.isoformat()}
        self._day = day

    @classmethod
    def read(cls, path: Path) -> "_Memory":
        """What is remembered; nothing where that cannot be read: then something is told twice."""
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            return cls(path, dict(known["told"]), str(known["day"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls(path, {}, "")

    def is_new(self, key: tuple[str, ...], silence: timedelta) -> bool:
        """Whether this was not told lately; from here on, and for so long, it was."""
        digest = hashlib.sha256("\n".join(key).encode()).hexdigest()[:16]
        if digest in self._told:
            return False
        self._told[digest] = (self._now + silence).isoformat()
        return True

    def is_due(self, is_news: bool) -> bool:
        """Whether it is to be looked for late deliveries: where something came, and once a day."""
        today = str(self._now.date())
        looked, self._day = self._day, today
        return is_news or looked != today

    def write(self) -> None:
        """Remember it."""
        with suppress(OSError):
            write_private(self._path, json.dumps({"format": FORMAT, "told": self._told, "day": self._day}) + "\n")
