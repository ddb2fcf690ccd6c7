"""Runs what is new, sources first: each job to a version of its table that nobody sees before the run publishes it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from catalog.errors import LakeError
from catalog.log import Commit
from catalog.tables import Snapshot
from catalog.zones import TableName
from lake.promote.ahead import mistakes
from lake.promote.change import NOTHING_NEW, State, state_of, why_run
from lake.promote.declare import Job
from lake.promote.forced import options_for, require_applicable, why_forced
from lake.promote.levels import overdue
from lake.promote.outcome import HABIT, Outcome, RunOptions
from lake.promote.plan import why_not
from lake.promote.sources import Sources
from lake.promote.work import Hands, Work, failed


def promote(
    jobs: Sequence[Job],
    base: Commit,
    heads: Mapping[TableName, Snapshot],
    hands: Hands,
    tell: Callable[[Outcome], None] = lambda outcome: None,
    options: RunOptions = HABIT,
) -> list[Outcome]:
    """Run the jobs that have something new, each when its sources are done; those that can be, at once.

    A mistake in a job that shows without any row fails it before one is read.
    ``base`` is the commit that the run reads: silver and gold at its pins, or as this run made them; ``heads`` are
    the bronze tables. Nothing is published: the caller pins the versions of the outcomes. A job that fails leaves its
    table at its pin, and what depends on it waits; the others go on. ``tell`` hears each outcome at once; they are
    given back in the order of the jobs.

    Raises `UsageError` where the options do not fit a job, `StoreError`, `MachineError`, `Conflict`: what was committed
    by then is not published, and does no harm.
    """
    require_applicable(jobs, options)
    sources = Sources(base, heads, hands.tables, jobs)
    run = _Run(jobs, sources, options, mistakes(jobs, sources, hands))
    at_work = 0
    while run.waiting or at_work:
        for found in run.decided():
            if isinstance(found, Work):
                hands.begin(found)
                at_work += 1
            else:
                tell(found)
        for outcome in hands.ended() if at_work else ():
            run.settle(outcome)
            tell(outcome)
            at_work -= 1
    return [run.outcomes[job.table] for job in jobs]


class _Run:
    """How far a run is: what waits, what became of the rest."""

    def __init__(
        self, jobs: Sequence[Job], sources: Sources, options: RunOptions, mistaken: Mapping[TableName, LakeError]
    ) -> None:
        self.waiting = list(jobs)
        self.outcomes: dict[TableName, Outcome] = {}
        self._unsettled = {job.table for job in jobs}
        self._sources = sources
        self._options = options
        self._mistaken = mistaken
        self._failed: dict[TableName, TableName] = {}

    def decided(self) -> Iterable[Work | Outcome]:
        """The jobs whose sources are settled: work for those that must run, the outcome of those that need not."""
        is_moving = True
        while is_moving:
            is_moving = False
            for job in [job for job in self.waiting if self._unsettled.isdisjoint(job.sources)]:
                self.waiting.remove(job)
                found = self._decide(job)
                if isinstance(found, Outcome):
                    self.settle(found)
                    is_moving = True
                yield found

    def settle(self, outcome: Outcome) -> None:
        """What became of a job is known, and those that depend on it may be looked at."""
        self.outcomes[outcome.table] = outcome
        self._unsettled.discard(outcome.table)
        if outcome.status == "failed":
            self._failed[outcome.table] = outcome.table
        elif outcome.version is not None:
            self._sources.made(outcome.table, outcome.version)

    def _decide(self, job: Job) -> Work | Outcome:
        if broken := next((self._failed[source] for source in job.sources if source in self._failed), None):
            self._failed[job.table] = broken
            return Outcome(job.table, "skipped", f"depends on {broken}, which failed")
        inputs = self._sources.inputs(job)
        if missing := next((name for name in job.sources if name not in inputs), None):
            return Outcome(job.table, "skipped", why_not(missing))
        states = {name: state_of(snapshot) for name, snapshot in inputs.items()}
        options = options_for(job, self._options)
        reason = why_run(job, self._sources.state(job.table), states) or why_forced(options)
        if reason is None:
            return Outcome(job.table, "skipped", NOTHING_NEW, warnings=_overdue(job, self._sources.state(job.table)))
        work = Work(job, inputs, self._sources.get(job.table), reason, options)
        return failed(work, self._mistaken[job.table]) if job.table in self._mistaken else work


def _overdue(job: Job, own: State | None) -> tuple[str, ...]:
    """What a table's rules on freshness say of it while nothing new comes."""
    return overdue(job, own.metadata.get("measures", {}), datetime.now(UTC)) if own else ()
