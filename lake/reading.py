"""The Python API: a lake that is open, now or as it was; the twin of the command line."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from catalog.log import Commit
from catalog.quarantine import QUARANTINE
from catalog.quarantine import SCHEMA as QUARANTINE_SCHEMA
from lake.drop import Dropped
from lake.drop import drop as drop_files
from lake.promote.plan import Step
from lake.published import PARALLEL_READS, Published, TableInfo
from lake.query import run_query
from lake.run import RunResult, Told
from lake.run import plan as plan_jobs
from lake.run import run as run_jobs
from lake.settings import Settings
from lake.workspace import Workspace


class View(Published):
    """A read-only lake at one commit: whatever is published meanwhile, it stays as it is."""

    def query(self, sql: str) -> pl.LazyFrame:
        """The result of a SQL query (DuckDB's dialect) over the published tables, as a LazyFrame.

        The query runs at once, in bounded memory. Raises `UsageError` for bad SQL, `NotFound` for an unknown table.
        """
        return run_query(self, self.settings, sql)


class Lake(Workspace):
    """A lake project that is open: reads what is published now, or at an earlier commit; drops, ingests and runs."""

    def at(self, number: int | None = None) -> View:
        """The lake at a commit (the newest where none is named), read-only. Raises `NotFound`, `StoreError`."""
        commit = self.log.head() if number is None else self.log.at(number)
        return View(self.store, commit, self.settings)

    def history(self, limit: int | None = None) -> list[Commit]:
        """The catalog's commits, newest first: all, or no more than ``limit``. Raises `StoreError`."""
        head = self.log.head()
        oldest = 1 if limit is None else max(1, head.number - limit + 1)
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            commits = [head, *pool.map(self.log.at, range(head.number - 1, oldest - 1, -1))]
        return commits[:limit] if head.number else []

    def quarantine(self) -> pl.LazyFrame:
        """What is set aside and why, as published: columns as `catalog.quarantine.SCHEMA`. Raises `StoreError`."""
        view = self.at()
        return view.read(str(QUARANTINE)) if str(QUARANTINE) in view.names() else pl.LazyFrame(schema=QUARANTINE_SCHEMA)

    def tables(self) -> list[TableInfo]:
        """What is published now."""
        return self.at().tables()

    def read(self, name: str) -> pl.LazyFrame:
        """A published table's rows, as `View.read` gives them."""
        return self.at().read(name)

    def query(self, sql: str) -> pl.LazyFrame:
        """A SQL query over what is published now, as `View.query` runs it."""
        return self.at().query(sql)

    def drop(
        self, files: Sequence[Path | str], dataset: str, told: Callable[[Dropped], None] = lambda _: None
    ) -> list[Dropped]:
        """Put files into landing, as `lake.drop.drop` does: the twin of ``lake drop``."""
        return drop_files(self.objects, [Path(file) for file in files], dataset, told)

    def ingest(self, datasets: Sequence[str] = (), told: Told = lambda _: None) -> RunResult:
        """Take what landed into bronze and publish it: the twin of ``lake ingest``."""
        return run_jobs(self, datasets=datasets, promotes=False, told=told)

    def promote(self, tables: Sequence[str] = (), told: Told = lambda _: None) -> RunResult:
        """Run the jobs that have something new and publish what they made: the twin of ``lake promote``."""
        return run_jobs(self, tables, ingests=False, told=told)

    def run(self, tables: Sequence[str] = (), told: Told = lambda _: None) -> RunResult:
        """Ingest and promote with one publication, as `lake.run.run` does: the twin of ``lake run``."""
        return run_jobs(self, tables, told=told)

    def plan(self, tables: Sequence[str] = ()) -> tuple[Mapping[str, int], list[Step]]:
        """What a run would do, and why, as `lake.run.plan` does: the twin of ``lake plan``."""
        return plan_jobs(self, tables)


def open_lake(project: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Lake:
    """Open a lake project: the folder named, else LAKE_PROJECT, else the nearest one upwards with a ``lake.toml``.

    Raises `UsageError` where there is none, or where a setting is wrong.
    """
    folder = None if project is None else Path(project)
    return Lake(Settings.load(folder) if environ is None else Settings.load(folder, environ))
