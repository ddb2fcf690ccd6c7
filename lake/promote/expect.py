"""What a table promises about its rows, declared beside the job: ``expect.not_null("faa")``.

A rule that gives NULL is not broken, as in SQL: whether a value may be absent is for `not_null` to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from catalog.errors import UsageError
from catalog.zones import TableName
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


Expectation = NotNull | Rule | InSet | Unique | References
RowRule = NotNull | Rule | InSet


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


def _action(text: str) -> Action:
    try:
        return Action(text)
    except ValueError:
        near = nearest(text, list(Action))
        known = ", ".join(Action)
        raise UsageError(f"no action {text!r}: one of {known}", next=f"write {near or 'one of them'}") from None
