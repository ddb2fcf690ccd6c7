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
    kept: list[DataFile] = []
    removed: list[DataFile] = []
    leaves = pl.col(column).is_in(sorted(values)).fill_null(value=False)
    for file in head.files:
        if not file.may_hold(column, set(values)):
            continue
        rows = tables.scan_files(head.name, [file], head.schema if schema is None else schema)
        with store_faults(f"read {head.name}"):
            leaving = rows.select(leaves.sum()).collect(engine="streaming").item()
        if leaving == 0:
            continue
        rest = tables.sink(head.name, rows.filter(~leaves)) if leaving < file.rows else []
        if sum(written.rows for written in rest) + leaving != file.rows:
            raise StoreError(f"{head.name}: rows were lost while {file.path} was rewritten", next="run again")
        kept += rest
        removed.append(file)
    return Rewritten(tuple(kept), tuple(removed))


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
    kept: list[DataFile] = []
    removed: list[DataFile] = []
    for file in head.files:
        if not file.may_hold(*may_hold):
            continue
        rows = tables.scan_files(head.name, [file], head.schema)
        with store_faults(f"read {head.name}"):
            is_meant = rows.select(which.any()).collect(engine="streaming").item()
        if not is_meant:
            continue
        again = tables.sink(head.name, change(rows))
        if sum(written.rows for written in again) != file.rows:
            raise StoreError(f"{head.name}: rows were lost while {file.path} was rewritten", next="run again")
        kept += again
        removed.append(file)
    return Rewritten(tuple(kept), tuple(removed))
