"""Which expressions of a Polars plan look at single rows, which at rows together, and whether order matters to them."""

from collections.abc import Collection
from enum import Enum
from typing import Any

from lake.promote.names import listed
from lake.promote.relation import Column, Relation, Unshown

_WORDS = {
    "abs", "acos", "asin", "atan", "cbrt", "ceil", "clip", "coalesce", "concat_str", "cos", "degrees", "exp",
    "fill_null", "floor", "log", "log1p", "as_struct", "max_horizontal", "mean_horizontal", "min_horizontal", "negate",
    "pow", "radians", "reinterpret", "replace", "replace_strict", "round", "round_sig_figs", "sign", "sin", "sqrt",
    "sum_horizontal", "tan", "truncate", "bit_count_ones",
}  # fmt: skip
_KINDS = {
    "BooleanFunction": {
        "AllHorizontal", "AnyHorizontal", "IsBetween", "IsClose", "IsFinite", "IsIn", "IsInfinite", "IsNan", "IsNotNan",
        "IsNotNull", "IsNull", "Not",
    },
    "StringFunction": {
        "Base64Decode", "Base64Encode", "ConcatHorizontal", "Contains", "ContainsAny", "CountMatches", "EndsWith",
        "EscapeRegex", "Extract", "ExtractAll", "ExtractGroups", "ExtractMany", "Find", "FindMany", "Format", "Head",
        "HexDecode", "HexEncode", "JsonDecode", "JsonPathMatch", "LenBytes", "LenChars", "Lowercase", "Normalize",
        "PadEnd", "PadStart", "Replace", "ReplaceMany", "Reverse", "Slice", "Split", "SplitExact", "SplitN",
        "SplitRegex", "StartsWith", "StripChars", "StripCharsEnd", "StripCharsStart", "StripPrefix", "StripSuffix",
        "Strptime", "Tail", "Titlecase", "ToDecimal", "ToInteger", "Uppercase", "ZFill",
    },
    "TemporalFunction": {
        "BaseUtcOffset", "CastTimeUnit", "Century", "Combine", "ConvertTimeZone", "DSTOffset", "Date", "Datetime",
        "DatetimeFunction", "Day", "DaysInMonth", "Duration", "Hour", "IsLeapYear", "IsoYear", "Microsecond",
        "Millennium", "Millisecond", "Minute", "Month", "MonthEnd", "MonthStart", "Nanosecond", "OffsetBy",
        "OrdinalDay", "Quarter", "Replace", "ReplaceTimeZone", "Round", "Second", "Time", "TimeStamp", "ToString",
        "TotalDays", "TotalHours", "TotalMicroseconds", "TotalMilliseconds", "TotalMinutes", "TotalNanoseconds",
        "TotalSeconds", "Truncate", "Week", "WeekDay", "WithTimeUnit", "Year",
    },
    "StructFunction": {"DropFields", "FieldByName", "JsonEncode", "MapFieldNames", "PrefixFields", "RenameFields",
                       "SuffixFields"},
    "ListFunction": {
        "ArgMax", "ArgMin", "Concat", "Contains", "CountMatches", "Diff", "DropNulls", "Gather", "GatherEvery", "Get",
        "Join", "Length", "Max", "Mean", "Median", "Min", "SetOperation", "Shift", "Slice", "Sort", "Std", "Sum", "Var",
    },
    "RangeFunction": {"IntRanges", "DateRanges"},
}  # fmt: skip
"""Functions that make a value of each row's values alone. What Polars gives a new name is not among them."""

_SUMS = {"sum", "min", "max", "mean", "median", "std", "var", "count", "n_unique", "item"}
_SUM_WORDS = {"null_count", "product", "quantile"}
_SUM_KINDS = {"BooleanFunction": {"All", "Any", "HasNulls"}}
_ENDS = {"first", "last", "implode"}
_ORDERED_WORDS = {"cum_sum", "cum_min", "cum_max", "cum_count", "cum_prod", "diff", "shift", "rle_id", "forward_fill"}


class _Shape(Enum):
    """What an expression makes of a group: one value; one for each row; values in an order that is told; any values."""

    ONE = 1
    ROWS = 2
    LISTED = 3
    SOME = 4


