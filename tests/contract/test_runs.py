"""The record of runs: every run that did something is there, ended, in objects, in the table and in its log."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from catalog.errors import NotFound, StoreError, UsageError
from catalog.objects import Endpoint, ObjectStore
from catalog.register import ENDED, OPEN, Begun, Ended, Register, Status, TableRun
from catalog.runs import RUNS, frame_of, rows_of, settle
from catalog.tables import Tables
from catalog.zones import Zone
from lake import Lake
from lake.local import Process
from lake.logs import IDLE, read_log
from lake.reading import open_lake
from lake.runs import recorded
from tests.support.delta import head
from tests.support.projects import lake_command, project_on, start_lake, variables
from tests.support.proxy import Proxy

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AGES_AGO = datetime(2000, 1, 1, tzinfo=UTC)
SECRET = "hunter2-and-more"

JOBS = """
import os
import polars as pl
from lake import Source, job

@job("silver.prices", mode="replace")
def prices(prices: Source["bronze.prices"]) -> pl.LazyFrame:
    return prices.select("region", "price")

@job("gold.broken", mode="replace")
def broken(prices: Source["silver.prices"]) -> pl.LazyFrame:
    if os.path.exists("{trap}"):
        raise RuntimeError("cannot log in with " + os.environ.get("SHOP_PASSWORD", ""))
    return prices

@job("gold.after", mode="replace")
def after(broken: Source["gold.broken"]) -> pl.LazyFrame:
    return broken
"""


@pytest.fixture
def lake(fast_endpoint: Endpoint, tmp_path: Path) -> Lake:
    """A project with three jobs, one of which fails where a file is."""
    made = project_on(fast_endpoint, tmp_path / "shop")
    (made.settings.project / "jobs" / "shop.py").write_text(JOBS.replace("{trap}", str(tmp_path / "trap")))
    return made


def drop(lake: Lake, text: str = "region,price\nnorth,1\nsouth,2\n", name: str = "prices.csv") -> None:
    path = lake.settings.project.parent / name
    path.write_text(text, encoding="utf-8")
    lake.drop([path], "prices")


def begun(run: str = "a", at: datetime = NOW, **others: object) -> Begun:
    said = Begun(run, "run", "me", "abc", at, "elsewhere", "", 1, "", 0)
    return replace(said, **others)


def keys(lake: Lake, prefix: str) -> list[str]:
    return [found.key for found in lake.objects.list_objects(Zone.CATALOG, prefix)]


def known(lake: Lake) -> list[tuple[str, ...]]:
    """What is known of runs, oldest first: command, status, table, outcome."""
    return lake.runs().select("command", "status", "table", "outcome").reverse().collect().rows()


def test_a_run_is_published_with_what_it_made(lake: Lake) -> None:
    """One commit holds the tables and the row of the run for each; by SQL, in Python and as the end's object alike."""
    drop(lake)
    result = lake.run()
    assert result.commit.number == 1
    rows = lake.query('from catalog.runs order by stage, "table"').collect()
    assert rows["run"].unique().to_list() == [result.run]
    assert rows["status"].unique().to_list() == ["ok"]
    assert rows["commit"].unique().to_list() == [1]
    assert rows.select("table", "stage", "outcome", "rows_in", "rows_out").rows() == [
        ("bronze.prices", "ingest", "ran", 2, 2),
        ("gold.after", "promote", "ran", 2, 2),
        ("gold.broken", "promote", "ran", 2, 2),
        ("silver.prices", "promote", "ran", 2, 2),
    ]
    assert rows["pid"].unique().to_list() == [os.getpid()]
    assert json.loads(rows.filter(table="gold.after")["read"].item()) == {"gold.broken": 0}
    assert rows.filter(table="gold.after")["seconds"].item() > 0
    assert_frame_equal(lake.runs().collect(), rows_of(head(lake.store, RUNS)).collect(), check_row_order=False)
    assert keys(lake, OPEN) == []
    (stands,) = keys(lake, ENDED)
    assert result.run in stands
    assert lake.at(1).runs().collect().height == 4


