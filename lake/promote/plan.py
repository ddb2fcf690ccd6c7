"""What a run would do and why, as a value: nothing is read but states, nothing is changed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from catalog.zones import TableName, Zone
from lake.promote.change import NOTHING_NEW, State, why_run
from lake.promote.declare import Job
from lake.promote.preview import Preview


@dataclass(frozen=True)
class Step:
    """One job of a plan: whether it runs, why or why not, and what it would read and change where that was asked."""

    job: Job
    runs: bool
    reason: str
    preview: Preview | None = None


def plan(jobs: Sequence[Job], states: Mapping[TableName, State], changing: Collection[TableName] = ()) -> list[Step]:
    """What each job would do, sources first; ``states`` are bronze at its heads and the rest as published.

    ``changing`` are sources that change before the jobs run: bronze tables with files in landing. A job whose source
    changes or runs before it is said to run too; when that source then turns out the same, it does not.
    """
    running: set[TableName] = set(changing)
    missing: dict[TableName, str] = {}
    steps = []
    for job in jobs:
        step = _step(job, states, running, missing)
        steps.append(step)
        if step.runs:
            running.add(job.table)
        elif job.table not in states:
            missing[job.table] = step.reason
    return steps


def why_not(source: TableName) -> str:
    """Why a job waits whose source is not there.

    >>> why_not(TableName.parse("bronze.flights"))
    'bronze.flights is not there yet: lake drop FILE --into flights'
    """
    hint = f": lake drop FILE --into {source.name}" if source.zone is Zone.BRONZE else ""
    return f"{source} is not there yet{hint}"


def _step(
    job: Job, states: Mapping[TableName, State], running: set[TableName], missing: Mapping[TableName, str]
) -> Step:
    for source in job.sources:
        if source not in states and source not in running:
            return Step(job, runs=False, reason=missing.get(source, why_not(source)))
    changing = [source for source in job.sources if source in running]
    known = {source: states[source] for source in job.sources if source not in running}
    own = states.get(job.table)
    if own is None or own.metadata.get("code") != job.code:
        reason = why_run(job, own, {})
    elif changing:
        reason = f"{changing[0]} changes in this run"
    else:
        reason = why_run(job, own, known)
    return Step(job, runs=reason is not None, reason=reason or NOTHING_NEW)