class Expressions:
    """The expressions of one node of a plan, whose rows are those of a relation."""

    def __init__(self, nodes: Any, rows: Relation) -> None:
        self.nodes, self.rows = nodes, rows

    def windows(self, node: int) -> list[tuple[str, ...]]:
        """The columns that each window in the expression parts the rows by, so far as they are columns.

        Raises `Unshown` where it looks at rows in another way than through windows.
        """
        seen, kind = self._view(node)
        match kind:
            case "Column":
                return []
            case "Literal":
                _require_value(seen)
                return []
            case "Window":
                return [self._window(seen)]
            case "Function" if not _makes_a_value(seen):
                raise Unshown(f"{_called(seen)} may look at all rows")
            case "BinaryExpr" | "Ternary" | "Cast" | "Function":
                return [by for part in _parts(seen, kind) for by in self.windows(part)]
            case "Agg":
                raise Unshown(f"{seen.name} over all rows", is_settled=seen.name in _SUMS)
            case "Len":
                raise Unshown("len counts all rows", is_settled=True)
        raise Unshown(f"{kind.lower()} may look at all rows")

    def require_by_row(self, node: int) -> None:
        """Raises `Unshown` for an expression that looks at more than single rows."""
        if self.windows(node):
            raise Unshown("a window inside of a key")

    def require_of_group(self, node: int, by: Collection[Column]) -> None:
        """Raises `Unshown` for an aggregate of groups that depends on the order of rows, which a table has not."""
        if self._shape(node, frozenset(by), self.rows.order) is not _Shape.ONE:
            raise Unshown("an aggregate lists values in the order of rows, which is not told: sort them")

    def has_rows(self, node: int) -> bool:
        """Whether the expression has a value for each row, other than constants."""
        seen, kind = self._view(node)
        return kind in {"Column", "Window"} or any(self.has_rows(part) for part in _parts(seen, kind))

    def _view(self, node: int) -> tuple[Any, str]:
        seen = self.nodes.view_expression(node)
        return seen, type(seen).__name__

    def _window(self, seen: Any) -> tuple[str, ...]:
        if seen.options.kind != "groups_to_rows":
            raise Unshown(f"over with mapping_strategy {seen.options.kind}")
        viewed = [self._view(part) for part in seen.partition_by]
        for part in seen.partition_by:
            self.require_by_row(part)
        by = tuple(part.name for part, kind in viewed if kind == "Column")
        order: frozenset[Column] = self.rows.order
        if seen.order_by is not None:
            within, kind = self._view(seen.order_by)
            order = frozenset(self._struct(seen.order_by)) if kind == "Function" else frozenset([within.name])
        try:
            shape = self._shape(seen.function, frozenset(by), order)
        except Unshown as error:
            raise Unshown(f"window over {listed(by, 'computed columns')}: {error}") from None
        if shape not in {_Shape.ONE, _Shape.ROWS}:
            raise Unshown("a window that lists values")
        return by

    def _struct(self, node: int) -> list[str]:
        """The columns of a struct, which is how several columns to order by are said."""
        seen, kind = self._view(node)
        if kind != "Function" or seen.function_data[0] != "as_struct":
            raise Unshown("a window in the order of something computed")
        parts = [self._view(part) for part in seen.input]
        return [part.name for part, kind in parts if kind == "Column"]

    def _shape(  # noqa: PLR0911 - one case for each word of a plan
        self, node: int, by: frozenset[Column], order: frozenset[Column]
    ) -> _Shape:
        """What the expression makes of a group of rows that have the same values in ``by``.

        Raises `Unshown` where that depends on the order of rows, and the order does not tell each from the others.
        """
        seen, kind = self._view(node)
        parts = [] if kind in {"Agg", "Window"} else _parts(seen, kind)
        match kind:
            case "Column":
                return _Shape.ROWS
            case "Literal":
                _require_value(seen)
                return _Shape.ONE
            case "Len":
                return _Shape.ONE
            case "Agg":
                return self._aggregate(seen, by, order)
            case "Filter":
                shapes = [self._shape(part, by, order) for part in (seen.input, seen.by)]
                return _Shape.SOME if set(shapes) <= {_Shape.ROWS, _Shape.ONE} else _refuse("filter of a list")
            case "Sort":
                self._shape(seen.expr, by, order)
                return _Shape.LISTED
            case "SortBy":
                return self._sorted_by(seen, by, order)
            case "Slice":
                shapes = [self._shape(part, by, order) for part in (seen.input, seen.offset, seen.length)]
                is_told = shapes[0] is _Shape.LISTED or self._is_told(shapes[0], by, order)
                return _Shape.LISTED if is_told else _refuse("head or slice takes rows in an order that is not told")
            case "Function":
                return self._function(seen, parts, by, order)
            case "BinaryExpr" | "Ternary" | "Cast":
                return _together([self._shape(part, by, order) for part in parts])
        return _refuse(f"{kind.lower()} may depend on the order of rows")

    def _aggregate(self, seen: Any, by: frozenset[Column], order: frozenset[Column]) -> _Shape:
        shape, *_ = [self._shape(part, by, order) for part in seen.arguments]
        if seen.name in _SUMS:
            return _Shape.ONE
        if seen.name in _ENDS and (shape in {_Shape.LISTED, _Shape.ONE} or self._is_told(shape, by, order)):
            return _Shape.ONE
        if seen.name in _ENDS:
            raise Unshown(f"{seen.name} takes rows in an order that is not told, or in which some may tie")
        raise Unshown(f"{seen.name} may depend on the order of rows")

    def _is_told(self, shape: _Shape, by: frozenset[Column], order: frozenset[Column]) -> bool:
        return bool(order) and shape in {_Shape.ROWS, _Shape.SOME} and self.rows.is_total(by | order)

    def _sorted_by(self, seen: Any, by: frozenset[Column], order: frozenset[Column]) -> _Shape:
        keys = [self._view(part) for part in seen.by]
        names = frozenset(part.name for part, kind in keys if kind == "Column")
        what, kind = self._view(seen.expr)
        is_itself = kind == "Column" and what.name in by | names
        if self._shape(seen.expr, by, order) is not _Shape.ROWS or len(names) < len(keys):
            raise Unshown("sort_by of something computed")
        if not is_itself and not self.rows.is_total(by | names):
            raise Unshown(f"sort_by {listed(names)} leaves open which of the rows that tie comes first")
        return _Shape.LISTED

    def _function(self, seen: Any, parts: list[int], by: frozenset[Column], order: frozenset[Column]) -> _Shape:
        shapes = [self._shape(part, by, order) for part in parts]
        called, *options = seen.function_data
        if _makes_a_value(seen):
            return _together(shapes)
        if called in _SUM_WORDS or _is_of(_SUM_KINDS, called):
            return _Shape.ONE
        is_plain = shapes[0] is _Shape.ROWS
        if is_plain and (_is_of({"BooleanFunction": {"IsDuplicated", "IsUnique"}}, called)):
            return _Shape.ROWS
        if is_plain and called == "rank" and options[0] in {"average", "min", "max", "dense"}:
            return _Shape.ROWS
        if is_plain and called in _ORDERED_WORDS and self._is_told(shapes[0], by, order):
            return _Shape.ROWS
        return _refuse(f"{_called(seen)} may depend on the order of rows")


