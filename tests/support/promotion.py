"""A lake in miniature for tests of promotion: bronze tables from text, runs and publications, on a real store."""

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from catalog.log import Log, Proposal
from catalog.objects import Endpoint, ObjectStore
from catalog.tables import Change, Snapshot, Tables
from catalog.zones import TableName
from lake.promote.ahead import plan_run
from lake.promote.declare import Job
from lake.promote.find import arrange
from lake.promote.outcome import Outcome
from lake.promote.plan import Step
from lake.promote.runner import promote
from lake.promote.task import Desk
from lake.promote.work import Here


class Promotion:
    """One lake: `land` adds rows to bronze, `run` runs jobs and, unless told otherwise, publishes what they made."""

    def __init__(self, endpoint: Endpoint, folder: Path) -> None:
        self.objects = ObjectStore(endpoint)
        self.tables = Tables(self.objects)
        self.log = Log(self.objects)
        self.folder = folder

    def land(self, name: str, rows: Mapping[str, Sequence[str | None]], *, replace: bool = False) -> Snapshot:
        """Append text rows to a bronze table, or put them in place of all that it has."""
        table = TableName.parse(name)
        frame = pl.LazyFrame(rows, schema=dict.fromkeys(rows, pl.String)).with_row_index("_line", offset=1)
        return self.land_frame(
            name, frame.with_columns(pl.col("_line").cast(pl.Int64), _file=pl.lit(str(table))), replace
        )

    def land_frame(self, name: str, frame: pl.LazyFrame, replace: bool = False) -> Snapshot:
        """The same with a frame that is ready."""
        table = TableName.parse(name)
        head = self.tables.open(table)
        return self.tables.commit(
            Change(
                name=table,
                operation=uuid.uuid4().hex,
                base=head,
                schema=frame.collect_schema(),
                add=self.tables.sink(table, frame),
                remove=head.files if head and replace else (),
            )
        )

    def run(self, *jobs: Job, publish: bool = True) -> dict[str, Outcome]:
        """Run the jobs on the newest commit, in an order that works."""
        base = self.log.head()
        ordered = arrange(jobs, [])
        outcomes = promote(ordered, base, self._heads(ordered), Here(self.desk()))
        pins = {each.table: each.version for each in outcomes if each.version is not None}
        if publish:
            self.log.publish(base, Proposal(operation=uuid.uuid4().hex, pins=pins))
        return {str(each.table): each for each in outcomes}

    def plan(self, *jobs: Job) -> dict[str, Step]:
        """What a run of these jobs would do."""
        ordered = arrange(jobs, [])
        steps = plan_run(ordered, self.log.head(), self._heads(ordered), self.tables)
        return {str(step.job.table): step for step in steps}

    def published(self, name: str) -> Snapshot:
        """A table at the version that the newest commit pins."""
        table = TableName.parse(name)
        version = self.log.head().version(table)
        assert version is not None, f"{name} is not published"
        snapshot = self.tables.open(table, version)
        assert snapshot is not None
        return snapshot

    def rows(self, name: str) -> list[tuple[object, ...]]:
        """A published table's rows, sorted."""
        return sorted(self.published(name).scan().collect().rows(), key=repr)

    def desk(self) -> Desk:
        """What runs work with."""
        return Desk(
            tables=self.tables,
            objects=self.objects,
            scratch=self.folder,
            local_files=self._local_files,
            run=f"run-{uuid.uuid4().hex[:8]}",
            memory_gb=0.5,
        )

    def _heads(self, jobs: Sequence[Job]) -> dict[TableName, Snapshot]:
        names = {source for job in jobs for source in job.sources if source.zone == "bronze"}
        return {name: head for name in names if (head := self.tables.open(name)) is not None}

    def _local_files(self, snapshot: Snapshot) -> list[Path]:
        folder = self.folder / "files" / str(snapshot.name)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / file.path for file in snapshot.files]
        for path in paths:
            self.objects.fetch(snapshot.name.zone, f"{snapshot.name.path}/{path.name}", path)
        return paths
