"""Times by the clock: an expression as crontab(5) has it, in a time zone, and the moments that it names.

Which wall times an expression names is asked of cronsim; when these come in a zone whose clocks change is decided here.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from heapq import heappop, heappush
from itertools import takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from lake.values import Unfit

NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

_FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
_LAST = (59, 23, 31, 12, 7)
_NO_ZONES = ("posix", "right", "posixrules")
"""What lies beside the zones, with other rules."""

_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
_LOOKS_BACK = (_DAY, 32 * _DAY, 400 * _DAY)


@dataclass(frozen=True)
class Cron:
    """Five fields of numbers, as crontab(5) has them, and the time zone whose clock they are about.

    A day fits if both its number and its weekday do, or, where neither field begins with a star, one of them. On a day
    whose clock jumps forward, a time that it leaves out comes once, at the jump; where the clock is put back, a time
    that comes twice is the first of the two. What comes at every hour of the day goes on each hour through both.

    >>> cron = Cron.parse("30 2 * * mon-fri", "Europe/Vienna")
    >>> cron.after(datetime(2026, 11, 20, 12, tzinfo=UTC)).isoformat()
    '2026-11-23T01:30:00+00:00'
    """

    text: str
    zone: str

    @classmethod
    def parse(cls, text: str, zone: str = "UTC") -> "Cron":
        """Read an expression and the name of a zone; raises `Unfit`."""
        require_zone(zone)
        cron = cls(_numbers(text), zone)
        try:
            if next(CronSim(cron.text, datetime(2000, 1, 1)), None) is None:
                raise Unfit(f"{text!r} names a day that never comes", "mend the day or the month")
        except CronSimError as error:
            what = str(error).removeprefix("Bad ").replace("-of-", " of the ")
            raise Unfit(f"{text!r}: there is no such {what}", "mend that field, as crontab(5) has it") from None
        return cron

    @property
    def is_hourly(self) -> bool:
        """Whether it comes at every hour of a day."""
        return len(self.calendar.hours) == 24

    @property
    def calendar(self) -> CronSim:
        """The numbers that each field stands for."""
        return CronSim(self.text, datetime(2000, 1, 1))

    def times(self, after: datetime) -> Iterator[datetime]:
        """The moments that come after one, in order, in UTC."""
        zone, last = ZoneInfo(self.zone), after
        for moment in self._placed(after, zone):
            if moment > last:
                yield moment
                last = moment

    def after(self, moment: datetime) -> datetime | None:
        """The next moment after one; None where it takes more than fifty years."""
        return next(self.times(moment), None)

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """The last moment after one and not later than another, None where there is none."""
        for look in _LOOKS_BACK:
            start = max(after, until - look)
            found = [*takewhile(lambda moment: moment <= until, self.times(start))]
            if found or start == after:
                return found[-1] if found else None
        return max(takewhile(lambda moment: moment <= until, self.times(after)), default=None)

    def _placed(self, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """The moments from about one on, in order; one may come several times."""
        hourly, again = self.is_hourly, list[datetime]()
        for wall in CronSim(self.text, _wall(after, zone) - timedelta(seconds=1)):
            first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
            while again and again[0] < first:
                yield heappop(again)
            if first <= second:
                yield first
                if hourly and first < second:
                    heappush(again, second)
            elif not hourly:
                yield _jump(second, first, zone)


def require_zone(zone: str) -> None:
    """Raise `Unfit` where no time zone has this name."""
    if not _is_zone(zone):
        near = get_close_matches(zone, available_timezones(), n=1)
        raise Unfit(f"no time zone {zone!r}", f"did you mean {near[0]!r}?" if near else 'write it as "Europe/Vienna"')


def _numbers(text: str) -> str:
    """The five fields in numbers; raises `Unfit` for what crontab(5) does not have."""
    found = NAMED.get(text.strip().lower(), text).upper().split()
    if len(found) != len(_FIELDS):
        wanted = f'minute, hour, day, month and weekday, as in "30 2 * * 1-5", or one of {", ".join(NAMED)}'
        raise Unfit(f"{text!r} is no five fields", f"write {wanted}")
    return " ".join(_field(number, field, text) for number, field in enumerate(found))


def _field(number: int, field: str, text: str) -> str:
    """One field, its names as numbers."""
    names = {3: MONTHS, 4: DAYS}.get(number, ())
    field = field.replace("-SUN", "-7") if number == 4 else field
    for value, name in enumerate(names, start=number == 3):
        field = re.sub(rf"\b{name}\b", str(value), field)
    for item in field.split(","):
        if re.fullmatch(r"(\*|\d+-\d+)(/0*[1-9]\d*)?|\d+", item) is None:
            stepped = re.fullmatch(r"(\d+)/(\d+)", item)
            wanted = f'"{stepped[1]}-{_LAST[number]}/{stepped[2]}"' if stepped else '"*", "5", "1-5", "*/15" or "1,15"'
            raise Unfit(f"{text!r}: {item!r} is no {_FIELDS[number]}", f"write it as {wanted}")
    # One number in the form of a range is that number, also with a step, which cronsim counts on from there.
    return re.sub(r"\b(\d+)-\1\b(/\d+)?", r"\1", field)


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    """What the clock shows, or will have shown again before a day is over."""
    local, later = moment.astimezone(zone), (moment + _DAY).astimezone(zone)
    back = (local.utcoffset() or timedelta()) - (later.utcoffset() or timedelta())
    return local.replace(tzinfo=None) - max(back, timedelta())


def _jump(before: datetime, until: datetime, zone: ZoneInfo) -> datetime:
    """The moment, between two, at which a zone's clock jumps forward."""
    offset = before.astimezone(zone).utcoffset()
    minutes = range(int((until - before) / _MINUTE) + 1)

    def is_over(minute: int) -> bool:
        return (before + minute * _MINUTE).astimezone(zone).utcoffset() != offset

    return before + bisect_left(minutes, True, key=is_over) * _MINUTE


@cache
def _is_zone(name: str) -> bool:
    """Whether a name is one of `available_timezones`, without opening a file for each of them in every command."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return name.partition("/")[0] not in _NO_ZONES
