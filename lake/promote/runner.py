"""Runs what is new, sources first: each job to a version of its table that nobody sees before the run publishes it."""

import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import polars as pl

from catalog.errors import DataRefused, LakeError
from catalog.log import Commit
from catalog.objects import ObjectStore
from catalog.quarantine import SCHEMA, WAITING
from catalog.tables import Change, Snapshot, Tables, storable
from catalog.zones import TableName, Zone
from lake.promote.account import count_rows, require_balance
from lake.promote.change import NOTHING_NEW, State, progress, state_of, why_run
from lake.promote.check import Verdict, judge
from lake.promote.declare import Frames, Job
from lake.promote.expect import Action
from lake.promote.faults import blaming, machine_faults
from lake.promote.frames import Nulls, count_tokens, require_columns, result_of
from lake.promote.memory import Room
from lake.promote.plan import Step, plan, why_not
from lake.promote.sql import Bounds, SourceFiles, run_query
from lake.promote.write import files_of, settle

Status = Literal["ran", "skipped", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of one job: ``version`` is the one that it made, None where it made none; all counts are of rows."""

    table: TableName
    status: Status
    reason: str
    version: int | None = None
    rows_in: int = 0
    rows_out: int = 0
    rejected: int = 0
    warnings: tuple[str, ...] = ()
    nulls: Nulls = field(default_factory=dict)
    error: LakeError | None = None


@dataclass(frozen=True)
class Desk:
    """What a run works with; ``local_files`` gives local copies of a snapshot's files, below ``scratch``.

    ``scratch`` takes each job's result while it is checked: as much disk as the greatest of them, compressed. SQL jobs
    reach nothing outside of it.
    """

    tables: Tables
    objects: ObjectStore
    scratch: Path
    local_files: Callable[[Snapshot], Sequence[Path]]
    run: str
    memory_gb: float


def plan_run(
    jobs: Sequence[Job],
    base: Commit,
    heads: Mapping[TableName, Snapshot],
    tables: Tables,
    changing: Collection[TableName] = (),
) -> list[Step]:
    """What `promote` would do, and why; reads the log of each table, changes nothing. Raises `StoreError`."""
    found = _Sources(base, heads, tables)
    names = {name for job in jobs for name in (job.table, *job.sources)}
    states = {name: found.state(name) for name in names}
    return plan(jobs, {name: state for name, state in states.items() if state is not None}, changing)


def promote(
    jobs: Sequence[Job],
    base: Commit,
    heads: Mapping[TableName, Snapshot],
    desk: Desk,
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Run the jobs that have something new, in the order given (`find_jobs` gives one that works).

    ``base`` is the commit that the run reads: silver and gold at its pins, or as this run made them; ``heads`` are
    the bronze tables. Nothing is published: the caller pins the versions of the outcomes. A job that fails leaves its
    table at its pin, and what depends on it waits; the others go on. ``tell`` hears each outcome at once.

    Raises `StoreError`, `MachineError`, `Conflict`: what was committed by then is not published, and does no harm.
    """
    sources = _Sources(base, heads, desk.tables)
    failed: dict[TableName, TableName] = {}
    outcomes = []
    for job in jobs:
        outcome = _attend(job, sources, failed, desk)
        if outcome.status == "failed":
            failed[job.table] = job.table
        outcomes.append(outcome)
        tell(outcome)
    return outcomes


class _Sources:
    """The tables as this run sees them: bronze at its heads, the rest as the run made them, else as published."""

    def __init__(self, base: Commit, heads: Mapping[TableName, Snapshot], tables: Tables) -> None:
        self._base = base
        self._tables = tables
        self._seen: dict[TableName, Snapshot | None] = dict(heads)

    def get(self, name: TableName) -> Snapshot | None:
        """The table at the version that this run reads, None where there is none yet."""
        if name not in self._seen:
            version = self._base.version(name)
            self._seen[name] = None if version is None else self._tables.open(name, version)
        return self._seen[name]

    def state(self, name: TableName) -> State | None:
        """What `why_run` asks of a table."""
        snapshot = self.get(name)
        return None if snapshot is None else state_of(snapshot)

    def made(self, snapshot: Snapshot) -> None:
        """From here on the run reads this version."""
        self._seen[snapshot.name] = snapshot


def _attend(job: Job, sources: _Sources, failed: dict[TableName, TableName], desk: Desk) -> Outcome:
    """Run one job if it must run, and say what became of it."""
    if broken := next((failed[source] for source in job.sources if source in failed), None):
        failed[job.table] = broken
        return Outcome(job.table, "skipped", f"depends on {broken}, which failed")
    states = {name: state for name in job.sources if (state := sources.state(name)) is not None}
    if missing := next((name for name in job.sources if name not in states), None):
        return Outcome(job.table, "skipped", why_not(missing))
    reason = why_run(job, sources.state(job.table), states)
    if reason is None:
        return Outcome(job.table, "skipped", NOTHING_NEW)
    inputs = {name: snapshot for name in job.sources if (snapshot := sources.get(name)) is not None}
    try:
        outcome, snapshot = _Task(job, inputs, sources.get(job.table), desk).run(reason)
    except DataRefused as error:
        return Outcome(job.table, "failed", reason, error=error)
    sources.made(snapshot)
    return outcome


class _Task:
    """One job on its way from its sources to a version of its table."""

    def __init__(self, job: Job, inputs: Mapping[TableName, Snapshot], pin: Snapshot | None, desk: Desk) -> None:
        self.job, self.inputs, self.pin, self.desk = job, inputs, pin, desk
        self.operation = f"{desk.run}-{job.table}-{uuid.uuid4().hex[:12]}"

    def run(self, reason: str) -> tuple[Outcome, Snapshot]:
        """Make the rows, judge them, write them, commit. Raises what the steps raise."""
        job, desk = self.job, self.desk
        with blaming(job), _scratch(desk.scratch) as folder:
            room = Room(desk.memory_gb, lambda frame: _keep(frame, folder))
            nulls = self._count_nulls()
            rows = self._result(folder)
            lookups = {name: snapshot.scan() for name, snapshot in self.inputs.items()}
            verdict = judge(job, rows, lookups, room)
            schema = verdict.accepted.collect_schema()
            rejects = self._set_aside(verdict, folder)
            files = files_of(desk.tables, job, verdict.accepted, self.pin, room)
        rows_in = sum(self.inputs[name].rows for name in job.inputs)
        told = progress(job, {name: state_of(snapshot) for name, snapshot in self.inputs.items()}) | {
            "run": desk.run,
            "rows_in": rows_in,
            "rejects": rejects,
            "nulls": nulls,
            "findings": [
                {"rule": f.rule, "action": str(f.action), "rows": f.rows, "message": f.message}
                for f in verdict.findings
            ],
            "description": job.description,
            "owner": job.owner,
        }
        change = Change(name=job.table, operation=self.operation, base=None, schema=schema, metadata=told)
        snapshot = settle(desk.tables, change, files)
        warnings = tuple(f.message for f in verdict.findings if f.action is not Action.FAIL)
        outcome = Outcome(
            job.table, "ran", reason, snapshot.version, rows_in, snapshot.rows, verdict.rejected, warnings, nulls
        )
        return outcome, snapshot

    def _count_nulls(self) -> Nulls:
        counts = {
            str(name): count_tokens(self.inputs[name].scan(), tokens) for name, tokens in self.job.null_tokens.items()
        }
        return {name: columns for name, columns in counts.items() if columns}

    def _result(self, folder: Path) -> pl.LazyFrame:
        """The job's rows, made once and written down."""
        job = self.job
        if isinstance(job.body, Frames):
            result = result_of(job, {name: snapshot.scan() for name, snapshot in self.inputs.items()})
        else:
            with machine_faults():
                files = {
                    name: SourceFiles(self.inputs[name].schema, self.desk.local_files(self.inputs[name]))
                    for name in job.inputs
                }
            result = storable(run_query(job, files, folder, Bounds(self.desk.scratch, self.desk.memory_gb)))
            require_columns(job, result.collect_schema())
        return _keep(result, folder)

    def _set_aside(self, verdict: Verdict, folder: Path) -> dict[str, str | int] | None:
        """Put the rejected rows beside the catalog, in the columns of its quarantine; the commit names the object."""
        if verdict.rejects is None:
            return None
        rows = (
            verdict.rejects.with_row_index("number", offset=1)
            .with_columns(
                id=pl.concat_str(pl.lit(f"{self.operation}:"), pl.col("number").cast(pl.String)),
                source=pl.lit(self.operation),
                table=pl.lit(str(self.job.table)),
                stage=pl.lit("promote"),
                delivery=pl.lit(None, pl.String),
                archived_as=pl.lit(None, pl.String),
                run=pl.lit(self.desk.run),
                status=pl.lit(WAITING),
                done_by=pl.lit(None, pl.String),
                at=pl.lit(datetime.now(UTC)),
            )
            .select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
        )
        key = f"rejects/{self.job.table}/{self.operation}.parquet"
        path = folder / "rejects.parquet"
        rows.sink_parquet(path, engine="streaming")
        require_balance(self.job, {"set aside": verdict.rejected, "in its rejects": count_rows(pl.scan_parquet(path))})
        self.desk.objects.put_file(Zone.CATALOG, key, path)
        return {"key": key, "rows": verdict.rejected, "source": self.operation}


def _keep(frame: pl.LazyFrame, folder: Path) -> pl.LazyFrame:
    path = folder / f"{uuid.uuid4().hex}.parquet"
    frame.sink_parquet(path, engine="streaming")
    return pl.scan_parquet(path, glob=False)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    with machine_faults():
        folder.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True)
    with scratch as name:
        yield Path(name)
