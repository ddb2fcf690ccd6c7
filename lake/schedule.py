"""What a supplier owes and when: periods of the calendar, the files that bring them, and the day they are due."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from fnmatch import translate

from lake.values import Unfit

PERIODS = ("day", "week", "month", "quarter", "year")

_PLACEHOLDERS = {
    "{yyyy}": r"(?P<yyyy>\d{4})",
    "{yy}": r"(?P<yy>\d{2})",
    "{mm}": r"(?P<mm>0[1-9]|1[0-2])",
    "{dd}": r"(?P<dd>0[1-9]|[12]\d|3[01])",
    "{q}": r"(?P<q>[1-4])",
    "{ww}": r"(?P<ww>0[1-9]|[1-4]\d|5[0-3])",
}
_NEEDED = {"day": ("{mm}", "{dd}"), "week": ("{ww}",), "month": ("{mm}",), "quarter": ("{q}",), "year": ()}
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_WEEKEND = (5, 6)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, order=True)
class Period:
    """A day, week (ISO 8601, from Monday), month, quarter or year: its kind, and its first day.

    >>> [str(Period.of(kind, date(2027, 1, 1))) for kind in PERIODS]
    ['2027-01-01', '2026-W53', '2027-01', '2027-Q1', '2027']
    """

    kind: str
    start: date

    @classmethod
    def of(cls, kind: str, day: date) -> "Period":
        """The period of this kind that a day is in."""
        if kind == "day":
            return cls(kind, day)
        if kind == "week":
            return cls(kind, day - timedelta(days=day.weekday()))
        months = _MONTHS[kind]
        return cls(kind, date(day.year, (day.month - 1) // months * months + 1, 1))

    @classmethod
    def parse(cls, kind: str, text: str) -> "Period":
        """The period that a text names, as `str` writes it, or the one that its day is in; raises ValueError.

        >>> Period.parse("week", "2020-W53")
        Period(kind='week', start=datetime.date(2020, 12, 28))
        """
        if re.fullmatch(r"\d{4}", text):
            day = date(int(text), 1, 1) if kind != "week" else date.fromisocalendar(int(text), 1, 1)
        elif re.fullmatch(r"\d{4}-\d{2}", text):
            day = date(int(text[:4]), int(text[5:]), 1)
        elif re.fullmatch(r"\d{4}-Q[1-4]", text):
            day = date(int(text[:4]), int(text[6]) * 3 - 2, 1)
        elif re.fullmatch(r"\d{4}-W\d{2}", text):
            day = date.fromisocalendar(int(text[:4]), int(text[6:]), 1)
        else:
            day = date.fromisoformat(text)
        return cls.of(kind, day)

    @property
    def next(self) -> "Period":
        """The period after this one."""
        if self.kind in ("day", "week"):
            return Period(self.kind, self.start + timedelta(days=1 if self.kind == "day" else 7))
        month = self.start.month - 1 + _MONTHS[self.kind]
        return Period(self.kind, date(self.start.year + month // 12, month % 12 + 1, 1))

    @property
    def end(self) -> date:
        """Its last day."""
        return self.next.start - timedelta(days=1)

    def __str__(self) -> str:
        if self.kind == "week":
            year, week, _ = self.start.isocalendar()
            return f"{year}-W{week:02}"
        if self.kind == "quarter":
            return f"{self.start.year}-Q{self.start.month // 3 + 1}"
        return self.start.isoformat()[: {"day": 10, "month": 7, "year": 4}[self.kind]]


@dataclass(frozen=True)
class Schedule:
    """The deliveries that a dataset expects: who sends them, for which periods, under which names, due when.

    ``files`` is a pattern as in a shell with {yyyy} {yy} {mm} {dd} {q} {ww} where a name tells its period. A delivery
    is due ``due_days`` after its period's last day; with ``business_days`` only days count that are neither on a
    weekend nor among the ``holidays``, and of a daily delivery only such days are expected.
    """

    period: str
    files: str
    supplier: str = ""
    due_days: int = 0
    starts: Period | None = None
    business_days: bool = False
    holidays: frozenset[date] = field(default_factory=frozenset)

    def period_of(self, key: str) -> Period | None:
        """The period that a landing key names; None where the pattern does not fit, or the day is on no calendar.

        >>> str(Schedule("month", "cpi_{yyyy}{mm}*.csv").period_of("prices/cpi_202602_v2.csv"))
        '2026-02'
        """
        subject = key if "/" in self.files else key.rpartition("/")[2]
        found = re.fullmatch(pattern_of(self.files), subject)
        if found is None:
            return None
        said = {name: int(text) for name, text in found.groupdict().items()}
        try:
            return _period(self.period, said.get("yyyy", said.get("yy", 0) + 2000), said)
        except ValueError:
            return None

    def due(self, period: Period) -> date:
        """The day on which a period's delivery is to be there."""
        day = period.end
        if not self.business_days:
            return day + timedelta(days=self.due_days)
        left = self.due_days
        while left:
            day += timedelta(days=1)
            left -= self.is_business_day(day)
        while not self.is_business_day(day):
            day += timedelta(days=1)
        return day

    def is_business_day(self, day: date) -> bool:
        """Whether a day is neither on a weekend nor a holiday."""
        return day.weekday() not in _WEEKEND and day not in self.holidays

    def expected(self, first: Period, today: date) -> Iterator[Period]:
        """The periods from ``first`` on that are over."""
        period = first
        while period.end < today:
            if period.kind != "day" or not self.business_days or self.is_business_day(period.start):
                yield period
            period = period.next


def pattern_of(files: str) -> str:
    """The regular expression of a pattern with placeholders; raises `Unfit` for another placeholder.

    >>> import re
    >>> re.fullmatch(pattern_of("cpi-{yyyy}-{q}.*"), "cpi-2026-3.xlsx").groupdict()
    {'yyyy': '2026', 'q': '3'}
    """
    pieces = re.split(r"(\{[^{}]*\})", files)
    named: list[str] = []
    made = ""
    for piece in pieces:
        if piece in _PLACEHOLDERS:
            made += f"(?P={piece[1:-1]})" if piece in named else _PLACEHOLDERS[piece]
            named.append(piece)
        elif _PLACEHOLDER.fullmatch(piece):
            raise Unfit(f"{piece} is no part of a date", f"use {', '.join(_PLACEHOLDERS)}")
        else:
            made += translate(piece).removeprefix("(?s:").removesuffix(r")\z").removesuffix(r")\Z")
    return made


def require_period(period: str, files: str) -> None:
    """Raise `Unfit` where a pattern's placeholders do not tell its period."""
    pattern_of(files)
    lacking = [name for name in _NEEDED[period] if name not in files]
    if "{yyyy}" not in files and "{yy}" not in files:
        lacking.insert(0, "{yyyy}")
    if lacking:
        wanted = " and ".join(lacking)
        raise Unfit(f"{files!r} does not say which {period} a file is for", f"put {wanted} where its name tells it")


def _period(kind: str, year: int, said: dict[str, int]) -> Period:
    if kind == "week":
        return Period(kind, date.fromisocalendar(year, said["ww"], 1))
    month = said["q"] * 3 - 2 if kind == "quarter" else said.get("mm", 1)
    return Period.of(kind, date(year, month, said.get("dd", 1)))
