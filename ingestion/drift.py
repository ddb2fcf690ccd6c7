"""How a file's columns differ from its table's, by name: another order is no difference."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

import polars as pl

_LIKENESS_MIN = 0.6
"""Two names of which so much stands in both, in the same order, may be one renamed."""

_NAMES_MAX = 20


@dataclass(frozen=True)
class Drift:
    """What a file has that its table has not, and the other way round.

    ``sources`` are the file's columns by the table's names, without regard to case, as Delta compares them. ``changed``
    are those, by the table's names, whose types differ: the file's type and the table's. ``renamed`` are guesses: a
    missing name, and the unknown one that may stand for it.
    """

    sources: Mapping[str, str]
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    changed: Mapping[str, tuple[pl.DataType, pl.DataType]] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def cased(self) -> dict[str, str]:
        """The table's names that the file writes in another case, with the file's."""
        return {name: source for name, source in self.sources.items() if name != source}

    @property
    def words(self) -> str:
        """The difference in words; empty where the columns are the table's."""
        parts = [f"missing {listed(self.missing)}"] if self.missing else []
        parts += [f"unknown {listed(self.unknown)}"] if self.unknown else []
        parts += [self.changes] if self.changed else []
        return "; ".join(parts + self.guesses)

    @property
    def is_foreign(self) -> bool:
        """Whether the columns look like another table's: the two share less than half of the smaller one's."""
        return len(self.sources) < min(len(self.missing), len(self.unknown))

    @property
    def guesses(self) -> list[str]:
        """What may have been renamed, in words."""
        return [f"{unknown!r} is perhaps {missing!r}, renamed" for missing, unknown in self.renamed.items()]

    @property
    def changes(self) -> str:
        """Which types changed, in words."""
        return _first((f"{name!r} is {have}, not {want}" for name, (have, want) in self.changed.items()), "; ")

    def as_dict(self) -> dict[str, Any]:
        """The difference as JSON values, what there is of it."""
        values = {
            "missing": list(self.missing),
            "unknown": list(self.unknown),
            "changed": {name: f"{have}, not {want}" for name, (have, want) in self.changed.items()},
            "other_case": self.cased,
            "perhaps_renamed": dict(self.renamed),
        }
        return {key: value for key, value in values.items() if value}


def compare(found: pl.Schema, table: pl.Schema) -> Drift:
    """How the columns of a file differ from those of its table.

    >>> table = pl.Schema({"id": pl.Int64(), "price": pl.Float64()})
    >>> compare(pl.Schema({"price": pl.Float64(), "ID": pl.Int64()}), table).words
    ''
    >>> compare(pl.Schema({"id": pl.String(), "prices": pl.Float64()}), table).words
    "missing 'price'; unknown 'prices'; 'id' is String, not Int64; 'prices' is perhaps 'price', renamed"
    """
    lower = {name.lower(): name for name in found}
    sources = {name: lower[name.lower()] for name in table if name.lower() in lower}
    missing = tuple(name for name in table if name not in sources)
    known = set(sources.values())
    unknown = tuple(name for name in found if name not in known)
    changed = {name: (found[source], table[name]) for name, source in sources.items() if found[source] != table[name]}
    return Drift(sources, missing, unknown, changed, _renamed(missing, unknown))


def listed(names: Iterable[str]) -> str:
    """Names in quotes, the first twenty.

    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    return _first(map(repr, names), ", ")


def _first(items: Iterable[str], between: str) -> str:
    told = list(items)
    more = [f"and {len(told) - _NAMES_MAX} more"] if len(told) > _NAMES_MAX else []
    return between.join(told[:_NAMES_MAX] + more)


def _renamed(missing: tuple[str, ...], unknown: tuple[str, ...]) -> dict[str, str]:
    """The unknown name that is most like each missing one, if it is like it; each stands for one at most."""
    if len(missing) * len(unknown) > _NAMES_MAX**2:
        return {}
    pairs = sorted(((_likeness(old, new), old, new) for old in missing for new in unknown), reverse=True)
    renamed: dict[str, str] = {}
    for likeness, old, new in pairs:
        if likeness >= _LIKENESS_MIN and old not in renamed and new not in renamed.values():
            renamed[old] = new
    return {old: renamed[old] for old in missing if old in renamed}


def _likeness(old: str, new: str) -> float:
    """From 0 to 1: how much of two names is the same, without regard to case and signs.

    >>> _likeness("dep_delay", "DepDelay"), _likeness("price", "area") < 0.6
    (1.0, True)
    """
    first, second = ("".join(filter(str.isalnum, name.casefold())) or name for name in (old, new))
    return SequenceMatcher(None, first, second, autojunk=False).ratio()
