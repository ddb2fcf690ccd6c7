"""The real command: every mistake of a person ends in a message that names the thing and the next step."""

from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from click.testing import CliRunner

from catalog.objects import Endpoint
from lake.cli.main import COMMANDS, cli
from tests.support.projects import lake_command, project_on

GOOD = b"day,price\n2026-01-01,1.5\n2026-01-02,2.5\n"
JOB = '''
import polars as pl
from lake import Source, expect, job

@job("silver.prices", key=["day"], types={"day": pl.Date, "price": pl.Float64}, expect=[%s])
def prices(prices: Source["bronze.prices"]) -> pl.LazyFrame:
    """Prices by day."""
    return prices.select("day", "price")
'''


@pytest.fixture
def project(fast_endpoint: Endpoint, tmp_path: Path) -> Path:
    """A project on a real store, with one good file beside it."""
    project_on(fast_endpoint, tmp_path / "lake")
    (tmp_path / "lake" / "prices.csv").write_bytes(GOOD)
    return tmp_path / "lake"


def refused(done: CompletedProcess[str], code: int, *told: str) -> None:
    """The command ended with this code, said these things and what to do next, and showed no traceback and no key."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for text in told:
        assert text in done.stderr, done.stderr
    assert "next:" in done.stderr or "Usage:" in done.stderr


def test_help_needs_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--help`` works anywhere, lists every command, and each command explains itself."""
    monkeypatch.chdir(tmp_path)
    done = lake_command(None, tmp_path, "--help")
    assert done.returncode == 0
    assert all(f"  {name}" in done.stdout for name in COMMANDS)
    for name in COMMANDS:
        shown = CliRunner().invoke(cli, [name, "--help"])
        assert shown.exit_code == 0, shown.output
        assert len(shown.output) > 100


def test_outside_a_project(tmp_path: Path) -> None:
    """No lake.toml here or above: says how to make a project."""
    refused(lake_command(None, tmp_path, "tables"), 2, "lake.toml", "lake init")


def test_unknown_command_and_option(tmp_path: Path) -> None:
    """A slip of the pen is a usage error."""
    refused(lake_command(None, tmp_path, "tabels"), 2, "tabels")
    refused(lake_command(None, tmp_path, "tables", "--when", "1"), 2, "--when")


def test_a_store_that_does_not_run(tmp_path: Path) -> None:
    """The local store is not up: exit code 3, and the command that starts it."""
    assert lake_command(None, tmp_path, "init", "new").returncode == 0
    for command in (["tables"], ["run"], ["ingest"], ["query", "select 1"], ["plan"]):
        refused(lake_command(None, tmp_path / "new", *command), 3, "lake up")


@pytest.mark.timeout(120)
def test_a_store_that_cannot_be_reached(fast_endpoint: Endpoint, project: Path) -> None:
    """Nobody answers at the endpoint: exit code 3 after some patience, and no key in the message."""
    gone = replace(fast_endpoint, url="http://127.0.0.1:9")
    done = lake_command(gone, project, "tables")
    refused(done, 3, "lake status")
    assert fast_endpoint.secret_key not in done.stderr + done.stdout


def test_wrong_keys(fast_endpoint: Endpoint, project: Path) -> None:
    """The store refuses the keys: exit code 3, and no key in the message."""
    wrong = replace(fast_endpoint, secret_key="not-the-right-one")
    done = lake_command(wrong, project, "run")
    refused(done, 3, "refused")
    assert "not-the-right-one" not in done.stderr + done.stdout


def test_files_that_cannot_be_dropped(fast_endpoint: Endpoint, project: Path) -> None:
    """A missing file, a folder, two of one name, a dataset's name that is none: nothing is dropped."""
    (project / "twin").mkdir()
    (project / "twin" / "prices.csv").write_bytes(b"day,price\n")
    refused(lake_command(fast_endpoint, project, "drop", "absent.csv", "--into", "prices"), 2, "absent.csv")
    refused(lake_command(fast_endpoint, project, "drop", "jobs", "--into", "prices"), 2, "no file is in it")
    refused(
        lake_command(fast_endpoint, project, "drop", "prices.csv", "twin/prices.csv", "--into", "prices"),
        2,
        "same name",
    )
    refused(lake_command(fast_endpoint, project, "drop", "prices.csv", "--into", "Prices 2026"), 2, "prices_2026")
    assert "nothing new" in lake_command(fast_endpoint, project, "ingest").stderr


def test_a_folder_is_dropped_with_what_is_below_it(fast_endpoint: Endpoint, project: Path) -> None:
    """Paths are kept behind the dataset; hidden files and links out of it are left out, and said."""
    folder = project / "delivery"
    (folder / "2026").mkdir(parents=True)
    (folder / ".git").mkdir()
    for name in ("2026/01.csv", "2026/02.csv", ".git/config", "2026/.hidden.csv"):
        (folder / name).write_text(f"day,price\n{name},1\n")
    (folder / "out.csv").symlink_to(project / "prices.csv")
    (folder / "up").symlink_to(project)
    (folder / "again.csv").symlink_to(folder / "2026" / "01.csv")
    said = lake_command(fast_endpoint, project, "drop", "delivery/", "--into", "trade").stderr
    dropped = [line.split()[1] for line in said.splitlines() if line.startswith("dropped")]
    assert dropped == [f"landing/trade/{name}" for name in ("2026/01.csv", "2026/02.csv", "again.csv")]
    left_out = [line.split()[2].rstrip(":") for line in said.splitlines() if line.startswith("left out")]
    assert left_out == [f"delivery/{name}" for name in (".git", "2026/.hidden.csv", "out.csv", "up")]
    assert "3 of 3 files dropped" in said
    refused(lake_command(fast_endpoint, project, "drop", "delivery/.git", "delivery/up/jobs"), 2, "no file is in it")