def test_a_run_that_finds_nothing_leaves_a_line(lake: Lake) -> None:
    """No object, no row, no commit, no log of its own: a line in the log of such runs."""
    drop(lake)
    lake.run()
    objects, versions = keys(lake, "runs/"), head(lake.store, RUNS).version
    for _ in range(3):
        assert not lake.run().is_published
    assert keys(lake, "runs/") == objects
    assert head(lake.store, RUNS).version == versions
    assert len(list(lake.settings.logs.glob("*.jsonl"))) == 2
    lines = (lake.settings.logs / IDLE).read_text().splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["run: nothing new"] * 3


def test_a_failed_run_says_where(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's file and line, what waited for it, and no secret: in the table, the objects, the log."""
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    lake = open_lake(lake.settings.project, variables(lake.objects.endpoint) | {"SHOP_PASSWORD": SECRET})
    drop(lake)
    (lake.settings.project.parent / "trap").touch()
    result = lake.run()
    rows = lake.runs().collect()
    assert rows["status"].unique().to_list() == ["failed"]
    outcomes = dict(rows.select("table", "outcome").iter_rows())
    assert outcomes == {
        "bronze.prices": "ran",
        "silver.prices": "ran",
        "gold.broken": "failed",
        "gold.after": "skipped",
    }
    broken = rows.filter(table="gold.broken").row(0, named=True)
    assert "cannot log in with (SHOP_PASSWORD)" in broken["table_error"]
    assert broken["table_error_at"] == broken["error_at"] == "jobs/shop.py:13"
    everything = [lake.objects.get(Zone.CATALOG, key) for key in keys(lake, "runs/")]
    everything += [path.read_bytes() for path in lake.settings.logs.glob("*")]
    everything += [repr(rows.to_dicts()).encode(), repr(lake.settings).encode()]
    assert not any(SECRET.encode() in said for said in everything)
    assert any(line["event"] == "job" and line["level"] == "error" for line in read_log(lake.settings.logs, result.run))


def test_a_failed_run_is_known_though_nothing_is_published(lake: Lake) -> None:
    """It is in the table's head, so that no marker stays; readers see it with the next publication."""
    drop(lake)
    lake.run()
    (lake.settings.project.parent / "trap").touch()
    drop(lake, "region,price\neast,3\n", "more.csv")
    assert lake.run().failed
    again = lake.run()
    assert again.failed
    assert not again.is_published
    assert keys(lake, OPEN) == []
    runs = lake.runs().select("run", "status", "commit").unique(maintain_order=True).collect().rows()
    assert runs == [(again.run, "failed", None), (runs[1][0], "failed", 2), (runs[2][0], "ok", 1)]
    assert again.run not in lake.query("select run from catalog.runs").collect()["run"].to_list()


def test_what_is_declared_wrongly_is_a_failed_run(lake: Lake) -> None:
    """A night's run that could not even begin is on the record; a name that there is not is a slip of the hand."""
    (lake.settings.project / "jobs" / "bad.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(UsageError, match="nothing_of_this_name"):
        lake.run()
    assert known(lake) == [("run", "failed", None, None)]
    (lake.settings.project / "jobs" / "bad.py").unlink()
    with pytest.raises(NotFound):
        lake.ingest(["nothing"])
    assert known(lake) == [("run", "failed", None, None)]
    assert "no dataset 'nothing'" in (lake.settings.logs / IDLE).read_text()
    drop(lake)
    lake.run()
    statuses = lake.query("select distinct status from catalog.runs order by 1").collect()["status"].to_list()
    assert statuses == ["failed", "ok"]


def test_every_verb_is_on_the_record(lake: Lake) -> None:
    """Ingest, promote, replay, retract, each under its name, with what it was asked for."""
    drop(lake, "region,price\n" + "north,1\n" * 20 + "south\n")
    lake.ingest(["prices"])
    lake.promote(["silver.prices"])
    lake.replay(["prices/prices.csv"])
    lake.retract(["prices/prices.csv"])
    assert [(command, table) for command, _, table, _ in known(lake)] == [
        ("ingest prices", "bronze.prices"),
        ("promote silver.prices", "silver.prices"),
        ("quarantine replay prices/prices.csv", "bronze.prices"),
        ("retract prices/prices.csv", "bronze.prices"),
    ]


def test_a_killed_run_is_called_interrupted(lake: Lake, fast_endpoint: Endpoint) -> None:
    """Whoever lists next writes its end, once: the process, known by pid and start, is gone."""
    project = lake.settings.project
    (project / "jobs" / "slow.py").write_text(
        "import time\nimport polars as pl\nfrom lake import Source, job\n\n"
        '@job("gold.slow", mode="replace")\n'
        'def slow(prices: Source["bronze.prices"]) -> pl.LazyFrame:\n    time.sleep(600)\n    return prices\n'
    )
    drop(lake)
    with start_lake(fast_endpoint, project, "run") as child:
        while not any(each.command == "run" for each in Register(lake.objects).open()):
            assert child.poll() is None
        assert known(lake) == [("run", "running", None, None)]
        child.kill()
        child.communicate()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: known(open_lake(project, variables(fast_endpoint))), range(4)))
    assert found == [[("run", "interrupted", None, None)]] * 4
    (ended,) = keys(lake, ENDED)
    (project / "jobs" / "slow.py").unlink()
    lake.run()
    assert keys(lake, ENDED)[0] == ended
    assert keys(lake, OPEN) == []
    statuses = lake.query("select distinct status from catalog.runs order by 1").collect()["status"].to_list()
    assert statuses == ["interrupted", "ok"]


