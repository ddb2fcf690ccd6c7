"""Runs what is new, sources first: each job to a version of its table that nobody sees before the run publishes it."""

from collections.abc import Callable, Collection, Mapping, Sequence

from catalog.errors import DataRefused
from catalog.log import Commit
from catalog.tables import Snapshot, Tables
from catalog.zones import TableName
from lake.promote.change import NOTHING_NEW, State, state_of, why_run
from lake.promote.declare import Job
from lake.promote.outcome import Outcome
from lake.promote.plan import Step, plan, why_not
from lake.promote.task import Desk, Task


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
        outcome, snapshot = Task(job, inputs, sources.get(job.table), desk).run(reason)
    except DataRefused as error:
        return Outcome(job.table, "failed", reason, error=error)
    sources.made(snapshot)
    return outcome
