"""Spans of time as people write them."""

import re
from datetime import timedelta

from catalog.errors import UsageError

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}
_SHORT = {"s": "second", "min": "minute", "h": "hour", "d": "day", "w": "week"}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)


def duration(text: str) -> timedelta:
    """Read a span of time; raises `UsageError` for what is none, and for none at all.

    >>> duration("2 days"), duration("90 min"), duration("1.5 h")
    (datetime.timedelta(days=2), datetime.timedelta(seconds=5400), datetime.timedelta(seconds=5400))
    """
    match = _SPAN.fullmatch(str(text).strip())
    unit = match[2].lower() if match else ""
    unit = _SHORT.get(unit, unit.removesuffix("s"))
    if match is None or unit not in _UNITS or not float(match[1]):
        raise UsageError(f"not a span of time: {text!r}", next='write a number and a unit, as in "2 days" or "30 min"')
    return timedelta(seconds=float(match[1]) * _UNITS[unit])
