"""How far a run is, on stderr: on a terminal a bar for an ingest and a live line for each job, else a line at times."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from catalog.zones import TableName
from ingestion.absorb import Read
from ingestion.batch import Finished
from lake.cli.report import counted, say, tell
from lake.promote.outcome import Event, Outcome, Working

EVERY_SECONDS = 2.0
JOB_SECONDS = 10.0
"""A job that is at work is told of this often, where there is no terminal to show it on."""

Told = Callable[[Read | Finished | Event], None]


class Pace:
    """What was read of one batch, and how fast: files, rows and bytes."""

    def __init__(self, now: float) -> None:
        self._began = now
        self.files = self.rows = self.size_bytes = 0

    def add(self, read: Read) -> None:
        """One more delivery was read."""
        self.files += 1
        self.rows += read.entry.rows
        self.size_bytes += read.entry.size_bytes

    def told(self, of: int, now: float) -> str:
        """How far it is, in words.

        >>> Pace(0.0).told(3, 1.0)
        '0 of 3 files, 0 rows, 0.0 MB, 0.0 MB/s'
        """
        size_mb = self.size_bytes / 1e6
        rate = size_mb / max(now - self._began, 0.001)
        return f"{self.files:,} of {of:,} files, {counted(self.rows, 'row')}, {size_mb:,.1f} MB, {rate:,.1f} MB/s"


class _Lines:
    """A line every few seconds while a batch is read, so that a long one is seen to move."""

    def __init__(self) -> None:
        self._said = time.monotonic()
        self._pace = Pace(self._said)
        self._said_of: dict[TableName, float] = {}

    def __call__(self, done: Read | Finished | Event) -> None:
        now = time.monotonic()
        if isinstance(done, Working):
            if done.seconds - self._said_of.get(done.table, 0.0) >= JOB_SECONDS:
                self._said_of[done.table] = done.seconds
                say(f"  {done.table}: {at_work(done)}")
            return
        if isinstance(done, Read):
            self._pace.add(done)
            if now - self._said >= EVERY_SECONDS and done.done < done.of:
                say(f"  {done.entry.dataset}: {self._pace.told(done.of, now)}")
                self._said = now
        else:
            tell(done)
            self._pace = Pace(now)


class _Bar:
    """A bar a batch and a line a job, each gone when it is done and said what became of it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._pace = Pace(time.monotonic())
        self._jobs: dict[TableName, TaskID] = {}

    def __call__(self, done: Read | Finished | Event) -> None:
        if isinstance(done, Working):
            if done.table not in self._jobs:
                self._jobs[done.table] = self._progress.add_task(str(done.table), total=None, told="")
            self._progress.update(self._jobs[done.table], told=at_work(done))
            return
        if isinstance(done, Outcome) and done.table in self._jobs:
            self._progress.remove_task(self._jobs.pop(done.table))
        if isinstance(done, Read):
            if self._task is None:
                self._task = self._progress.add_task(done.entry.dataset, total=done.of, told="")
            self._pace.add(done)
            told = self._pace.told(done.of, time.monotonic())
            self._progress.update(self._task, completed=done.done, total=done.of, told=told)
            return
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        self._pace = Pace(time.monotonic())
        tell(done)


def at_work(job: Working) -> str:
    """What is said of a job that is at work.

    >>> at_work(Working(TableName.parse("silver.sales"), 75.2, 840_000_000))
    'at work for 75 s, 840 MB'
    """
    return f"at work for {job.seconds:.0f} s, {job.memory_bytes / 1e6:,.0f} MB"


@contextmanager
def progress() -> Iterator[Told]:
    """What a run tells as it goes, said on stderr: each batch, each job, and how far the one at hand is."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        yield _Bar(shown)
