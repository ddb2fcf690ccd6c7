"""A job's rows as the files of its table, and the commit that makes them its newest version.

Everything is reckoned from the published version, the pin, and committed on the head: what the head has beyond it are
proposals of runs that died or have not published yet, and they go.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import polars as pl

from catalog.errors import Conflict
from catalog.tables import Change, DataFile, Snapshot, Tables, difference
from lake.promote.account import count_rows, require_balance
from lake.promote.declare import Job, Mode
from lake.promote.memory import ROW_CELLS, Room, bulk, matching, shares

ATTEMPTS_MAX = 5


def files_of(tables: Tables, job: Job, rows: pl.LazyFrame, pin: Snapshot | None, room: Room) -> list[DataFile]:
    """Write what is new of a job's rows; the files that hold exactly these rows, some of them the pin's already.

    An upsert leaves alone the files whose rows all stand in ``rows`` unchanged. It writes all anew where the schema has
    changed, or where nothing says that the pin has one row a key. Raises `StoreError`; `DataRefused` where the files'
    footers do not count as many rows as there are.
    """
    if job.mode is Mode.UPSERT and pin is not None and _has_key(job, pin, rows.collect_schema()):
        files = _upserted(tables, job, rows.select(list(pin.schema)), pin, room)
    else:
        files = tables.sink(job.table, rows)
    require_balance(job, {"accepted": count_rows(rows), "in its files": sum(file.rows for file in files)})
    return files


def settle(tables: Tables, change: Change, files: Sequence[DataFile]) -> Snapshot:
    """Make these files, and no others, the newest version of a table; ``change`` says the rest, but for the base.

    A head that another run has moved is read again, and gives way: nothing of it is published. Raises `Conflict` where
    it moves again and again, `SchemaRefused`, `StoreError`.
    """
    for _ in range(ATTEMPTS_MAX - 1):
        with suppress(Conflict):
            return tables.commit(_onto(tables.open(change.name), change, files))
    return tables.commit(_onto(tables.open(change.name), change, files))


def _onto(head: Snapshot | None, change: Change, files: Sequence[DataFile]) -> Change:
    there = {file.path for file in head.files} if head else set()
    wanted = {file.path for file in files}
    add = [file for file in files if file.path not in there]
    remove = [file for file in head.files if file.path not in wanted] if head else []
    return replace(change, base=head, add=add, remove=remove)


def _has_key(job: Job, pin: Snapshot, schema: pl.Schema) -> bool:
    return pin.metadata.get("key") == list(job.key) and not difference(pin.schema, schema)


def _upserted(tables: Tables, job: Job, rows: pl.LazyFrame, pin: Snapshot, room: Room) -> list[DataFile]:
    key, size = list(job.key), bulk(rows)
    width = size.width if size.rows else ROW_CELLS + len(pin.schema)
    passes = room.passes(max(pin.rows, size.rows), width)
    touched = _touched(tables, rows, key, pin, passes)
    files = [file for number, file in enumerate(pin.files) if number not in touched]
    for number in sorted(touched):
        file = pin.files[number]
        held = tables.scan_files(job.table, [file], pin.schema).select(key)
        files += tables.sink(job.table, matching(rows, held, key, "semi", room, room.passes(file.rows, width)))
    return files + tables.sink(job.table, matching(rows, pin.scan().select(key), key, "anti", room, passes))


def _touched(tables: Tables, rows: pl.LazyFrame, key: list[str], pin: Snapshot, passes: int) -> set[int]:
    """The numbers of the pin's files that hold a row which is gone from ``rows`` or different there."""
    if not pin.files:
        return set()
    old = pl.concat(
        tables.scan_files(pin.name, [file], pin.schema).with_columns(pl.lit(number, pl.Int32).alias("__lake_file"))
        for number, file in enumerate(pin.files)
    )
    values = [name for name in pin.schema if name not in key]
    renamed = rows.select(*key, *(pl.col(name).alias(f"__lake_new_{i}") for i, name in enumerate(values)))
    new = renamed.with_columns(pl.lit(value=True).alias("__lake_there"))
    differs = pl.any_horizontal(
        pl.col("__lake_there").is_null(),
        *(pl.col(name).ne_missing(pl.col(f"__lake_new_{i}")) for i, name in enumerate(values)),
    )
    found: set[int] = set()
    for share in shares(key, passes):
        pairs = old.filter(share).join(new.filter(share), on=key, how="left").filter(differs)
        found |= set(pairs.select("__lake_file").unique().collect(engine="streaming")["__lake_file"])
    return found