def test_a_machine_without_room(fast_endpoint: Endpoint, project: Path) -> None:
    """A disk that takes no more: exit code 3 and where to make room; the next ingest goes on from there."""
    (project / "prices.csv").write_bytes(GOOD + b"2026-01-03,3.5\n" * 1_000)
    lake_command(fast_endpoint, project, "drop", "prices.csv", "--into", "prices")
    refused(lake_command(fast_endpoint, project, "ingest", limits="ulimit -f 1"), 3, "this machine", "ulimit -f")
    done = lake_command(fast_endpoint, project, "ingest")
    assert "1,002 rows" in done.stderr


def test_bad_queries(fast_endpoint: Endpoint, project: Path) -> None:
    """Bad SQL, an unknown table, an unknown commit, and anything that would write."""
    lake_command(fast_endpoint, project, "drop", "prices.csv", "--into", "prices")
    assert lake_command(fast_endpoint, project, "ingest").returncode == 0
    refused(lake_command(fast_endpoint, project, "query", "selec 1"), 2, "selec")
    refused(lake_command(fast_endpoint, project, "query", "select * from bronze.price"), 2, "bronze.prices")
    refused(lake_command(fast_endpoint, project, "query", "select 1", "--at", "99"), 2, "99")
    refused(lake_command(fast_endpoint, project, "query", "drop table bronze.prices"), 2)
    refused(lake_command(fast_endpoint, project, "history", "silver.prices"), 2, "silver.prices")


def test_jobs_that_are_declared_wrongly(fast_endpoint: Endpoint, project: Path) -> None:
    """A job file that does not parse, and a source that nobody makes: file and line, before anything is ingested."""
    lake_command(fast_endpoint, project, "drop", "prices.csv", "--into", "prices")
    (project / "jobs" / "bad.py").write_text("def f(:\n")
    refused(lake_command(fast_endpoint, project, "run"), 2, "bad.py:1")
    (project / "jobs" / "bad.py").write_text(JOB.replace("bronze.prices", "bronze.pricess") % "")
    refused(lake_command(fast_endpoint, project, "run"), 2, "bronze.prices", "bad.py")
    refused(lake_command(fast_endpoint, project, "run", "silver.nothing"), 2)


def test_a_failed_expectation_and_its_mending(fast_endpoint: Endpoint, project: Path) -> None:
    """Exit code 1, the rule and the rows named, bronze published and silver not; mended, the next run publishes it."""
    lake_command(fast_endpoint, project, "drop", "prices.csv", "--into", "prices")
    job = project / "jobs" / "prices.py"
    job.write_text(JOB % 'expect.rule("cheap", pl.col("price") < 2)')
    done = lake_command(fast_endpoint, project, "run")
    refused(done, 1, "cheap", "silver.prices")
    assert "silver.prices" not in lake_command(fast_endpoint, project, "tables").stdout
    job.write_text(JOB % 'expect.rule("cheap", pl.col("price") < 2, action="quarantine")')
    assert lake_command(fast_endpoint, project, "run").returncode == 0
    counted = lake_command(
        fast_endpoint, project, "query", "select count(*) as n from silver.prices", "--format", "csv"
    )
    assert counted.stdout == "n\n1\n"
    assert "cheap" in lake_command(fast_endpoint, project, "quarantine").stdout
    aside = "select count(*) as n from catalog.quarantine"
    assert lake_command(fast_endpoint, project, "query", aside, "--format", "csv").stdout == "n\n1\n"


def test_a_job_that_raises(fast_endpoint: Endpoint, project: Path) -> None:
    """Exit code 1, with the line of the job's own code, and no traceback."""
    lake_command(fast_endpoint, project, "drop", "prices.csv", "--into", "prices")
    (project / "jobs" / "prices.py").write_text((JOB % "").replace('select("day", "price")', 'select("dya")'))
    refused(lake_command(fast_endpoint, project, "run"), 1, "prices.py", "dya")


def test_init_changes_nothing_that_is_there(tmp_path: Path) -> None:
    """A second init leaves a project as it is; an unknown example names the nearest."""
    assert lake_command(None, tmp_path, "init", "new", "--example", "flights").returncode == 0
    (tmp_path / "new" / "lake.toml").write_text("[lake]\nname = 'mine'\n")
    assert "already" in lake_command(None, tmp_path, "init", "new").stderr
    assert "mine" in (tmp_path / "new" / "lake.toml").read_text()
    refused(lake_command(None, tmp_path, "init", "other", "--example", "flight"), 2, "flights")


def test_plan_changes_nothing(fast_endpoint: Endpoint, project: Path) -> None:
    """``lake plan`` says what is new and why, on stdout, and leaves landing and the catalog alone."""
    (project / "jobs" / "prices.py").write_text(JOB % "")
    lake_command(fast_endpoint, project, "drop", "prices.csv", "--into", "prices")
    first = lake_command(fast_endpoint, project, "plan")
    assert first.returncode == 0, first.stderr
    assert "bronze.prices" in first.stdout
    assert "silver.prices" in first.stdout
    assert lake_command(fast_endpoint, project, "plan").stdout == first.stdout
    assert lake_command(fast_endpoint, project, "run").returncode == 0
    assert "nothing new" in lake_command(fast_endpoint, project, "plan").stdout
