"""Alerts: who is told of what, once, and that a run neither waits nor fails because of it."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalog.errors import StoreError
from catalog.objects import Endpoint
from catalog.register import Ended, Status, TableRun
from lake import Lake
from lake.alerts import NAMED_MAX, of_failure
from lake.logs import read_log
from lake.reading import open_lake
from tests.contract.test_runs import begun
from tests.support.listeners import Web, silence, web
from tests.support.projects import lake_command, project_on, variables
from tests.support.proxy import Proxy

SECRET = "hunter2-and-more"
JOB = """
import os, pathlib
import polars as pl
from lake import Source, job

@job("silver.prices", mode="replace")
def prices(prices: Source["bronze.prices"]) -> pl.LazyFrame:
    said = pathlib.Path("{trap}")
    if said.exists():
        raise RuntimeError(said.read_text())
    return prices.select("region")
"""
GOOD = "region,price\nnorth,1\nsouth,2\n"


@pytest.fixture
def hook() -> Iterator[Web]:
    """A webhook."""
    with web() as server:
        yield server


@pytest.fixture
def project(fast_endpoint: Endpoint, tmp_path: Path) -> Path:
    """A project with a job that fails, with what a file says, where there is one."""
    folder = project_on(fast_endpoint, tmp_path / "shop").settings.project
    (folder / "jobs" / "shop.py").write_text(JOB.replace("{trap}", str(tmp_path / "trap")))
    return folder


def opened(project: Path, endpoint: Endpoint, toml: str, **environ: str) -> Lake:
    (project / "lake.toml").write_text(f'[lake]\nname = "shop"\n[alerts]\n{toml}', encoding="utf-8")
    return open_lake(project, variables(endpoint) | environ)


def drop(lake: Lake, text: str = GOOD, name: str = "prices.csv") -> None:
    path = lake.settings.project.parent / name
    path.write_text(text, encoding="utf-8")
    lake.drop([path], "prices")


def wait_for(what: Callable[[], bool]) -> None:
    """Alerts go out beside what goes on."""
    for _ in range(500):
        if what():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come")


def test_a_failed_run_is_told_once(project: Path, fast_endpoint: Endpoint, hook: Web) -> None:
    """With the error and where it is, without a secret; the same failure again is no news, another one is."""
    lake = opened(project, fast_endpoint, f'webhook = "{hook.url}/T0PSECRET"', SHOP_PASSWORD=SECRET)
    (project.parent / "trap").write_text(f"no login with {SECRET}")
    drop(lake)
    runs = [lake.run().run for _ in range(3)]
    wait_for(lambda: bool(hook.posts))
    (told,) = hook.posts
    assert (told["event"], told["lake"], told["run"], told["command"]) == ("failed", "shop", runs[0], "run")
    assert told["tables"] == ["silver.prices"]
    assert told["where"] == "jobs/shop.py:10"
    assert "no login with (SHOP_PASSWORD)" in told["text"]
    assert f"lake runs show {runs[0]}" in told["text"]
    (project / "jobs" / "bad.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(Exception, match="nothing_of_this_name"):
        lake.run()
    wait_for(lambda: len(hook.posts) == 2)
    assert "nothing_of_this_name" in hook.posts[1]["error"]
    log = "".join(path.read_text() for path in lake.settings.logs.glob("*.jsonl"))
    assert "an alert went out by the webhook at http://127.0.0.1/(not shown)" in log
    assert "T0PSECRET" not in log + repr(lake.settings) + repr(lake.settings.rows()) + json.dumps(hook.posts)
    assert SECRET not in log


def test_a_run_that_goes_well_is_not_told(project: Path, fast_endpoint: Endpoint, hook: Web) -> None:
    """Nor is one that set records aside, where only failures are asked for."""
    lake = opened(project, fast_endpoint, f'webhook = "{hook.url}"')
    drop(lake, GOOD * 10 + "east\n")
    assert lake.run().is_published
    lake.run()
    time.sleep(0.2)
    assert hook.posts == []


def test_what_was_set_aside_is_told_where_it_is_asked_for(project: Path, fast_endpoint: Endpoint, hook: Web) -> None:
    """Records, and whole files, by table."""
    lake = opened(project, fast_endpoint, f'webhook = "{hook.url}"\non = "quarantined"')
    drop(lake, GOOD + "west,3\n" * 20 + "east\n")
    lake.ingest()
    drop(lake, "\x00\x01\x02", "bad.xlsx")
    lake.ingest()
    wait_for(lambda: len(hook.posts) == 2)
    told = {tuple(post["tables"].items()) for post in hook.posts}
    assert told == {(("bronze.prices", "1 records"),), (("bronze.prices", "1 files"),)}


def test_a_late_delivery_is_told_once(project: Path, fast_endpoint: Endpoint, hook: Web) -> None:
    """Also by a run that finds nothing: time alone makes a delivery late."""
    day = datetime.now(UTC).date() - timedelta(days=5)
    toml = f'webhook = "{hook.url}"\non = "late"\n[datasets.prices.deliveries]\nperiod = "day"\n'
    toml += f'files = "prices-{{yyyy}}{{mm}}{{dd}}*"\ndue_days = 1\nstarts = {day}\nsupplier = "Tyrol"\n'
    lake = opened(project, fast_endpoint, toml)
    drop(lake, name=f"prices-{day:%Y%m%d}.csv")
    lake.ingest()
    lake.ingest()
    wait_for(lambda: bool(hook.posts))
    time.sleep(0.2)
    (told,) = hook.posts
    statuses = {each["period"]: each["status"] for each in told["deliveries"]}
    assert statuses[str(day)] == "late"
    assert statuses[str(day + timedelta(days=1))] == "missing"
    assert "of Tyrol was due on" in told["text"]


def test_a_dead_webhook_holds_up_nothing(project: Path, fast_endpoint: Endpoint) -> None:
    """The command says how the run ended before it waits for the hook; that the hook is dead is said and logged."""
    (project.parent / "trap").write_text("no")
    with silence() as url:
        lake = opened(project, fast_endpoint, f'webhook = "{url}"\nseconds_max = 2')
        drop(lake)
        result = lake.run()
        assert result.failed
        (project / ".lake" / "alerts.json").unlink()
        done = lake_command(fast_endpoint, project, "run")
    assert done.returncode == 1
    assert "an alert did not get through by the webhook" in done.stderr
    assert done.stderr.index("silver.prices: failed") < done.stderr.index("an alert did not")
    wait_for(lambda: any(line["event"] == "alert" for line in read_log(lake.settings.logs, result.run)))


def test_a_store_that_does_not_answer_is_told(
    project: Path, fast_endpoint: Endpoint, fast_proxy: Proxy, hook: Web
) -> None:
    """The night in which nothing works is when somebody must know."""
    lake = opened(project, fast_proxy.endpoint, f'webhook = "{hook.url}"\non = "failed, late"')
    fast_proxy.answer(403, "*", "", times=None)
    for _ in range(2):
        with pytest.raises(StoreError):
            lake.run()
    wait_for(lambda: bool(hook.posts))
    assert len(hook.posts) == 1
    assert hook.posts[0]["event"] == "failed"
    assert fast_endpoint.secret_key not in json.dumps(hook.posts)


def test_a_memory_that_is_broken_tells_twice(project: Path, fast_endpoint: Endpoint, hook: Web) -> None:
    """Rather than never."""
    lake = opened(project, fast_endpoint, f'webhook = "{hook.url}"')
    (project.parent / "trap").write_text("no")
    drop(lake)
    for _ in range(2):
        lake.run()
        (project / ".lake" / "alerts.json").write_text("[}")
    wait_for(lambda: len(hook.posts) == 2)


def test_ten_thousand_failures_fit_into_one_alert() -> None:
    """Some are named, the others counted."""
    tables = tuple(TableRun(f"silver.t{number}", "promote", "failed", error="no") for number in range(10_000))
    told = of_failure("shop", Ended(begun(), Status.FAILED, datetime.now(UTC), "no", tables=tables))
    assert len(told.text) < 2_000
    assert f"and {10_000 - NAMED_MAX} more tables" in told.text
