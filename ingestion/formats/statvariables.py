"""The variables of a statistics file: how each is stored, and what the file says of it and of its codes."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import polars as pl

from ingestion.columns import safe_names
from ingestion.formats.statclocks import Clock, clock, is_seconds

Values: TypeAlias = Mapping[str, Sequence[Any]]
"""A piece of the file: by variable, text, numbers, None, and letters where a number is missing for a reason."""

_TYPES: dict[str, pl.DataType] = {
    "int8": pl.Int8(),
    "int16": pl.Int16(),
    "int32": pl.Int32(),
    "float": pl.Float32(),
    "double": pl.Float64(),
}
_CODES_SAID_MAX = 100
_REASON = "_missing"

CODELIST = pl.Schema({"variable": pl.String(), "value": pl.String(), "label": pl.String(), "is_missing": pl.Boolean()})
"""The codelist table: the meaning of each code of each variable, and whether the code stands for a missing value.

A range of missing values is a row, too, as ``90 THRU 99``: which of its codes occur only the data say."""


@dataclass(frozen=True)
class Variable:
    """A variable as the file declares it, and what the survey of its values found.

    ``clock`` is there where its numbers are dates or times, all exact; ``reasons`` are the letters that stand for
    missing numbers (Stata's .a to .z, SAS's .A to .Z and ._), which go into a column of their own.
    """

    name: str
    dtype: pl.DataType
    form: str | None
    clock: Clock | None
    reasons: frozenset[str] = frozenset()

    @property
    def is_text(self) -> bool:
        """Whether its values are text."""
        return self.dtype == pl.String

    def surveyed(self, values: Sequence[Any]) -> "Variable":
        """The variable after some more of its values were seen."""
        reasons = self.reasons.union(value for value in values if isinstance(value, str))
        kept = self.clock
        if kept is not None and not kept.is_exact(pl.Series(_numbers(values), dtype=pl.Float64)):
            kept = None
        return replace(self, clock=kept, reasons=reasons)

    def stored(self, values: Sequence[Any]) -> pl.Series:
        """Its values in the type that they are stored in; letters are null here."""
        if self.is_text:
            return pl.Series(values, dtype=pl.String)
        if self.clock is not None:
            return self.clock.convert(pl.Series(_numbers(values), dtype=pl.Float64))
        return pl.Series(_numbers(values) if self.reasons else values, dtype=self.dtype)


@dataclass(frozen=True)
class Layout:
    """The columns of the table: one for each variable, then one for each variable that has reasons."""

    variables: tuple[Variable, ...]

    @property
    def header(self) -> tuple[str, ...]:
        """The names as found, the columns of reasons behind them."""
        return (*(v.name for v in self.variables), *(f"{v.name}{_REASON}" for v in self.variables if v.reasons))

    @property
    def names(self) -> tuple[str, ...]:
        """The stored names, in the order of the header."""
        return safe_names(self.header)

    @property
    def schema(self) -> pl.Schema:
        """The stored columns."""
        types = [v.dtype if v.clock is None else v.clock.dtype for v in self.variables]
        return pl.Schema(zip(self.names, types + [pl.String()] * (len(self.names) - len(types)), strict=True))

    def frame(self, values: Values) -> pl.DataFrame:
        """A piece of the file as it is stored."""
        columns = [variable.stored(values[variable.name]) for variable in self.variables]
        columns += [_letters(values[variable.name]) for variable in self.variables if variable.reasons]
        return pl.DataFrame([column.alias(name) for name, column in zip(self.names, columns, strict=True)])

    def said(self, meta: Any) -> dict[str, dict[str, str]]:
        """What the file says of each column, by stored name; ``meta`` is pyreadstat's."""
        names = dict(zip(self.header, self.names, strict=True))
        said = {names[v.name]: _said(v, names[v.name], meta) for v in self.variables}
        for variable in self.variables:
            if variable.reasons:
                reason = {"label": f"why {variable.name} is missing", "codelist": _codes_of(variable.name, meta)}
                said[names[f"{variable.name}{_REASON}"]] = {key: text for key, text in reason.items() if text}
        return {name: facts for name, facts in said.items() if facts}

    def codelist(self, meta: Any) -> pl.DataFrame:
        """The meaning of each code, by the stored name of its variable, in the file's order; see `CODELIST`."""
        rows = [
            (name, plain(code), label, is_missing)
            for name, variable in zip(self.names, self.variables, strict=False)
            for code, label, is_missing in _codes(variable, meta)
        ]
        return pl.DataFrame(rows, schema=CODELIST, orient="row")


