"""A job tried on frames, without a store: the same way that a run goes, from the sources to rows and rejects."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import polars as pl

from catalog.errors import UsageError
from catalog.tables import storable
from catalog.zones import TableName, Zone
from ingestion.columns import LAKE_COLUMNS
from lake.promote.check import Finding, Verdict, accept, judge
from lake.promote.declare import Frames, Job
from lake.promote.find import read_jobs
from lake.promote.frames import require_columns, result_of
from lake.promote.memory import Room
from lake.promote.modes import shape
from lake.promote.names import listed, nearest
from lake.promote.setaside import rejects_of
from lake.promote.shelf import Shelf
from lake.promote.sql import Bounds, SourceFiles, run_query
from lake.settings import find_project

MEMORY_GB = 0.5

Given = pl.DataFrame | pl.LazyFrame


@dataclass(frozen=True)
class Result:
    """What a job made of its sources: the table's rows, what was set aside (file, line, rule, message, record), and
    what each rule found."""

    rows: pl.DataFrame
    rejects: pl.DataFrame
    findings: tuple[Finding, ...] = ()


def run_job(table: str | Job, sources: Mapping[str, Given], project: Path | str | None = None) -> Result:
    """Run a project's job on frames, by the name of its table: tokens, types, expectations and mode as in a run.

    ``sources`` are frames by the names of their tables, those that expectations look up included. Bronze frames get
    the lake's own columns where they lack them: ``_file``, ``_line`` and so on. Rules on the table in the lake
    (freshness, row_count, drift) are not asked. The project is the nearest folder upwards that has a ``lake.toml``.

    Raises what a run would end the job with: `JobFailed`, `ExpectationFailed`, `TypeRefused`; `UsageError`.
    """
    job = table if isinstance(table, Job) else job_of(find_project(None if project is None else Path(project)), table)
    frames = frames_of(job, sources)
    with tempfile.TemporaryDirectory() as name:
        room = room_in(Path(name))
        verdict = judge(job, result_in(Path(name), job, frames), frames, room)
        return Result(verdict.accepted.collect(), rejects_of(verdict).collect(), verdict.findings)


def job_of(project: Path, table: str) -> Job:
    """A project's job, by its table. Raises `UsageError`."""
    jobs = {str(job.table): job for job in read_jobs(project / "jobs")}
    if table not in jobs:
        raise UsageError(f"no job makes {table}", next=f"the nearest is {nearest(table, jobs) or listed(jobs)}")
    return jobs[table]


def frames_of(job: Job, sources: Mapping[str, Given]) -> dict[TableName, pl.LazyFrame]:
    """The frames that a job is given, and those that its expectations look up. Raises `UsageError` for one too few."""
    known = {TableName.parse(name): given.lazy() for name, given in sources.items()}
    for name in job.sources:
        if name not in known:
            raise UsageError(f"{job.table} reads {name}, of which there are no rows", next=f"give a frame for {name}")
    return {name: as_bronze(frame, name) if name.zone is Zone.BRONZE else frame for name, frame in known.items()}


def as_bronze(frame: pl.LazyFrame, name: TableName) -> pl.LazyFrame:
    """The frame with the lake's own columns, as rows have them that came in one file, below a header."""
    there = frame.collect_schema()
    values: dict[str, pl.Expr] = {
        "_file": pl.lit(f"{name.name}/{name}.csv"),
        "_line": pl.int_range(2, pl.len() + 2, dtype=pl.Int64),
        "_batch": pl.lit(f"{name.name}/00000001"),
        "_ingested_at": pl.lit(datetime(2026, 1, 1, tzinfo=UTC), pl.Datetime("us", "UTC")),
        "_rescued": pl.lit(None, pl.String),
    }
    return frame.with_columns(values[column].alias(column) for column in LAKE_COLUMNS if column not in there)


def room_in(folder: Path) -> Room:
    """Room for work on rows, which are written down in a folder."""
    return Room(MEMORY_GB, Shelf(folder).write)


def result_in(folder: Path, job: Job, frames: Mapping[TableName, pl.LazyFrame]) -> pl.LazyFrame:
    """The rows that the function or the query makes, to be run once; what a query needs is written to a folder."""
    if isinstance(job.body, Frames):
        return result_of(job, frames)
    inside = folder / uuid4().hex
    inside.mkdir()
    files = {}
    for name in job.inputs:
        path = inside / f"{name}.parquet"
        frames[name].sink_parquet(path)
        files[name] = SourceFiles(frames[name].collect_schema(), [path])
    result = storable(run_query(job, files, inside, Bounds(folder, MEMORY_GB)))
    require_columns(job, result.collect_schema())
    return result


def accepted_of(job: Job, frames: Mapping[TableName, pl.LazyFrame], folder: Path) -> Verdict:
    """The table's rows and the rejects, whatever rules say that would refuse the table."""
    room = room_in(folder)
    verdict = accept(job, result_in(folder, job, frames), frames, room)
    table = shape(job, verdict.accepted.drop(job.origin))
    return replace(verdict, accepted=table, rejects=rejects_of(verdict))
