"""Old versions of a table: readable behind checkpoints, and when their log entries are forty days old."""

import re
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from catalog.errors import UsageError
from catalog.objects import Endpoint, ObjectStore
from catalog.tables import Snapshot, Tables
from catalog.tables.options import delta_options
from catalog.zones import TableName
from tests.support.delta import append, change, head, make, numbers, uri
from tests.support.proxy import Proxy


@pytest.fixture
def aged(fast_proxy: Proxy) -> Proxy:
    """A proxy behind which everything is forty days old: readers see it in listings."""
    then = (datetime.now(UTC) - timedelta(days=40)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    fast_proxy.rewrite(
        lambda body: re.sub(rb"<LastModified>[^<]*", b"<LastModified>" + then.encode(), body), "GET", "list-type=2"
    )
    return fast_proxy


def commits(tables: Tables, count: int) -> Snapshot:
    """A table whose version v holds the numbers up to v, made by the operation ``operation v``."""
    snapshot = make(tables, numbers(0))
    for version in range(1, count):
        intent = change(tables, snapshot.name, snapshot, numbers(version), operation=f"operation {version}")
        snapshot = tables.commit(intent)
    return snapshot


def assert_all_there(tables: Tables, newest: Snapshot) -> None:
    """Every version and every operation is found."""
    for version in range(newest.version + 1):
        found = tables.open(newest.name, version)
        assert found is not None
        assert sorted(found.scan().collect()["n"]) == list(range(version + 1))
    for version in (1, newest.version):
        made = tables.find_operation(newest, f"operation {version}", after=-1)
        assert made is not None
        assert made.version == version


def log_of(tables: Tables, name: TableName) -> list[str]:
    return [f.key.rpartition("/")[2] for f in tables.objects.list_objects(name.zone, f"{name.path}/_delta_log/")]


def test_behind_a_checkpoint(endpoint: Endpoint) -> None:
    """After ten commits there is a checkpoint; versions before and after it hold what they held."""
    tables = Tables(ObjectStore(endpoint))
    newest = commits(tables, 13)
    assert [key for key in log_of(tables, newest.name) if "checkpoint.parquet" in key] != []
    assert_all_there(tables, newest)


def test_log_entries_of_forty_days_stay(aged: Proxy) -> None:
    """No checkpoint, whoever makes it, takes old versions or operation ids away; nor does a clean-up on purpose."""
    tables = Tables(ObjectStore(aged.endpoint))
    newest = commits(tables, 12)
    assert_all_there(tables, newest)
    options = delta_options(aged.endpoint)
    for _ in range(10):
        write_deltalake(uri(newest), numbers(-1).collect().to_arrow(), mode="append", storage_options=options)
    foreign = DeltaTable(uri(newest), storage_options=options)
    foreign.create_checkpoint()
    foreign.cleanup_metadata()
    assert head(tables, newest.name).version == 21
    assert_all_there(tables, newest)


def test_with_deltas_defaults_they_go(aged: Proxy) -> None:
    """The control: a table that somebody else made loses its versions in the same way, and is not read by the lake."""
    tables = Tables(ObjectStore(aged.endpoint))
    newest = commits(tables, 2)
    name = TableName.parse("silver.control")
    place = uri(newest).replace(newest.name.path, name.path)
    options = delta_options(aged.endpoint)
    rows = pl.DataFrame({"n": [1]}).to_arrow()
    interval = {"delta.checkpointInterval": "10"}
    write_deltalake(place, rows, storage_options=options, configuration=interval)
    for _ in range(11):
        write_deltalake(place, rows, mode="append", storage_options=options)
    assert "00000000000000000000.json" not in log_of(tables, name)
    with pytest.raises(DeltaError):
        DeltaTable(place, version=3, storage_options=options)
    with pytest.raises(UsageError, match="delete its old log entries"):
        tables.open(name)


def test_a_long_history_is_opened_with_few_requests(fast_proxy: Proxy) -> None:
    """A checkpoint stands for what came before it: opening does not read every entry of the log."""
    tables = Tables(ObjectStore(fast_proxy.endpoint))
    newest = commits(tables, 22)
    fast_proxy.clear()
    append(tables, head(tables, newest.name), numbers(22))
    assert {request.target[-12:] for request in fast_proxy.seen("GET", r"_delta_log/\d{20}\.json")}.isdisjoint(
        {f"{version:07d}.json" for version in range(18)}
    )


def test_what_a_commit_says_is_read_once(fast_proxy: Proxy) -> None:
    """A version that was opened is not asked again; one that was not is one request."""
    tables = Tables(ObjectStore(fast_proxy.endpoint))
    first = make(tables, numbers(1))
    second = append(tables, first, numbers(2))
    opened = Tables(ObjectStore(fast_proxy.endpoint))
    assert head(opened, first.name).version == second.version
    fast_proxy.clear()
    assert opened.details(first.name, second.version) == second.metadata
    assert not fast_proxy.log
    assert opened.details(first.name, 0) == opened.details(first.name, 0) == first.metadata
    assert len(fast_proxy.log) == 1
    assert opened.details(first.name, 7) is None