def _together(shapes: list[_Shape]) -> _Shape:
    """The shape of values computed of several: of single values and one of another shape, that shape."""
    others = [shape for shape in shapes if shape is not _Shape.ONE]
    if len(others) > 1 and set(others) != {_Shape.ROWS}:
        raise Unshown("lists of a group, side by side")
    return others[0] if others else _Shape.ONE


def _parts(seen: Any, kind: str) -> list[int]:
    match kind:
        case "BinaryExpr":
            return [seen.left, seen.right]
        case "Ternary":
            return [seen.predicate, seen.truthy, seen.falsy]
        case "Cast":
            return [seen.expr]
        case "Function":
            return list(seen.input)
    return []


def _require_value(seen: Any) -> None:
    if type(seen.value).__name__ == "PySeries":
        raise Unshown("a series, whose values go to rows by their place")


def _makes_a_value(seen: Any) -> bool:
    called, *options = seen.function_data
    if isinstance(called, str):
        return called in _WORDS
    if str(called) == "StringFunction.Strptime" and options[0] is None:
        return False  # the format is guessed from the first values
    return _is_of(_KINDS, called)


def _is_of(kinds: dict[str, set[str]], called: Any) -> bool:
    kind, _, name = str(called).partition(".")
    return name in kinds.get(kind, set())


def _called(seen: Any) -> str:
    called = seen.function_data[0]
    if str(called) == "StringFunction.Strptime":
        return "a date whose format is guessed from the first values"
    return str(called).rpartition(".")[2]


def _refuse(reason: str) -> _Shape:
    raise Unshown(reason)
