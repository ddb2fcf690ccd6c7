"""Which types the texts of a table have: taken only where every value of all rows fits exactly, and can be told again.

What is found is evidence: for each column how many values there are, which types they rule out, and by which value in
which line. Evidence of rows that come is added to what was found before, and gives what all rows together would give.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from ingestion.columns import OWN_COLUMNS
from lake.promote.casts import misfit
from lake.promote.names import counted, listed

CANDIDATES: Mapping[str, pl.DataType] = {
    "Boolean": pl.Boolean(),
    "Int64": pl.Int64(),
    "Float64": pl.Float64(),
    "Date": pl.Date(),
    "Datetime": pl.Datetime("us"),
    "Datetime in UTC": pl.Datetime("us", "UTC"),
}
"""The types that text may turn out to be, the first that all values fit; else it stays text."""

RESCUED = "_rescued"
"""The lake's own column that is kept where it is filled: it has values that no column of the table has."""

_PLAIN = {
    "Int64": r"^(0|-?[1-9][0-9]*)$",
    "Float64": r"^-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-][0-9]+)?$",
    "Datetime in UTC": r"(Z|\+00:?00)$",
}
"""The spellings that say nothing but the value: 0870, +43 and 1E5 are codes, and an offset is more than an instant."""

_WHOLE_NUMBER = r"^-?[0-9]+$"
_SAMPLE_ROWS = 10_000
_CHECKS_MAX = 200
_EXAMPLE_LENGTH_MAX = 60
_ROW = "__lake_row"
_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Example:
    """The value that was the last to rule types out, the row that it is in, where that came from, and these types."""

    value: str
    row: int
    file: str | None
    line: int | None
    types: tuple[str, ...]

    def __str__(self) -> str:
        where = f" on line {self.line} of {self.file}" if self.file and self.line else ""
        peculiar = _peculiar(self.value)
        return f"{self.value!r}{f' ({peculiar})' if peculiar else ''}{where}"


@dataclass(frozen=True)
class Evidence:
    """What the rows say of one column: what rules types out, and its values and empty texts while it may have one."""

    values: int = 0
    empties: int = 0
    out: tuple[str, ...] = ()
    last: Example | None = None

    @property
    def left(self) -> tuple[str, ...]:
        """The types that all values fit so far."""
        return tuple(name for name in CANDIDATES if name not in self.out)

    def to_dict(self) -> dict[str, Any]:
        """The same in what JSON has."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> "Evidence":
        """What `to_dict` gave."""
        last = told["last"]
        example = None if last is None else Example(**(last | {"types": tuple(last["types"])}))
        return cls(told["values"], told["empties"], tuple(told["out"]), example)


@dataclass(frozen=True)
class Column:
    """What one column is taken for, and why nothing stricter; ``empties`` are texts that are taken for missing."""

    type: pl.DataType
    why: str
    empties: int = 0


def survey(rows: pl.LazyFrame, before: Mapping[str, Evidence] | None = None, offset: int = 0) -> dict[str, Evidence]:
    """What the rows say of each text column, added to what was known ``before`` of ``offset`` other rows.

    The first rows are looked at by themselves, since they rule most types out; what is left is asked of all rows. Runs
    the frame about twice, and holds no rows but those that are examples.
    """
    schema = rows.collect_schema()
    texts = [name for name, dtype in schema.items() if dtype == pl.String and name not in OWN_COLUMNS]
    found = {name: (before or {}).get(name, Evidence()) for name in texts}
    known = dict(found)
    for part in (rows.head(_SAMPLE_ROWS), rows):
        for names in _portions(found):
            found |= _look(part, {name: found[name] for name in names}, known, offset)
    if RESCUED in schema:
        filled = rows.select(pl.col(RESCUED).count()).collect(engine="streaming").item()
        found[RESCUED] = Evidence((before or {}).get(RESCUED, Evidence()).values + filled)
    return found


def decide(schema: pl.Schema, evidence: Mapping[str, Evidence]) -> dict[str, Column]:
    """What each column of the table is; ``schema`` is that of its source, whose typed columns stay as they are."""
    found = {}
    for name, dtype in schema.items():
        told = evidence.get(name, Evidence())
        if name == RESCUED:
            if told.values:
                found[name] = Column(dtype, f"filled in {counted(told.values, 'row')}")
        elif name not in OWN_COLUMNS:
            found[name] = _of_text(told) if dtype == pl.String else Column(dtype, "as in its source")
    return found


def _of_text(told: Evidence) -> Column:
    if not told.left:
        named = f"not {listed(told.last.types)}: " if told.last and len(told.last.types) < len(CANDIDATES) else "text: "
        return Column(pl.String(), f"{named}{told.last}")
    if not told.values:
        return Column(pl.String(), "no value tells its type")
    name = told.left[0]
    why = f"all {counted(told.values, 'value')} fit"
    if told.empties:
        why += f", {counted(told.empties, 'empty text')} {'is' if told.empties == 1 else 'are'} missing"
    if name == "Float64" and told.last and "Int64" in told.last.types:
        why += f"; not Int64: {told.last}"
    return Column(CANDIDATES[name], why, told.empties)


def _portions(found: Mapping[str, Evidence]) -> Iterator[list[str]]:
    """The columns that may have a type still, in so few at once that the plan of a pass stays small."""
    names: list[str] = []
    for name, told in found.items():
        if told.left:
            names.append(name)
        if len(names) * len(CANDIDATES) >= _CHECKS_MAX:
            yield names
            names = []
    if names:
        yield names


def _look(
    rows: pl.LazyFrame, found: Mapping[str, Evidence], known: Mapping[str, Evidence], offset: int
) -> dict[str, Evidence]:
    """Ask the types that are left of some columns' values; values are counted on top of what was ``known``."""
    texts = rows.select(
        *(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in found),
        *((pl.col(name) == "").alias(f"{name}{_SEPARATOR}") for name in found),
    )
    checks: list[pl.Expr] = []
    for name, told in found.items():
        checks += [pl.col(name).count().alias(f"{name}{_SEPARATOR}values"), pl.col(f"{name}{_SEPARATOR}").sum()]
        firsts_of = {kind: pl.when(_unfit(name, kind)).then(pl.col(_ROW)).min() for kind in told.left}
        checks += [first.alias(f"{name}{_SEPARATOR}{kind}") for kind, first in firsts_of.items()]
    (answer,) = texts.with_row_index(_ROW).select(checks).collect(engine="streaming").to_dicts()
    firsts = {
        name: {kind: row for kind in told.left if (row := answer[f"{name}{_SEPARATOR}{kind}"]) is not None}
        for name, told in found.items()
    }
    examples = _examples(rows, {name: max(kinds.values()) for name, kinds in firsts.items() if kinds})
    return {
        name: Evidence(
            known[name].values + answer[f"{name}{_SEPARATOR}values"],
            known[name].empties + answer[f"{name}{_SEPARATOR}"],
            (*told.out, *firsts[name]),
            _last(firsts[name], examples.get(name), offset) or told.last,
        )
        for name, told in found.items()
    }


