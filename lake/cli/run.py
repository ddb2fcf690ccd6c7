"""``lake run | promote | plan``: the jobs, with what has landed before them or without."""

from pathlib import Path

import click

from lake.cli.progress import progress
from lake.cli.report import exit_code, say, tell
from lake.promote.plan import Step
from lake.publication import RunResult
from lake.reading import open_lake
from lake.run import plan as plan_run


@click.command()
@click.argument("tables", nargs=-1)
@click.pass_obj
def run(project: Path | None, tables: tuple[str, ...]) -> int:
    """Take in what landed, run the jobs that have something new, publish it all in one commit.

    With TABLES only these are made, and what they are made from. A job that fails leaves its table, and all that depend
    on it, at the last good version; the others are published. Safe to interrupt and to repeat.

    Exit code 1: a job failed, or a file was set aside whole (lake quarantine says why).
    """
    with progress() as told:
        result = open_lake(project).run(tables, told)
    return report(result)


@click.command()
@click.argument("tables", nargs=-1)
@click.pass_obj
def promote(project: Path | None, tables: tuple[str, ...]) -> int:
    """Run the jobs that have something new, bronze to silver to gold, and publish what they made in one commit.

    The same as lake run, without looking into landing first.
    """
    return report(open_lake(project).promote(tables, tell))


@click.command()
@click.argument("tables", nargs=-1)
@click.pass_obj
def plan(project: Path | None, tables: tuple[str, ...]) -> None:
    """Say what a run would do, and why; changes nothing.

    \b
    The result, on stdout, one line a job:
      run   silver.flights   bronze.flights has new data: version 3 -> 4
      skip  gold.delays      nothing new
    """
    waiting, steps = plan_run(open_lake(project), tables)
    for dataset, files in waiting.items():
        if files:
            click.echo(f"run   bronze.{dataset:<24} {files} new in landing")
    for step in steps:
        click.echo(_line(step))
    if not steps and not any(waiting.values()):
        say("nothing waits in landing, and there are no jobs in jobs/")


def report(result: RunResult) -> int:
    """Say how a run ended; the exit code: 1 where a file was set aside or a job failed."""
    if result.is_published:
        say(f"published as commit {result.commit.number}; next: lake tables")
    else:
        say(f"nothing new; commit {result.commit.number} stands")
    return exit_code(result)


def _line(step: Step) -> str:
    return f"{'run' if step.runs else 'skip':<5} {step.job.table!s:<31} {step.reason}"
