"""Column names: kept as found where Delta, and Polars as names, take them; otherwise made safe and unique."""

import re
from collections.abc import Iterable, Sequence

import polars as pl

from catalog.zones import INNER

LAKE_COLUMNS = pl.Schema(
    {
        "_file": pl.String(),
        "_line": pl.Int64(),
        "_batch": pl.String(),
        "_ingested_at": pl.Datetime("us", "UTC"),
        "_rescued": pl.String(),
    }
)
OWN_COLUMNS = tuple(LAKE_COLUMNS)

_BOM = "\ufeff"
_UNSAFE = re.compile(r"[ ,;{}()=\x00-\x1f\x7f-\x9f]")
_PATTERN = re.compile(r"\*|\^.*\$")


def safe_names(found: Sequence[str]) -> tuple[str, ...]:
    """The names under which found columns are stored: distinct without regard to case, as Delta compares them.

    >>> safe_names(["year", "dep delay", "", "Year", "year_2", "_file"])
    ('year', 'dep_delay', 'column_3', 'Year_3', 'year_2', '_file_2')
    >>> safe_names(["*", "^x.*$", "a*", "^y", "__lake_count"])
    ('_', '_x.*$', 'a*', '^y', '_lake_count')
    """
    wanted = [_safe(name) or f"column_{position}" for position, name in enumerate(found, start=1)]
    taken = {name.lower() for name in OWN_COLUMNS}
    stored: dict[int, str] = {}
    as_found_first = sorted(range(len(found)), key=lambda position: wanted[position] != found[position])
    for position in as_found_first:
        name = wanted[position]
        if name.lower() not in taken:
            stored[position] = name
            taken.add(name.lower())
    numbers: dict[str, int] = {}
    for position, name in enumerate(wanted):
        if position not in stored:
            stored[position] = _numbered(name, taken, numbers)
            taken.add(stored[position].lower())
    return tuple(stored[position] for position in range(len(found)))


def labels(found: Iterable[str], stored: Iterable[str]) -> dict[str, dict[str, str]]:
    """The label, by stored name, of each column that could not be stored under its name as found.

    >>> labels(("a b", "c"), ("a_b", "c"))
    {'a_b': {'label': 'a b'}}
    """
    return {name: {"label": as_found} for as_found, name in zip(found, stored, strict=True) if as_found != name}


def _safe(name: str) -> str:
    """A name that Delta stores, that `pl.col` does not take for a pattern of names, and that is not the lake's own."""
    name = _UNSAFE.sub("_", name.strip().strip(_BOM).strip())
    if name.lower().startswith(INNER):
        return name[1:]
    return f"_{name[1:]}" if _PATTERN.fullmatch(name) else name


def _numbered(name: str, taken: set[str], numbers: dict[str, int]) -> str:
    """The name with the first number that is free; ``numbers`` has the one that each name has come to."""
    number = numbers.get(name.lower(), 2)
    while f"{name}_{number}".lower() in taken:
        number += 1
    numbers[name.lower()] = number
    return f"{name}_{number}"
