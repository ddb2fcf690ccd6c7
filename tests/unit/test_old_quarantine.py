"""Rows of the quarantine that an older lake wrote: the archive tells their delivery, so that they can be settled."""

import polars as pl

from catalog import quarantine
from lake.replay import whole


def test_the_archive_tells_the_delivery_of_an_old_row() -> None:
    """A row without delivery, status and id waits under the delivery whose bytes are kept; one of a job has none."""
    old = pl.LazyFrame({"file": ["a/x.csv", None], "archived_as": ["raw/a/00000001/000000", None]})
    rows = whole(old).select("delivery", "status").collect().rows()
    assert rows == [("a/00000001/000000", "waiting"), (None, "waiting")]


def test_an_old_row_is_marked_as_done() -> None:
    """Its delivery is settled: it waits no more."""
    lacking = {name: pl.Series([None], dtype=dtype) for name, dtype in quarantine.SCHEMA.items()}
    old = pl.DataFrame(lacking | {"archived_as": pl.Series(["raw/a/00000001/000000"])}).lazy()
    settled = quarantine._settler({"a/00000001/000000": "a/00000002/000000"})(old)
    row = settled.select("delivery", "status", "done_by").collect().row(0)
    assert row == ("a/00000001/000000", "done", "a/00000002/000000")
