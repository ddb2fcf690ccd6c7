"""One job on its way from its sources to a version of its table that nobody sees before a run publishes it."""

import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from catalog.objects import ObjectStore
from catalog.quarantine import SCHEMA, WAITING
from catalog.tables import Change, Snapshot, Tables, storable
from catalog.zones import TableName, Zone
from lake.promote.account import count_rows, require_balance
from lake.promote.change import progress, state_of
from lake.promote.check import Verdict, judge
from lake.promote.declare import Frames, Job
from lake.promote.faults import blaming, machine_faults
from lake.promote.frames import Nulls, count_tokens, require_columns, result_of
from lake.promote.memory import Room
from lake.promote.outcome import Outcome
from lake.promote.sql import Bounds, SourceFiles, run_query
from lake.promote.write import files_of, settle


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


class Task:
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
                {"rule": f.rule, "action": str(f.action), "rows": f.rows, "judged": f.judged, "message": f.message}
                for f in verdict.findings
            ],
            "description": job.description,
            "owner": job.owner,
        }
        change = Change(name=job.table, operation=self.operation, base=None, schema=schema, metadata=told)
        snapshot = settle(desk.tables, change, files)
        warnings = tuple(f.message for f in verdict.findings if f.message)
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
