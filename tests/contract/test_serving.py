"""Serving schedules: a time is served once, with two servers, through a kill, and through a store that is down."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from catalog.objects import Endpoint
from catalog.turns import Turn, Turns
from catalog.zones import Zone
from lake import Lake
from lake import serving as serving_module
from lake.abandoned import here
from lake.reading import open_lake
from lake.serving import Server
from tests.support.projects import Heard, lake_command, project_on, start_lake, variables
from tests.support.proxy import Proxy

SECONDS_MAX = 180.0

JOBS = """
import os, time
import polars as pl
from lake import Source, job

@job("silver.prices", mode="replace")
def prices(prices: Source["bronze.prices"]) -> pl.LazyFrame:
    while os.path.exists("{trap}"):
        time.sleep(0.05)
    return prices.select("n")

@job("gold.total", mode="replace")
def total(prices: Source["silver.prices"]) -> pl.LazyFrame:
    return prices.select(total=pl.col("n").cast(pl.Int64).sum())
"""
NIGHTLY = '[schedules.nightly]\ncron = "0 0 * * *"\ntimezone = "Europe/Vienna"\n'
FOLLOW = '[schedules.follow]\nwhen = "bronze.prices"\n'


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """While this file is there, a job does not end."""
    return tmp_path / "trap"


@pytest.fixture
def lake(fast_endpoint: Endpoint, tmp_path: Path, trap: Path) -> Lake:
    """A project with two jobs, and a file in landing."""
    made = project_on(fast_endpoint, tmp_path / "shop")
    (made.settings.project / "jobs" / "shop.py").write_text(JOBS.replace("{trap}", str(trap)))
    put(made, 1)
    return made


def put(lake: Lake, n: int) -> None:
    lake.objects.put(Zone.LANDING, f"prices/{n}.ndjson", f'{{"n": {n}}}\n'.encode())


def scheduled(lake: Lake, toml: str) -> Lake:
    (lake.settings.project / "lake.toml").write_text(toml, encoding="utf-8")
    lake.reread()
    return lake


def turns(lake: Lake, name: str = "nightly") -> Turns:
    return Turns(lake.objects, lake.settings.timetables()[name].key)


def newest(lake: Lake, name: str = "nightly") -> Turn:
    found = turns(lake, name).newest()
    assert found is not None
    return found[0]


def owe(lake: Lake, days: int = 3, **others: object) -> None:
    """The schedule was seen first some days ago, and never served."""
    host, space, process = here()
    at = datetime.now(UTC) - timedelta(days=days)
    first = Turn(0, at, host, space, process.pid, process.started, ended=at, status="ok")
    assert turns(lake).put(replace(first, **others), None)


def midnight(lake: Lake) -> datetime:
    cron = lake.settings.timetables()["nightly"].cron
    assert cron is not None
    found = cron.latest(datetime.now(UTC) - timedelta(days=3), datetime.now(UTC))
    assert found is not None
    return found


def known(lake: Lake) -> list[tuple[str, str]]:
    """The runs on the record, oldest first: command and status."""
    return lake.runs().select("run", "command", "status").unique(maintain_order=True).reverse().collect().rows()[:]


def commands(lake: Lake) -> list[tuple[str, ...]]:
    return [row[1:] for row in known(lake)]


def total(lake: Lake) -> int | None:
    return lake.read("gold.total").collect()["total"][0] if "gold.total" in lake.at().names() else None


@contextmanager
def serving(endpoint: Endpoint, lake: Lake) -> Iterator[Heard]:
    with start_lake(endpoint, lake.settings.project, "schedule", "run") as process:
        try:
            yield Heard(process)
        finally:
            process.kill()


def until(what: str, is_so: object) -> None:
    began = time.monotonic()
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() - began < SECONDS_MAX, what
        time.sleep(0.05)


def test_a_time_is_served_once_by_two_servers(fast_endpoint: Endpoint, lake: Lake) -> None:
    """It passed while nothing ran; whoever is first takes it, and it is on the record as the schedule's."""
    owe(scheduled(lake, NIGHTLY))
    with ExitStack() as stack:
        both = [stack.enter_context(serving(fast_endpoint, lake)) for _ in range(2)]
        until("served", lambda: newest(lake).number == 1 and not newest(lake).is_at_work)
        for each in both:
            each.hears("serving nightly")
        time.sleep(2.5)
        for each in both:
            each.process.send_signal(signal.SIGTERM)
        assert [each.ends() for each in both] == [0, 0]
        assert sum("missed" in line for each in both for line in each.said) == 1
    assert commands(lake) == [("schedule nightly run", "ok")]
    assert (newest(lake).number, newest(lake).due) == (1, midnight(lake))
    assert total(lake) == 1