def test_a_run_that_died_after_its_publication_has_its_commit(lake: Lake) -> None:
    """The catalog's log knows the commit by the run's id."""
    drop(lake)
    made = lake.run()
    dead = begun(made.run + "x", head=0, host="", at=AGES_AGO)
    Register(lake.objects).begin(dead)
    Register(lake.objects).begin(begun(made.run, head=0, at=AGES_AGO))
    rows = lake.runs().filter(begun_at=AGES_AGO).select("run", "status", "commit").sort("run").collect().rows()
    assert rows == [(made.run, "interrupted", 1), (made.run + "x", "interrupted", None)]


def test_one_that_cannot_be_seen_goes_on(lake: Lake) -> None:
    """A run on another machine is running, until it must have ended; a pid that is another's now is none."""
    mine = Process.of(os.getpid())
    assert mine is not None
    register = Register(lake.objects)
    now = datetime.now(UTC)
    with recorded(lake, "run") as record:
        record.begin()
        (here,) = register.open()
        register.begin(begun("far", at=now))
        register.begin(begun("old", at=now - timedelta(days=8)))
        register.begin(replace(here, run="reused", started="before"))
        register.begin(replace(here, run="forgotten"))
        register.begin(replace(here, run="cage", space="pid:[1]", at=now))
        rows = lake.runs().select("run", "status").collect().rows()
    assert dict(rows) == {
        here.run: "running",
        "far": "running",
        "cage": "running",
        "old": "interrupted",
        "reused": "interrupted",
        "forgotten": "interrupted",
    }


def test_ctrl_c_is_an_end(lake: Lake) -> None:
    """The run says itself that it was interrupted."""

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    drop(lake)
    with pytest.raises(KeyboardInterrupt):
        lake.run(told=stop)
    assert known(lake)[0][:2] == ("run", "interrupted")
    assert keys(lake, OPEN) == []
    assert not lake.run().failed


def test_a_store_that_goes_away_is_in_the_log(fast_endpoint: Endpoint, fast_proxy: Proxy, tmp_path: Path) -> None:
    """What the run could not put on the record stands in its log; the next one calls it interrupted or failed."""
    lake = project_on(fast_proxy.endpoint, tmp_path)
    fast_proxy.answer(403, "*", "", times=None)
    with pytest.raises(StoreError):
        lake.run()
    (log,) = lake.settings.logs.glob("*.jsonl")
    last = json.loads(log.read_text().splitlines()[-1])
    assert (last["event"], last["status"]) == ("ended", "failed")
    assert fast_endpoint.secret_key not in log.read_text()
    fast_proxy.clear()
    assert known(open_lake(tmp_path, variables(fast_endpoint))) == []


def test_the_end_that_came_first_stands(fast_endpoint: Endpoint) -> None:
    """Two who write the end of a run agree on one."""
    register = Register(ObjectStore(fast_endpoint))
    first, second = (Ended(begun(), status, NOW) for status in (Status.INTERRUPTED, Status.OK))
    assert register.end(first) == first
    assert register.end(second) == first
    assert register.ended(begun()) == first


