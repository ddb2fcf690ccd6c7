"""Rows that leave a table: the files that hold them are written again without them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import polars as pl

from catalog.errors import StoreError
from catalog.tables.datafile import DataFile
from catalog.tables.faults import store_faults
from catalog.tables.snapshot import Snapshot
from catalog.tables.store import Tables


@dataclass(frozen=True)
class Rewritten:
    """Files that leave the table, and what is kept of them in new ones; for a `Change` to commit."""

    kept: tuple[DataFile, ...] = ()
    removed: tuple[DataFile, ...] = ()


def without(
    tables: Tables, head: Snapshot | None, column: str, values: Collection[str], schema: pl.Schema | None = None
) -> Rewritten:
    """Write the files that hold a row with one of these texts in ``column`` again, without such rows, one at a time.

    They are written in ``schema``, the head's with new columns behind it; None is the head's own.
    Raises `StoreError` where the rows that stay and the rows that go are not the rows that were there.
    """
    if head is None or not values:
        return Rewritten()
    leaves = pl.col(column).is_in(sorted(values)).fill_null(value=False)
    return _rewritten(
        tables, head, (column, set(values)), leaves, _Rewriting(lambda rows: rows.filter(~leaves), True, schema)
    )


def rewritten(
    tables: Tables,
    head: Snapshot,
    may_hold: tuple[str, set[str]],
    which: pl.Expr,
    change: Callable[[pl.LazyFrame], pl.LazyFrame],
) -> Rewritten:
    """Write the files that hold a row for which ``which`` is true again, changed, one at a time.

    ``may_hold`` are a column and the values, one of which such a row has there: other files are not looked at. Raises
    `StoreError` where the rows are not as many as before.
    """
    return _rewritten(tables, head, may_hold, which, _Rewriting(change))


@dataclass(frozen=True)
class _Rewriting:
    """What happens to a file's rows: they are changed, and those that are meant leave or stay; in which schema."""

    change: Callable[[pl.LazyFrame], pl.LazyFrame]
    leaves: bool = False
    schema: pl.Schema | None = None


def _rewritten(
    tables: Tables, head: Snapshot, may_hold: tuple[str, set[str]], which: pl.Expr, rewriting: _Rewriting
) -> Rewritten:
    kept: list[DataFile] = []
    removed: list[DataFile] = []
    for file in head.files:
        if not file.may_hold(*may_hold):
            continue
        rows = tables.scan_files(head.name, [file], head.schema if rewriting.schema is None else rewriting.schema)
        with store_faults(f"read {head.name}"):
            meant = rows.select(which.sum()).collect(engine="streaming").item()
        if meant == 0:
            continue
        staying = file.rows - (meant if rewriting.leaves else 0)
        again = tables.sink(head.name, rewriting.change(rows)) if staying else []
        if sum(written.rows for written in again) != staying:
            raise StoreError(f"{head.name}: rows were lost while {file.path} was rewritten", next="run again")
        kept += again
        removed.append(file)
    return Rewritten(tuple(kept), tuple(removed))
