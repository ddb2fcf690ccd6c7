"""Jobs in processes of their own: at once, within limits, and what one of them that goes wrong does to the others."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import psutil
import pytest

from catalog.errors import JobFailed, MachineError, StoreError, UsageError
from catalog.objects import Endpoint
from ingestion.absorb import Read
from ingestion.batch import Finished
from lake import Lake, RunOptions
from lake.promote import pool
from lake.promote.outcome import HABIT, Event, Outcome, Said, Working
from lake.run import run
from tests.support.projects import lake_command, project_on, start_lake, variables
from tests.support.published import publish
from tests.support.stores import ROOT

HEAD = """
import ctypes, os, signal, sys, time
from pathlib import Path

import polars as pl

from catalog.errors import StoreError
from lake import Source, job

HERE = Path(__file__).parents[1]


def wait_for(*names: str) -> None:
    while not all((HERE / name).exists() for name in names):
        time.sleep(0.01)


"""

GOOD = """
@job("gold.good")
def good(parts: Source["silver.parts"]) -> pl.LazyFrame:
    return parts.select("n")
"""

BAD = """
@job("gold.bad"{options})
def bad(parts: Source["silver.parts"]) -> pl.LazyFrame:
    {body}
    return parts.select("n")


@job("gold.after")
def after(bad: Source["gold.bad"]) -> pl.LazyFrame:
    return bad
"""

SECONDS_MAX = 60


@pytest.fixture
def lake(fast_endpoint: Endpoint, tmp_path: Path) -> Lake:
    """A lake with one published table, silver.parts, and half a gigabyte for the jobs on it."""
    made = project_on(fast_endpoint, tmp_path / "lake")
    (made.settings.project / "lake.toml").write_text("[compute]\nmemory_gb = 0.5\njobs_max = 1\n")
    made.reread()
    publish(made, silver__parts=pl.DataFrame({"n": [1, 2, 3]}))
    return made


def declare(lake: Lake, *jobs: str) -> None:
    """Write the project's jobs into one file."""
    folder = lake.settings.project / "jobs"
    folder.mkdir(exist_ok=True)
    (folder / "all.py").write_text(HEAD + "\n\n".join(jobs))


def outcomes(lake: Lake, options: RunOptions = HABIT) -> dict[str, Outcome]:
    """Run the jobs; what became of each."""
    return {str(each.table): each for each in lake.run(options=options).outcomes}


def bad(body: str, options: str = "") -> str:
    """A job that does something bad, and one that depends on it."""
    return BAD.format(body=body, options=options)


DEADLY = {
    "raises": ("raise ValueError('no such thing')", "gold.bad: ValueError: no such thing (jobs/all.py:21)"),
    "leaves": ("sys.exit(4)", "gold.bad: SystemExit: 4 (jobs/all.py:21)"),
    "ends": ("os._exit(3)", "gold.bad: its process ended with exit code 3 (jobs/all.py:19)"),
    "aborts": (
        "print('last words', flush=True); os.abort()",
        "gold.bad: its process ended with SIGABRT: last words (jobs/all.py:19)",
    ),
    "segfaults": ("ctypes.string_at(0)", "gold.bad: its process ended with SIGSEGV (jobs/all.py:19)"),
    "is killed": ("os.kill(os.getpid(), signal.SIGKILL)", "gold.bad: its process ended with SIGKILL (jobs/all.py:19)"),
    "fills the memory": (
        "held = [bytearray(os.urandom(1 << 20)) * 50 for _ in range(40)]; time.sleep(60)",
        "MB of memory, and may hold 1,000 MB (jobs/all.py:19)",
    ),
}