def test_what_is_written_is_read_again(fast_endpoint: Endpoint) -> None:
    """All that a run may say of itself and of a table."""
    each = TableRun("silver.a", "promote", "failed", "new", "whole", 3, {"bronze.a": 2}, 1, 2, 3, 4, 5, 6, 7, 8)
    full = replace(each, started_at=NOW, seconds=0.1, attempts=2, warnings=("ä",), error="e", where="jobs/a.py:3")
    register, ended = (
        Register(ObjectStore(fast_endpoint)),
        Ended(begun(), Status.FAILED, NOW, "e", "w", 7, (full, each)),
    )
    register.begin(begun())
    register.end(ended)
    assert register.open() == [begun()]
    assert register.ended(begun()) == ended
    assert frame_of([ended]).height == 2


def test_the_table_says_what_the_ends_say(fast_endpoint: Endpoint) -> None:
    """However often it is settled, and by how many at a time; a run's rows are those of its last word."""
    tables = Tables(ObjectStore(fast_endpoint))
    ends = [
        Ended(
            begun(f"r{number}", NOW + timedelta(minutes=number)),
            Status.OK,
            NOW,
            tables=(TableRun("silver.a", "p", "ran"),),
        )
        for number in range(6)
    ]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda part: settle(Tables(tables.objects), part, AGES_AGO), (ends[:4], ends[2:], ends[::-1])))
    other = replace(ends[0], status=Status.FAILED, tables=())
    for _ in range(2):
        settle(tables, [other, ends[1]], AGES_AGO)
    wanted = frame_of([other, *ends[1:]])
    assert_frame_equal(rows_of(head(tables, RUNS)).collect(), wanted, check_row_order=False)
    version = head(tables, RUNS).version
    settle(tables, ends[1:], AGES_AGO)
    assert head(tables, RUNS).version == version


def test_old_runs_are_forgotten(lake: Lake) -> None:
    """Objects and rows of more than 400 days ago; those of yesterday stay."""
    now = datetime.now(UTC)
    old, young = begun("old", now - timedelta(days=402)), begun("young", now - timedelta(days=1))
    register = Register(lake.objects)
    for each in (old, young):
        register.end(Ended(each, Status.OK, each.at))
        register.begin(each)
    settle(lake.store, [end for each in (old, young) if (end := register.ended(each))], AGES_AGO)
    drop(lake)
    lake.run()
    assert register.ended(old) is None
    assert register.ended(young) is not None
    assert set(lake.query("select run from catalog.runs").collect()["run"]) > {"young"}
    assert "old" not in set(lake.runs().collect()["run"])


def test_the_commands_show_it(lake: Lake, fast_endpoint: Endpoint) -> None:
    """List, show and log, by id, by its beginning, and the last."""

    def run(*arguments: str, code: int = 0) -> str:
        done = lake_command(fast_endpoint, lake.settings.project, "runs", *arguments)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    assert "no run is on the record" in run()
    assert "no run is on the record" in run("show", "last", code=2)
    drop(lake)
    (lake.settings.project.parent / "trap").touch()
    result = lake.run()
    assert result.run in run()
    assert json.loads(run("list", "--status", "failed", "--format", "jsonl"))["tables"] == 4
    shown = run("show", result.run[:6])
    for told in (
        result.run,
        "gold.broken: failed",
        "jobs/shop.py:13",
        "gold.after: skipped",
        f"lake runs log {result.run}",
    ):
        assert told in shown
    assert "gold.broken: failed" in run("log", "last")
    lines = [json.loads(line) for line in run("log", "last", "--format", "jsonl").splitlines()]
    assert {line["run"] for line in lines} == {result.run}
    assert [lines[0]["event"], lines[-1]["event"]] == ["begun", "ended"]
    assert "no run 'zzz'" in run("show", "zzz", code=2)


def test_a_watch_says_that_it_called(lake: Lake, fast_endpoint: Endpoint) -> None:
    """A look that took something is a run; one that took nothing is none."""
    drop(lake)
    done = lake_command(fast_endpoint, lake.settings.project, "watch", "--for", "2")
    assert done.returncode == 0, done.stderr
    assert known(lake) == [("watch ingest", "ok", "bronze.prices", "ran")]
