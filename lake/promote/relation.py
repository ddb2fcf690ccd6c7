"""How the rows of a relation depend on the sources of a job, and what each operator of a query makes of that.

Take one source and hold the others fast. A relation depends on it by row if it is, apart from rows that come of no row
of the source, the sum of what single rows of the source give; by key, if it is the sum of what the rows with the same
values in the key give. By row is by any key, and by key is by any part of the key: this is all that the operators use.
A column is carried if every row that comes of a row of the source has that row's value in it (by key: of those with the
key's values, so that columns of the key alone are carried).

Columns are names, or places where a plan knows no names.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import polars as pl

from catalog.zones import TableName
from lake.promote.dependent import ByKey, ByRow, Dependence, Whole
from lake.promote.names import listed

Column = Hashable
Pairs = Sequence[tuple[Column, Column]]


class Unshown(Exception):
    """Why an operator cannot be shown to look at single rows, or at groups of them.

    It ``is_settled`` if its result does not depend on the order of the rows, which a table does not have. Else all
    that the result is made of may come out another way from one run to the next.
    """

    def __init__(self, reason: str, *, is_settled: bool = False) -> None:
        super().__init__(reason)
        self.is_settled = is_settled


class How(StrEnum):
    """Which rows of the two sides a join keeps."""

    INNER = "inner"
    LEFT = "left"
    FULL = "full"
    SEMI = "semi"
    ANTI = "anti"


@dataclass(frozen=True)
class Trace:
    """How a relation depends on one source, and which of its columns carry one of the source's unchanged."""

    dependence: Dependence
    carried: Mapping[Column, str] = field(default_factory=dict)

    def by(self, columns: Collection[str], reason: str) -> "Trace":
        """The same by key, of those of the columns that it may be taken apart by; as a whole if there are none."""
        if isinstance(self.dependence, Whole):
            return self
        if isinstance(self.dependence, ByKey):
            columns = [column for column in columns if column in self.dependence.columns]
        if not columns:
            return Trace(Whole(reason))
        return Trace(ByKey(tuple(dict.fromkeys(columns))), {to: of for to, of in self.carried.items() if of in columns})


@dataclass(frozen=True)
class Relation:
    """The columns of some rows and how they depend on sources; on one without a trace they do not depend at all.

    ``keys`` are columns that together tell each row from the others; ``order`` those by which the rows are sorted.
    ``met`` are the pairs of sources of which rows are looked at together; None if that may be any two.
    """

    columns: tuple[Column, ...]
    traces: Mapping[TableName, Trace] = field(default_factory=dict)
    keys: frozenset[frozenset[Column]] = frozenset()
    order: frozenset[Column] = frozenset()
    met: frozenset[frozenset[TableName]] | None = None

    def beside(self, table: TableName) -> frozenset[TableName]:
        """The sources of which no row is looked at together with one of this source: the rows are a sum of both's."""
        if self.met is None:
            return frozenset()
        return frozenset(other for other in self.traces if other != table and frozenset([table, other]) not in self.met)

    def whole(self, reason: str) -> "Relation":
        """The rows of an operator that may look at all rows of the relation for each."""
        traces = {source: Trace(_worse(trace.dependence, reason)) for source, trace in self.traces.items()}
        return Relation(self.columns, traces)

    def apart(self, by: Collection[Column], what: str) -> "Relation":
        """The rows of an operator that looks at those together that have the same values in some columns.

        ``what`` says what does so, for a reason.
        """
        traces = {}
        for source, trace in self.traces.items():
            columns = [trace.carried[column] for column in by if column in trace.carried]
            reason = f"{what}, which is no column of {source} unchanged"
            if isinstance(trace.dependence, ByKey):
                reason = f"{what}, of what is taken together by {listed(trace.dependence.columns)}"
            traces[source] = trace.by(columns, reason)
        return replace(self, traces=traces, met=None)

    def mapped(self, columns: Mapping[Column, Column | None], *, is_spread: bool = False) -> "Relation":
        """The rows of an operator that makes of each row at most one: its columns, and what they are copies of.

        With ``is_spread`` a row may become many.
        """
        traces = {
            source: Trace(
                trace.dependence,
                {to: trace.carried[of] for to, of in columns.items() if of is not None and of in trace.carried},
            )
            for source, trace in self.traces.items()
        }
        copies = {of: to for to, of in columns.items() if of is not None}
        keys = frozenset(frozenset(copies[column] for column in key) for key in self.keys if key <= copies.keys())
        order = frozenset(copies[column] for column in self.order) if self.order <= copies.keys() else frozenset()
        return Relation(tuple(columns), traces, frozenset() if is_spread else keys, order, self.met)

    def is_total(self, columns: Collection[Column]) -> bool:
        """Whether rows that are equal in the columns are one row, or equal in all that they have."""
        return any(key <= set(columns) for key in self.keys) or set(self.columns) <= set(columns)


def source(table: TableName, schema: pl.Schema, keys: Collection[Collection[str]] = ()) -> Relation:
    """The rows of a table.

    Numbers that are equal without being the same (0.0 and -0.0) and nested values are not taken for keys.
    """
    carried: dict[Column, str] = {
        name: name for name, dtype in schema.items() if not (dtype.is_float() or dtype.is_nested())
    }
    known: list[frozenset[Column]] = [frozenset(key) for key in keys if key and set(key) <= set(schema)]
    return Relation(tuple(schema), {table: Trace(ByRow(), carried)}, frozenset(known), met=frozenset())


