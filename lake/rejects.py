"""What jobs rejected, written into the quarantine once their tables are published."""

import tempfile
from functools import partial
from pathlib import Path

import polars as pl

from catalog import quarantine
from catalog.log import Commit
from catalog.tables import Tables
from catalog.zones import TableName, Zone


def set_aside(tables: Tables, commit: Commit) -> int:
    """Write down what the published versions of a commit's tables set aside; the number of rows, written or there.

    Each version names its rejects in its own commit, so a version that nobody published leaves nothing here, and what
    a run that died did not write down, the next one does. Raises `StoreError`.
    """
    rows = 0
    for name, pin in commit.tables.items():
        table = TableName.parse(name)
        if table.zone not in (Zone.SILVER, Zone.GOLD):
            continue
        snapshot = tables.open(table, pin.version)
        rejects = None if snapshot is None else snapshot.metadata.get("rejects")
        if rejects is None:
            continue
        key = str(rejects["key"])
        source = key.rpartition("/")[2].removesuffix(".parquet")
        with tempfile.TemporaryDirectory(prefix="lake-rejects-") as folder:
            quarantine.record(tables, source, partial(_fetched, tables, key, Path(folder)))
        rows += int(rejects["rows"])
    return rows


def _fetched(tables: Tables, key: str, folder: Path) -> pl.LazyFrame:
    path = folder / "rejects.parquet"
    tables.objects.fetch(Zone.CATALOG, key, path)
    return pl.scan_parquet(path, glob=False)
