"""Tables that nobody wrote a job for: a dataset that no job reads gets its rows into silver, with types."""

from collections.abc import Collection, Sequence

from catalog.zones import TableName, Zone, parted
from lake.promote.declare import Inferred, Job, Mode
from lake.promote.digest import digest

_RULES = "1"
"""Of how types are found; another one makes all automatic tables anew."""


def automatic_jobs(jobs: Sequence[Job], bronze: Collection[TableName]) -> list[Job]:
    """A job for each of these bronze tables whose dataset no job reads, and whose table in silver no job makes."""
    used = {parted(source.name)[0] for job in jobs for source in job.sources if source.zone is Zone.BRONZE}
    made = {job.table for job in jobs}
    found = (automatic_job(name) for name in sorted(bronze) if parted(name.name)[0] not in used)
    return [job for job in found if job.table not in made]


def automatic_job(source: TableName) -> Job:
    """The job that gives a bronze table's rows their types."""
    return Job(
        table=TableName(Zone.SILVER, source.name),
        body=Inferred(source),
        mode=Mode.APPEND,
        description=f"{source}, each row once, with the types that all of its values fit",
        code=digest("automatic", _RULES, str(source)),
    )
