"""What a run works with, and what a job is given of a table: all of its rows, or some."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import polars as pl

from catalog.objects import ObjectStore
from catalog.tables import Snapshot, Tables, storable
from catalog.zones import TableName
from lake.promote.account import count_rows
from lake.promote.declare import Frames, Inferred, Job
from lake.promote.faults import machine_faults
from lake.promote.frames import require_columns, result_of
from lake.promote.memory import Room
from lake.promote.shelf import Shelf
from lake.promote.sql import Bounds, SourceFiles, run_query
from lake.promote.typed import typed


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


@dataclass(frozen=True)
class View:
    """A table as a job is given it: a version, which may be of some of its files only, or rows written to a file."""

    schema: pl.Schema
    frame: pl.LazyFrame
    source: Snapshot | tuple[Path, ...]
    rows: int

    @classmethod
    def of(cls, snapshot: Snapshot) -> "View":
        """The rows of a version."""
        return cls(snapshot.schema, snapshot.scan(), snapshot, snapshot.rows)


@dataclass(frozen=True)
class Bench:
    """Where one job is worked on: with a shelf in a folder below the desk's scratch, which goes afterwards."""

    job: Job
    desk: Desk
    shelf: Shelf

    @property
    def folder(self) -> Path:
        """The folder that it is worked on in."""
        return self.shelf.folder

    @property
    def room(self) -> Room:
        """What the work on rows may take."""
        return Room(self.desk.memory_gb, self.shelf.write)

    def keep(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Write rows down, so that what makes them runs once."""
        return self.room.keep(frame)

    def view(self, frame: pl.LazyFrame) -> View:
        """The same as a table that a job can be given."""
        kept = self.keep(frame)
        return View(kept.collect_schema(), kept, tuple(self.shelf.files(kept)), count_rows(kept))

    def result(self, views: Mapping[TableName, View]) -> pl.LazyFrame:
        """The job's rows, to be made once of what it is given. Raises `JobFailed`, `TypeRefused`."""
        job = self.job
        if isinstance(job.body, Inferred):
            return typed(views[job.body.source].frame, job.body.schema or pl.Schema(), self.room)
        if isinstance(job.body, Frames):
            return result_of(job, {name: view.frame for name, view in views.items()})
        folder = self.folder / uuid4().hex
        with machine_faults():
            folder.mkdir()
            files = {name: SourceFiles(views[name].schema, self._local(views[name])) for name in job.inputs}
        result = storable(run_query(job, files, folder, Bounds(self.desk.scratch, self.desk.memory_gb)))
        require_columns(job, result.collect_schema())
        return result

    def _local(self, view: View) -> Sequence[Path]:
        return self.desk.local_files(view.source) if isinstance(view.source, Snapshot) else view.source
