"""How often a rule is broken, and by which values: counted in streams, never by holding a table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from catalog.errors import JobFailed
from catalog.zones import TableName
from lake.promote.expect import (
    Action,
    InSet,
    Matches,
    NotNull,
    OneState,
    References,
    RowRule,
    Rule,
    Unique,
)
from lake.promote.memory import Room, bulk, matched, shares
from lake.promote.names import counted, listed, nearest

EXAMPLES_MAX = 10
_SHOWN_LENGTH_MAX = 60
_SAMPLE_ROWS = 1000
_ROWS = "__lake_rows"


Measured = RowRule | Unique | References | OneState
"""The rules that rows break; those of the table as a whole are for `lake.promote.levels`."""


@dataclass(frozen=True)
class Offence:
    """A rule that some rows break: how many, by how many values, a few of these in text, and what finds the rows.

    ``marks`` is true for such a row; or it is frames of the values that the rule's columns have in such rows, written
    down in as many `shares`, and only for a rule that takes its rows out.
    """

    rule: Measured
    rows: int
    values: int
    examples: tuple[str, ...]
    marks: pl.Expr | tuple[pl.LazyFrame, ...]

    @property
    def message(self) -> str:
        """The offence in one line, as a report shows it."""
        rows, shown = counted(self.rows, "row"), ", ".join(self.examples)
        shown += ", …" if self.values > len(self.examples) else ""
        if isinstance(self.rule, NotNull):
            return f"{self.rule.column}: null in {rows}"
        if isinstance(self.rule, Rule):
            return f"{self.rule.name}: does not hold in {rows}" + (f", as with {shown}" if shown else "")
        what = f"{'key ' if isinstance(self.rule, Unique) and self.rule.is_key else ''}{', '.join(self.rule.columns)}"
        return f"{what}: {counted(self.values, 'value')} {self._said}: {shown} ({rows})"

    @property
    def _said(self) -> str:
        is_one = self.values == 1
        match self.rule:
            case InSet():
                return "not allowed"
            case Matches(pattern=pattern):
                return f"{'does' if is_one else 'do'} not match {pattern}"
            case References(table=table):
                return f"{'is' if is_one else 'are'} absent from {table}"
            case OneState():
                return f"{'comes' if is_one else 'come'} in more than one state"
            case _:
                return f"{'comes' if is_one else 'come'} more than once"


def measure(
    rows: pl.LazyFrame, rules: Sequence[Measured], lookups: Mapping[TableName, pl.LazyFrame], room: Room
) -> Iterator[Offence]:
    """The rules that some rows break, in their order; ``lookups`` are the tables that rules refer to.

    Takes one pass over the rows for all rules on single rows together, and two for each other rule; more where the
    values do not fit into memory. Raises `JobFailed` where a rule cannot be asked of these rows.
    """
    schema = rows.collect_schema()
    by_row = [rule for rule in rules if isinstance(rule, RowRule)]
    counts = dict(zip(map(id, by_row), _count_violations(rows, by_row), strict=True))
    for rule in rules:
        match rule:
            case Unique():
                found = _tally(rule, _repeated(rows, rule.columns, room), room)
            case OneState():
                found = _tally(rule, _contradicting(rows, rule, room), room)
            case References():
                _require_comparable(rule, schema, lookups[rule.table])
                found = _tally(rule, _absent(rows, rule, lookups[rule.table], room), room)
            case _:
                found = _by_row(rows, rule, counts[id(rule)], room)
        if found.rows:
            yield found


def _count_violations(rows: pl.LazyFrame, rules: Sequence[RowRule]) -> list[int]:
    if not rules:
        return []
    schema = rows.collect_schema()
    for rule in rules:
        if isinstance(rule, Matches) and (held := schema[rule.column]) != pl.String:
            raise JobFailed(f"{rule.name} asks for text, and {rule.column} is {held}", next="take it out, or cast")
        if isinstance(rule, Rule) and (dtype := rows.select(rule.condition).collect_schema().dtypes()[0]) != pl.Boolean:
            raise JobFailed(f"{rule.name} is {dtype}, not true or false", next="write a condition: pl.col('x') > 0")
    counts = rows.select(rule.violation().sum().alias(str(i)) for i, rule in enumerate(rules))
    return [int(count or 0) for count in counts.collect(engine="streaming").row(0)]


def _by_row(rows: pl.LazyFrame, rule: RowRule, count: int, room: Room) -> Offence:
    broken = rows.filter(rule.violation())
    if not count or isinstance(rule, NotNull) or not rule.columns:
        return Offence(rule, count, 0, (), rule.violation())
    if isinstance(rule, InSet | Matches):
        return replace(_tally(rule, _values(broken, rule.columns, room), room), marks=rule.violation())
    sample = broken.select(rule.columns).head(_SAMPLE_ROWS).collect(engine="streaming").unique()
    return Offence(rule, count, sample.height, _shown(_first(sample), named=True), rule.violation())


def _tally(
    rule: Unique | References | InSet | Matches | OneState, parts: Iterable[pl.LazyFrame], room: Room
) -> Offence:
    """Go through the offending values, one share at a time in memory; what is kept of a share are counts and a few."""
    columns = list(rule.columns)
    rows = values = 0
    first = pl.DataFrame()
    marks = []
    for part in parts:
        found = part.collect(engine="streaming")
        rows += int(found[_ROWS].sum())
        values += found.height
        first = _first(pl.concat([first, _first(found.select(columns))]) if first.width else found.select(columns))
        if rule.action is Action.QUARANTINE and not isinstance(rule, InSet | Matches):
            marks.append(room.keep(found.lazy().select(columns)))
    return Offence(rule, rows, values, _shown(first), tuple(marks))


def _values(rows: pl.LazyFrame, columns: Sequence[str], room: Room) -> Iterator[pl.LazyFrame]:
    """The values of some columns and how often each comes, of rows in which none is absent, by shares."""
    there = rows.select(columns).drop_nulls()
    for share in shares(columns, room.passes_over(there)):
        yield there.filter(share).group_by(columns).agg(pl.len().alias(_ROWS))


def _repeated(rows: pl.LazyFrame, columns: Sequence[str], room: Room) -> Iterator[pl.LazyFrame]:
    return (found.filter(pl.col(_ROWS) > 1) for found in _values(rows, columns, room))


def _contradicting(rows: pl.LazyFrame, rule: OneState, room: Room) -> Iterator[pl.LazyFrame]:
    """The keys and moments of which rows say different things; only those that come twice are compared whole."""
    key = list(rule.columns)
    there = rows.drop(rule.aside).drop_nulls(key)
    if rule.gone:
        gone = pl.col(rule.gone)
        there = there.drop_nulls(rule.gone).with_columns(
            pl.when(~gone).then(pl.col(name)).alias(name)
            for name in there.collect_schema()
            if name not in {*key, rule.gone}
        )
    for share in shares(key, room.passes_over(there)):
        part = there.filter(share)
        twice = part.group_by(key).agg(pl.len().alias(_ROWS)).filter(pl.col(_ROWS) > 1)
        states = matched(part, twice.select(key), key, "semi").unique().group_by(key).len().filter(pl.col("len") > 1)
        yield twice.join(states.select(key), on=key, how="semi")


def _absent(rows: pl.LazyFrame, rule: References, table: pl.LazyFrame, room: Room) -> Iterator[pl.LazyFrame]:
    there = rows.select(rule.column).drop_nulls()
    known = table.select(pl.col(rule.target).alias(rule.column)).drop_nulls()
    one, other = bulk(there), bulk(known)
    for share in shares(rule.columns, room.passes(one.rows + other.rows, max(one.width, other.width))):
        counts = there.filter(share).group_by(rule.column).agg(pl.len().alias(_ROWS))
        yield matched(counts, known.filter(share), [rule.column], "anti")


def _require_comparable(rule: References, schema: pl.Schema, table: pl.LazyFrame) -> None:
    there = table.collect_schema()
    if rule.target not in there:
        near = nearest(rule.target, there) or listed(there)
        raise JobFailed(f"{rule.table} has no column {rule.target!r}, which {rule.name} names", next=f"it has {near}")
    if there[rule.target] != schema[rule.column]:
        raise JobFailed(
            f"{rule.name} compares {schema[rule.column]} with {there[rule.target]}", next="cast one of the two columns"
        )


def _first(values: pl.DataFrame) -> pl.DataFrame:
    """A few of the values, in order where their type has one."""
    try:
        return values.bottom_k(EXAMPLES_MAX, by=values.columns).sort(values.columns)
    except pl.exceptions.InvalidOperationError:
        return values.head(EXAMPLES_MAX)


def _shown(values: pl.DataFrame, *, named: bool = False) -> tuple[str, ...]:
    """The values, each as text of a bounded length."""
    shown = []
    for row in values.rows():
        parts = [f"{name}={value}" for name, value in zip(values.columns, row, strict=True)] if named else map(str, row)
        text = ", ".join(parts).replace("\n", r"\n").replace("\r", r"\r")
        text = f"({text})" if len(row) > 1 else text
        shown.append(text if len(text) <= _SHOWN_LENGTH_MAX else f"{text[: _SHOWN_LENGTH_MAX - 1]}…")
    return tuple(shown)
