"""A correction takes the place of what its name brought before: the old rows go in the commit that brings the new."""

from dataclasses import dataclass

import polars as pl

from catalog.errors import StoreError
from catalog.tables import DataFile, Snapshot, Tables


@dataclass(frozen=True)
class TakenBack:
    """Files that leave the table, and what is kept of them in new ones."""

    kept: tuple[DataFile, ...] = ()
    removed: tuple[DataFile, ...] = ()


def take_back(tables: Tables, head: Snapshot | None, names: set[str]) -> TakenBack:
    """Write the files that hold rows of these landing names again, without them, one file at a time.

    Raises `StoreError` where the rows that stay and the rows that go are not the rows that were there.
    """
    if head is None or not names:
        return TakenBack()
    kept: list[DataFile] = []
    removed: list[DataFile] = []
    is_old = pl.col("_file").is_in(sorted(names))
    for file in head.files:
        if not file.may_hold("_file", names):
            continue
        rows = tables.scan_files(head.name, [file], head.schema)
        old = rows.select(is_old.sum()).collect(engine="streaming").item()
        if old == 0:
            continue
        rest = tables.sink(head.name, rows.filter(~is_old)) if old < file.rows else []
        if sum(written.rows for written in rest) + old != file.rows:
            raise StoreError(f"{head.name}: rows were lost while {file.path} was rewritten", next="run again")
        kept += rest
        removed.append(file)
    return TakenBack(tuple(kept), tuple(removed))