def test_a_server_that_is_killed_is_taken_over_once(fast_endpoint: Endpoint, lake: Lake, trap: Path) -> None:
    """The other one runs it again; a third finds nothing due."""
    owe(scheduled(lake, NIGHTLY))
    trap.touch()
    with serving(fast_endpoint, lake) as doomed:
        doomed.hears("missed")
        until("at work", lambda: newest(lake).is_at_work and ("schedule nightly run", "running") in commands(lake))
        with serving(fast_endpoint, lake) as other:
            other.hears("serving nightly")
            doomed.process.kill()
            assert "broken off, try 2" in other.hears("broken off")
            trap.unlink()
            until("served", lambda: newest(lake).status == "ok")
            other.process.send_signal(signal.SIGINT)
            assert other.ends() == 0
    assert lake_command(fast_endpoint, lake.settings.project, "schedule", "run", "--for", "2").returncode == 0
    assert commands(lake) == [("schedule nightly run", "interrupted"), ("schedule nightly run", "ok")]
    assert (newest(lake).number, newest(lake).tries, newest(lake).due) == (2, 2, midnight(lake))
    assert total(lake) == 1


@pytest.mark.parametrize("asked", [1, 2])
def test_a_server_that_is_asked_to_stop(fast_endpoint: Endpoint, lake: Lake, trap: Path, asked: int) -> None:
    """Once: the run at hand ends well. Twice: it is broken off, and taken up by the next."""
    owe(scheduled(lake, NIGHTLY))
    trap.touch()
    with serving(fast_endpoint, lake) as server:
        until("at work", lambda: ("schedule nightly run", "running") in commands(lake))
        server.process.send_signal(signal.SIGTERM)
        if asked == 2:
            time.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            assert server.ends() == 130
        trap.unlink()
        if asked == 1:
            assert server.ends() == 0
    assert newest(lake).status == ("ok" if asked == 1 else "interrupted")
    Server(lake).look()
    assert newest(lake).status == "ok"
    assert newest(lake).tries == asked
    assert total(lake) == 1


def test_a_minute_is_served_when_it_comes(lake: Lake) -> None:
    """By a server that was there before it; nothing is owed for the time before that."""
    scheduled(lake, '[schedules.often]\ncron = "* * * * *"\nmissed = "skip"\nrun = ["silver.prices"]\n')
    said: list[str] = []
    server = Server(lake, said=said.append)
    server.look()
    assert newest(lake, "often").number == 0
    until("served", lambda: server.look() or newest(lake, "often").number == 1)
    turn = newest(lake, "often")
    assert turn.due is not None
    assert turn.due == turn.at.replace(second=0, microsecond=0)
    assert commands(lake) == [("schedule often run silver.prices", "ok")]
    assert "(its time)" in said[0]


def test_missed_times_may_be_skipped(lake: Lake) -> None:
    """Where the schedule says so."""
    owe(scheduled(lake, NIGHTLY + 'missed = "skip"\n'))
    Server(lake).look()
    assert newest(lake).number == 0
    assert commands(lake) == []


def test_a_change_calls_for_a_run_and_its_own_publication_for_none(lake: Lake) -> None:
    """A file that lands does, and a version that somebody else has published."""
    server = Server(scheduled(lake, FOLLOW))
    for _ in range(3):
        server.look()
    assert (newest(lake, "follow").number, total(lake)) == (1, 1)
    put(lake, 2)
    for _ in range(3):
        server.look()
    assert (newest(lake, "follow").number, total(lake)) == (2, 3)
    put(lake, 3)
    lake.ingest()
    for _ in range(3):
        Server(lake).look()
    assert (newest(lake, "follow").number, total(lake)) == (3, 6)
    assert [command for command, _ in commands(lake)] == ["schedule follow run"] * 2 + ["ingest", "schedule follow run"]


def test_a_run_that_fails_waits_for_its_next_time(lake: Lake) -> None:
    """It is said, and the other schedules go on; what is wrong in lake.toml is said once."""
    (lake.settings.project / "jobs" / "broken.sql").write_text("-- mode: replace\nselec 1\n")
    scheduled(lake, NIGHTLY)
    owe(lake)
    said: list[str] = []
    server = Server(lake, said=said.append)
    server.look()
    assert newest(lake).status == "failed"
    (lake.settings.project / "lake.toml").write_text('[schedules.nightly]\ncron = "x"\n')
    server.look()
    server.look()
    (lake.settings.project / "lake.toml").write_text(NIGHTLY)
    server.look()
    assert sum("five fields" in line for line in said) == 1
    assert said[-1] == "it works again"
    assert newest(lake).number == 1


