"""Tables that are derived from what was committed elsewhere: each fact once, whoever writes it down, however often."""

from concurrent.futures import ThreadPoolExecutor

import polars as pl

from catalog.derived import SMALL_FILES_MAX, record_once
from catalog.objects import Endpoint, ObjectStore
from catalog.tables import Tables
from catalog.zones import TableName

NAME = TableName.parse("catalog.facts")
SOURCES = SMALL_FILES_MAX + 8


def test_each_source_is_written_down_once_by_several_writers_at_once(fast_endpoint: Endpoint) -> None:
    """Two writers go through the same sources at the same time; the small files that pile up are merged on the way."""

    def write(_: int) -> None:
        tables = Tables(ObjectStore(fast_endpoint))
        for number in range(SOURCES):
            rows = pl.LazyFrame({"source": [f"s{number}"] * 2, "fact": [2 * number, 2 * number + 1]})
            record_once(tables, NAME, ("source", f"s{number}"), lambda rows=rows: rows)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(2)))
    head = Tables(ObjectStore(fast_endpoint)).open(NAME)
    assert head is not None
    assert sorted(head.scan().collect()["fact"]) == list(range(2 * SOURCES))
    assert head.version == SOURCES - 1
    assert len(head.files) < SMALL_FILES_MAX
