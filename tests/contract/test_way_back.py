"""What was set aside and the ways back, by the real command: list, show, replay, retract."""

import re
from pathlib import Path

import polars as pl
import pytest

from catalog.objects import Endpoint
from lake import Lake
from tests.support.projects import Command, commands_in, project_on

GOOD = "".join(f'{{"n": {n}, "region": "r{n}"}}\n' for n in range(1, 20))


@pytest.fixture
def lake(fast_endpoint: Endpoint, tmp_path: Path) -> Lake:
    """A project on a real store."""
    return project_on(fast_endpoint, tmp_path / "lake")


@pytest.fixture
def run(fast_endpoint: Endpoint, lake: Lake) -> Command:
    """The real command in it."""
    return commands_in(fast_endpoint, lake.settings.project)


def land(lake: Lake, name: str, text: str, dataset: str = "prices") -> None:
    path = lake.settings.project / name
    path.write_text(text, encoding="utf-8")
    lake.drop([path], dataset)


def numbers(lake: Lake, table: str = "bronze.prices") -> list[str]:
    return sorted(lake.read(table).select(pl.col("n").cast(pl.String)).collect()["n"], key=int)


def test_a_record_is_mended_and_put_through_again(lake: Lake, run: Command) -> None:
    """It is listed, shown with what to do, replayed once, and then it is done; no other row comes twice."""
    land(lake, "a.ndjson", GOOD + "{broken}\n")
    assert "1 record set aside" in run("ingest")
    listed = run("quarantine", "list", "--format", "csv", "--rule", "json")
    identity = listed.splitlines()[1].split(",")[0]
    shown = run("quarantine", "show", identity)
    assert "{broken}" in shown
    assert f"lake quarantine replay {identity}" in shown
    assert identity in run("quarantine", "replay", identity, "--dry-run")
    assert len(numbers(lake)) == 19
    said = run("quarantine", "replay", identity, "--record", '{"n": 20, "region": "r20"}')
    assert "published as commit 2" in said
    assert numbers(lake) == [str(n) for n in range(1, 21)]
    assert "nothing is set aside" in run("quarantine", "list")
    assert identity in run("quarantine", "list", "--status", "done")
    assert "took its place" in run("quarantine", "replay", identity, code=2)
    assert "nothing waits" in run("quarantine", "replay")
    assert numbers(lake) == [str(n) for n in range(1, 21)]


def test_several_are_shown(lake: Lake, run: Command) -> None:
    """Each with what to do; an id that is not there is said before anything is shown."""
    land(lake, "a.ndjson", GOOD + "{broken}\n{more}\n")
    run("ingest")
    one, two = sorted(lake.quarantine().collect()["id"])
    shown = run("quarantine", "show", one, two, one)
    assert shown.count("{broken}") == shown.count("{more}") == 1
    assert f"replay {one} --record" in shown
    assert f"replay {two} --record" in shown
    assert "{broken}" not in run("quarantine", "show", one, "prices/absent", code=2)


def test_two_records_are_mended_one_after_the_other(lake: Lake, run: Command) -> None:
    """The second replay keeps what the first mended."""
    land(lake, "a.ndjson", GOOD + "{broken}\n{more}\n")
    run("ingest")
    for n in (20, 21):
        waiting = lake.quarantine().filter(pl.col("status") == "waiting").sort("line").collect()
        lake.replay(records={waiting["id"][0]: f'{{"n": {n}, "region": "r"}}'})
    assert numbers(lake) == [str(n) for n in range(1, 22)]


def test_a_file_is_read_again_after_a_change_of_settings(lake: Lake, run: Command) -> None:
    """What was beyond the tolerance goes in once lake.toml allows it; what is bad of it waits."""
    land(lake, "a.ndjson", '{"n": 1}\n{broken}\n')
    said = run("ingest", code=1)
    assert "1 of 2 records are bad" in said
    assert "bad_share_max" in run("quarantine", "show", "prices/a.ndjson")
    toml = lake.settings.project / "lake.toml"
    toml.write_text(toml.read_text() + "\n[datasets.prices]\nbad_share_max = 0.5\n")
    assert "1 record set aside" in run("quarantine", "replay", "prices/a.ndjson")
    assert numbers(lake) == ["1"]
    assert "{broken}" in run("quarantine", "show", "prices/a.ndjson")


def test_a_text_that_is_not_used_is_said(lake: Lake, run: Command) -> None:
    """Several sound records on a line of JSON; a line within a record now: exit code 1, nothing lost."""
    toml = lake.settings.project / "lake.toml"
    toml.write_text(toml.read_text() + '\n[datasets.prices]\ndrift = "quarantine"\nbad_share_max = 1\n')
    land(lake, "a.json", '[{"n": 1}, {"n": 2}]\n')
    run("ingest")
    land(lake, "b.json", '[{"n": 3}, {"n": 4, "more": 5}]\n')
    run("ingest")
    (identity,) = lake.quarantine().collect()["id"]
    said = run("quarantine", "replay", identity, "--record", '{"n": 4}', code=1)
    assert "no record stands alone on line 1" in said
    assert numbers(lake) == ["1", "2", "3"]
    table = "".join(f"{n},x,2026\n" for n in range(20))
    toml.write_text(toml.read_text() + "\n[datasets.trade]\nquote = ''\n")
    land(lake, "c.csv", f'n,b,c\n{table}"x\ny",1\n', "trade")
    run("ingest")
    waits = lake.quarantine().filter(table="bronze.trade", line=23).collect().row(0, named=True)
    toml.write_text(toml.read_text().replace("quote = ''", "quote = '\"'"))
    said = run("quarantine", "replay", waits["id"], "--record", "20,x,2026", code=1)
    assert f"the text for {waits['id']} was not used" in said


