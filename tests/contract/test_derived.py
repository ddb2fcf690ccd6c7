"""Tables derived from commits elsewhere: what a source says is there once, whoever writes it down, however often."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from catalog import derived
from catalog.derived import record_once
from catalog.errors import StoreError
from catalog.objects import Endpoint, ObjectStore
from catalog.tables import Tables
from catalog.zones import TableName
from tests.support.delta import head, read_everywhere
from tests.support.proxy import Proxy

NAME = TableName.parse("catalog.derived")


@pytest.fixture
def tables(endpoint: Endpoint) -> Tables:
    return Tables(ObjectStore(endpoint))


def said_by(source: str, count: int = 2) -> Callable[[], pl.LazyFrame]:
    """Rows that name their source."""
    schema = pl.Schema({"source": pl.String(), "number": pl.Int64()})
    return lambda: pl.LazyFrame({"source": [source] * count, "number": list(range(count))}, schema=schema)


def record(tables: Tables, source: str, count: int = 2) -> int:
    return record_once(tables, NAME, ("source", source), said_by(source, count)).version


def rows(tables: Tables) -> list[tuple[str, int]]:
    return sorted(head(tables, NAME).scan().collect().rows())


def test_once_however_often(tables: Tables) -> None:
    """A second time changes nothing, and makes no version; a name that sorts between others is a source of its own."""
    sources = ("a", "c", "b" * 100, "\U00020000")
    for _ in range(2):
        for source in sources:
            record(tables, source)
    assert head(tables, NAME).version == 3
    assert rows(tables) == sorted((source, number) for source in sources for number in (0, 1))


def test_once_by_four_at_a_time(tables: Tables) -> None:
    """Four who each write down the same five sources, in other orders: five versions, every row once."""
    sources = [f"batch {number}" for number in range(5)]

    def write(first: int) -> None:
        own = Tables(ObjectStore(tables.endpoint))
        for source in sources[first:] + sources[:first]:
            record(own, source)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert rows(tables) == [(source, number) for source in sources for number in (0, 1)]
    assert head(tables, NAME).version == 4


@pytest.mark.usefixtures("impatient")
def test_once_when_the_store_stumbles(proxy: Proxy, endpoint: Endpoint) -> None:
    """A lost reply, and a store that goes away after a commit that was made: the next one finds the rows."""
    through, direct = Tables(ObjectStore(proxy.endpoint)), Tables(ObjectStore(endpoint))
    proxy.drop_reply("PUT", "_delta_log")
    record(through, "a")
    proxy.on_request(lambda _: proxy.drop_request("*", "", times=None), "PUT", "_delta_log")
    proxy.drop_reply("PUT", "_delta_log")
    with pytest.raises(StoreError):
        record(through, "b")
    proxy.clear()
    proxy.answer(403, "GET", "/part-", times=None)
    with pytest.raises(StoreError):
        record(through, "b")
    proxy.clear()
    record(through, "b")
    assert rows(direct) == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]


def test_small_files_are_merged_without_touching_a_row(
    fast_endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writers at once: files do not pile up, and what was written down before a merge is known after it."""
    monkeypatch.setattr(derived, "SMALL_FILES_MAX", 5)
    sources = [f"batch {number:03}" for number in range(12)]

    def write(order: int) -> None:
        own = Tables(ObjectStore(fast_endpoint))
        for source in sources[::order]:
            record(own, source)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (1, -1)))
    tables = Tables(ObjectStore(fast_endpoint))
    newest = head(tables, NAME)
    assert newest.version == len(sources) - 1
    assert len(newest.files) <= 5
    wanted = [(source, number) for source in sources for number in (0, 1)]
    for found in read_everywhere(newest).values():
        assert sorted(found.rows()) == wanted


def test_a_source_without_rows_is_no_failure(tables: Tables) -> None:
    """Nothing to write down is written down as nothing."""
    record(tables, "silent", count=0)
    record(tables, "a")
    record(tables, "silent", count=0)
    assert rows(tables) == [("a", 0), ("a", 1)]


def test_a_table_of_an_older_lake_takes_more_columns(fast_endpoint: Endpoint) -> None:
    """Its rows stay as they are, without them; a source that it holds is not written down again."""
    tables = Tables(ObjectStore(fast_endpoint))
    record(tables, "old")
    wide = pl.LazyFrame({"source": ["new"], "number": [7], "said": ["x"]})
    for _ in range(2):
        record_once(tables, NAME, ("source", "new"), lambda: wide)
        record(tables, "old")
    wanted = {("old", 0, None), ("old", 1, None), ("new", 7, "x")}
    for found in read_everywhere(head(tables, NAME)).values():
        assert found.columns == ["source", "number", "said"]
        assert set(found.rows()) == wanted
        assert found.height == 3