def variables(program: str, meta: Any) -> tuple[Variable, ...]:
    """The variables that a file's metadata declares, before any value was seen."""
    return tuple(
        Variable(
            name=name,
            dtype=_TYPES.get(meta.readstat_variable_types[name], pl.String()),
            form=meta.original_variable_types[name],
            clock=clock(program, meta.original_variable_types[name]),
        )
        for name in meta.column_names
    )


def plain(code: object) -> str:
    """A code as a person writes it.

    >>> plain(1.0), plain(0.5), plain("a")
    ('1', '0.5', 'a')
    """
    return str(int(code)) if isinstance(code, float) and code.is_integer() else str(code)


def thru(low: float, high: float) -> str:
    """A range of codes as SPSS writes it.

    >>> thru(90.0, 99.0), thru(-math.inf, -1.0), thru(1e6, math.inf)
    ('90 THRU 99', 'LO THRU -1', '1000000 THRU HI')
    """
    ends = ("LO" if low == -math.inf else plain(low), "HI" if high == math.inf else plain(high))
    return " THRU ".join(ends)


def _numbers(values: Iterable[Any]) -> list[Any]:
    return [None if isinstance(value, str) else value for value in values]


def _letters(values: Iterable[Any]) -> pl.Series:
    return pl.Series([value if isinstance(value, str) else None for value in values], dtype=pl.String)


def _said(variable: Variable, stored: str, meta: Any) -> dict[str, str]:
    label = meta.column_names_to_labels.get(variable.name)
    ranges = meta.missing_ranges.get(variable.name, [])
    facts = {
        "label": label or (variable.name if stored != variable.name else ""),
        "name": variable.name if stored != variable.name else "",
        "format": variable.form or "",
        "unit": "s" if not variable.is_text and is_seconds(variable.form) else "",
        "missing": json.dumps([{end: _finite(r[end]) for end in ("lo", "hi")} for r in ranges]) if ranges else "",
        "codelist": _codes_of(variable.name, meta),
    }
    return {key: text for key, text in facts.items() if text}


def _codes_of(name: str, meta: Any) -> str:
    """The codes of a variable as JSON; nothing where there are so many that the codelist table alone has them."""
    codes = meta.variable_value_labels.get(name, {})
    if not 0 < len(codes) <= _CODES_SAID_MAX:
        return ""
    return json.dumps({plain(code): label for code, label in codes.items()}, ensure_ascii=False)


def _codes(variable: Variable, meta: Any) -> Iterator[tuple[Any, str | None, bool]]:
    """The labelled codes of a variable, then the codes for missing values that have no label, and ranges of such."""
    labels: Mapping[Any, str] = meta.variable_value_labels.get(variable.name, {})
    ranges = meta.missing_ranges.get(variable.name, [])
    for code, label in labels.items():
        is_letter = isinstance(code, str) and not variable.is_text
        yield code, label, is_letter or any(r["lo"] <= code <= r["hi"] for r in ranges)
    single = [r["lo"] for r in ranges if r["lo"] == r["hi"]]
    for code in [*single, *sorted(variable.reasons)]:
        if code not in labels:
            yield code, None, True
    for missing in ranges:
        if missing["lo"] != missing["hi"]:
            yield thru(missing["lo"], missing["hi"]), None, True


def _finite(end: object) -> object:
    """An end of a range of missing values as JSON has it: null where the range has none."""
    if not isinstance(end, float):
        return end
    if math.isinf(end):
        return None
    return int(end) if end.is_integer() else end
