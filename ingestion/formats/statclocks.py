"""Dates and times of SPSS, Stata and SAS: numbers that count days, seconds or milliseconds from a day of their own."""

import re
from dataclasses import dataclass

import polars as pl

_DAY_SECONDS = 86_400
_DAY_MICROSECONDS = _DAY_SECONDS * 1_000_000
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
_SPSS_EPOCH, _SAS_EPOCH = -141_428, -3_653

_SPSS_DATES = {"DATE", "ADATE", "EDATE", "JDATE", "SDATE", "MOYR", "QYR", "WKYR"}
_SPSS_TIMES = {"DATETIME", "YMDHMS"}
_SAS_DATES = {
    *("DATE", "DAY", "DDMMYY", "DDMMYYB", "DDMMYYC", "DDMMYYD", "DDMMYYN", "DDMMYYP", "DDMMYYS", "DOWNAME"),
    *("E8601DA", "B8601DA", "IS8601DA", "JULDAY", "JULIAN", "MMDDYY", "MMDDYYB", "MMDDYYC", "MMDDYYD", "MMDDYYN"),
    *("MMDDYYP", "MMDDYYS", "MMYY", "MONNAME", "MONTH", "MONYY", "NENGO", "QTR", "WEEKDATE", "WEEKDATX", "WORDDATE"),
    *("WORDDATX", "YYMM", "YYMMDD", "YYMMDDB", "YYMMDDC", "YYMMDDD", "YYMMDDN", "YYMMDDP", "YYMMDDS", "YYMON", "YYQ"),
}
_SAS_TIMES = {"DATETIME", "DATEAMPM", "E8601DT", "B8601DT", "IS8601DT", "MDYAMPM", "NLDATM"}
_SECONDS = {"TIME", "DTIME", "MTIME", "HHMM", "HOUR", "MMSS", "TIMEAMPM", "TOD", "E8601TM", "B8601TM", "IS8601TM"}


@dataclass(frozen=True)
class Clock:
    """What a number of a date or time column means: ``day`` units make a day, and 0 is ``epoch`` days from 1970."""

    day: int
    epoch: int
    is_date: bool

    @property
    def dtype(self) -> pl.DataType:
        """The type that its values become."""
        return pl.Date() if self.is_date else pl.Datetime("us")

    def convert(self, numbers: pl.Series) -> pl.Series:
        """The dates or times; to be used where `is_exact` said yes.

        >>> Clock(86_400, -141_428, is_date=True).convert(pl.Series([13797216000.0])).to_list()
        [datetime.date(2020, 1, 1)]
        """
        if self.is_date:
            return (numbers / self.day + self.epoch).cast(pl.Int32).cast(pl.Date)
        return (self._microseconds(numbers).cast(pl.Int64) + self.epoch * _DAY_MICROSECONDS).cast(pl.Datetime("us"))

    def is_exact(self, numbers: pl.Series) -> bool:
        """Whether each number is a whole day (or a microsecond as near as the number itself is), in years 1 to 9999."""
        days = (numbers / self.day + self.epoch).floor()
        if not (days.is_between(_FIRST_DAY, _LAST_DAY) | days.is_null()).all():
            return False
        if self.is_date:
            return bool((numbers % self.day == 0).all())
        return bool((self._microseconds(numbers) / (_DAY_MICROSECONDS // self.day) == numbers).all())

    def _microseconds(self, numbers: pl.Series) -> pl.Series:
        return (numbers * (_DAY_MICROSECONDS // self.day)).round()


def clock(program: str, form: str | None) -> Clock | None:
    """The clock of a column's format in ``spss``, ``stata`` or ``sas``; None where its values are no dates or times.

    >>> clock("stata", "%tdD_m_Y")
    Clock(day=1, epoch=-3653, is_date=True)
    >>> clock("sas", "DATETIME20."), clock("spss", "F8.2")
    (Clock(day=86400, epoch=-3653, is_date=False), None)
    """
    if form is None:
        return None
    if program == "stata":
        return _stata(form)
    name = _family(form)
    dates, times, epoch = (
        (_SPSS_DATES, _SPSS_TIMES, _SPSS_EPOCH) if program == "spss" else (_SAS_DATES, _SAS_TIMES, _SAS_EPOCH)
    )
    if name in dates:
        return Clock(_DAY_SECONDS if program == "spss" else 1, epoch, is_date=True)
    return Clock(_DAY_SECONDS, epoch, is_date=False) if name in times else None


def is_seconds(form: str | None) -> bool:
    """Whether a column of SPSS or SAS counts the seconds of a time of day, or of a span, which may pass a day."""
    return form is not None and _family(form) in _SECONDS


def _stata(form: str) -> Clock | None:
    kind = re.match(r"%-?(tc|td|d)", form)
    if kind is None:
        return None
    return (
        Clock(_DAY_SECONDS * 1000, _SAS_EPOCH, is_date=False) if kind[1] == "tc" else Clock(1, _SAS_EPOCH, is_date=True)
    )


def _family(form: str) -> str:
    """A format's name without its width and decimals."""
    return re.sub(r"\d*\.?\d*$", "", form.upper())
