"""What a person may force a run to make anew, though nothing is new: all of a table, or some of its rows."""

from collections.abc import Sequence
from dataclasses import replace

from catalog.errors import UsageError
from catalog.zones import Zone
from lake.promote.declare import Job, Mode
from lake.promote.names import listed
from lake.promote.outcome import RunOptions


def options_for(job: Job, options: RunOptions) -> RunOptions:
    """The options as they are for one job: where they name tables, the others are not forced.

    Without names `since` is about what reads bronze, in a mode that can be made in part; what reads that follows it.
    """
    if str(job.table) in options.tables:
        return options
    if options.tables:
        return replace(options, full=False, since=None, partition={})
    is_dated = any(source.zone is Zone.BRONZE for source in job.inputs)
    return options if is_dated and _parts(job) is not None else replace(options, since=None)


def why_forced(options: RunOptions) -> str | None:
    """Why a job runs that has nothing new; None where nobody forces it.

    >>> why_forced(RunOptions(partition={"month": "2026-01"})), why_forced(RunOptions())
    ('asked for: rows of month=2026-01', None)
    """
    if options.full:
        return "asked for: the whole table"
    if options.since is not None:
        return f"asked for: what came since {options.since:%Y-%m-%d %H:%M}"
    if options.partition:
        return f"asked for: rows of {', '.join(f'{column}={value}' for column, value in options.partition.items())}"
    return None


def require_applicable(jobs: Sequence[Job], options: RunOptions) -> None:
    """Raises `UsageError` where a table that is asked for cannot be made anew in part, as the options say."""
    asked = [name for name, given in _given(options).items() if given]
    if len(asked) > 1:
        raise UsageError(f"{listed(asked)} exclude each other", next="give one of them")
    own = [options_for(job, options) for job in jobs]
    for job, each in zip(jobs, own, strict=True):
        require_divisible(job, each)
    if options.since is not None and not any(each.since for each in own):
        raise UsageError(
            "no table reads bronze in mode upsert, scd2 or partition: none can be made anew since a date",
            next="name a table that is meant, or make all whole: lake run --full",
        )


def require_divisible(job: Job, options: RunOptions) -> None:
    """Raises `UsageError` where a part of the job's table is asked for that cannot be made anew by itself."""
    if options.since is None and not options.partition:
        return
    columns = _parts(job)
    if columns is None:
        raise UsageError(
            f"{job.table} is in mode {job.mode}, of which no part is made anew by itself",
            next=f"lake run {job.table} --full, or name the tables that are meant",
        )
    if strange := [name for name in options.partition if name not in columns]:
        raise UsageError(f"{job.table} is not divided by {strange[0]!r}", next=f"name one of {listed(columns)}")


def _parts(job: Job) -> Sequence[str] | None:
    """The columns by which a part of the job's table is made anew; None where none is made by itself."""
    return {Mode.PARTITION: job.partition_by, Mode.UPSERT: job.key, Mode.SCD2: job.key}.get(job.mode)


def _given(options: RunOptions) -> dict[str, bool]:
    return {
        "--full": options.full,
        "--since": options.since is not None,
        "--partition": bool(options.partition),
    }
