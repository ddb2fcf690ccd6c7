"""``lake tables | history | query | quarantine`` as typed: data on stdout, talk on stderr."""

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from catalog import quarantine
from catalog.objects import Endpoint
from lake import Lake
from tests.support.projects import lake_command, project_on, variables
from tests.support.published import publish
from tests.support.stores import ROOT, Stores, environment, lake_on

FLIGHTS = pl.DataFrame({"carrier": ["UA", "", None], "miles": [100, 250, 300]})


@pytest.fixture(scope="module")
def store(stores: Stores) -> Endpoint:
    """Five buckets that are this file's own."""
    return lake_on(stores("minio"))


@pytest.fixture(scope="module")
def lake(store: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of two commits, which the tests of this file only read."""
    made = project_on(store, tmp_path_factory.mktemp("reading") / "lake")
    publish(made, silver__flights=FLIGHTS, silver__airlines=pl.DataFrame({"carrier": ["UA"]}))
    publish(made, silver__flights=FLIGHTS.head(1))
    return made


def typed(lake: Lake, store: Endpoint, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that succeeds."""
    done = lake_command(store, lake.settings.project, *arguments)
    assert done.returncode == 0, done.stderr
    return done


def started(lake: Lake, store: Endpoint, *arguments: str, **pipes: int) -> "subprocess.Popen[bytes]":
    """A command that runs, with standard input and output as told."""
    said = {name: value for name, value in environment("").items() if name != "LAKE_STORE_SERVER"}
    return subprocess.Popen(
        [sys.executable, "-m", "lake", *arguments],
        cwd=lake.settings.project,
        env=said | variables(store) | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        **pipes,
    )


def test_tables_are_listed(lake: Lake, store: Endpoint) -> None:
    """Name, version, rows and size; as of a commit; in each form."""
    assert typed(lake, store, "tables").stdout.splitlines()[0].split() == ["name", "version", "rows", "size_bytes"]
    (airlines, flights) = map(json.loads, typed(lake, store, "tables", "--format", "jsonl").stdout.splitlines())
    assert (airlines["name"], airlines["rows"]) == ("silver.airlines", 1)
    assert (flights["name"], flights["version"], flights["rows"]) == ("silver.flights", 1, 1)
    before = typed(lake, store, "tables", "--at", "1", "--format", "csv").stdout.splitlines()
    assert before[2].startswith("silver.flights,0,3,")
    assert "nothing is published" in typed(lake, store, "tables", "--at", "0").stderr


def test_commits_are_listed_newest_first(lake: Lake, store: Endpoint) -> None:
    """Who, why, by which run, and which tables each one changed."""
    second, first = map(json.loads, typed(lake, store, "history", "--format", "jsonl").stdout.splitlines())
    assert (second["commit"], second["tables"]) == (2, "silver.flights")
    assert (first["commit"], first["tables"]) == (1, "silver.airlines, silver.flights")
    assert (first["author"], first["message"], first["run"]) == ("me", "a test", "r1")
    assert datetime.fromisoformat(first["at"]) <= datetime.fromisoformat(second["at"]) <= datetime.now(UTC)


def test_a_tables_versions_are_listed(lake: Lake, store: Endpoint) -> None:
    """Only the commits that published another version of it."""
    done = typed(lake, store, "history", "silver.flights", "--format", "csv")
    assert [line.split(",")[:2] for line in done.stdout.splitlines()] == [["commit", "version"], ["2", "1"], ["1", "0"]]
    assert "published versions of silver.flights" in done.stderr
    assert len(typed(lake, store, "history", "silver.airlines", "--format", "csv").stdout.splitlines()) == 2
    absent = lake_command(store, lake.settings.project, "history", "silver.flight")
    assert (absent.returncode, absent.stdout) == (2, "")
    assert "the nearest name is silver.flights" in absent.stderr


def test_a_query_in_each_form(lake: Lake, store: Endpoint) -> None:
    """A table, CSV in which missing is not empty, JSON lines; as of a commit."""
    sql = "select carrier, sum(miles) as miles from silver.flights group by all order by miles"
    old = ("query", sql, "--at", "1", "--format")
    assert typed(lake, store, "query", sql).stdout == "carrier  miles\n-------  -----\nUA         100\n"
    assert typed(lake, store, *old, "csv").stdout == 'carrier,miles\nUA,100\n"",250\n,300\n'
    assert list(map(json.loads, typed(lake, store, *old, "jsonl").stdout.splitlines())) == [
        {"carrier": "UA", "miles": 100},
        {"carrier": "", "miles": 250},
        {"carrier": None, "miles": 300},
    ]


def test_numbers_that_json_lacks_are_told(lake: Lake, store: Endpoint) -> None:
    """They are written as null, and it is said how many."""
    done = typed(lake, store, "query", "select 'nan'::float as x", "--format", "jsonl")
    assert done.stdout == '{"x":null}\n'
    assert "NaN and infinities, 1 in all" in done.stderr


def test_a_table_that_is_cut_says_so(lake: Lake, store: Endpoint) -> None:
    """On stderr, and only where rows are left out; CSV has all of them."""
    sql = "from range(100) t(n)"
    cut = typed(lake, store, "query", sql, "--limit", "7")
    assert len(cut.stdout.splitlines()) == 2 + 7
    assert "the first 7 rows" in cut.stderr
    assert typed(lake, store, "query", sql, "--limit", "100").stderr == ""
    assert len(typed(lake, store, "query", sql, "--format", "csv").stdout.splitlines()) == 101


def test_sql_from_standard_input(lake: Lake, store: Endpoint) -> None:
    """With - for the SQL."""
    with started(lake, store, "query", "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(b"select 6 * 7 as n -- from a file\n")
    assert out == b" n\n--\n42\n"


def test_files_are_written_whole(lake: Lake, store: Endpoint, tmp_path: Path) -> None:
    """The suffix tells the form; a query that fails leaves the old file and nothing beside it."""
    sql = "select sum(miles) as miles from silver.flights"
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        assert typed(lake, store, "query", sql, "--output", str(tmp_path / name)).stdout == ""
    assert (tmp_path / "a.csv").read_text() == "miles\n100\n"
    assert (tmp_path / "a.jsonl").read_text() == '{"miles":100}\n'
    assert pl.read_parquet(tmp_path / "a.parquet").to_dict(as_series=False) == {"miles": [100]}
    late = "select case when i = 4900000 then error('too late') else i end as i from range(5000000) t(i)"
    for name in ("a.csv", "a.parquet"):
        failed = lake_command(store, lake.settings.project, "query", late, "--output", str(tmp_path / name))
        assert failed.returncode == 2
        assert "too late" in failed.stderr
    assert (tmp_path / "a.csv").read_text() == "miles\n100\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.jsonl", "a.parquet"]
    nowhere = lake_command(store, lake.settings.project, "query", sql, "--output", "absent/a.parquet")
    assert nowhere.returncode == 2
    assert "no folder absent" in nowhere.stderr


def test_parquet_goes_down_a_pipe_but_not_to_a_terminal(lake: Lake, store: Endpoint) -> None:
    """A pipe gets the file; a terminal gets an error that says what to type."""
    arguments = ("query", "from silver.flights", "--format", "parquet")
    with started(lake, store, *arguments, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate()
    assert pl.read_parquet(BytesIO(out)).equals(FLIGHTS.head(1))
    ours, theirs = pty.openpty()
    with started(lake, store, *arguments, stdout=theirs) as process:
        _, err = process.communicate()
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 2
    assert b"not for a terminal" in err


def test_a_reader_that_stops_is_no_error(lake: Lake, store: Endpoint) -> None:
    """``lake query ... | head -1`` ends without a traceback, and leaves no lease on the cache."""
    sql = "select i, repeat('x', 100) from silver.flights, range(1000000) t(i)"
    with started(lake, store, "query", sql, "--format", "csv", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"i,")
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert list((lake.settings.state / "cache" / "sessions").iterdir()) == []


def test_the_quarantine_is_listed(fast_endpoint: Endpoint, tmp_path: Path) -> None:
    """Empty, it says so; else id, file, line, rule and message, as published; what has no status waits."""
    lake = project_on(fast_endpoint, tmp_path / "lake")
    empty = typed(lake, fast_endpoint, "quarantine")
    assert empty.stdout.splitlines()[0].split() == ["id", "file", "line", "rule", "message"]
    assert "nothing is set aside" in empty.stderr
    row = {"id": "b1:1", "source": "b1", "table": "bronze.flights", "file": "a.csv", "line": 7}
    row |= {"rule": "gate", "message": "too long"}
    quarantine.record(lake.store, "b1", pl.LazyFrame([row], schema=quarantine.SCHEMA), {})
    lake.ingest()
    told = "id,file,line,rule,message\nb1:1,a.csv,7,gate,too long\n"
    assert typed(lake, fast_endpoint, "quarantine", "list", "--format", "csv").stdout == told
    assert "too long" in typed(lake, fast_endpoint, "quarantine").stdout
    assert lake.quarantine().collect().height == 1
