"""Reading a lake: every table at the version that one catalog commit pins."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import NotFound
from catalog.log import Commit, Log
from catalog.objects import ObjectStore
from catalog.quarantine import QUARANTINE
from catalog.quarantine import SCHEMA as QUARANTINE_SCHEMA
from catalog.tables import Snapshot, Tables
from catalog.zones import TableName
from lake.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from lake.drop import Dropped
    from lake.run import RunResult, Told


PARALLEL_READS = 8


@dataclass(frozen=True)
class TableInfo:
    """One published table: ``rows`` and ``size_bytes`` by its log at the published version."""

    name: str
    version: int
    rows: int
    size_bytes: int


class View:
    """A read-only lake at one commit: whatever is published meanwhile, it stays as it is."""

    def __init__(self, tables: Tables, commit: Commit, settings: Settings) -> None:
        self.commit = commit
        self._tables = tables
        self._settings = settings

    def __repr__(self) -> str:
        return f"<lake {self._settings.name} at commit {self.commit.number}: {len(self.commit.tables)} tables>"

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
        """A table at its published version. Raises `NotFound` naming the nearest, `StoreError`."""
        pin = self.commit.tables.get(str(TableName.parse(name)))
        if pin is None:
            near = get_close_matches(name, self.names(), n=1)
            told = f"the nearest name is {near[0]}" if near else f"there are: {', '.join(self.names()) or 'none yet'}"
            raise NotFound(f"no table {name} at commit {self.commit.number}", next=told)
        snapshot = self._tables.open(TableName.parse(name), pin.version)
        if snapshot is None:
            raise NotFound(f"{name} is published, but its log is gone from the store", next="lake doctor")
        return snapshot

    def read(self, name: str) -> "pl.LazyFrame":
        """A table's rows as a Polars LazyFrame; they are read when it is collected. Raises `NotFound`, `StoreError`."""
        return self.snapshot(name).scan()

    def query(self, sql: str) -> "pl.LazyFrame":
        """The result of a SQL query (DuckDB's dialect) over the published tables, as a LazyFrame.

        The query runs at once, in bounded memory. Raises `UsageError` for bad SQL, `NotFound` for an unknown table.
        """
        from lake.query import run_query

        return run_query(self, self._settings, sql)


class Lake:
    """A lake project that is open: reads what is published now, or at an earlier commit.

    ``settings``, ``objects``, ``published`` and the tables are the ways to its parts for the verbs in this room.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def objects(self) -> ObjectStore:
        """The object store. Raises `StoreError` where the local one does not run."""
        return ObjectStore(self.settings.endpoint())

    @cached_property
    def store(self) -> Tables:
        """The Delta tables on the store."""
        return Tables(self.objects)

    @cached_property
    def log(self) -> Log:
        """The catalog's log of commits."""
        return Log(self.objects)

    def __repr__(self) -> str:
        return f"<lake {self.settings.name} in {self.settings.project}>"

    def at(self, number: int | None = None) -> View:
        """The lake at a commit (the newest where none is named), read-only. Raises `NotFound`, `StoreError`."""
        commit = self.log.head() if number is None else self.log.at(number)
        return View(self.store, commit, self.settings)

    def history(self) -> list[Commit]:
        """The catalog's commits, newest first. Raises `StoreError`."""
        head = self.log.head()
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            return [head, *pool.map(self.log.at, range(head.number - 1, 0, -1))] if head.number else []

    def quarantine(self) -> "pl.LazyFrame":
        """What was set aside and why, as `catalog.quarantine.SCHEMA` says, up to this moment. Raises `StoreError`."""
        import polars as pl

        snapshot = self.store.open(QUARANTINE)
        return pl.LazyFrame(schema=QUARANTINE_SCHEMA) if snapshot is None else snapshot.scan()

    def tables(self) -> list[TableInfo]:
        """What is published now."""
        return self.at().tables()

    def read(self, name: str) -> "pl.LazyFrame":
        """A published table's rows, as `View.read` gives them."""
        return self.at().read(name)

    def query(self, sql: str) -> "pl.LazyFrame":
        """A SQL query over what is published now, as `View.query` runs it."""
        return self.at().query(sql)

    def drop(
        self, files: "Sequence[Path]", dataset: str, told: "Callable[[Dropped], None]" = lambda _: None
    ) -> "list[Dropped]":
        """Put files into landing, as `lake.drop.drop` does: the twin of ``lake drop``."""
        from lake.drop import drop

        return drop(self.objects, files, dataset, told)

    def ingest(self, datasets: "Sequence[str]" = (), told: "Told" = lambda _: None) -> "RunResult":
        """Take what landed into bronze and publish it: the twin of ``lake ingest``."""
        from lake.run import run

        return run(self, datasets=datasets, promotes=False, told=told)

    def promote(self, tables: "Sequence[str]" = (), told: "Told" = lambda _: None) -> "RunResult":
        """Run the jobs that have something new and publish what they made: the twin of ``lake promote``."""
        from lake.run import run

        return run(self, tables, ingests=False, told=told)

    def run(self, tables: "Sequence[str]" = (), told: "Told" = lambda _: None) -> "RunResult":
        """Ingest and promote with one publication, as `lake.run.run` does: the twin of ``lake run``."""
        from lake.run import run

        return run(self, tables, told=told)


def open_lake(project: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Lake:
    """Open a lake project: the folder named, else LAKE_PROJECT, else the nearest one upwards with a ``lake.toml``.

    Raises `UsageError` where there is none, or where a setting is wrong.
    """
    folder = None if project is None else Path(project)
    return Lake(Settings.load(folder) if environ is None else Settings.load(folder, environ))