def test_a_turn_of_another_machine_is_nobodys_once_it_stands_still(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it moves it is left alone; which process it is cannot be seen from here."""
    monkeypatch.setattr(serving_module, "STILL_SECONDS", 0.5)
    scheduled(lake, NIGHTLY)
    owe(lake, host="elsewhere", number=4, due=midnight(lake), ended=None, status="")
    server = Server(lake)
    for beats in range(1, 4):
        server.look()
        time.sleep(0.3)
        found = turns(lake).newest()
        assert found is not None
        assert turns(lake).put(replace(found[0], beats=beats), found[1])
    assert newest(lake).number == 4
    until("taken over", lambda: server.look() or newest(lake).number == 5)
    assert (newest(lake).status, newest(lake).tries) == ("ok", 2)


def test_a_turn_moves_while_its_run_is_at_work(lake: Lake, trap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it came to is put down over the last of its moves."""
    monkeypatch.setattr(serving_module, "BEAT_SECONDS", 0.1)
    owe(scheduled(lake, NIGHTLY))
    trap.touch()

    def release() -> None:
        until("moved", lambda: newest(lake).beats > 2)
        trap.unlink()

    waiting = threading.Thread(target=release)
    waiting.start()
    Server(lake).look()
    waiting.join()
    assert newest(lake).status == "ok"
    assert newest(lake).beats > 2


@pytest.mark.usefixtures("impatient")
def test_a_store_that_is_down_is_waited_for(fast_proxy: Proxy, lake: Lake) -> None:
    """And what was due meanwhile is served."""
    owe(scheduled(lake, NIGHTLY))
    said: list[str] = []
    server = Server(open_lake(lake.settings.project, variables(fast_proxy.endpoint)), said=said.append)
    fast_proxy.drop_request("GET", ".*", times=None)
    server.look()
    server.look()
    fast_proxy.clear()
    server.look()
    assert sum("error:" in line for line in said) == 1
    assert "nightly: it works again" in said
    assert newest(lake).status == "ok"


def test_at_once_and_not_beside_itself(fast_endpoint: Endpoint, lake: Lake, trap: Path) -> None:
    """What cron and systemd call: the run's exit code is theirs; where it is at work already, it is skipped."""
    scheduled(lake, NIGHTLY)
    command = ("schedule", "run", "--now", "nightly")
    trap.touch()
    with start_lake(fast_endpoint, lake.settings.project, *command) as first:
        until("at work", lambda: ("schedule nightly run", "running") in commands(lake))
        second = lake_command(fast_endpoint, lake.settings.project, *command)
        assert (second.returncode, "skipped" in second.stderr) == (0, True)
        trap.unlink()
        first.communicate(timeout=SECONDS_MAX)
        assert first.returncode == 0
    (lake.settings.project / "jobs" / "bad.sql").write_text("-- mode: replace\nselect nowhere from bronze.prices\n")
    put(lake, 2)
    third = lake_command(fast_endpoint, lake.settings.project, *command)
    assert third.returncode in (1, 2), third.stderr
    assert newest(lake).status == "failed"


def test_the_list_has_the_next_times(fast_endpoint: Endpoint, lake: Lake) -> None:
    """As the schedule's own clock shows them, and when it was served last."""
    scheduled(lake, NIGHTLY + FOLLOW)
    owe(lake)
    Server(lake, ["nightly"]).look()
    said = lake_command(fast_endpoint, lake.settings.project, "schedule", "list", "--format", "jsonl", "--times", "2")
    rows = pl.read_ndjson(said.stdout.encode()).rows(named=True)
    assert [row["schedule"] for row in rows] == ["nightly", "follow"]
    assert rows[0]["rule"] == "0 0 * * * Europe/Vienna"
    assert [time[10:16] for time in rows[0]["next"]] == [" 00:00"] * 2
    assert (rows[0]["status"], rows[0]["last"][10:16], rows[0]["run"]) == ("ok", " 00:00", "all")
    assert (rows[1]["rule"], rows[1]["next"]) == ("when bronze.prices changes", [])
    table = lake_command(fast_endpoint, lake.settings.project, "schedule").stdout
    assert "nightly" in table
    for arguments, code in ((["run", "nigthly"], 2), (["run", "--now"], 2), (["crontab"], 0), (["systemd"], 0)):
        ended = lake_command(fast_endpoint, lake.settings.project, "schedule", *arguments)
        assert ended.returncode == code, ended.stderr