def _last(kinds: Mapping[str, int], example: tuple[str, str | None, int | None] | None, offset: int) -> Example | None:
    """The latest of the values that were the first to rule a type out: of texts, the one that spoils most."""
    if example is None:
        return None
    value, file, line = example
    row = max(kinds.values())
    return Example(value, row + offset, file, line, tuple(kind for kind, first in kinds.items() if first == row))


def _examples(rows: pl.LazyFrame, wanted: Mapping[str, int]) -> dict[str, tuple[str, str | None, int | None]]:
    """The values of some columns in one row each, and the file and the line that they came from."""
    if not wanted:
        return {}
    schema = rows.collect_schema()
    file = pl.col("_file") if "_file" in schema else pl.lit(None, pl.String).alias("_file")
    line = pl.col("_line") if "_line" in schema else pl.lit(None, pl.Int64).alias("_line")
    cut = [pl.col(name).str.head(_EXAMPLE_LENGTH_MAX) for name in wanted]
    some = rows.select(*cut, file, line).with_row_index(_ROW).filter(pl.col(_ROW).is_in(sorted(set(wanted.values()))))
    by_row = {row[_ROW]: row for row in some.collect(engine="streaming").to_dicts()}
    return {name: (by_row[row][name], by_row[row]["_file"], by_row[row]["_line"]) for name, row in wanted.items()}


def _unfit(name: str, kind: str) -> pl.Expr:
    """True for a text that is not exactly a value of the type, or says more than the value."""
    text, unfit = pl.col(name), misfit(name, CANDIDATES[kind])
    if kind in _PLAIN:
        unfit = unfit | text.str.contains(_PLAIN[kind]).not_()
    if kind == "Float64":
        unfit = unfit | (text.str.contains(_WHOLE_NUMBER) & misfit(name, pl.Int64()))
    return unfit.fill_null(value=False)


def _peculiar(value: str) -> str:
    """What keeps a text that looks like a number from being one.

    >>> _peculiar("0870"), _peculiar("1E5"), _peculiar("9223372036854775808"), _peculiar("n/a")
    ('leading zero', 'exponent without a sign', 'more digits than a number keeps', '')
    """
    if re.fullmatch(r"[+-]?0[0-9]+(\.[0-9]*)?", value):
        return "leading zero"
    if re.fullmatch(r"\+[0-9.]+", value):
        return "plus sign"
    if re.fullmatch(r"-?[0-9.]+[eE][0-9]+", value):
        return "exponent without a sign"
    return "more digits than a number keeps" if re.fullmatch(r"-?[0-9]*\.?[0-9]{15,}", value) else ""
