"""How a query depends on each of its tables, read from the plan that DuckDB makes of it over tables without rows.

It is the bound plan before the optimizer (`json_serialize_plan`): names are resolved, stars spread out, subqueries
turned into joins by the engine that runs the query. Columns are places. What the plan says in words that are not known
here counts for "on the whole".
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import duckdb
import polars as pl

from catalog.zones import TABLE_ZONES, TableName
from lake.engine import quote_name
from lake.promote.relation import Column, How, Relation, Unshown, joined, source, union

Node = Mapping[str, Any]

_CLASSES = {"BOUND_REF", "BOUND_CONSTANT", "BOUND_FUNCTION", "BOUND_OPERATOR", "BOUND_CASE", "BOUND_CONJUNCTION",
            "BOUND_COMPARISON", "BOUND_BETWEEN", "BOUND_CAST", "BOUND_LAMBDA", "BOUND_UNNEST",
            "BOUND_AGGREGATE"}  # fmt: skip
_HOWS = {"INNER": How.INNER, "LEFT": How.LEFT, "SINGLE": How.LEFT, "OUTER": How.FULL, "FULL": How.FULL,
         "SEMI": How.SEMI, "ANTI": How.ANTI, "RIGHT": How.LEFT}  # fmt: skip
_AGGREGATES = {"approx_count_distinct", "avg", "bit_and", "bit_or", "bit_xor", "bool_and", "bool_or", "corr", "count",
               "count_if", "count_star", "countif", "covar_pop", "covar_samp", "favg", "fsum", "kahan_sum", "max",
               "mean", "median", "min", "product", "quantile", "quantile_cont", "quantile_disc", "regr_slope", "stddev",
               "stddev_pop", "stddev_samp", "sum", "sum_no_overflow", "sumkahan", "var_pop", "var_samp",
               "variance"}  # fmt: skip
"""Aggregates whose value does not depend on the order of the rows."""

_RANKS = {"WINDOW_RANK", "WINDOW_RANK_DENSE", "WINDOW_PERCENT_RANK", "WINDOW_CUME_DIST"}
_BY_PLACE = {
    "LOGICAL_LIMIT": "limit or offset takes rows by their place among all",
    "LOGICAL_TOP_N": "limit takes rows by their place among all",
    "LOGICAL_SAMPLE": "a sample is another one each time",
    "LOGICAL_POSITIONAL_JOIN": "a positional join matches rows by their place among all",
    "LOGICAL_RECURSIVE_CTE": "a recursive query goes through all rows",
    "LOGICAL_ASOF_JOIN": "an asof join takes any of the rows that tie",
}
_PARTS = {
    "type", "children", "expressions", "table_index", "column_count", "projection_map", "conditions", "condition",
    "join_type", "mark_index", "mark_types", "left_projection_map", "right_projection_map", "groups", "grouping_sets",
    "grouping_functions", "group_index", "aggregate_index", "groupings_index", "window_index", "unnest_index",
    "orders", "order_by", "distinct_targets", "distinct_type", "limit_val", "offset_val", "sample_options",
    "setop_all", "bindings", "return_types", "expr_types", "bound_columns", "chunk_types", "cte_index", "ctename",
    "materialize", "union_all", "internal_types", "arguments", "column_indexes", "function_data", "has_serialize",
    "input_table_names", "input_table_types", "named_parameters", "names", "parameters", "projected_input",
    "projection_ids", "qname", "returned_types", "table_filters", "table_filters_by_projection",
}  # fmt: skip
"""What DuckDB 2.0 says of operators: a later one that says more may mean another thing."""

_TABLE_FUNCTIONS = {"range", "generate_series"}


@dataclass(frozen=True)
class Read:
    """A table of a query: its columns, and keys that it keeps."""

    schema: pl.Schema
    keys: Collection[Collection[str]] = ()


def read_query(sql: str, tables: Mapping[TableName, Read]) -> tuple[Relation, pl.Schema | None]:
    """How the result depends on the tables, by the names of its columns, and its schema if it can be told."""
    every = union([source(name, read.schema).mapped({}) for name, read in tables.items()])
    schema = None
    try:
        with _connect(tables) as connection:
            made = json.loads(_scalar(connection, _PLAN, sql))
            if made.get("error"):
                return every.whole(f"DuckDB does not tell its plan: {made.get('error_message')}"), None
            connection.execute(f"create temp view __result as {sql}")
            connection.execute("create temp table __shape as from __result with no data")
            schema = connection.sql("from __shape").pl().schema
            found = _Plan(tables).relation(made["plans"][-1])
    except duckdb.Error as error:
        return every.whole(f"DuckDB does not tell its plan: {str(error).splitlines()[0]}"), None
    except Unshown as error:
        return every.whole(str(error)), schema
    except (LookupError, TypeError, ValueError) as error:
        return every.whole(f"its plan is not of a shape that is known ({type(error).__name__}: {error})"), None
    if len(found.columns) != len(schema):
        return every.whole("its plan has other columns than its result"), None
    return found.mapped(dict(zip(schema, found.columns, strict=True))), schema


_PLAN = "select json_serialize_plan(?, optimize := false, skip_null := true, skip_empty := true, skip_default := true)"


def _connect(tables: Mapping[TableName, Read]) -> duckdb.DuckDBPyConnection:
    """A database with the tables, all empty, that reaches nothing outside."""
    connection = duckdb.connect(":memory:")
    connection.execute("set python_enable_replacements = false; set enable_external_access = false")
    connection.execute("set autoinstall_known_extensions = false; set autoload_known_extensions = false")
    connection.execute("set threads = 1; set TimeZone = 'UTC'; set lock_configuration = true")
    for zone in TABLE_ZONES:
        connection.execute(f"create schema {zone}")
    for name, read in tables.items():
        connection.register("__empty", read.schema.to_frame().to_arrow())
        connection.execute(f"create table {name.zone}.{quote_name(name.name)} as from __empty")
        connection.unregister("__empty")
    return connection


def _scalar(connection: duckdb.DuckDBPyConnection, sql: str, *values: object) -> Any:
    (found,) = connection.execute(sql, list(values)).fetchone() or (None,)
    return found


@cache
def _lasting() -> frozenset[str]:
    """The functions that give the same for the same values, whenever they are called."""
    with duckdb.connect(":memory:") as connection:
        return frozenset(name for (name,) in connection.execute(_LASTING).fetchall())


_LASTING = """
select function_name from duckdb_functions() where function_type in ('scalar', 'aggregate')
group by function_name having bool_and(stability is null or stability = 'CONSISTENT')
"""


@dataclass
class _Plan:
    """A plan on its way to a relation, node by node; ``shared`` are what its WITH clauses name."""

    tables: Mapping[TableName, Read]
    shared: dict[int, Relation] = field(default_factory=dict)

    def relation(self, node: Node) -> Relation:
        """What the node gives. Raises `Unshown` where that is not settled by the rows, or not known."""
        if unknown := node.keys() - _PARTS:
            raise Unshown(f"{_called(node['type'])} has {min(unknown)}, of which nothing is known")
        if node["type"] == "LOGICAL_MATERIALIZED_CTE":
            first, second = node["children"]
            self.shared[node.get("table_index", 0)] = self.relation(first)
            return self.relation(second)
        inputs = [self.relation(child) for child in node.get("children", ())]
        width = _width(node, inputs)
        try:
            return self._seen(node, inputs)
        except Unshown as error:
            if not error.is_settled:
                raise
            return _whole(width, inputs, str(error))

    def _seen(  # noqa: PLR0911, PLR0912 - one case for each word of a plan
        self, node: Node, inputs: list[Relation]
    ) -> Relation:
        match node["type"]:
            case "LOGICAL_GET":
                return self._get(node, inputs)
            case "LOGICAL_CTE_REF":
                if (named := node.get("cte_index", 0)) not in self.shared:
                    raise Unshown(_BY_PLACE["LOGICAL_RECURSIVE_CTE"])
                return self.shared[named]
            case "LOGICAL_DUMMY_SCAN" | "LOGICAL_EMPTY_RESULT":
                return Relation(tuple(range(_width(node, []))))
            case "LOGICAL_EXPRESSION_GET" if not inputs[0].traces:
                _require_lasting(node["expressions"])
                return Relation(tuple(range(len(node["expr_types"]))))
            case "LOGICAL_PROJECTION":
                _require_lasting(node["expressions"])
                return inputs[0].mapped({place: _place(expr) for place, expr in enumerate(node["expressions"])})
            case "LOGICAL_FILTER" | "LOGICAL_ORDER_BY":
                _require_lasting([node.get("expressions"), node.get("orders")])
                places = node.get("projection_map") or inputs[0].columns
                return inputs[0].mapped(dict(enumerate(places)))
            case "LOGICAL_AGGREGATE_AND_GROUP_BY":
                return self._aggregate(node, inputs[0])
            case "LOGICAL_WINDOW":
                return self._window(node, inputs[0])
            case "LOGICAL_UNNEST":
                _require_lasting(node["expressions"])
                width = _width(node, inputs)
                kept = set(inputs[0].columns)
                return inputs[0].mapped({p: p if p in kept else None for p in range(width)}, is_spread=True)
            case "LOGICAL_DISTINCT":
                return self._distinct(node, inputs[0])
            case "LOGICAL_UNION":
                return union(inputs)
            case "LOGICAL_EXCEPT" | "LOGICAL_INTERSECT":
                return _compared(node, *inputs)
            case "LOGICAL_COMPARISON_JOIN" | "LOGICAL_ANY_JOIN" | "LOGICAL_CROSS_PRODUCT":
                return self._join(node, *inputs)
            case kind if kind in _BY_PLACE:
                raise Unshown(_BY_PLACE[kind])
        raise Unshown(f"{_called(node['type'])} is an operator of which nothing is known")

    def _get(self, node: Node, inputs: list[Relation]) -> Relation:
        places = [each.get("index", 0) for each in node["column_indexes"]]
        if inputs or node.get("table_filters") or node.get("projection_ids"):
            raise Unshown("a part of a table")
        if _name(node) in _TABLE_FUNCTIONS:
            _require_lasting(node.get("parameters"))
            return Relation(tuple(range(len(places))))
        if _name(node) != "seq_scan":
            raise Unshown(f"{_name(node)}() is a source of which nothing is known")
        found = node["function_data"]
        name = TableName.parse(f"{found['schema']}.{found['table']}".lower())
        read = self.tables[name]
        names = dict(enumerate(node["names"]))
        return source(name, read.schema, read.keys).mapped({to: names.get(of) for to, of in enumerate(places)})

    def _aggregate(self, node: Node, rows: Relation) -> Relation:
        groups = node.get("groups", [])
        _require_lasting(groups)
        sets = [set(each) for each in node.get("grouping_sets") or [range(len(groups))]]
        always = set.intersection(*sets)
        by = [_place(group) for place, group in enumerate(groups) if place in always]
        plain = [place for place in by if place is not None]
        for call in node.get("expressions", []):
            self._require_orderless(call, rows, plain)
        if not always:
            raise Unshown("an aggregate of all rows", is_settled=True)
        what = f"grouped by {_listed(groups)}"
        copies: dict[Column, Column | None] = dict.fromkeys(range(_width(node, [rows])))
        copies |= {place: _place(groups[place]) for place in always}
        found = rows.apart(plain, what).mapped(copies, is_spread=True)
        keys = frozenset([frozenset(range(len(groups)))]) if len(sets) == 1 else frozenset()
        return replace(found, keys=keys)

    def _require_orderless(self, call: Node, rows: Relation, by: Sequence[Column]) -> None:
        """Raises `Unshown` for an aggregate that depends on the order of rows, where not all of it is said."""
        parts = [*call.get("children", []), call.get("filter"), call.get("order_bys")]
        _require_lasting(parts)
        orders = _orders(call.get("order_bys"))
        arguments = {_place(each) for each in call.get("children", []) if each["expression_class"] != "BOUND_CONSTANT"}
        is_itself = bool(orders) and None not in arguments and arguments <= orders
        if _name(call) not in _AGGREGATES and not is_itself and not (orders and rows.is_total({*by, *orders})):
            raise Unshown(f"{_name(call)}() depends on the order of rows, of which some may tie")

    def _window(self, node: Node, rows: Relation) -> Relation:
        found = rows
        for call in node["expressions"]:
            parts = [call.get(part) for part in ("children", "partitions", "orders", "filter_expr", "arg_orders")]
            _require_lasting([parts, [call.get(part) for part in call if part.endswith("_expr")]])
            places = [_place(each) for each in call.get("partitions", [])]
            by = [place for place in places if place is not None]
            if not places:
                raise Unshown(f"{_window_name(call)} over all rows", is_settled=_is_orderless(call))
            what = f"window over {_listed(call['partitions'])}"
            orders = _orders(call)
            if not (_is_orderless(call) or (orders and rows.is_total({*by, *orders}))):
                raise Unshown(f"{what}: {_window_name(call)} depends on the order of rows, of which some may tie")
            found = found.apart(by, what)
        kept = set(rows.columns)
        return found.mapped({place: place if place in kept else None for place in range(_width(node, [rows]))})

    def _distinct(self, node: Node, rows: Relation) -> Relation:
        targets = node["distinct_targets"]
        _require_lasting([targets, node.get("order_by")])
        by = {place for place in map(_place, targets) if place is not None}
        orders = _orders(node.get("order_by"))
        is_told = by >= set(rows.columns) or (bool(orders) and rows.is_total(by | orders))
        if node["distinct_type"] != "DISTINCT" and not is_told:
            raise Unshown(f"distinct on ({_listed(targets)}) keeps one of the rows, and no order tells which")
        found = rows.apart(by, f"distinct by {_listed(targets)}")
        keys = found.keys | {frozenset(by)} if len(by) == len(targets) else found.keys
        return replace(found, keys=keys)

    def _join(self, node: Node, left: Relation, right: Relation) -> Relation:
        conditions = node.get("conditions", [])
        _require_lasting([conditions, node.get("condition")])
        kind = node.get("join_type", "INNER") if node["type"] != "LOGICAL_CROSS_PRODUCT" else "INNER"
        shift = len(left.columns)
        pairs: list[tuple[Column, Column]] = []
        for each in conditions:
            one, two = _place(each["left"]), _place(each["right"])
            if one is not None and two is not None and each["comparison"] in _EQUAL:
                pairs.append((one, two + shift))
        other = right.mapped({place + shift: place for place in range(len(right.columns))})
        if kind == "MARK":
            # Whether a value is IN a list is neither true nor false where the list has a NULL: any row may bring one.
            found = joined(left, other, How.ANTI, [], "in (select ...)")
            return found.mapped({**dict.fromkeys(range(shift + 1)), **{place: place for place in left.columns}})
        if kind not in _HOWS:
            raise Unshown(f"a join of the kind {kind} is not known")
        if kind == "RIGHT":
            found = joined(other, left, How.LEFT, [(two, one) for one, two in pairs])
        else:
            found = joined(left, other, _HOWS[kind], pairs)
        ones = node.get("left_projection_map") or range(shift)
        twos = node.get("right_projection_map") or range(len(right.columns))
        if _HOWS[kind] in {How.SEMI, How.ANTI}:
            twos = []
        return found.mapped(dict(enumerate([*ones, *(place + shift for place in twos)])))


_EQUAL = {"COMPARE_EQUAL", "COMPARE_NOT_DISTINCT_FROM"}


def _width(node: Node, inputs: Sequence[Relation]) -> int:  # noqa: PLR0911 - one case for each word of a plan
    """How many columns a node has. Raises `Unshown` where that is not known."""
    widths = [len(each.columns) for each in inputs]
    match node["type"]:
        case "LOGICAL_GET":
            return len(node["column_indexes"])
        case "LOGICAL_CTE_REF":
            return len(node["chunk_types"])
        case "LOGICAL_DUMMY_SCAN":
            return 1
        case "LOGICAL_EXPRESSION_GET":
            return len(node["expr_types"])
        case "LOGICAL_EMPTY_RESULT":
            return len(node["bindings"])
        case "LOGICAL_PROJECTION":
            return len(node["expressions"])
        case "LOGICAL_AGGREGATE_AND_GROUP_BY":
            return sum(len(node.get(part, [])) for part in ("groups", "expressions", "grouping_functions"))
        case "LOGICAL_WINDOW" | "LOGICAL_UNNEST":
            return widths[0] + len(node["expressions"])
        case "LOGICAL_FILTER" | "LOGICAL_ORDER_BY":
            return len(node.get("projection_map") or inputs[0].columns)
        case "LOGICAL_DISTINCT" | "LOGICAL_LIMIT" | "LOGICAL_TOP_N" | "LOGICAL_SAMPLE":
            return widths[0]
        case "LOGICAL_UNION" | "LOGICAL_EXCEPT" | "LOGICAL_INTERSECT" | "LOGICAL_RECURSIVE_CTE":
            return int(node["column_count"])
        case kind if "JOIN" in kind or kind == "LOGICAL_CROSS_PRODUCT":
            return _join_width(node, *widths)
    raise Unshown(f"{_called(node['type'])} is an operator of which nothing is known")


def _join_width(node: Node, left: int, right: int) -> int:
    left = len(node.get("left_projection_map", [])) or left
    right = len(node.get("right_projection_map", [])) or right
    return left + {"MARK": 1, "SEMI": 0, "ANTI": 0}.get(node.get("join_type", ""), right)


def _compared(node: Node, left: Relation, right: Relation) -> Relation:
    """The rows of one side that the other one has, or has not."""
    how = How.SEMI if node["type"] == "LOGICAL_INTERSECT" else How.ANTI
    pairs: list[tuple[Column, Column]] = [(place, place + len(left.columns)) for place in range(len(left.columns))]
    other = right.mapped({two: one for one, two in pairs})
    return joined(left.apart(left.columns, _called(node["type"])), other, how, pairs, _called(node["type"]))


def _whole(width: int, inputs: Sequence[Relation], reason: str) -> Relation:
    parts = [part.whole(reason).mapped({}) for part in inputs]
    return Relation(tuple(range(width)), union(parts).traces if parts else {})


def _place(expr: Node) -> int | None:
    """The column that an expression is, if it is one unchanged."""
    return expr.get("index", 0) if expr.get("expression_class") == "BOUND_REF" else None


def _orders(part: Node | None) -> set[Column]:
    """The columns by which rows are ordered, before one that is computed."""
    places = [_place(each["expression"]) for each in (part or {}).get("orders", [])]
    return {place for place in places if place is not None}


def _is_orderless(call: Node) -> bool:
    """Whether a window gives rows that tie the same: it takes no rows by number, only all up to an equal one."""
    if call["type"] in _RANKS:
        return True
    by_number = any("ROWS" in str(call.get(end, "")) for end in ("start", "end"))
    is_plain = call.get("exclude_clause", "NO_OTHER") == "NO_OTHER" and not call.get("arg_orders")
    return call["type"] == "WINDOW_AGGREGATE" and _name(call) in _AGGREGATES and is_plain and not by_number


def _window_name(call: Node) -> str:
    return _name(call) if call["type"] == "WINDOW_AGGREGATE" else _called(call["type"])


def _name(part: Node) -> str:
    return str(part["qname"]["path"][-1]).lower()


def _listed(exprs: Sequence[Node]) -> str:
    return ", ".join(str(expr.get("alias") or "a computed column") for expr in exprs)


def _called(word: str) -> str:
    for sign in ("LOGICAL_", "BOUND_", "WINDOW_"):
        word = word.removeprefix(sign)
    return word.lower()


def _require_lasting(part: Any) -> None:
    """Raises `Unshown` where an expression may give another value for the same row."""
    if isinstance(part, list | tuple):
        for each in part:
            _require_lasting(each)
    elif isinstance(part, dict):
        kind = part.get("expression_class")
        if kind is not None and kind not in _CLASSES:
            raise Unshown(f"{_called(kind)} is an expression of which nothing is known")
        if kind == "BOUND_FUNCTION" and not part.get("is_operator") and _name(part) not in _lasting():
            raise Unshown(f"{_name(part)}() is not known to give the same value each time")
        for each in part.values():
            _require_lasting(each)
