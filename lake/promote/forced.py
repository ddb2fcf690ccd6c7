"""What a person may force a run to make anew, though nothing is new: all of a table, or some of its rows."""

from collections.abc import Sequence
from dataclasses import replace

from catalog.errors import UsageError
from lake.promote.declare import Job, Mode
from lake.promote.names import listed
from lake.promote.outcome import RunOptions

_BY_KEY = (Mode.UPSERT, Mode.SCD2, Mode.PARTITION)


def options_for(job: Job, options: RunOptions) -> RunOptions:
    """The options as they are for one job: of those that name tables, the others are not forced."""
    if not options.tables or str(job.table) in options.tables:
        return options
    return replace(options, full=False, since=None, partition={})


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
    for job in jobs:
        own = options_for(job, options)
        if own.since is not None and job.mode not in _BY_KEY:
            raise UsageError(
                f"{job.table} is in mode {job.mode}, which has no rows of a time to make anew",
                next=f"lake run {job.table} --full, or name the tables that are meant",
            )
        known = job.partition_by if job.mode is Mode.PARTITION else job.key if job.mode in _BY_KEY else ()
        for column in own.partition:
            if column not in known:
                raise UsageError(
                    f"{job.table} cannot be made anew by {column}",
                    next=f"name one of {listed(known)}" if known else f"lake run {job.table} --full",
                )


def _given(options: RunOptions) -> dict[str, bool]:
    return {
        "--full": options.full,
        "--since": options.since is not None,
        "--partition": bool(options.partition),
    }
