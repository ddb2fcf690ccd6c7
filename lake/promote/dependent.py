"""How the rows of a result depend on one of its sources, the other sources being as they are."""

from dataclasses import dataclass, field

from catalog.errors import UsageError
from catalog.zones import TableName


@dataclass(frozen=True)
class ByRow:
    """Each row of the result comes from one row of the source.

    ``without`` are other sources whose rows make rows of their own: while this one changes, they may be left out.
    """

    without: frozenset[TableName] = field(default=frozenset(), compare=False)

    def __str__(self) -> str:
        return "by row"


@dataclass(frozen=True)
class ByKey:
    """Each comes from rows of the source that have the same values in these columns of it; NULL equals NULL.

    ``without`` is as for `ByRow`.
    """

    columns: tuple[str, ...]
    without: frozenset[TableName] = field(default=frozenset(), compare=False)

    def __str__(self) -> str:
        return f"by key {', '.join(self.columns)}"


@dataclass(frozen=True)
class Whole:
    """Each may come from any rows of the source, for a reason that a person understands."""

    reason: str

    def __str__(self) -> str:
        return f"whole: {self.reason}"


Dependence = ByRow | ByKey | Whole

STATED = "the job says so"


def by_row() -> ByRow:
    """State that each row of a job's result comes from one row of a source: ``depends={"bronze.sales": by_row()}``."""
    return ByRow()


def by_key(*columns: str) -> ByKey:
    """State that each row of a job's result comes from the rows of a source with the same values in these columns."""
    if not columns:
        raise UsageError("by_key() names no column", next='name columns of the source: by_key("shop")')
    return ByKey(columns)


def whole() -> Whole:
    """State that a job's result is to be made anew whenever a source changes."""
    return Whole(STATED)
