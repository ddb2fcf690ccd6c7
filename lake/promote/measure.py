"""How often a rule is broken, and by which values: counted in streams, never by holding a table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from catalog.errors import JobFailed
from catalog.zones import TableName
from lake.promote.expect import Expectation, InSet, NotNull, References, RowRule, Rule, Unique
from lake.promote.memory import passes, shares
from lake.promote.names import counted, listed, nearest

EXAMPLES_MAX = 10
_SHOWN_LENGTH_MAX = 60
_SAMPLE_ROWS = 1000


@dataclass(frozen=True)
class Offence:
    """A rule that some rows break: how many, by how many values, a few of these in text, and what finds the rows.

    ``marks`` is true for such a row, or holds the values of the rule's columns that such rows have.
    """

    rule: Expectation
    rows: int
    values: int
    examples: tuple[str, ...]
    marks: pl.Expr | pl.DataFrame

    @property
    def message(self) -> str:
        """The offence in one line, as a report shows it."""
        rows, shown = counted(self.rows, "row"), ", ".join(self.examples)
        shown += ", …" if self.values > len(self.examples) else ""
        match self.rule:
            case NotNull(column=column):
                return f"{column}: null in {rows}"
            case Rule(name=name):
                return f"{name}: does not hold in {rows}" + (f", as with {shown}" if shown else "")
            case InSet(column=column):
                return f"{column}: {counted(self.values, 'value')} not allowed: {shown} ({rows})"
            case References(column=column, table=table):
                are = "is" if self.values == 1 else "are"
                return f"{column}: {counted(self.values, 'value')} {are} absent from {table}: {shown} ({rows})"
            case Unique(columns=columns, is_key=is_key):
                comes = "comes" if self.values == 1 else "come"
                what = ("key " if is_key else "") + ", ".join(columns)
                return f"{what}: {counted(self.values, 'value')} {comes} more than once: {shown} ({rows})"


def measure(
    rows: pl.LazyFrame, rules: Sequence[Expectation], lookups: Mapping[TableName, pl.LazyFrame], memory_gb: float
) -> Iterator[Offence]:
    """The rules that some rows break, in their order; ``lookups`` are the tables that rules refer to.

    Takes one pass over the rows for all rules on single rows together, and one for each other rule. Raises `JobFailed`
    where a rule cannot be asked of these rows.
    """
    schema = rows.collect_schema()
    by_row = [rule for rule in rules if isinstance(rule, NotNull | Rule | InSet)]
    counts = dict(zip(map(id, by_row), _count_violations(rows, by_row), strict=True))
    for rule in rules:
        match rule:
            case Unique():
                found = _repeated(rows, rule.columns, memory_gb)
            case References():
                _require_comparable(rule, schema, lookups[rule.table])
                found = _absent(rows, rule, lookups[rule.table])
            case _:
                if counts[id(rule)]:
                    yield _by_row(rows, rule, counts[id(rule)])
                continue
        if not found.is_empty():
            yield _by_value(rule, found)


def _count_violations(rows: pl.LazyFrame, rules: Sequence[RowRule]) -> list[int]:
    if not rules:
        return []
    for rule in rules:
        if isinstance(rule, Rule) and (dtype := rows.select(rule.condition).collect_schema().dtypes()[0]) != pl.Boolean:
            raise JobFailed(f"{rule.name} is {dtype}, not true or false", next="write a condition: pl.col('x') > 0")
    counts = rows.select(rule.violation().sum().alias(str(i)) for i, rule in enumerate(rules))
    return [int(count or 0) for count in counts.collect(engine="streaming").row(0)]


def _by_row(rows: pl.LazyFrame, rule: RowRule, count: int) -> Offence:
    broken = rows.filter(rule.violation())
    if isinstance(rule, InSet):
        found = _counted(broken, rule.columns)
        return Offence(rule, count, found.height, _shown(found.select(rule.columns)), rule.violation())
    if isinstance(rule, NotNull) or not rule.columns:
        return Offence(rule, count, 0, (), rule.violation())
    sample = broken.select(rule.columns).head(_SAMPLE_ROWS).collect(engine="streaming").unique()
    return Offence(rule, count, sample.height, _shown(sample, named=True), rule.violation())


def _by_value(rule: Unique | References, found: pl.DataFrame) -> Offence:
    values = found.select(rule.columns)
    return Offence(rule, int(found["__rows"].sum()), found.height, _shown(values), values)


def _repeated(rows: pl.LazyFrame, columns: Sequence[str], memory_gb: float) -> pl.DataFrame:
    """The values that come more than once with how often, of rows in which none of the columns is absent."""
    there = rows.select(columns).drop_nulls()
    total = int(there.select(pl.len()).collect(engine="streaming").item())
    parts = shares(columns, passes(total, len(columns), memory_gb))
    return pl.concat([_counted(there.filter(share), columns, more_than=1) for share in parts])


def _absent(rows: pl.LazyFrame, rule: References, table: pl.LazyFrame) -> pl.DataFrame:
    known = table.select(pl.col(rule.target).alias(rule.column)).drop_nulls().unique()
    found = rows.select(rule.column).drop_nulls().group_by(rule.column).agg(pl.len().alias("__rows"))
    return found.join(known, on=rule.column, how="anti").collect(engine="streaming")


def _counted(rows: pl.LazyFrame, columns: Sequence[str], more_than: int = 0) -> pl.DataFrame:
    counts = rows.group_by(columns).agg(pl.len().alias("__rows"))
    return counts.filter(pl.col("__rows") > more_than).collect(engine="streaming")


def _require_comparable(rule: References, schema: pl.Schema, table: pl.LazyFrame) -> None:
    there = table.collect_schema()
    if rule.target not in there:
        near = nearest(rule.target, there) or listed(there)
        raise JobFailed(f"{rule.table} has no column {rule.target!r}, which {rule.name} names", next=f"it has {near}")
    if there[rule.target] != schema[rule.column]:
        raise JobFailed(
            f"{rule.name} compares {schema[rule.column]} with {there[rule.target]}", next="cast one of the two columns"
        )


def _shown(values: pl.DataFrame, *, named: bool = False) -> tuple[str, ...]:
    """A few of the values in order, each as text of a bounded length."""
    try:
        first = values.sort(values.columns).head(EXAMPLES_MAX)
    except pl.exceptions.InvalidOperationError:  # not every type has an order
        first = values.head(EXAMPLES_MAX)
    shown = []
    for row in first.rows():
        parts = [f"{name}={value}" for name, value in zip(values.columns, row, strict=True)] if named else map(str, row)
        text = ", ".join(parts)
        text = f"({text})" if len(row) > 1 else text
        shown.append(text if len(text) <= _SHOWN_LENGTH_MAX else f"{text[: _SHOWN_LENGTH_MAX - 1]}…")
    return tuple(shown)
