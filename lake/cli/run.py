"""``lake run | promote | plan``: the jobs, with what has landed before them or without."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from catalog.errors import ExitCode, UsageError
from lake.cli.diff import show_diffs
from lake.cli.progress import progress
from lake.cli.report import counted, exit_code, say
from lake.diff import EXAMPLES
from lake.promote.outcome import RunOptions
from lake.promote.plan import Step
from lake.publication import RunResult
from lake.reading import open_lake
from lake.run import plan as plan_run

Command = Callable[..., Any]


def _run_options(command: Command) -> Command:
    """The options of ``run`` and ``promote``."""
    found = [
        click.option("--full", is_flag=True, help="Make the tables whole, though nothing is new."),
        click.option(
            "--since",
            type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
            metavar="DATE",
            help="Take rows that came since DATE (UTC) for changed: modes upsert, scd2, partition.",
        ),
        click.option(
            "--partition", multiple=True, metavar="COL=VALUE", help="Make only rows of these values anew; repeatable."
        ),
        click.option("--all-or-nothing", is_flag=True, help="Publish nothing where a job fails."),
        click.option("--jobs", type=click.IntRange(1), metavar="N", help="Jobs at once [default: compute.jobs_max]."),
    ]
    for option in reversed(found):
        command = option(command)
    return command


@click.command()
@click.argument("tables", nargs=-1)
@_run_options
@click.pass_obj
def run(project: Path | None, /, tables: tuple[str, ...], **given: Any) -> int:
    """Take in what landed, run the jobs that have something new, publish it all in one commit.

    With TABLES only these are made, and what they are made from; --full, --since and --partition are about TABLES
    alone, or all that they can be about. A job that fails leaves its table, and all that depend on it, at the last
    good version; the others are published. Safe to interrupt and to repeat.

    Exit code 1: a job failed, or a file was set aside whole (lake quarantine says why).
    """
    with _interruptible(), progress() as told:
        result = open_lake(project).run(tables, told, options=_options(**given))
    return report(result)


@click.command()
@click.argument("tables", nargs=-1)
@_run_options
@click.pass_obj
def promote(project: Path | None, /, tables: tuple[str, ...], **given: Any) -> int:
    """Run the jobs that have something new, bronze to silver to gold, and publish what they made in one commit.

    The same as lake run, without looking into landing first.
    """
    with _interruptible(), progress() as told:
        result = open_lake(project).promote(tables, told, options=_options(**given))
    return report(result)


@click.command()
@click.argument("tables", nargs=-1)
@click.option("--diff", "is_diff", is_flag=True, help="Make TABLES, show which rows would change, publish nothing.")
@click.option(
    "--limit", type=click.IntRange(0), default=EXAMPLES, show_default=True, help="With --diff: so many of each kind."
)
@click.option("--format", "form", type=click.Choice(["table", "jsonl"]), default="table", help="With --diff.")
@click.pass_obj
def plan(project: Path | None, tables: tuple[str, ...], is_diff: bool, limit: int, form: str) -> int:
    """Say what a run would do, and why; changes nothing.

    \b
    The result, on stdout, a line for each job, and below it what it would read and change:
      run   silver.flights   bronze.flights has new data: version 3 -> 4
              by row of bronze.flights; reads 27,004 rows, 1.2 MB
              columns: + tailnum String
      skip  gold.delays      nothing new

    With --diff the job of each of TABLES is run, on its sources as they are now, and the table that it makes is
    compared with the published one: rows added, removed and changed (by key, where it has one), rows that would be set
    aside, columns, warnings. Nothing is published or kept. In Python: lake.open().diff("silver.flights").

    Exit code 1: with --diff, a job failed or a promise was broken, so that a run would not publish the table.
    """
    if is_diff:
        if not tables:
            raise UsageError("--diff needs the names of tables", next="lake plan --diff silver.flights")
        with _interruptible():
            return show_diffs(open_lake(project), tables, limit, form)
    waiting, steps = plan_run(open_lake(project), tables)
    for dataset, files in waiting.items():
        if files:
            click.echo(f"run   bronze.{dataset:<24} {files} new in landing")
    for step in steps:
        click.echo("\n".join(_lines(step)))
    if not steps and not any(waiting.values()):
        say("nothing waits in landing, and there are no jobs in jobs/")
    return int(ExitCode.OK)


def report(result: RunResult) -> int:
    """Say how a run ended; the exit code: 1 where a file was set aside or a job failed."""
    if result.is_published:
        say(f"published as commit {result.commit.number}; next: lake tables")
    elif result.is_withheld:
        names = ", ".join(str(outcome.table) for outcome in result.failed)
        say(f"nothing is published, since {names} failed; commit {result.commit.number} stands")
    else:
        say(f"nothing new; commit {result.commit.number} stands")
    return exit_code(result)


def _options(
    full: bool, since: datetime | None, partition: tuple[str, ...], all_or_nothing: bool, jobs: int | None
) -> RunOptions:
    for said in partition:
        if "=" not in said:
            raise UsageError(f"--partition {said} has no value", next="write --partition month=2026-01")
    return RunOptions(
        full=full,
        since=None if since is None else since.replace(tzinfo=UTC),
        partition=dict(said.split("=", 1) for said in partition),
        all_or_nothing=all_or_nothing,
        jobs_max=jobs or 0,
    )


@contextmanager
def _interruptible() -> Iterator[None]:
    """Within, a request to end is taken as Ctrl-C is: workers are ended, nothing is published."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _lines(step: Step) -> Iterator[str]:
    """What is said of one job."""
    yield f"{'run' if step.runs else 'skip':<5} {step.job.table!s:<31} {step.reason}"
    seen = step.preview
    if seen is None:
        return
    if seen.how:
        amount = (
            "" if seen.rows is None else f"; reads {counted(seen.rows, 'row')}, {(seen.size_bytes or 0) / 1e6:,.1f} MB"
        )
        yield f"        {seen.how}{amount}"
    if seen.columns:
        yield f"        columns: {', '.join(seen.columns)}"
    if seen.error is not None:
        yield f"        error: {seen.error.what}"
        yield f"          next: {seen.error.next}"
