"""When runs are due: what ``lake.toml`` may say of a schedule, and what is due by what was served. All of it pure."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from catalog.errors import UsageError
from catalog.turns import Turn
from catalog.zones import TableName, Zone, parted
from lake.cron import Cron, require_zone
from lake.values import Key, Unfit, Value

MISSED = ("once", "skip")
TRIES_MAX = 3
"""A turn whose process died is taken again so many times in all: a run that kills its server is not begun for ever."""

GRACE = timedelta(seconds=60)
"""A time that passed while a server was away for less than this, as for an update, is not missed."""

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True)
class Timetable:
    """A schedule: at the times of ``cron``, or when one of some tables changes, the jobs of ``run`` (empty: all)."""

    name: str
    cron: Cron | None = None
    when: tuple[TableName, ...] = ()
    run: tuple[str, ...] = ()
    missed: str = "once"

    @property
    def rule(self) -> str:
        """When it runs, in the words of ``lake.toml``.

        >>> Timetable("nightly", Cron.parse("30 2 * * 1-5", "Europe/Vienna")).rule
        '30 2 * * 1-5 Europe/Vienna'
        """
        if self.cron is not None:
            return f"{self.cron.text} {self.cron.zone}"
        return f"when {', '.join(map(str, self.when))} changes"

    @property
    def key(self) -> str:
        """What its turns are kept by: other times, or other tables, are served from when they are first seen."""
        return f"{self.name}-{hashlib.sha256(self.rule.encode()).hexdigest()[:8]}"

    @property
    def datasets(self) -> frozenset[str]:
        """The datasets whose files, as they land, call for a run."""
        return frozenset(parted(name.name)[0] for name in self.when if name.zone is Zone.BRONZE)


@dataclass(frozen=True)
class Due:
    """A run that is due: the time that it serves, and why; ``tries`` counts it among those for the same time."""

    at: datetime
    why: str
    tries: int = 1


@dataclass(frozen=True)
class Clock:
    """What a server knows of time: what time it is, and since when it has been looking without a break."""

    now: datetime
    awake: datetime


def due_by_clock(timetable: Timetable, turn: Turn, clock: Clock, *, is_gone: bool) -> Due | None:
    """The run that a schedule by the clock owes: of several times that passed the last.

    Times that come while its own run is at work are nobody's. ``is_gone`` says that whoever took the turn is not there
    any more without having ended it.
    """
    if timetable.cron is None or (turn.is_at_work and not is_gone):
        return None
    is_open = turn.is_at_work or turn.status == "interrupted"
    after = max(filter(None, (turn.due, turn.at, None if is_open else turn.ended)))
    latest = timetable.cron.latest(after, clock.now)
    if latest is None:
        return _again(timetable, turn, is_open)
    if latest >= clock.awake - GRACE:
        return Due(latest, "its time")
    return Due(latest, "missed, while nothing served it") if timetable.missed == "once" else None


def due_by_change(
    timetable: Timetable, turn: Turn, published: Mapping[str, int], landed: int, clock: Clock, *, is_gone: bool
) -> Due | None:
    """The run that a schedule owes since a table is published anew, or since files have landed for it."""
    if turn.is_at_work and not is_gone:
        return None
    moved = [name for name, version in published.items() if turn.seen.get(name) != version]
    if moved:
        return Due(clock.now, f"{moved[0]} is at version {published[moved[0]]}")
    if landed:
        return Due(clock.now, f"{landed} in landing")
    return _again(timetable, turn, turn.is_at_work or turn.status == "interrupted")


def _again(timetable: Timetable, turn: Turn, is_open: bool) -> Due | None:
    """The turn that was broken off, once more."""
    if not is_open or timetable.missed != "once" or turn.due is None or turn.tries >= TRIES_MAX:
        return None
    return Due(turn.due, "its run was broken off", turn.tries + 1)


def _cron(text: str) -> str:
    Cron.parse(text)
    return text


def _zone(text: str) -> str:
    require_zone(text)
    return text


def _made(texts: tuple[str, ...]) -> tuple[str, ...]:
    for name in _tables(texts):
        if name.zone not in (Zone.SILVER, Zone.GOLD):
            raise Unfit(f"{name} is no table that a job makes", "name tables of silver or gold")
    return texts


def _sources(raw: object) -> tuple[TableName, ...]:
    texts = [raw] if isinstance(raw, str) else raw
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise Unfit("a table is needed, or a list of tables", 'write it as when = "bronze.flights"')
    return _tables(texts)


def _tables(texts: Any) -> tuple[TableName, ...]:
    try:
        return tuple(dict.fromkeys(map(TableName.parse, texts)))
    except UsageError as error:
        raise Unfit(error.what, error.next) from None


SCHEDULE_KEYS: Mapping[str, Key] = {
    "cron": Key(str, "", "when, as in crontab(5)", check=_cron),
    "timezone": Key(str, "UTC", "whose clock that is about", check=_zone),
    "when": Key(None, "", "or: the tables whose change calls for a run", check=_sources),
    "run": Key(tuple, "", "the tables to make; default: all", check=_made),
    "missed": Key(str, "once", "times that passed while nothing ran", choices=MISSED),
}
"""What [schedules.NAME] may say."""


def timetables(values: Mapping[str, Value]) -> dict[str, Timetable]:
    """The schedules of runs by name, in the order of ``lake.toml``. Raises `UsageError` where one is not whole."""
    names = dict.fromkeys(name.split(".")[1] for name in values if name.startswith("schedules."))
    return {name: _timetable(name, values) for name in names}


def require_name(name: str, where: str) -> None:
    """Raise `UsageError` for a name that a schedule cannot have."""
    if NAME.fullmatch(name) is None:
        raise UsageError(
            f"{where}: [schedules.{name}] is not a schedule's name",
            next="write it in up to 40 lower-case letters, digits, - and _",
        )


def _timetable(name: str, values: Mapping[str, Value]) -> Timetable:
    said = {key: values[full] for key in SCHEDULE_KEYS if (full := f"schedules.{name}.{key}") in values}
    section = next(iter(said.values())).source.rpartition(" ")[0]
    if ("cron" in said) == ("when" in said):
        both = "cron and when are both set" if "cron" in said else "it does not say when"
        raise UsageError(f"{section}: {both}", next='write cron = "30 2 * * 1-5", or when = "bronze.flights"')
    if "when" in said and "timezone" in said:
        raise UsageError(f"{said['timezone'].source}: there is no cron that it is about", next="take it out")
    of = {key: value.value for key, value in said.items()}
    cron = Cron.parse(of["cron"], of.get("timezone", "UTC")) if "cron" in of else None
    return Timetable(name, cron, of.get("when", ()), of.get("run", ()), of.get("missed", "once"))