def test_what_cannot_be_replayed_is_refused_by_name(lake: Lake, run: Command) -> None:
    """An unknown name with the nearest; a text for a whole file; a text for several."""
    land(lake, "a.ndjson", "{broken}\n")
    run("ingest", code=1)
    assert "prices/a.ndjson" in run("quarantine", "replay", "prices/b.ndjson", code=2)
    identity = lake.quarantine().collect()["id"][0]
    assert "whole file" in run("quarantine", "replay", identity, "--record", "x", code=2)
    assert "one ID" in run("quarantine", "replay", identity, identity, "--record", "x", code=2)
    assert "lake quarantine list" in run("quarantine", "show", "prices/b.ndjson", code=2)


def test_replay_of_one_dataset_leaves_the_others(lake: Lake, run: Command) -> None:
    """Both wait; one is read again."""
    land(lake, "a.ndjson", GOOD + "{broken}\n")
    land(lake, "b.ndjson", GOOD + "{broken}\n", "trade")
    run("ingest")
    assert run("quarantine", "replay", "--dataset", "trade", "--dry-run") == "trade/b.ndjson  1 record (json)\n"
    run("quarantine", "replay", "--dataset", "trade")
    fates = lake.ledger().select("dataset", "origin").sort("dataset", "origin").collect().rows()
    assert [(dataset, origin is None) for dataset, origin in fates] == [
        ("prices", True),
        ("trade", True),
        ("trade", False),
    ]


def test_a_wrong_file_is_taken_back_and_comes_again(lake: Lake, run: Command) -> None:
    """Its rows leave, the others stay; the ledger says so; dropped again, it is in again."""
    land(lake, "a.ndjson", '{"n": 1}\n')
    land(lake, "b.ndjson", '{"n": 2}\n')
    run("ingest")
    assert "1 file taken back" in run("retract", "prices/a.ndjson")
    assert numbers(lake) == ["2"]
    assert "retracted" in run("query", "select fate from catalog.ledger")
    assert "nothing to take back" in run("retract", "landing/prices/a.ndjson")
    land(lake, "a.ndjson", '{"n": 1}\n')
    run("ingest")
    assert numbers(lake) == ["1", "2"]
    assert "did you mean prices/a.ndjson" in run("retract", "a.ndjson", code=2)


def test_a_file_without_a_dataset_goes_where_lake_toml_says(lake: Lake, run: Command) -> None:
    """By a pattern; else by its own name."""
    toml = lake.settings.project / "lake.toml"
    toml.write_text(toml.read_text() + '\n[datasets.prices]\nfiles = ["cpi_*"]\n')
    for name in ("cpi_2026-01.ndjson", "Trade 2026.ndjson"):
        (lake.settings.project / name).write_text('{"n": 1}\n')
    said = run("drop", "cpi_2026-01.ndjson", "Trade 2026.ndjson")
    assert "for prices" in said
    assert "for trade" in said
    assert "bronze.prices" in run("plan")
    run("ingest", "prices")
    assert numbers(lake) == ["1"]
    run("ingest")
    assert numbers(lake, "bronze.trade") == ["1"]


def test_deliveries_and_columns(lake: Lake, run: Command) -> None:
    """From what is published: without a schedule what came, with one what is missing; and where a column is."""
    land(lake, "cpi_2026-01.ndjson", '{"n": 1, "Region": "x", "Löhne, netto": 2}\n')
    run("ingest")
    assert re.search(r"prices +arrived .*cpi_2026-01.ndjson", run("deliveries"))
    toml = lake.settings.project / "lake.toml"
    schedule = 'period = "month"\nfiles = "cpi_{yyyy}-{mm}*"\nsupplier = "Tyrol"\ndue_days = 15\n'
    toml.write_text(toml.read_text() + f"\n[datasets.prices.deliveries]\n{schedule}")
    told = run("deliveries", "prices", "--at", "2099-03-20", "--format", "csv").splitlines()
    months = {line.split(",")[2]: line.split(",")[4] for line in told[1:]}
    assert (months["2026-01"], months["2099-02"]) == ("late", "missing")
    assert "bronze.prices  Region" in run("columns", "region")
    (found,) = lake.columns("lohne, NETTO").to_dicts()
    assert (found["table"], found["label"]) == ("bronze.prices", "Löhne, netto")
    assert "no column" in run("columns", "income")
    assert "_file" in run("columns", "--table", "bronze.prices")


def test_a_file_of_which_nothing_waits_is_read_again_when_it_is_named(lake: Lake, run: Command) -> None:
    """What was read by one policy is read by another: rescued values become a column; all that waits is nothing."""
    toml = lake.settings.project / "lake.toml"
    land(lake, "a.ndjson", '{"n": 1}\n')
    run("ingest")
    toml.write_text(toml.read_text() + '\n[datasets.prices]\ndrift = "rescue"\n')
    land(lake, "b.ndjson", '{"n": 2, "more": "x"}\n')
    run("ingest")
    assert lake.read("bronze.prices").filter(n="2").select("_rescued").collect().item() == '{"more":"x"}'
    toml.write_text(toml.read_text().replace("rescue", "evolve"))
    assert "nothing waits" in run("quarantine", "replay")
    run("quarantine", "replay", "prices/b.ndjson")
    assert lake.read("bronze.prices").filter(n="2").select("more", "_rescued").collect().row(0) == ("x", None)
