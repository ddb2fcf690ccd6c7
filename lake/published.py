"""What a catalog commit publishes: every table at the version that it pins."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches

import polars as pl

from catalog.errors import NotFound
from catalog.log import Commit
from catalog.objects import ObjectStore
from catalog.tables import Snapshot, Tables, in_columns
from catalog.zones import TableName
from lake.settings import Settings

PARALLEL_READS = 8


@dataclass(frozen=True)
class TableInfo:
    """One published table: ``rows`` and ``size_bytes`` by its log at the published version."""

    name: str
    version: int
    rows: int
    size_bytes: int


class Published:
    """A read-only lake at one commit: whatever is published meanwhile, it stays as it is."""

    def __init__(self, tables: Tables, commit: Commit, settings: Settings) -> None:
        self.commit = commit
        self._tables = tables
        self._snapshots: dict[str, Snapshot] = {}
        self.settings = settings

    def __repr__(self) -> str:
        return f"<lake {self.settings.name} at commit {self.commit.number}: {len(self.commit.tables)} tables>"

    @property
    def objects(self) -> ObjectStore:
        """The object store that the tables' files are on."""
        return self._tables.objects

    def names(self) -> list[str]:
        """The names of the published tables."""
        return sorted(self.commit.tables)

    def tables(self) -> list[TableInfo]:
        """The published tables with versions, rows and sizes. Raises `StoreError`."""
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            snapshots = list(pool.map(self.snapshot, self.names()))
        return [TableInfo(str(s.name), s.version, s.rows, s.size_bytes) for s in snapshots]

    def snapshot(self, name: str) -> Snapshot:
        """A table at its published version, asked for once. Raises `NotFound` naming the nearest, `StoreError`."""
        if (known := self._snapshots.get(name)) is not None:
            return known
        pin = self.commit.tables.get(str(TableName.parse(name)))
        if pin is None:
            near = get_close_matches(name, self.names(), n=1)
            told = f"the nearest name is {near[0]}" if near else f"there are: {', '.join(self.names()) or 'none yet'}"
            raise NotFound(f"no table {name} at commit {self.commit.number}", next=told)
        snapshot = self._tables.open(TableName.parse(name), pin.version)
        if snapshot is None:
            raise NotFound(
                f"{name} is published, but its log is gone from the store", next="bring the store back from a backup"
            )
        self._snapshots[name] = snapshot
        return snapshot

    def read(self, name: str) -> pl.LazyFrame:
        """A table's rows as a Polars LazyFrame; they are read when it is collected. Raises `NotFound`, `StoreError`."""
        return self.snapshot(name).scan()

    def read_own(self, name: TableName, schema: pl.Schema) -> pl.LazyFrame:
        """The rows of one of the lake's own tables in the columns that it has now; none where it is not published.

        Raises `StoreError`.
        """
        if self.commit.version(name) is None:
            return schema.to_frame().lazy()
        return in_columns(self.read(str(name)), schema)
