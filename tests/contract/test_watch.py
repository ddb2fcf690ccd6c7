"""Watching landing: files are in at once, also with two that watch, and through a store that is down."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import polars as pl
import psutil
import pytest

from catalog.objects import Endpoint
from catalog.zones import Zone
from lake import Lake
from lake.publication import RunResult
from lake.watch import Watch
from tests.support.projects import SECONDS_MAX, Heard, project_on, start_lake
from tests.support.proxy import Proxy


@pytest.fixture
def lake(fast_endpoint: Endpoint, tmp_path: Path) -> Lake:
    """A project on a real store."""
    return project_on(fast_endpoint, tmp_path / "lake")


@contextmanager
def watching(endpoint: Endpoint, lake: Lake, *arguments: str) -> Iterator[Heard]:
    """A watch that has begun; killed at the end where it still runs."""
    with start_lake(endpoint, lake.settings.project, "watch", *arguments) as process:
        watcher = Heard(process)
        try:
            watcher.hears("watching landing")
            yield watcher
        finally:
            process.kill()


def put(lake: Lake, name: str, text: str) -> None:
    lake.objects.put(Zone.LANDING, name, text.encode())


def rows(lake: Lake, table: str = "bronze.prices") -> list[str]:
    if table not in lake.at().names():
        return []
    return sorted(lake.read(table).select(pl.col("n").cast(pl.String)).collect()["n"], key=int)


def until(lake: Lake, expected: list[str], table: str = "bronze.prices") -> None:
    """Wait until these rows are published."""
    began = time.monotonic()
    while rows(lake, table) != expected:
        assert time.monotonic() - began < SECONDS_MAX, rows(lake, table)
        time.sleep(0.05)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_files_are_in_as_they_arrive(fast_endpoint: Endpoint, lake: Lake, how: signal.Signals) -> None:
    """Each soon after it came, a bad one is said to be set aside, and it ends well when it is asked to."""
    with watching(fast_endpoint, lake) as watcher:
        put(lake, "prices/1.ndjson", '{"n": 1}\n')
        watcher.hears("published as commit 1")
        put(lake, "prices/bad.ndjson", "{broken}\n")
        assert "prices/bad.ndjson" in watcher.hears("set aside")
        put(lake, "prices/2.ndjson", '{"n": 2}\n')
        until(lake, ["1", "2"])
        assert watcher.stop(how) == 0
        assert any("stopped" in line for line in watcher.said)


def test_jobs_run_as_files_arrive(fast_endpoint: Endpoint, lake: Lake) -> None:
    """With --run; a job that is wrong is said, and once it is mended the watch goes on with it."""
    job = lake.settings.project / "jobs" / "silver" / "prices.sql"
    job.parent.mkdir(parents=True, exist_ok=True)
    job.write_text("-- mode: replace\nselec n from bronze.prices\n")
    with watching(fast_endpoint, lake, "--run") as watcher:
        put(lake, "prices/1.ndjson", '{"n": 1}\n')
        watcher.hears("error:")
        job.write_text("-- mode: replace\nselect n from bronze.prices\n")
        put(lake, "prices/2.ndjson", '{"n": 2}\n')
        until(lake, ["1", "2"], "silver.prices")
        assert watcher.stop(signal.SIGTERM) == 0


def test_two_that_watch_do_no_harm(fast_endpoint: Endpoint, lake: Lake) -> None:
    """Every record once, and one of them may be killed at any time."""
    with ExitStack() as stack:
        doomed, other = (stack.enter_context(watching(fast_endpoint, lake)) for _ in range(2))
        for n in range(1, 4):
            put(lake, f"prices/{n}.ndjson", f'{{"n": {n}}}\n')
        time.sleep(1)
        doomed.process.kill()
        for n in range(4, 7):
            put(lake, f"prices/{n}.ndjson", f'{{"n": {n}}}\n')
        until(lake, [str(n) for n in range(1, 7)])
        assert other.stop(signal.SIGTERM) == 0
    assert lake.ledger().select(pl.len()).collect().item() == 6


@pytest.mark.usefixtures("impatient")
def test_a_store_that_is_down_is_said_once(fast_endpoint: Endpoint, lake: Lake) -> None:
    """And waited for: what arrived meanwhile comes in when it is back."""
    said: list[str] = []
    with Proxy(fast_endpoint) as proxy:
        through = project_on(proxy.endpoint, lake.settings.project)
        watch = Watch(through, through.ingest, done=lambda _: watch.stop(), said=said.append)
        proxy.drop_request("GET", ".*", times=None)
        put(lake, "prices/1.ndjson", '{"n": 1}\n')
        threading.Timer(4, proxy.clear).start()
        watch.run(seconds_max=SECONDS_MAX)
    assert [text[:14] for text in said] == ["error: the sto", "it works again"]
    assert rows(lake) == ["1"]


def test_a_dataset_that_never_came_is_waited_for(lake: Lake) -> None:
    """And what belongs to others is left in landing."""
    watch = Watch(lake, lambda: lake.ingest(["prices"]), datasets=["prices"])
    watch.run(seconds_max=1)
    put(lake, "trade/1.ndjson", '{"n": 1}\n')
    put(lake, "prices/1.ndjson", '{"n": 1}\n')
    watch.run(seconds_max=4)
    assert rows(lake) == ["1"]
    assert "bronze.trade" not in lake.at().names()


def test_a_file_is_noticed_within_a_second(lake: Lake) -> None:
    """Whenever it comes between two looks."""
    noticed: list[float] = []
    rested = threading.Event()

    def work() -> RunResult:
        noticed.append(time.monotonic())
        return lake.ingest()

    watch = Watch(lake, work, done=lambda _: rested.set())
    thread = threading.Thread(target=watch.run, args=(SECONDS_MAX,))
    thread.start()
    for n in range(3):
        rested.wait(SECONDS_MAX)
        rested.clear()
        time.sleep(0.2 * n)
        put(lake, f"prices/{n}.ndjson", f'{{"n": {n}}}\n')
        came = time.monotonic()
        until(lake, [str(n) for n in range(n + 1)])
        assert noticed[-1] - came < 1
    watch.stop()
    thread.join()


def test_the_worker_waits_for_the_next_file(lake: Lake) -> None:
    """What it takes to start one is not paid for every file; at the end it is gone."""
    workers: list[int | None] = []
    with lake.one_parser():
        for n in range(2):
            put(lake, f"prices/{n}.ndjson", f'{{"n": {n}}}\n')
            lake.ingest()
            assert lake.parser is not None
            workers.append(lake.parser.worker_pid)
    assert workers[0] == workers[1]
    assert workers[0] is not None
    assert not psutil.pid_exists(workers[0])
