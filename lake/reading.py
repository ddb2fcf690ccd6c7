"""The Python API: a lake that is open, now or as it was; the twin of the command line."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from catalog import ledger
from catalog.log import Commit
from catalog.quarantine import QUARANTINE
from catalog.quarantine import SCHEMA as QUARANTINE_SCHEMA
from catalog.runs import RUNS
from catalog.runs import SCHEMA as RUNS_SCHEMA
from catalog.tables import store_faults
from lake.adopt import adopt as adopt_table
from lake.adopt import source_of
from lake.archive import Entry, raw_file, save_raw
from lake.columns import columns as search_columns
from lake.deliveries import USED
from lake.deliveries import deliveries as expected_deliveries
from lake.diff import EXAMPLES, Found
from lake.diff import diff as diff_table
from lake.drop import Dropped, LeftOut
from lake.drop import drop as drop_files
from lake.promote.outcome import HABIT, RunOptions
from lake.promote.plan import Step
from lake.provenance import Provenance
from lake.provenance import provenance as provenance_of
from lake.publication import RunResult, Told
from lake.published import PARALLEL_READS, Published, TableInfo
from lake.query import run_query
from lake.replay import replay as replay_waiting
from lake.replay import retract as retract_files
from lake.replay import waiting as waiting_rows
from lake.replay import whole
from lake.run import ingest as ingest_landing
from lake.run import plan as plan_jobs
from lake.run import run as run_jobs
from lake.runlist import runs as known_runs
from lake.settings import Settings
from lake.show import Shown
from lake.show import show as show_table
from lake.workspace import Workspace


class View(Published):
    """A read-only lake at one commit: whatever is published meanwhile, it stays as it is."""

    def query(self, sql: str) -> pl.LazyFrame:
        """The result of a SQL query (DuckDB's dialect) over the published tables, as a LazyFrame.

        The query runs at once, in bounded memory. Raises `UsageError` for bad SQL, `NotFound` for an unknown table.
        """
        return run_query(self, self.settings, sql)

    def columns(self, text: str = "", table: str | None = None) -> pl.DataFrame:
        """Columns by name or label, as `lake.columns.columns` finds them: the twin of ``lake columns``."""
        return search_columns(self, text, table)

    def show(self, table: str) -> Shown:
        """What a table is, as `lake.show.show` tells: the twin of ``lake show``. Raises `NotFound`, `StoreError`."""
        return show_table(self.snapshot(table))

    def quarantine(self) -> pl.LazyFrame:
        """What is set aside and why: columns as `catalog.quarantine.SCHEMA`. Raises `StoreError`."""
        return whole(self.read_own(QUARANTINE, QUARANTINE_SCHEMA))

    def ledger(self) -> pl.LazyFrame:
        """Every file that ever landed, and its fate: columns as `catalog.ledger.SCHEMA`. Raises `StoreError`."""
        return self.read_own(ledger.LEDGER, ledger.SCHEMA)

    def runs(self) -> pl.LazyFrame:
        """Every run that was published by then, a row for each table: columns as `catalog.runs.SCHEMA`."""
        return self.read_own(RUNS, RUNS_SCHEMA)

    def deliveries(self, datasets: Collection[str] = (), at: date | None = None) -> pl.DataFrame:
        """What was expected by a day (today, in UTC) and what came: the twin of ``lake deliveries``.

        Columns as `lake.deliveries.SCHEMA`. Raises `StoreError`.
        """
        entries = self.ledger().select(USED)
        schedules = self.settings.schedules()
        if datasets:
            entries = entries.filter(pl.col("dataset").is_in(sorted(datasets)))
            schedules = {dataset: schedule for dataset, schedule in schedules.items() if dataset in datasets}
        with store_faults(f"read {ledger.LEDGER}"):
            known = entries.collect(engine="streaming")
        return expected_deliveries(known, schedules, at or datetime.now(UTC).date())

    def provenance(self, name: str, line: int | None = None) -> Provenance:
        """Where the rows of a file came from, as `lake.provenance.provenance` says: the twin of ``lake provenance``."""
        return provenance_of(self, name, line)

    def raw(self, name: str, path: Path | str) -> Entry:
        """Write a file as it came to a new one, as `lake.archive.save_raw` does: the twin of ``lake raw``."""
        return save_raw(self, name, Path(path))

    @contextmanager
    def raw_file(self, name: str) -> Iterator[tuple[Path, Entry]]:
        """A file as it came, for as long as the context lasts, and its entry in the ledger."""
        with raw_file(self, name) as found:
            yield found


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
        """What is set aside and why, as published, as `View.quarantine` gives it."""
        return self.at().quarantine()

    def ledger(self) -> pl.LazyFrame:
        """Every file that ever landed, as `View.ledger` gives it."""
        return self.at().ledger()

    def runs(self) -> pl.LazyFrame:
        """Every run that did something, one that goes on too, as `lake.runlist.runs` gives it; ``lake runs``' twin."""
        return known_runs(self)

    def deliveries(self, datasets: Collection[str] = (), at: date | None = None) -> pl.DataFrame:
        """What was expected and what came, as `View.deliveries` gives it: the twin of ``lake deliveries``."""
        return self.at().deliveries(datasets, at)

    def columns(self, text: str = "", table: str | None = None) -> pl.DataFrame:
        """Columns by name or label, as `View.columns` finds them: the twin of ``lake columns``."""
        return self.at().columns(text, table)

    def show(self, table: str) -> Shown:
        """What a published table is, as `View.show` tells: the twin of ``lake show``."""
        return self.at().show(table)

    def adopt(self, table: str, *, sql: bool = False) -> Path:
        """Write the job of an automatic table, as `lake.adopt.adopt` does: the twin of ``lake adopt``."""
        view = self.at()
        snapshot = view.snapshot(table)
        return adopt_table(self.settings.project, snapshot, view.snapshot(str(source_of(snapshot))), sql=sql)

    def provenance(self, name: str, line: int | None = None) -> Provenance:
        """Where the rows of a file came from, as `View.provenance` says: the twin of ``lake provenance``."""
        return self.at().provenance(name, line)

    def raw(self, name: str, path: Path | str) -> Entry:
        """Write a file as it came to a new one, as `View.raw` does: the twin of ``lake raw``."""
        return self.at().raw(name, path)

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
        self,
        files: Sequence[Path | str],
        dataset: str | None = None,
        told: Callable[[Dropped | LeftOut], None] = lambda _: None,
    ) -> list[Dropped]:
        """Put files into landing, as `lake.drop.drop` does: the twin of ``lake drop``."""
        return drop_files(self.objects, [Path(file) for file in files], dataset, told)

    def ingest(self, datasets: Sequence[str] = (), told: Told = lambda _: None) -> RunResult:
        """Take what landed into bronze and publish it: the twin of ``lake ingest``."""
        return ingest_landing(self, datasets, told)

    def replay(
        self,
        what: Sequence[str] = (),
        *,
        records: Mapping[str, str] | None = None,
        datasets: Collection[str] = (),
        told: Told = lambda _: None,
    ) -> RunResult:
        """Read again what waits, as `lake.replay.replay` does: the twin of ``lake quarantine replay``."""
        return replay_waiting(self, what, records=records, datasets=datasets, told=told)

    def waiting(self, what: Sequence[str] = (), datasets: Collection[str] = ()) -> list[dict[str, Any]]:
        """What `replay` would read again, by file, as `lake.replay.waiting` gives it."""
        return waiting_rows(self, what, datasets)

    def retract(self, files: Sequence[str], told: Told = lambda _: None) -> RunResult:
        """Take files back, as `lake.replay.retract` does: the twin of ``lake retract``."""
        return retract_files(self, files, told)

    def promote(
        self, tables: Sequence[str] = (), told: Told = lambda _: None, *, options: RunOptions = HABIT
    ) -> RunResult:
        """Run the jobs that have something new and publish what they made: the twin of ``lake promote``."""
        return run_jobs(self, tables, ingests=False, options=options, told=told)

    def run(self, tables: Sequence[str] = (), told: Told = lambda _: None, *, options: RunOptions = HABIT) -> RunResult:
        """Ingest and promote with one publication, as `lake.run.run` does: the twin of ``lake run``."""
        return run_jobs(self, tables, options=options, told=told)

    def plan(self, tables: Sequence[str] = ()) -> tuple[Mapping[str, int], list[Step]]:
        """What a run would do, and why, as `lake.run.plan` does: the twin of ``lake plan``."""
        return plan_jobs(self, tables)

    def diff(self, table: str, limit: int = EXAMPLES, told: Told = lambda _: None) -> Found:
        """What a run would change in a table's rows, as `lake.diff.diff` finds it: the twin of ``lake plan --diff``."""
        return diff_table(self, table, limit, told)


def open_lake(project: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Lake:
    """Open a lake project: the folder named, else LAKE_PROJECT, else the nearest one upwards with a ``lake.toml``.

    Raises `UsageError` where there is none, or where a setting is wrong.
    """
    folder = None if project is None else Path(project)
    return Lake(Settings.load(folder) if environ is None else Settings.load(folder, environ))
