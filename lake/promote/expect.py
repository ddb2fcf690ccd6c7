"""What a table promises about its rows, declared beside the job: ``expect.not_null("faa")``.

A rule that gives NULL is not broken, as in SQL: whether a value may be absent is for `not_null` to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

import polars as pl
from polars.exceptions import PolarsError

from catalog.errors import UsageError
from catalog.zones import TableName
from lake.promote.durations import duration
from lake.promote.names import nearest


class Action(StrEnum):
    """What happens to a table whose rows break a rule: the rows stay, go to quarantine, or nothing is published."""

    WARN = "warn"
    QUARANTINE = "quarantine"
    FAIL = "fail"


@dataclass(frozen=True)
class NotNull:
    """A column without absent values."""

    column: str
    action: Action

    @property
    def name(self) -> str:
        """How reports and the quarantine call the rule."""
        return f"not_null({self.column})"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule reads."""
        return (self.column,)

    @property
    def broken(self) -> str:
        """What is wrong with one row that breaks it."""
        return f"{self.column} is null"

    def violation(self) -> pl.Expr:
        """True for a row that breaks it."""
        return pl.col(self.column).is_null()


@dataclass(frozen=True)
class Rule:
    """A condition on the columns of one row."""

    name: str
    condition: pl.Expr
    action: Action

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule reads."""
        return tuple(dict.fromkeys(self.condition.meta.root_names()))

    @property
    def broken(self) -> str:
        """What is wrong with one row that breaks it."""
        return f"{self.name} does not hold"

    def violation(self) -> pl.Expr:
        """True for a row that breaks it; a condition that gives NULL is not broken."""
        return self.condition.not_().fill_null(value=False)


@dataclass(frozen=True)
class InSet:
    """A column whose values are all of a list."""

    column: str
    values: tuple[object, ...]
    action: Action

    @property
    def name(self) -> str:
        """How reports and the quarantine call the rule."""
        return f"in_set({self.column})"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule reads."""
        return (self.column,)

    @property
    def broken(self) -> str:
        """What is wrong with one row that breaks it."""
        return f"{self.column} is not one of the {len(self.values)} values allowed"

    def violation(self) -> pl.Expr:
        """True for a row that breaks it; an absent value does not."""
        return pl.col(self.column).is_in(list(self.values)).not_().fill_null(value=False)


@dataclass(frozen=True)
class Matches:
    """A text column whose values all match a regular expression from end to end."""

    column: str
    pattern: str
    action: Action

    @property
    def name(self) -> str:
        """How reports and the quarantine call the rule."""
        return f"matches({self.column})"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule reads."""
        return (self.column,)

    @property
    def broken(self) -> str:
        """What is wrong with one row that breaks it."""
        return f"{self.column} does not match {self.pattern}"

    def violation(self) -> pl.Expr:
        """True for a row that breaks it; an absent value does not."""
        return pl.col(self.column).str.contains(f"^(?:{self.pattern})$").not_().fill_null(value=False)


@dataclass(frozen=True)
class Unique:
    """Columns that together come once; rows in which one of them is absent are not compared."""

    columns: tuple[str, ...]
    action: Action
    is_key: bool = False

    @property
    def name(self) -> str:
        """How reports and the quarantine call the rule."""
        return f"{'key' if self.is_key else 'unique'}({', '.join(self.columns)})"

    @property
    def broken(self) -> str:
        """What is wrong with one row that breaks it."""
        return f"{', '.join(self.columns)} comes more than once"


@dataclass(frozen=True)
class References:
    """A column whose values are all in a column of another table; absent values are not looked up."""

    column: str
    table: TableName
    target: str
    action: Action

    @property
    def name(self) -> str:
        """How reports and the quarantine call the rule."""
        return f"references({self.column}, {self.table}, {self.target})"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule reads."""
        return (self.column,)

    @property
    def broken(self) -> str:
        """What is wrong with one row that breaks it."""
        return f"{self.column} is absent from {self.table}"


@dataclass(frozen=True)
class OneState:
    """The rows of a history: what a key was at one moment is said once, or several times the same.

    It comes of the mode, not of a declaration. ``gone`` is the delete flag, "" where there is none: keys that end are
    all in one state, whatever their other columns say. Columns ``aside`` are no part of a state.
    """

    columns: tuple[str, ...]
    gone: str
    aside: tuple[str, ...] = ()
    action: Action = Action.FAIL

    @property
    def name(self) -> str:
        """How reports call the rule."""
        return f"one state({', '.join(self.columns)})"

    @property
    def broken(self) -> str:
        """What is wrong with one row that breaks it."""
        return f"{', '.join(self.columns)} comes in two states"


