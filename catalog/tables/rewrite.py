"""Rows that leave a table: the files that hold them are written again without them."""

from collections.abc import Collection
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


def without(tables: Tables, head: Snapshot | None, column: str, values: Collection[str]) -> Rewritten:
    """Write the files that hold a row with one of these texts in ``column`` again, without such rows, one at a time.

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
        rows = tables.scan_files(head.name, [file], head.schema)
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
