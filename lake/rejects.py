"""What jobs rejected, written into the quarantine once their tables are published."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import polars as pl

from catalog import quarantine
from catalog.log import Commit
from catalog.tables import Snapshot, Tables
from catalog.zones import TableName, Zone

PARALLEL_OPENS = 8


def set_aside(tables: Tables, commit: Commit) -> int:
    """Write down what the published versions of a commit's tables set aside; the number of rows, written or there.

    Each version names its rejects in its own commit, so a version that nobody published leaves nothing here, and what
    a run that died did not write down, the next one does. Raises `StoreError`.
    """
    pins = [(TableName.parse(name), pin.version) for name, pin in commit.tables.items()]
    made_by_jobs = [(name, version) for name, version in pins if name.zone in (Zone.SILVER, Zone.GOLD)]
    with ThreadPoolExecutor(PARALLEL_OPENS) as pool:
        snapshots = list(pool.map(lambda pin: tables.open(*pin), made_by_jobs))
    return sum(_record(tables, snapshot) for snapshot in snapshots if snapshot is not None)


def _record(tables: Tables, snapshot: Snapshot) -> int:
    rejects = snapshot.metadata.get("rejects")
    if rejects is None:
        return 0
    key = str(rejects["key"])
    source = key.rpartition("/")[2].removesuffix(".parquet")
    with tempfile.TemporaryDirectory(prefix="lake-rejects-") as folder:
        quarantine.record(tables, source, partial(_fetched, tables, key, Path(folder)))
    return int(rejects["rows"])


def _fetched(tables: Tables, key: str, folder: Path) -> pl.LazyFrame:
    path = folder / "rejects.parquet"
    tables.objects.fetch(Zone.CATALOG, key, path)
    return pl.scan_parquet(path, glob=False)