def union(parts: Sequence[Relation]) -> Relation:
    """The rows of several relations with the same columns in the same order, one after the other."""
    columns = parts[0].columns
    places = [part.mapped(dict(zip(columns, part.columns, strict=True))) for part in parts]
    traces: dict[TableName, Trace] = {}
    for part in places:
        for table, trace in part.traces.items():
            traces[table] = _sum(traces[table], trace, table) if table in traces else trace
    return Relation(columns, traces, met=_met(places))


def joined(left: Relation, right: Relation, how: How, pairs: Pairs, what: str = "join") -> Relation:
    """The rows of a join; columns of the right side come after those of the left one, and none has the same name.

    ``pairs`` are columns of the two sides, of one type, that are equal wherever rows are joined; there may be further
    conditions on a row and its partner.
    """
    only = how in {How.SEMI, How.ANTI}
    columns = left.columns if only else (*left.columns, *right.columns)
    traces: dict[TableName, Trace] = {}
    for table in {**left.traces, **right.traces}:
        mine, other = left.traces.get(table), right.traces.get(table)
        if mine is not None and other is not None:
            found = _both(mine, other, how, pairs, f"{what} of {table} with itself, not by a column of it unchanged")
        elif mine is not None:
            found = _of_left(mine, how, pairs, f"{what}: rows without a partner come of all that are there")
        else:
            found = _of_right(right, table, how, pairs, what)
        kept = {to: of for to, of in found.carried.items() if to in columns}
        traces[table] = Trace(found.dependence, kept)
    return Relation(columns, traces, _keys(left, right, how, pairs), met=_met_in_join(left, right, how))


def _of_left(mine: Trace, how: How, pairs: Pairs, reason: str) -> Trace:
    if how is How.FULL:
        return Trace(_worse(mine.dependence, reason))
    equal = {two: mine.carried[one] for one, two in pairs if one in mine.carried} if how is How.INNER else {}
    return Trace(mine.dependence, {**mine.carried, **equal})


def _of_right(right: Relation, table: TableName, how: How, pairs: Pairs, what: str) -> Trace:
    trace = right.traces[table]
    equal = {one: two for one, two in pairs if two in trace.carried}
    if how is How.INNER:
        return Trace(trace.dependence, {**trace.carried, **{one: trace.carried[two] for one, two in equal.items()}})
    if how is How.SEMI:
        keyed = right.apart([two for _, two in pairs], f"{what} by {listed(two for _, two in pairs)}").traces[table]
        return Trace(keyed.dependence, {one: keyed.carried[two] for one, two in equal.items() if two in keyed.carried})
    reason = f"{what}: rows without a partner in {table} change with any row of it"
    return Trace(_worse(trace.dependence, reason))


def _both(mine: Trace, other: Trace, how: How, pairs: Pairs, reason: str) -> Trace:
    """A source on both sides: joined rows come of rows that have the same key, if the join asks for that."""
    same = [
        mine.carried[one] for one, two in pairs if one in mine.carried and mine.carried[one] == other.carried.get(two)
    ]
    keyed = mine.by(same, reason)
    if not isinstance(keyed.dependence, ByKey):
        return keyed
    both = other.by(keyed.dependence.columns, reason)
    if not isinstance(both.dependence, ByKey) or how is How.FULL:
        return Trace(both.dependence)
    carried = {**mine.carried, **(other.carried if how is How.INNER else {})}
    return Trace(both.dependence, {to: of for to, of in carried.items() if of in both.dependence.columns})


def _keys(left: Relation, right: Relation, how: How, pairs: Pairs) -> frozenset[frozenset[Column]]:
    if how is How.FULL:
        return frozenset()
    has_one_partner = any(key <= {two for _, two in pairs} for key in right.keys)
    return left.keys if how in {How.SEMI, How.ANTI} or has_one_partner else frozenset()


def _met(parts: Sequence[Relation]) -> frozenset[frozenset[TableName]] | None:
    """The pairs that meet in any of the parts; in one that is without sources, none does."""
    found: frozenset[frozenset[TableName]] = frozenset()
    for part in parts:
        if part.met is None and len(part.traces) > 1:
            return None
        found |= part.met or frozenset()
    return found


def _met_in_join(left: Relation, right: Relation, how: How) -> frozenset[frozenset[TableName]] | None:
    sides = [right] if how in {How.LEFT, How.SEMI, How.ANTI} else [left, right] if how is How.FULL else []
    if any(len(side.traces) > 1 for side in sides):
        return None  # whether a row has a partner is for all sources of the other side together to say
    found = _met([left, right])
    across = frozenset(frozenset([one, two]) for one in left.traces for two in right.traces)
    return None if found is None else found | across


def _sum(one: Trace, two: Trace, table: TableName) -> Trace:
    """Rows of both: by row if both are, else by the part of the key that both have."""
    if isinstance(one.dependence, ByRow):
        one, two = two, one
    carried = {to: of for to, of in one.carried.items() if two.carried.get(to) == of}
    if not isinstance(one.dependence, ByKey):
        return Trace(two.dependence if isinstance(one.dependence, ByRow) else one.dependence, carried)
    return replace(two, carried=carried).by(
        one.dependence.columns, f"two parts of the result group {table} by different columns"
    )


def _worse(dependence: Dependence, reason: str) -> Dependence:
    return dependence if isinstance(dependence, Whole) else Whole(reason)