@pytest.mark.parametrize("how", DEADLY)
def test_a_job_that_dies_costs_itself_and_what_depends_on_it(
    lake: Lake, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it does to its process: the others are published, and the error names file and line."""
    monkeypatch.chdir(lake.settings.project)
    body, said = DEADLY[how]
    declare(lake, bad(body), GOOD)
    found = outcomes(lake)
    failed = found["gold.bad"]
    assert isinstance(failed.error, JobFailed)
    assert said in failed.error.what
    assert failed.where == said.rpartition("(")[2].rstrip(")")
    assert (failed.status, failed.attempts) == ("failed", 1)
    assert found["gold.after"].reason == "depends on gold.bad, which failed"
    assert [name for name in lake.at().names() if name.startswith("gold.")] == ["gold.good"]


def test_a_job_that_takes_too_long_is_ended(lake: Lake) -> None:
    """By its own limit, or that of lake.toml."""
    declare(lake, bad("time.sleep(600)", ', timeout="1 s"'), GOOD)
    found = outcomes(lake)
    assert str(found["gold.bad"].error).startswith("gold.bad: it took more than 1 s (")
    assert found["gold.good"].status == "ran"
    with (lake.settings.project / "lake.toml").open("a") as file:
        file.write("job_seconds_max = 1.5\n")
    lake.reread()
    declare(lake, bad("time.sleep(601)"), GOOD)
    assert str(outcomes(lake)["gold.bad"].error).startswith("gold.bad: it took more than 1.5 s (")


def test_independent_jobs_are_at_work_at_once(lake: Lake) -> None:
    """Each waits for what the other writes: one after the other they would never end."""
    meets = """
@job("gold.{own}", timeout="30 s")
def {own}(parts: Source["silver.parts"]) -> pl.LazyFrame:
    (HERE / "{own}").touch()
    wait_for("{other}")
    return parts.select("n")
"""
    declare(lake, meets.format(own="a", other="b"), meets.format(own="b", other="a"))
    (lake.settings.project / "lake.toml").write_text("[compute]\nmemory_gb = 1.0\n")
    lake.reread()
    assert [each.status for each in outcomes(lake, RunOptions(jobs_max=2)).values()] == ["ran", "ran"]


def test_memory_bounds_how_many_are_at_work_at_once(lake: Lake) -> None:
    """With memory for one job, each of four finds that it is alone, though eight may be at work."""
    alone = """
@job("gold.t{n}")
def t{n}(parts: Source["silver.parts"]) -> pl.LazyFrame:
    (HERE / "busy").touch(exist_ok=False)
    time.sleep(0.2)
    (HERE / "busy").unlink()
    return parts.select("n")
"""
    declare(lake, *(alone.format(n=n) for n in range(4)))
    assert {each.status for each in outcomes(lake, RunOptions(jobs_max=8)).values()} == {"ran"}


def test_a_job_that_needs_more_than_its_share_is_done_alone(lake: Lake) -> None:
    """Half of the memory is not enough for it, all of it is."""
    greedy = """
@job("gold.greedy")
def greedy(parts: Source["silver.parts"]) -> pl.LazyFrame:
    held = [bytearray(os.urandom(1 << 20)) * 50 for _ in range(24)]
    time.sleep(0.5)
    return parts.select("n").head(len(held))
"""
    declare(lake, greedy, GOOD)
    (lake.settings.project / "lake.toml").write_text("[compute]\nmemory_gb = 1.2\njobs_max = 2\n")
    lake.reread()
    found = outcomes(lake)
    assert (found["gold.greedy"].status, found["gold.greedy"].attempts) == ("ran", 2)
    assert found["gold.greedy"].memory_peak_bytes > 1_000_000_000
    assert (found["gold.good"].status, found["gold.good"].attempts) == ("ran", 1)


FLAKY = """
@job("gold.flaky")
def flaky(parts: Source["silver.parts"]) -> pl.LazyFrame:
    tried = HERE / "tried"
    tried.write_text(tried.read_text() + "x" if tried.exists() else "x")
    if len(tried.read_text()) < {times}:
        raise StoreError("the store is away", next="wait")
    return parts
"""


def test_what_the_store_is_to_blame_for_is_tried_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some times; what was tried is counted. Then the run ends, and nothing of it is published."""
    monkeypatch.setattr(pool, "BACKOFF_SECONDS", 0.01)
    declare(lake, FLAKY.format(times=3))
    found = outcomes(lake)
    assert (found["gold.flaky"].status, found["gold.flaky"].attempts) == ("ran", 3)
    head = lake.log.head()
    declare(lake, FLAKY.format(times=99))
    with pytest.raises(StoreError, match="the store is away"):
        lake.run()
    assert len((lake.settings.project / "tried").read_text()) == 3 + pool.ATTEMPTS_MAX
    assert lake.log.head() == head


def test_all_or_nothing(lake: Lake, fast_endpoint: Endpoint) -> None:
    """One job that fails keeps the others from publication; the exit code says so, and the message who."""
    declare(lake, bad("raise ValueError('no such thing')"), GOOD)
    head = lake.log.head()
    done = lake_command(fast_endpoint, lake.settings.project, "promote", "--all-or-nothing")
    assert done.returncode == 1
    assert "nothing is published, since gold.bad failed" in done.stderr
    assert lake.log.head() == head
    done = lake_command(fast_endpoint, lake.settings.project, "promote")
    assert done.returncode == 1
    assert "published as commit 2" in done.stderr


def test_what_a_job_prints_is_told(lake: Lake) -> None:
    """Line by line, with the job's name, and not on this process's standard output."""
    declare(lake, GOOD.replace("return", "print('hello'); print('there', file=sys.stderr)\n    return"))
    heard: list[Read | Finished | Event] = []
    run(lake, told=heard.append)
    assert [each.line for each in heard if isinstance(each, Said)] == ["hello", "there"]
    assert isinstance(heard[0], Working)
    assert isinstance(heard[-1], Outcome)


def test_nothing_new_starts_no_worker(lake: Lake) -> None:
    """What has nothing to do is settled in this process."""
    declare(lake, GOOD)
    assert outcomes(lake)["gold.good"].memory_peak_bytes > 0
    heard: list[Read | Finished | Event] = []
    run(lake, told=heard.append)
    (told,) = heard
    assert isinstance(told, Outcome)
    assert (told.reason, told.attempts) == ("nothing new", 0)


def test_a_worker_serves_several_jobs(lake: Lake) -> None:
    """One after the other, and each has what the one before made."""
    number = (
        "@job('gold.t{n}')\ndef t{n}(t: Source['{source}']) -> pl.LazyFrame:\n    print(os.getpid())\n    return t\n"
    )
    declare(lake, *(number.format(n=n, source=f"gold.t{n - 1}" if n else "silver.parts") for n in range(3)))
    heard: list[Read | Finished | Event] = []
    run(lake, told=heard.append)
    assert len({each.line for each in heard if isinstance(each, Said)}) == 1
    assert lake.read("gold.t2").collect().height == 3


def test_a_script_is_not_imported_again(lake: Lake, fast_endpoint: Endpoint) -> None:
    """Though it has no guard around what it does, as multiprocessing would need."""
    declare(lake, GOOD)
    script = lake.settings.project / "script.py"
    script.write_text(
        "import lake, pathlib\n"
        "with pathlib.Path('imported').open('a') as file:\n    file.write('x')\n"
        "print(lake.open().run().outcomes[0].status)\n"
    )
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=script.parent,
        env=os.environ | variables(fast_endpoint) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "ran\n"
    assert (script.parent / "imported").read_text() == "x"


SLEEPS = """
(HERE / "pid").write_text(str(os.getpid()))
    (HERE / "begun").touch()
    time.sleep(600)"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_run_that_is_ended_leaves_no_worker_and_publishes_nothing(
    lake: Lake, fast_endpoint: Endpoint, number: signal.Signals, code: int
) -> None:
    """By Ctrl-C, by a request to end, or by force; the next run does all of it."""
    folder = lake.settings.project
    declare(lake, GOOD, bad(SLEEPS.strip()))
    head = lake.log.head()
    with start_lake(fast_endpoint, folder, "run", "--jobs", "1") as started:
        until((folder / "begun").exists)
        worker = psutil.Process(int((folder / "pid").read_text()))
        started.send_signal(number)
        assert started.wait(SECONDS_MAX) == code
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    assert lake.log.head() == head
    declare(lake, GOOD, bad("pass"))
    assert {each.status for each in outcomes(lake).values()} == {"ran"}
    assert list((folder / ".lake" / "scratch").glob("*/")) == []


def test_what_a_job_started_and_left_ends_with_its_worker(lake: Lake) -> None:
    """The job is done all the same."""
    leaves = 'import subprocess; (HERE / "left").write_text(str(subprocess.Popen(["sleep", "600"]).pid))'
    declare(lake, bad(leaves))
    assert outcomes(lake)["gold.bad"].status == "ran"
    left = int((lake.settings.project / "left").read_text())
    until(lambda: not psutil.pid_exists(left))


def until(happened: Callable[[], bool]) -> None:
    """Wait for something, and fail where it does not come."""
    due = time.monotonic() + SECONDS_MAX
    while not happened():
        assert time.monotonic() < due, "it does not come"
        time.sleep(0.02)


def test_a_worker_that_cannot_start_is_the_machines_fault(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no job's, and ends the run."""
    declare(lake, GOOD)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(MachineError, match="no process for a job can be started"):
        lake.run()


def test_options_that_do_not_fit_are_refused_before_anything_runs(lake: Lake) -> None:
    """With the table, and what to write instead."""
    declare(lake, GOOD)
    for options in (RunOptions(partition={"n": "1"}), RunOptions(full=True, partition={"n": "1"})):
        with pytest.raises(UsageError):
            lake.run(options=options)
    assert lake.log.head().number == 1


def test_a_table_is_made_whole_when_asked(lake: Lake) -> None:
    """Of the tables named, not of what they are made from."""
    more = GOOD.replace("good", "more").replace("silver.parts", "gold.good")
    declare(lake, GOOD, more)
    lake.run()
    result = run(lake, ["gold.more"], options=RunOptions(full=True))
    assert [(each.status, each.reason) for each in result.outcomes] == [
        ("skipped", "nothing new"),
        ("ran", "asked for: the whole table"),
    ]


def test_mistakes_are_found_before_a_row_is_read(lake: Lake) -> None:
    """A column that a later job misspells fails it at once: of what it would have waited for nothing is read first."""
    declare(lake, GOOD.replace("return", "print('good')\n    return"), bad("parts = parts.select('m')"), WIDE)
    heard: list[Read | Finished | Event] = []
    result = run(lake, told=heard.append)
    assert [str(each.table) for each in result.failed] == ["gold.bad"]
    assert "the nearest is n" in str(result.failed[0].error)
    first, *_ = (each for each in heard if isinstance(each, Outcome))
    assert first.table == result.failed[0].table
    assert first.attempts == 0


WIDE = """
@job("gold.wide")
def wide(parts: Source["silver.parts"]) -> pl.LazyFrame:
    rows = parts.collect()
    return pl.LazyFrame({f"n{n}": [n] for n in rows["n"]})


@job("gold.narrow")
def narrow(wide: Source["gold.wide"]) -> pl.LazyFrame:
    return wide.select("n3")
"""


def test_columns_that_depend_on_the_data_are_no_mistake(lake: Lake) -> None:
    """What a job makes of no row says nothing of what it makes of rows."""
    declare(lake, WIDE)
    assert {each.status for each in outcomes(lake).values()} == {"ran"}


def test_the_plan_says_what_would_be_read_and_changed(lake: Lake, fast_endpoint: Endpoint) -> None:
    """By row, by key or whole and why; rows and bytes; columns; a mistake with its line. It changes nothing."""
    folder = lake.settings.project
    copies = GOOD.replace('"gold.good"', '"gold.good", mode="append"').replace('select("n")', 'select("n"{more})')
    declare(lake, copies.format(more=""))
    lake.run()
    publish(lake, silver__parts=pl.DataFrame({"n": [1, 2, 3, 4]}))
    after = GOOD.replace("good", "after").replace("silver.parts", "gold.good")
    declare(lake, copies.format(more=""), after)
    head = lake.log.head()
    said = lake_command(fast_endpoint, folder, "plan").stdout
    assert "by row of silver.parts; reads 7 rows, 0.0 MB" in said
    assert "whole: never built" in said
    declare(lake, copies.format(more=", m=pl.col('n') / 2"), after)
    said = lake_command(fast_endpoint, folder, "plan").stdout
    assert "whole: the job's code changed; reads 4 rows" in said
    assert "columns: + m Float64" in said
    declare(lake, copies.format(more=", 'k'"), after)
    said = lake_command(fast_endpoint, folder, "plan").stdout
    assert "error: gold.good: ColumnNotFoundError" in said
    assert "(jobs/all.py:" in said
    declare(lake, bad("os.abort()"))
    assert "run   gold.bad" in lake_command(fast_endpoint, folder, "plan").stdout
    assert lake.log.head() == head
