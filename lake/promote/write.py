"""The files of a table that was made whole, and the commit that makes files its newest version.

Everything is reckoned from the published version, the pin, and committed on the head: what the head has beyond it are
proposals of runs that died or have not published yet, and they go.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from catalog.errors import Conflict
from catalog.tables import Change, DataFile, Snapshot, Tables, difference
from lake.promote.account import count_rows, require_balance
from lake.promote.apply import Ground, OutOfStep, apply
from lake.promote.declare import Job, Mode
from lake.promote.memory import Room

ATTEMPTS_MAX = 5

UPLOADS_MAX = 3
"""Files that are on their way to the store at once, each in up to ten parts."""


def files_of(
    tables: Tables, job: Job, rows: pl.LazyFrame, pin: Snapshot | None, room: Room, written: Sequence[Path] = ()
) -> list[DataFile]:
    """Write what is new of all rows of a table; the files that hold exactly these, some of them the pin's already.

    Files whose rows all stand in ``rows`` unchanged are left alone. All are written anew in mode replace, and where the
    key or the columns are others now; local files that hold the rows already (``written``) are taken as they are.

    Raises `StoreError`; `DataRefused` where the files' footers do not count as many rows as there are.
    """
    files: Sequence[DataFile] | None = None
    if pin is not None and job.mode is not Mode.REPLACE and _is_alike(job, pin, rows.collect_schema()):
        with suppress(OutOfStep):
            files = apply(Ground(tables, job, pin, room), rows, pin.scan()).files
    if files is None:
        if written and not job.partition_by:
            with ThreadPoolExecutor(UPLOADS_MAX) as pool:
                files = list(pool.map(partial(tables.upload, job.table), written))
        else:
            files = tables.sink(job.table, rows, job.partition_by)
    require_balance(job, {"accepted": count_rows(rows), "in its files": sum(file.rows for file in files)})
    return list(files)


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


def _is_alike(job: Job, pin: Snapshot, schema: pl.Schema) -> bool:
    return pin.metadata.get("key") == list(job.key) and not difference(pin.schema, schema)