@dataclass(frozen=True)
class Freshness:
    """A table whose newest value of a column is not older than a span of time."""

    column: str
    max_age: timedelta
    action: Action

    @property
    def name(self) -> str:
        """How reports call the rule."""
        return f"freshness({self.column})"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule reads."""
        return (self.column,)


@dataclass(frozen=True)
class RowCount:
    """A table of so many rows, and so many compared with its last version; None where a bound is not asked for."""

    min: int | None
    max: int | None
    max_fall: float | None
    max_rise: float | None
    action: Action

    name = "row_count"
    columns: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True)
class Drift:
    """A table whose values of a column are distributed much as in its last version; see `lake.promote.levels`."""

    column: str
    max: float
    action: Action

    @property
    def name(self) -> str:
        """How reports call the rule."""
        return f"drift({self.column})"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule reads."""
        return (self.column,)


RowRule = NotNull | Rule | InSet | Matches
TableRule = Freshness | RowCount | Drift
Expectation = RowRule | Unique | References | TableRule


def not_null(column: str, *, action: str = "fail") -> NotNull:
    """Expect that no value of a column is absent."""
    return NotNull(column, _action(action))


def rule(name: str, condition: pl.Expr, *, action: str = "fail") -> Rule:
    """Expect a condition of every row: ``expect.rule("positive", pl.col("price") > 0)``."""
    return Rule(name, condition, _action(action))


def in_set(column: str, values: Sequence[object], *, action: str = "fail") -> InSet:
    """Expect that a column's values are all of a list."""
    return InSet(column, tuple(values), _action(action))


def unique(*columns: str, action: str = "fail") -> Unique:
    """Expect that these columns together come once; ``quarantine`` takes out every row of a value that comes twice."""
    if not columns:
        raise UsageError("unique() names no column", next='name the columns that together come once: unique("id")')
    return Unique(columns, _action(action))


def references(column: str, table: str, target: str, *, action: str = "fail") -> References:
    """Expect a column's values in a column of another table, which the job thereby depends on."""
    return References(column, TableName.parse(table), target, _action(action))


def matches(column: str, regex: str, *, action: str = "fail") -> Matches:
    """Expect that a text column's values match a regular expression (of Rust's regex crate) from end to end."""
    try:
        pl.select(pl.lit("").str.contains(regex))
    except PolarsError as error:
        said = " ".join(str(error).split())
        raise UsageError(f"matches({column}): not a regular expression: {said}", next="mend it") from None
    return Matches(column, regex, _action(action))


def freshness(column: str, max_age: str, *, action: str = "fail") -> Freshness:
    """Expect that the newest value of a column is not older than ``max_age`` ("2 days") when the job runs.

    The column is a date, which counts from its beginning, or a datetime; without a zone both are in UTC.
    """
    return Freshness(column, duration(max_age), _table_action(action, "freshness"))


def row_count(
    *,
    min: int | None = None,
    max: int | None = None,
    max_fall: float | None = None,
    max_rise: float | None = None,
    action: str = "fail",
) -> RowCount:
    """Expect so many rows of the table; ``max_fall=0.1`` allows a tenth less than in its last version, and so on."""
    if min is max is max_fall is max_rise is None:
        raise UsageError("row_count() has no bound", next="give one of min, max, max_fall, max_rise")
    for name, share in (("max_fall", max_fall), ("max_rise", max_rise)):
        if share is not None and (share < 0 or (name == "max_fall" and share >= 1)):
            raise UsageError(f"{name} is {share}, which is not a share of the last count", next=f"write {name}=0.1")
    return RowCount(min, max, max_fall, max_rise, _table_action(action, "row_count"))


def drift(column: str, max: float, *, action: str = "fail") -> Drift:
    """Expect that the distribution of a column is at most so far, from 0 to 1, from that in the last version.

    For numbers, dates and datetimes it is the Kolmogorov-Smirnov distance: the greatest difference in the share of rows
    up to any value. For texts and booleans it is the total variation distance: in the share of any set of values.
    """
    if not 0 < max < 1:
        raise UsageError(f"drift({column}) is at most {max}", next="give a distance between 0 and 1, as in max=0.1")
    return Drift(column, float(max), _table_action(action, "drift"))


def _table_action(text: str, rule: str) -> Action:
    found = _action(text)
    if found is Action.QUARANTINE:
        raise UsageError(f"{rule} is of a table, and takes no rows out", next='write action="warn" or action="fail"')
    return found


def _action(text: str) -> Action:
    try:
        return Action(text)
    except ValueError:
        near = nearest(text, list(Action))
        known = ", ".join(Action)
        raise UsageError(f"no action {text!r}: one of {known}", next=f"write {near or 'one of them'}") from None
