"""``lake test``: a project's own tests of its jobs, without a store."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from catalog.errors import ExitCode, UsageError
from lake.cli.report import counted, say
from lake.fixtures import Case, check_case, find_cases, sources_of
from lake.histories import replay
from lake.promote.declare import Job
from lake.promote.dependent import Whole
from lake.promote.find import read_jobs, select
from lake.promote.names import listed
from lake.settings import find_project

NO_TESTS = 5
"""What pytest ends with where it finds nothing."""


@click.command()
@click.argument("tables", nargs=-1)
@click.option("--incremental", is_flag=True, help="Try random changes of the cases' rows, in part and whole.")
@click.option("--histories", type=click.IntRange(1), default=25, show_default=True, help="So many for each job.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the first history.")
@click.pass_obj
def test(project: Path | None, tables: tuple[str, ...], incremental: bool, histories: int, seed: int) -> int:
    """Test the jobs of a project, or those of TABLES, on its own cases in tests/; no store is needed.

    A case is a folder of CSV files: the sources of a job, and the table that is to come of them. Bronze is text, as in
    a file; an empty cell of another table is NULL. Python files in tests/ are run by pytest; they call
    lake.testing.run_job("silver.sales", {"bronze.sales": frame}).

    \b
      tests/silver.sales/refunds/bronze.sales.csv
      tests/silver.sales/refunds/expected.csv
      tests/silver.sales/refunds/rejected.csv      what is set aside: file, line, rule, message, record, or some of them
      tests/silver.sales/refunds/refused.txt       or: a part of what is said where nothing is to be published

    With --incremental the cases' rows come, are corrected and go at random, and each job is run on what is new, as it
    depends on its sources, and whole: where the two differ, the smallest change that shows it is told.

    The result is on stdout. Exit code 1: a test failed.
    """
    folder = find_project(project)
    jobs = read_jobs(folder / "jobs")
    wanted = {str(job.table) for job in jobs} if not tables else {*tables}
    if tables:
        select(jobs, tables)
    cases = [case for case in find_cases(folder, jobs) if str(case.job.table) in wanted]
    if incremental:
        failed, count = _incremental(cases, jobs, histories, seed), len(cases)
    else:
        failed, count = _cases(cases, jobs)
        if not tables:
            failed += _python(folder)
    if not count and not failed:
        say("no cases in tests/; a case is a folder: tests/silver.sales/a_case/ with bronze.sales.csv, expected.csv")
    return int(ExitCode.DATA_REFUSED if failed else ExitCode.OK)


def _cases(cases: Sequence[Case], jobs: Sequence[Job]) -> tuple[int, int]:
    failed = 0
    for case in cases:
        lines = check_case(case, jobs)
        failed += bool(lines)
        _tell(case.name, lines)
    if cases:
        say(f"{counted(len(cases), 'case')}, {failed} failed")
    return failed, len(cases)


def _incremental(cases: Sequence[Case], jobs: Sequence[Job], histories: int, seed: int) -> int:
    failed = 0
    for job in jobs:
        own = [sources_of(case, jobs) for case in cases if case.job is job]
        given = {name for sources in own for name in sources}
        if not own:
            continue
        if lacking := [str(name) for name in job.sources if str(name) not in given]:
            raise UsageError(f"no case of {job.table} has rows of {lacking[0]}", next="add such a file to one")
        done = replay(job, own, histories, seed)
        if done.broken is None:
            ways = listed(f"{way} of {name}" for name, way in done.ways.items() if not isinstance(way, Whole))
            wholes = listed((str(way) for way in done.ways.values() if isinstance(way, Whole)), empty="")
            tried = f"{counted(done.changes, 'change')} {ways}" if done.changes else f"nothing to try: {wholes}"
            click.echo(f"pass  {job.table}: {tried}")
            continue
        failed += 1
        _tell(str(job.table), done.broken.lines())
    return failed


def _python(project: Path) -> int:
    """Run the project's tests in Python, where there are any; 1 where one fails."""
    folder = project / "tests"
    if not any(folder.rglob("test_*.py")):
        return 0
    if importlib.util.find_spec("pytest") is None:
        raise UsageError(f"{folder} has tests in Python, and pytest is not installed", next="pip install pytest")
    sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(project), str(folder)]
    environ = os.environ | {"LAKE_PROJECT": str(project)}
    code = subprocess.run(command, cwd=project, env=environ, check=False).returncode
    return int(code not in {0, NO_TESTS})


def _tell(name: str, lines: Sequence[str]) -> None:
    click.echo(f"{'FAIL' if lines else 'pass'}  {name}")
    for line in lines:
        click.echo(f"      {line}")
