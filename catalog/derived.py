"""Tables derived from what was committed elsewhere: each fact once, whoever writes it down, however often."""

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import TypeVar

import polars as pl

from catalog.errors import Conflict
from catalog.tables import Change, DataFile, Rewritten, Snapshot, Tables, store_faults
from catalog.zones import TableName

SMALL_BYTES = 8 * 1024**2
SMALL_FILES_MAX = 32
ATTEMPTS_MAX = 100

Made = TypeVar("Made")


def record_once(tables: Tables, name: TableName, source: tuple[str, str], rows: Callable[[], pl.LazyFrame]) -> Snapshot:
    """Append what one source says, unless it is there; the table's head afterwards.

    ``source`` is the text column that names the source, and its name: a batch, a run. Its statistics lead to the one
    file that may hold it. Small files are merged as they pile up, so that reading stays cheap. Raises `StoreError`.
    """

    def write(base: Snapshot | None) -> Snapshot:
        if base is not None and is_held(tables, base, source):
            return base
        schema = rows().collect_schema()
        base = widened(tables, base, schema)
        new = written(tables, name, base, rows())
        schema = base.schema if base is not None and new.removed else schema
        return tables.commit(Change(name, ":".join((str(name), *source)), base, schema, new.kept, new.removed))

    return on_newest(tables, name, write)


def on_newest(tables: Tables, name: TableName, write: Callable[[Snapshot | None], Made]) -> Made:
    """What ``write`` makes of the table's head, None where there is no table; again where another writer was first.

    Raises `Conflict` after many rivals, `StoreError`, and what ``write`` raises.
    """
    for _ in range(ATTEMPTS_MAX):
        with suppress(Conflict):
            return write(tables.open(name))
    raise Conflict(f"other writers to {name} were first, a hundred times", next="run again: nothing is lost")


def widened(tables: Tables, base: Snapshot | None, schema: pl.Schema) -> Snapshot | None:
    """The table with all these columns: an older lake knew fewer, and they are missing in its rows.

    Raises `Conflict`, `StoreError`.
    """
    if base is None or all(name in base.schema for name in schema):
        return base
    wider = pl.Schema(base.schema | {name: dtype for name, dtype in schema.items() if name not in base.schema})
    return tables.commit(Change(base.name, f"{base.name}:widened", base, wider, metadata=base.metadata))


def is_held(tables: Tables, base: Snapshot, source: tuple[str, str]) -> bool:
    """Whether a table has a row whose first column of these has the second for its value. Raises `StoreError`."""
    column, value = source
    candidates = [file for file in base.files if file.may_hold(column, {value})]
    found = tables.scan_files(base.name, candidates, base.schema).filter(pl.col(column) == value).head(1)
    with store_faults(f"read {base.name}"):
        return found.collect().height > 0


def written(
    tables: Tables, name: TableName, base: Snapshot | None, rows: pl.LazyFrame, gone: Collection[DataFile] = ()
) -> Rewritten:
    """New rows as files of a table, with the rows of its small files where there are many, but for what is ``gone``.

    Raises `StoreError`.
    """
    merged = [] if base is None else [file for file in to_merge(base.files) if file not in gone]
    if base is not None and merged:
        rows = pl.concat([tables.scan_files(name, merged, base.schema), rows], how="diagonal")
    return Rewritten(tuple(tables.sink(name, rows)), tuple(merged))


def to_merge(files: Iterable[DataFile]) -> list[DataFile]:
    """The small files to write again with new rows, where there are many."""
    small = [file for file in files if file.size_bytes < SMALL_BYTES]
    return small if len(small) >= SMALL_FILES_MAX else []
