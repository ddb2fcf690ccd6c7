"""A file's rows in its table's columns, under the dataset's drift policy: what a column cannot hold is kept beside it.

The policies, for a file whose columns are not the table's:

- ``evolve``: unknown columns are added to the table; a value that its column cannot hold exactly goes to ``_rescued``.
- ``rescue``: the values of unknown columns go to ``_rescued`` too, and the table stays as it is.
- ``freeze``: the file is refused, with the difference in words.
- ``quarantine``: a row with a value in an unknown column, or with one that does not fit, is set aside; the others pass.

A file that looks like another table's is refused under all of them: it lay in the wrong folder, and would widen a table
with columns that are not its own.

A column that the file lacks is missing in its rows, with a notice, under each but ``freeze``. Columns in another order,
or whose names differ in case only, are the table's under all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from ingestion.drift import Drift, compare, listed
from ingestion.refusal import FileRefused
from ingestion.values import as_text, fitted, json_object

_NO_TEXT = pl.lit(None, dtype=pl.String)


@dataclass(frozen=True)
class Plan:
    """How rows as they were found become rows of a table, in expressions over the found columns.

    ``schema`` are the value columns as they will be, ``values`` their values, ``rescued`` the text of ``_rescued``.
    ``faults`` is what is wrong with a row that has to be set aside, null where nothing is, and ``record`` is that row
    as JSON. A plan that ``is_plain`` takes, leaves and orders columns, and does no more.
    """

    schema: pl.Schema
    values: tuple[pl.Expr, ...]
    drift: Drift
    rescued: pl.Expr = _NO_TEXT
    faults: pl.Expr | None = None
    record: pl.Expr = _NO_TEXT
    notices: tuple[str, ...] = ()
    is_plain: bool = True


def plan(found: pl.Schema, table: pl.Schema | None, policy: str) -> Plan:
    """How a file of these columns comes into its table, None for a table that takes the file's.

    Raises `FileRefused` where the columns differ and the table is frozen.

    >>> plan(pl.Schema({"a": pl.String()}), pl.Schema({"a": pl.Int64()}), "freeze")
    Traceback (most recent call last):
    ...
    ingestion.refusal.FileRefused: the columns are not those of the table: 'a' is String, not Int64
    """
    drift = compare(found, found if table is None else table)
    if policy == "freeze" and drift.words:
        raise FileRefused("schema", f"the columns are not those of the table: {drift.words}")
    if drift.is_foreign:
        raise FileRefused("schema", f"the columns look like another table's: {drift.words}")
    kept = found if table is None else table
    added = pl.Schema({name: found[name] for name in drift.unknown if policy == "evolve"})
    misfits = _Misfits.of(found, drift, () if added else drift.unknown)
    is_strict = policy == "quarantine" and bool(misfits.texts)
    return Plan(
        schema=pl.Schema(kept | added),
        values=(*(_value(found, drift, name, dtype) for name, dtype in kept.items()), *map(pl.col, added)),
        drift=drift,
        rescued=_NO_TEXT if is_strict else json_object(misfits.texts.items()),
        faults=misfits.faults if is_strict else None,
        record=json_object((name, as_text(pl.col(name), dtype)) for name, dtype in found.items()),
        notices=_notices(drift, policy),
        is_plain=not misfits.texts and not drift.cased,
    )


@dataclass(frozen=True)
class _Misfits:
    """By column: the text of a value that the table cannot take, null where it takes it; and what is wrong with it."""

    texts: Mapping[str, pl.Expr] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, found: pl.Schema, drift: Drift, unknown: tuple[str, ...]) -> "_Misfits":
        texts = {name: _misfit(drift, name) for name in drift.changed}
        told = {name: f"{name!r} does not fit {want}" for name, (_, want) in drift.changed.items()}
        texts |= {name: as_text(pl.col(name), found[name]) for name in unknown}
        told |= {name: f"the table has no column {name!r}" for name in unknown}
        return cls(texts, told)

    @property
    def faults(self) -> pl.Expr:
        """What is wrong with a row, in words; null where nothing is."""
        faults = [pl.when(text.is_not_null()).then(pl.lit(self.told[name])) for name, text in self.texts.items()]
        joined = pl.concat_str(faults, separator="; ", ignore_nulls=True)
        return pl.when(joined != "").then(joined)


def _value(found: pl.Schema, drift: Drift, name: str, dtype: pl.DataType) -> pl.Expr:
    source = drift.sources.get(name)
    if source is None:
        return pl.lit(None, dtype=dtype).alias(name)
    return fitted(pl.col(source), found[source], dtype).alias(name)


def _misfit(drift: Drift, name: str) -> pl.Expr:
    """The text of a value that its column cannot hold."""
    have, want = drift.changed[name]
    value = pl.col(drift.sources[name])
    return pl.when(fitted(value, have, want).is_null()).then(as_text(value, have))


def _notices(drift: Drift, policy: str) -> tuple[str, ...]:
    aside = "is set aside with its row" if policy == "quarantine" else "is kept in _rescued"
    unknown = "new columns of the table" if policy == "evolve" else f"unknown columns, of which every value {aside}"
    notices = [f"names in another case: {listed(drift.cased.values())}"] if drift.cased else []
    notices += [f"columns that the file lacks: {listed(drift.missing)}"] if drift.missing else []
    notices += [f"{unknown}: {listed(drift.unknown)}"] if drift.unknown else []
    notices += [f"{drift.changes}: what does not fit {aside}"] if drift.changed else []
    return (*notices, *drift.guesses)
