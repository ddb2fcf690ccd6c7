"""What single settings may hold where their kind alone does not say it: encodings, layouts, dates."""

import codecs
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from itertools import pairwise
from typing import Any

from ingestion.options import Column
from lake.values import Unfit, nearest

ENCODINGS = ("utf-8", "utf-16", "utf-32", "cp1250", "cp1251", "cp1252", "cp437", "iso-8859-1", "iso-8859-15")


def encoding(name: str) -> str:
    """An encoding of text that is known; raises `Unfit` naming the nearest.

    >>> encoding("cp1252")
    'cp1252'
    """
    try:
        if not name or codecs.lookup(name)._is_text_encoding:
            return name
    except LookupError:
        pass
    raise Unfit(f"{name!r} is no encoding that is known", nearest(name, ENCODINGS))


def not_empty(text: str) -> str:
    """A text with something in it; raises `Unfit`."""
    if not text:
        raise Unfit("an empty text pins nothing", "take the line out")
    return text


def delimiter(text: str) -> str:
    """One character or more that may stand between cells; raises `Unfit`."""
    if any(character in text for character in '\n\r"'):
        raise Unfit(f"{text!r} cannot divide cells", 'write ",", ";", "|", "\\t" for a tab, or other characters')
    return text


def unique(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names that are there once each; raises `Unfit`."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Unfit(f"{twice[0]!r} is there twice", "give each column a name of its own")
    return names


def fixed(raw: object) -> tuple[Column, ...]:
    """The layout of a fixed-width file, in the order of its columns; raises `Unfit`, also where two overlap.

    >>> fixed([{"name": "n", "start": 4, "width": 2}, {"name": "region", "start": 1, "width": 3}])
    (Column(name='region', start=1, width=3), Column(name='n', start=4, width=2))
    """
    if not isinstance(raw, list) or not raw or not all(isinstance(item, dict) for item in raw):
        raise Unfit("a list of columns is needed", 'write [{name = "region", start = 1, width = 3}, ...]')
    columns = sorted(map(_column, raw), key=lambda column: column.start)
    unique(tuple(column.name for column in columns))
    for left, right in pairwise(columns):
        last = left.start + left.width - 1
        if last >= right.start:
            raise Unfit(
                f"{left.name!r} (characters {left.start} to {last}) and {right.name!r} (from {right.start}) overlap",
                "start counts characters from 1; mend start or width",
            )
    return tuple(columns)


def _column(item: Mapping[str, Any]) -> Column:
    known = tuple(each.name for each in fields(Column))
    for name in item:
        if name not in known:
            raise Unfit(f"a column has no key {name!r}", nearest(name, known))
    told = item.get("name", "?")
    for name in known:
        if name not in item:
            raise Unfit(f"column {told!r} lacks {name}", "name, start and width are all needed")
    if not isinstance(told, str) or not told:
        raise Unfit("a column's name is a text", "write it in quotes")
    for name in ("start", "width"):
        if type(item[name]) is not int or item[name] < 1:
            raise Unfit(f"{name} of column {told!r} is not a whole number from 1 up", "count characters from 1")
    return Column(**item)


def dates(raw: object) -> tuple[date, ...]:
    """Days, as TOML writes them or as texts; raises `Unfit`.

    >>> dates(["2026-12-25"])
    (datetime.date(2026, 12, 25),)
    """
    try:
        if isinstance(raw, list):
            return tuple(item if type(item) is date else date.fromisoformat(item) for item in raw)
    except (TypeError, ValueError):
        pass
    raise Unfit("a list of dates is needed", "write [2026-01-01, 2026-12-25]")
