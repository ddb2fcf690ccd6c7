"""What jobs rejected: the quarantine holds what the published versions of their tables set aside, and nothing older."""

import tempfile
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from catalog import quarantine
from catalog.errors import Conflict
from catalog.log import Log
from catalog.tables import Tables
from catalog.zones import TableName, Zone

PARALLEL_OPENS = 8
ATTEMPTS_MAX = 10


def set_aside(tables: Tables, log: Log) -> None:
    """Bring the quarantine up to what is published now.

    Each version names its rejects in its own commit, so a version that nobody published leaves nothing here, and what
    a run that died did not write down, the next one does. Raises `StoreError`, and `Conflict` after many rivals.
    """
    for _ in range(ATTEMPTS_MAX - 1):
        with suppress(Conflict):
            return _settle(tables, log)
    return _settle(tables, log)


def _settle(tables: Tables, log: Log) -> None:
    rejects = _published(tables, log)
    sources = {table: None if told is None else str(told["source"]) for table, told in rejects.items()}
    with tempfile.TemporaryDirectory(prefix="lake-rejects-") as folder:
        quarantine.settle(tables, sources, partial(_fetched, tables, rejects, Path(folder)))


def _published(tables: Tables, log: Log) -> dict[str, Mapping[str, Any] | None]:
    """What each published version of a job's table says of its rejects: their object, how many, which operation."""
    pins = [(TableName.parse(name), pin.version) for name, pin in log.head().tables.items()]
    made_by_jobs = [(name, version) for name, version in pins if name.zone in (Zone.SILVER, Zone.GOLD)]
    with ThreadPoolExecutor(PARALLEL_OPENS) as pool:
        snapshots = list(pool.map(lambda pin: tables.open(*pin), made_by_jobs))
    return {str(snapshot.name): snapshot.metadata.get("rejects") for snapshot in snapshots if snapshot is not None}


def _fetched(
    tables: Tables, rejects: Mapping[str, Mapping[str, Any] | None], folder: Path, wanted: Collection[str]
) -> pl.LazyFrame:
    paths = []
    for number, table in enumerate(wanted):
        told = rejects[table]
        if told is not None:
            paths.append(folder / f"{number}.parquet")
            tables.objects.fetch(Zone.CATALOG, told["key"], paths[-1])
    return pl.scan_parquet(paths, glob=False)
