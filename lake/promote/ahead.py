"""Looking ahead at a run: what it would do and why, what it would read, and the mistakes that show before."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from catalog.errors import LakeError
from catalog.log import Commit
from catalog.tables import Snapshot, Tables
from catalog.zones import TableName
from lake.promote.declare import Job
from lake.promote.plan import Step, plan
from lake.promote.preview import Ahead
from lake.promote.sources import Sources
from lake.promote.work import Hands


def plan_run(
    jobs: Sequence[Job],
    base: Commit,
    heads: Mapping[TableName, Snapshot],
    tables: Tables,
    changing: Collection[TableName] = (),
) -> list[Step]:
    """What `promote` would do, and why; reads the log of each table, changes nothing. Raises `StoreError`."""
    return _steps(jobs, Sources(base, heads, tables, jobs), changing)


def look_ahead(
    jobs: Sequence[Job],
    base: Commit,
    heads: Mapping[TableName, Snapshot],
    hands: Hands,
    changing: Collection[TableName] = (),
) -> list[Step]:
    """The same, and of each job that would run how its table would be made, of how much, and its columns' changes."""
    sources = Sources(base, heads, hands.tables, jobs)
    steps = _steps(jobs, sources, changing)
    ahead = _ahead(steps, sources, changing)
    previews = hands.preview(ahead) if ahead else {}
    return [replace(step, preview=previews.get(step.job.table)) for step in steps]


def mistakes(jobs: Sequence[Job], sources: Sources, hands: Hands) -> dict[TableName, LakeError]:
    """What is wrong with jobs that are to run, as far as it shows without a row.

    A job that runs alone is not looked at: it finds its mistakes itself, before its first row.
    """
    ahead = _ahead(_steps(jobs, sources, ()), sources, ())
    previews = hands.preview(ahead, only_errors=True) if len(ahead) > 1 else {}
    return {name: preview.error for name, preview in previews.items() if preview.error is not None}


def _steps(jobs: Sequence[Job], sources: Sources, changing: Collection[TableName]) -> list[Step]:
    names = {name for job in jobs for name in (job.table, *job.sources)}
    states = {name: sources.state(name) for name in names}
    return plan(jobs, {name: state for name, state in states.items() if state is not None}, changing)


def _ahead(steps: Sequence[Step], sources: Sources, changing: Collection[TableName]) -> list[Ahead]:
    """The jobs of a plan that would run, with what they read, and what of it changes before they do."""
    moving = {*changing, *(step.job.table for step in steps if step.runs)}
    found = []
    for step in steps:
        job = step.job
        if step.runs:
            found.append(Ahead(job, sources.inputs(job), sources.get(job.table), frozenset(moving & {*job.sources})))
    return found
