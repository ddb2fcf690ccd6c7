"""What a run would change in a table's rows: made in files that no version names, compared, and deleted."""

from dataclasses import dataclass

from catalog.errors import NotFound
from catalog.zones import TableName, bronze_table
from ingestion import landing
from lake.heads import read_heads
from lake.promote.ahead import plan_run
from lake.promote.change import state_of, why_run
from lake.promote.compare import Difference, unchanged
from lake.promote.outcome import HABIT
from lake.promote.sources import Sources
from lake.promote.work import Work
from lake.publication import Told
from lake.run import chosen, pool_of
from lake.workspace import Workspace

EXAMPLES = 10


@dataclass(frozen=True)
class Found:
    """What a run would change in a table; ``moving`` are the sources that it would change before, which this does not.

    Those are bronze tables with files in landing, and tables whose own jobs have something new.
    """

    difference: Difference
    moving: tuple[TableName, ...]


def diff(lake: Workspace, table: str, limit: int = EXAMPLES, told: Told = lambda _: None) -> Found:
    """Make a table as a run would make it now, and compare it with its published version; nothing is published.

    Its sources are read as they are: bronze at its heads, silver and gold as published. Up to ``limit`` rows are given
    of each kind. What is written on the way is deleted, also after an error. Raises what the job and its rules raise;
    `NotFound` for a table without a job, or with a source that is not there yet; `UsageError`, `StoreError`.
    """
    jobs = chosen(lake, [table])
    job = next(job for job in jobs if str(job.table) == table)
    base, bronze = lake.log.head(), read_heads(lake.store).bronze
    sources = Sources(base, bronze, lake.store, [job])
    inputs = sources.inputs(job)
    if missing := next((name for name in job.sources if name not in inputs), None):
        raise NotFound(f"{table} cannot be made yet: there is no {missing}", next=f"lake plan {table} tells why")
    landed = set(map(bronze_table, landing.find(lake.objects, (), lake.settings.routes().dataset_of)))
    running = {step.job.table for step in plan_run(jobs, base, bronze, lake.store, landed) if step.runs}
    moving = tuple(name for name in job.sources if name in running | landed)
    pin = sources.get(job.table)
    reason = why_run(job, sources.state(job.table), {name: state_of(each) for name, each in inputs.items()})
    if reason is None and pin is not None:
        return Found(unchanged(job, pin), moving)
    with pool_of(lake, "diff", HABIT, told) as pool:
        return Found(pool.compare(Work(job, inputs, pin, reason or "", HABIT), limit), moving)
