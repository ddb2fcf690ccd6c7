"""Files whose columns are not their table's, from landing to bronze: each policy, in one batch and over several."""

import io
import json

import polars as pl
import pytest

from catalog.errors import StoreError
from catalog.objects import Endpoint, ObjectStore
from catalog.tables import Tables
from ingestion import ingest
from tests.faults.bench import Bench
from tests.support.delta import read_everywhere
from tests.support.proxy import Proxy

OLD = b"id,note\n1,one\n2,two\n"
NEW = "id,note,dép délai\n3,three,x\n".encode()


def parquet(frame: pl.DataFrame) -> bytes:
    """The frame as a file."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def test_a_table_evolves(endpoint: Endpoint) -> None:
    """A new column is null in older rows, for every reader, and labelled with its name as found."""
    bench = Bench(endpoint)
    bench.drop("a/1.csv", OLD)
    bench.ingest()
    bench.drop("a/2.csv", NEW)
    bench.ingest()
    bench.drop("a/3.csv", b"note,id\nfour,4\n")
    bench.ingest()
    wanted = [("1", "one", None), ("2", "two", None), ("3", "three", "x"), ("4", "four", None)]
    assert bench.rows("a").select("id", "note", "dép_délai").rows() == wanted
    for reader, found in read_everywhere(bench.bronze("a")).items():
        assert sorted(found.select("id", "note", "dép_délai").rows()) == wanted, reader
    assert bench.bronze("a").columns == {"dép_délai": {"label": "dép délai"}}
    notices = [entry.notice or "" for entry in bench.ledger("a")]
    assert "new columns of the table: 'dép_délai'" in notices[1]
    assert "columns that the file lacks: 'dép_délai'" in notices[2]


def test_columns_that_come_and_go_within_a_batch(fast_endpoint: Endpoint) -> None:
    """One commit holds files of several widths."""
    bench = Bench(fast_endpoint)
    for number, body in enumerate([OLD, NEW, b"id,note,other\n4,four,y\n", b"id\n5\n"]):
        bench.drop(f"a/{number}.csv", body)
    bench.ingest()
    rows = bench.rows("a").select("id", "note", "dép_délai", "other").rows()
    assert rows[2:] == [("3", "three", "x", None), ("4", "four", None, "y"), ("5", None, None, None)]
    assert bench.bronze("a").version == 0


def test_a_correction_brings_a_column(fast_endpoint: Endpoint) -> None:
    """The old rows go; what stays of their data file is in the wider table."""
    bench = Bench(fast_endpoint)
    bench.drop("a/1.csv", OLD)
    bench.drop("a/2.csv", b"id,note\n9,nine\n")
    bench.ingest()
    bench.drop("a/1.csv", NEW)
    bench.ingest()
    assert bench.rows("a").select("id", "note", "dép_délai").rows() == [("3", "three", "x"), ("9", "nine", None)]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("step", "fault"), [(1, "drop_reply"), (2, "drop_request")])
def test_a_store_that_goes_away_between_columns_and_rows(
    step: int, fault: str, fast_proxy: Proxy, fast_endpoint: Endpoint
) -> None:
    """Whichever of the two commits was the last, the next ingest brings the rows once."""
    bench = Bench(fast_endpoint)
    bench.drop("a/1.csv", OLD)
    bench.ingest()
    bench.drop("a/2.csv", NEW)
    target = rf"bronze.*/a/_delta_log/{step:020d}\.json"
    fast_proxy.on_request(lambda _: fast_proxy.drop_request("*", "", times=None), "PUT", target)
    rule = getattr(fast_proxy, fault)("PUT", target)
    with pytest.raises(StoreError):
        ingest.ingest(Tables(ObjectStore(fast_proxy.endpoint)), bench.policy, ())
    assert rule.hits == 1
    fast_proxy.clear()
    bench.ingest()
    assert [row[0] for row in bench.rows("a").select("id").rows()] == ["1", "2", "3"]
    assert bench.bronze("a").version == 2


def test_a_type_that_changes(fast_endpoint: Endpoint) -> None:
    """A typed table keeps its types; text that is no such value is kept beside it. A table of text takes anything."""
    bench = Bench(fast_endpoint)
    bench.drop("typed/1.parquet", parquet(pl.DataFrame({"id": [1], "note": ["one"]})))
    bench.drop("text/1.csv", OLD)
    bench.ingest()
    bench.drop("typed/2.csv", b"id,note\n2,two\n007,bond\n")
    bench.drop(
        "text/2.parquet", parquet(pl.DataFrame({"id": [3.5], "note": [None]}, schema_overrides={"note": pl.Date}))
    )
    bench.ingest()
    typed = bench.rows("typed")
    assert typed.select("id", "note").rows() == [(1, "one"), (2, "two"), (None, "bond")]
    assert typed["_rescued"].to_list() == [None, None, '{"id":"007"}']
    assert bench.rows("text")["id"].to_list() == ["1", "2", "3.5"]


def test_a_frozen_table(fast_endpoint: Endpoint) -> None:
    """Takes files of its columns, and sets others aside whole, with the difference."""
    bench = Bench(fast_endpoint, drift="freeze")
    bench.drop("a/1.csv", OLD)
    bench.ingest()
    bench.drop("a/2.csv", NEW)
    bench.drop("a/3.csv", b"note,id\nfour,4\n")
    bench.ingest()
    assert [fate for _, fate in bench.fates("a")] == ["ingested", "rejected", "ingested"]
    [waiting] = bench.quarantine().to_dicts()
    assert (waiting["rule"], waiting["message"]) == (
        "schema",
        "the columns are not those of the table: unknown 'dép_délai'",
    )
    assert bench.rows("a")["id"].to_list() == ["1", "2", "4"]


def test_rescued_and_set_aside(fast_endpoint: Endpoint) -> None:
    """A value in an unknown column is kept beside its row, or waits with it in the quarantine."""
    for drift, kept, waiting in (("rescue", ["1", "2", "3"], 0), ("quarantine", ["1", "2"], 1)):
        bench = Bench(fast_endpoint, drift=drift, bad_share_max=1.0)
        bench.drop(f"{drift}/1.csv", OLD)
        bench.ingest()
        bench.drop(f"{drift}/2.csv", NEW)
        bench.ingest()
        rows = bench.rows(drift)
        assert rows["id"].to_list() == kept
        assert "dép_délai" not in rows.columns
        assert [text for text in rows["_rescued"] if text] == (['{"dép_délai":"x"}'] if drift == "rescue" else [])
        aside = bench.quarantine()
        assert aside.height == waiting
    assert aside.select("file", "line", "rule").rows() == [("quarantine/2.csv", 2, "schema")]
    assert json.loads(aside["record"][0]) == {"id": "3", "note": "three", "dép_délai": "x"}
