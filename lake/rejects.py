"""What jobs rejected: the quarantine holds what the published versions of their tables set aside, and nothing older.

A run proposes the quarantine that goes with what it is about to publish, and publishes both in one commit. What a run
proposed that died, the next one takes back.
"""

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

PARALLEL_READS = 8
ATTEMPTS_MAX = 10


def set_aside(tables: Tables, log: Log, pins: Mapping[TableName, int] | None = None) -> dict[TableName, int]:
    """Make the quarantine's head hold what is published, with ``pins`` in the place of what they are to replace.

    The version of that head, by the quarantine's name; empty where there is no quarantine. Raises `StoreError`, and
    `Conflict` after many rivals.
    """
    for _ in range(ATTEMPTS_MAX - 1):
        with suppress(Conflict):
            return _settle(tables, log, pins or {})
    return _settle(tables, log, pins or {})


def _settle(tables: Tables, log: Log, pins: Mapping[TableName, int]) -> dict[TableName, int]:
    published = {TableName.parse(name): pin.version for name, pin in log.head().tables.items()}
    rejects = _rejects(tables, published | dict(pins))
    sources = {table: None if told is None else str(told["source"]) for table, told in rejects.items()}
    with tempfile.TemporaryDirectory(prefix="lake-rejects-") as folder:
        head = quarantine.settle(tables, sources, partial(_fetched, tables, rejects, Path(folder)))
    return {} if head is None else {head.name: head.version}


def _rejects(tables: Tables, versions: Mapping[TableName, int]) -> dict[str, Mapping[str, Any] | None]:
    """What each version of a job's table says of its rejects: their object, how many, which operation."""
    made_by_jobs = [pin for pin in versions.items() if pin[0].zone in (Zone.SILVER, Zone.GOLD)]
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        details = list(pool.map(lambda pin: tables.details(*pin), made_by_jobs))
    told = zip(made_by_jobs, details, strict=True)
    return {str(name): said.get("rejects") for (name, _), said in told if said is not None}


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
