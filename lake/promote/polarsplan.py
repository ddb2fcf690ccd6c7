"""How a function of frames depends on each of them, read from the plan that it makes of frames without rows.

The only place that uses Polars' private view of plans (`LazyFrame._ldf.visit`), before its optimizer: what the plan
says in words that are not known here counts for "on the whole", as does a plan of another version of that view.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import polars as pl
from polars.exceptions import PanicException
from polars.io.plugins import register_io_source

from catalog.zones import TableName
from lake.promote.dependent import ByRow, Whole
from lake.promote.names import listed
from lake.promote.polarsexpr import Expressions
from lake.promote.relation import Column, How, Relation, Unshown, joined, source, union

_VERSION = 16
"""The version of the view of plans whose words are known here; see `NodeTraverser.version`."""

_OPAQUE = {
    "opaque python mapfunction": "map_batches may look at all rows",
    "apply inside GroupBy": "map_groups is a Python function, of which nothing is known",
    "anonymousfunction": "a Python function of columns (map_batches, map_elements) may look at all rows",
}
_HOWS = {"Inner": How.INNER, "Left": How.LEFT, "Full": How.FULL, "Semi": How.SEMI, "Anti": How.ANTI, "Cross": How.INNER}


@dataclass(frozen=True)
class Given:
    """A frame that a function is given: the table whose rows it stands for, its columns, and keys that it keeps."""

    table: TableName
    schema: pl.Schema
    keys: Collection[Collection[str]] = ()


def read_function(
    function: Callable[..., pl.LazyFrame], frames: Mapping[str, Given]
) -> tuple[Relation, pl.Schema | None]:
    """How the result depends on the tables that the parameters stand for, and its schema if it can be told."""
    tables = {given.table: given for given in frames.values()}
    every = union([source(given.table, given.schema).mapped({}) for given in tables.values()])
    read: list[TableName] = []
    stand_ins = {name: _stand_in(given, read) for name, given in frames.items()}
    try:
        made = function(**stand_ins)
        plan = _Plan(made, {_scan_of(frame): frames[name] for name, frame in stand_ins.items()})
        schema = made.collect_schema()
        relation = plan.relation()
    except Unshown as error:
        return every.whole(str(error)), schema
    except (Exception, PanicException) as error:  # noqa: BLE001 - a job may raise anything, and this is only a look at it
        said = " ".join(str(error).split())[:200]
        relation, schema = every.whole(f"its plan could not be looked at ({type(error).__name__}: {said})"), None
    if read:
        return every.whole(f"the job reads rows of {listed(dict.fromkeys(read))} before its plan is made"), None
    return relation, schema


def why_not_by_row(condition: pl.Expr, schema: pl.Schema) -> str | None:
    """Why a condition cannot be asked of single rows of such columns; None if it can."""
    table = TableName.parse("silver.rows")
    relation, _ = read_function(lambda rows: rows.filter(condition), {"rows": Given(table, schema)})
    found = relation.traces[table].dependence
    if isinstance(found, ByRow):
        return None
    return found.reason if isinstance(found, Whole) else "it looks at rows together"


def _stand_in(given: Given, read: list[TableName]) -> pl.LazyFrame:
    """A frame that can be planned with and not run; the attempt is written down, should the job catch its failure."""

    def rows(*_: object) -> NoReturn:
        read.append(given.table)
        raise RuntimeError(f"{given.table} is read while a plan is made")

    return register_io_source(rows, schema=given.schema)


def _visit(frame: pl.LazyFrame) -> Any:
    return frame._ldf.with_optimizations(pl.QueryOptFlags.none()._pyoptflags).visit()


def _scan_of(frame: pl.LazyFrame) -> int:
    return id(_visit(frame).view_current_node().options[0])


@dataclass
class _Plan:
    """A plan on its way to a relation, node by node."""

    frame: pl.LazyFrame
    sources: Mapping[int, Given]
    known: dict[int, Relation] = field(default_factory=dict)

    def relation(self) -> Relation:
        """What the whole plan gives."""
        self.nodes = _visit(self.frame)
        top = self.nodes.get_node()
        found = self._of(top)
        if self.nodes.version()[0] != _VERSION:
            return found.whole("this version of Polars has plans that are not known")
        return found

    def _of(self, node: int) -> Relation:
        if node not in self.known:
            self.nodes.set_node(node)
            inputs = [self._of(each) for each in self.nodes.get_inputs()]
            self.nodes.set_node(node)
            columns = tuple(self.nodes.get_schema())
            try:
                found = self._seen(self.nodes.view_current_node(), inputs, columns)
            except Unshown as error:
                if not error.is_settled:
                    raise
                found = _whole(columns, inputs, str(error))
            except NotImplementedError as error:
                raise Unshown(_opaque(error)) from None
            self.known[node] = found
        return self.known[node]

    def _seen(  # noqa: PLR0911, PLR0912 - one case for each word of a plan
        self, node: Any, inputs: list[Relation], columns: tuple[str, ...]
    ) -> Relation:
        kind = type(node).__name__
        match kind:
            case "PythonScan" if id(node.options[0]) in self.sources:
                given = self.sources[id(node.options[0])]
                return source(given.table, given.schema, given.keys)
            case "PythonScan" | "Scan" | "DataFrameScan":
                return Relation(columns)
            case "Cache":
                return inputs[0]
            case "SimpleProjection":
                return inputs[0].mapped({name: name for name in columns})
            case "Filter":
                return self._rows(inputs[0], [node.predicate], {name: name for name in columns})
            case "HStack":
                return self._with_columns(node, inputs[0], columns)
            case "Select":
                return self._select(node, inputs[0])
            case "GroupBy":
                return self._group_by(node, inputs[0], columns)
            case "Distinct":
                return _distinct(node.options, inputs[0])
            case "Sort":
                return self._sort(node, inputs[0])
            case "Join":
                return self._join(node, inputs, columns)
            case "Union" if node.slice is None:
                return union([part.mapped({name: name for name in columns}) for part in inputs])
            case "MergeSorted":
                return union([part.mapped({name: name for name in columns}) for part in inputs])
            case "MapFunction":
                return _map(node.function, inputs[0], columns)
            case "Slice" | "Union":
                is_told = kind == "Slice" and bool(inputs[0].order) and inputs[0].is_total(inputs[0].order)
                raise Unshown("head, limit, tail or slice takes rows by their place among all", is_settled=is_told)
            case "HConcat":
                raise Unshown("frames side by side are matched by the place of their rows among all")
        raise Unshown(f"{kind} is an operator of which nothing is known")

    def _rows(self, rows: Relation, exprs: list[Any], columns: Mapping[Column, Column | None]) -> Relation:
        """Rows with something computed of each, and of those that windows look at together with it."""
        expressions = Expressions(self.nodes, rows)
        for expr in exprs:
            for by in expressions.windows(expr.node):
                rows = rows.apart(by, f"window over {listed(by, 'computed columns')}")
        return rows.mapped(columns)

    def _with_columns(self, node: Any, rows: Relation, columns: tuple[str, ...]) -> Relation:
        copies: dict[Column, Column | None] = {name: name if name in rows.columns else None for name in columns}
        copies |= {expr.output_name: self._copied(expr) for expr in node.exprs}
        return self._rows(rows, node.exprs, copies)

    def _select(self, node: Any, rows: Relation) -> Relation:
        expressions = Expressions(self.nodes, rows)
        found = self._rows(rows, node.expr, {expr.output_name: self._copied(expr) for expr in node.expr})
        if not any(expressions.has_rows(expr.node) for expr in node.expr):
            raise Unshown("select of constants alone gives one row", is_settled=True)
        return found

    def _copied(self, expr: Any) -> str | None:
        viewed = self.nodes.view_expression(expr.node)
        return viewed.name if type(viewed).__name__ == "Column" else None

    def _group_by(self, node: Any, rows: Relation, columns: tuple[str, ...]) -> Relation:
        if node.options.dynamic is not None or node.options.rolling is not None:
            raise Unshown("a window that rolls over time looks at rows of several keys")
        if node.options.slice is not None or node.apply:
            raise Unshown("a function of groups, or a part of them")
        keys = {expr.output_name: self._copied(expr) for expr in node.keys}
        expressions = Expressions(self.nodes, rows)
        for expr in node.keys:
            expressions.require_by_row(expr.node)
        by = [name for name in keys.values() if name is not None]
        for expr in node.aggs:
            expressions.require_of_group(expr.node, by)
        if not keys:
            raise Unshown("an aggregate of all rows", is_settled=True)
        what = f"grouped by {listed(keys)}"
        copies: dict[Column, Column | None] = {name: keys.get(name) for name in columns}
        found = rows.apart(by, what).mapped(copies, is_spread=True)
        return replace(found, keys=frozenset([frozenset(keys)]))

    def _sort(self, node: Any, rows: Relation) -> Relation:
        if node.slice is not None:
            raise Unshown("sort with head takes the first of all rows")
        by = [self._copied(expr) for expr in node.by_column]
        expressions = Expressions(self.nodes, rows)
        for expr in node.by_column:
            expressions.require_by_row(expr.node)
        order: frozenset[Column] = frozenset(name for name in by if name is not None)
        return replace(rows, order=order)

    def _join(self, node: Any, inputs: list[Relation], columns: tuple[str, ...]) -> Relation:
        how, _, cut, suffix, is_coalesced, _ = node.options
        if cut is not None or node.predicate is not None:
            raise Unshown("a part of a join")
        ends = zip(self._ends(node.left_on, node.input_left), self._ends(node.right_on, node.input_right), strict=True)
        plain = [(one.name, two.name) for one, two in ends if one.name and two.name and one.dtype == two.dtype]
        left, right = inputs
        names = _Names(columns, suffix, frozenset(two for _, two in plain if is_coalesced))
        if how == "Right":
            names = replace(names, dropped=frozenset(one for one, _ in plain if is_coalesced), is_right=True)
            return names.joined(left, right, How.LEFT, plain)
        if isinstance(how, tuple):
            by = list(zip(how[4] or (), how[5] or (), strict=True))
            if not right.is_total({two for _, two in (*plain, *by)}):
                raise Unshown("join_asof takes any of the rows of the other table that tie")
            names = replace(names, dropped=frozenset(two for one, two in plain if one == two) | {two for _, two in by})
            return names.joined(left, right, How.LEFT, plain)
        if how not in _HOWS:
            raise Unshown(f"a join of the kind {how} is not known")
        return names.joined(left, right, _HOWS[how], plain)

    def _ends(self, exprs: list[Any], node: int) -> list["_End"]:
        self.nodes.set_node(node)
        return [_End(self._copied(expr), self.nodes.get_dtype(expr.node)) for expr in exprs]


@dataclass(frozen=True)
class _End:
    """What a join compares on one side: a column, or something without a name, and its type."""

    name: str | None
    dtype: pl.DataType


@dataclass(frozen=True)
class _Names:
    """How the columns of a join are called: those that the one side loses to the other, and the suffix of twins."""

    columns: tuple[str, ...]
    suffix: str
    dropped: frozenset[str]
    is_right: bool = False

    def joined(self, left: Relation, right: Relation, how: How, pairs: list[tuple[str, str]]) -> Relation:
        """The relation of the join, under the names that Polars gives."""
        kept = [name for name in left.columns if not (self.is_right and name in self.dropped)]
        origins: dict[Column, Column | None] = {name: ("left", name) for name in kept}
        if how not in {How.SEMI, How.ANTI}:
            for name in right.columns:
                if self.is_right or name not in self.dropped:
                    origins[f"{name}{self.suffix}" if name in kept else name] = ("right", name)
        if set(origins) != set(self.columns):
            raise Unshown("a join whose columns are not called as expected")
        one = left.mapped({("left", name): name for name in left.columns})
        two = right.mapped({("right", name): name for name in right.columns})
        ends: list[tuple[Column, Column]] = [(("left", mine), ("right", other)) for mine, other in pairs]
        if self.is_right:
            one, two, ends = two, one, [(other, mine) for mine, other in ends]
        return joined(one, two, how, ends).mapped({name: origins[name] for name in self.columns})


def _distinct(options: tuple[Any, ...], rows: Relation) -> Relation:
    keep, subset, _, cut = options
    by = list(rows.columns) if subset is None else list(subset)
    if cut is not None:
        raise Unshown("a part of the distinct rows")
    is_any = keep == "any" or not rows.order
    if keep != "none" and not (set(by) >= set(rows.columns) or (rows.is_total({*by, *rows.order}) and not is_any)):
        raise Unshown(
            f"unique keeps one of the rows with the same {listed(by)}, and no order tells which: sort by more"
        )
    found = rows.apart(by, f"unique by {listed(by)}")
    return replace(found, keys=found.keys | {frozenset(by)})


def _map(function: tuple[Any, ...], rows: Relation, columns: tuple[str, ...]) -> Relation:
    """The rows of one of the operators that Polars calls functions of frames."""
    copies: dict[Column, Column | None] = {name: name if name in rows.columns else None for name in columns}
    match function:
        case ("explode", list(lists), *_):
            return rows.mapped(copies | dict.fromkeys(lists), is_spread=True)
        case ("unnest", list(structs), *_):
            made = [name for name in columns if name not in rows.columns or name in structs]
            return rows.mapped(copies | dict.fromkeys(made))
        case ("unpivot", list(index), *_):
            return rows.mapped({name: name if name in index else None for name in columns}, is_spread=True)
        case ("hint_sorted", *_):
            return rows
        case ("row_index", *_):
            raise Unshown("with_row_index numbers all rows")
    raise Unshown(f"{function[0]} is an operator of which nothing is known")


def _whole(columns: tuple[str, ...], inputs: list[Relation], reason: str) -> Relation:
    parts = [part.whole(reason).mapped({}) for part in inputs]
    found = union(parts) if parts else Relation(())
    return Relation(columns, found.traces)


def _opaque(error: NotImplementedError) -> str:
    said = " ".join(str(error).split())
    known = next((reason for sign, reason in _OPAQUE.items() if said.startswith(sign)), None)
    return known or f"{said[:80]} is nothing of which more is known"
