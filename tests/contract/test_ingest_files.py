"""Which files an ingest meets, on both servers: unreadable ones, many, and names that no file system would take."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

from catalog.errors import StoreError
from catalog.ledger import Fate
from catalog.objects import Endpoint
from catalog.zones import Zone, dataset_of
from ingestion import absorb
from ingestion.columns import LAKE_COLUMNS
from tests.faults.bench import Bench
from tests.faults.checks import UNREADABLE, check_once, readable

SMALL_FILES = 300


def test_unreadable_files_are_set_aside_whole_with_the_reason(endpoint: Endpoint) -> None:
    """An empty file, a picture, broken text: each in quarantine once, its bytes kept, and nothing else suffers."""
    bench = Bench(endpoint)
    for number, body in enumerate(UNREADABLE):
        bench.drop(f"a/{number}.csv", body)
    bench.drop("a/book.xlsx", UNREADABLE[0])
    bench.drop("a/good.csv", readable(1))
    bench.drop("b/photo.csv", UNREADABLE[1])
    bench.drop("c/good.csv", readable(2))
    bench.ingest()
    assert [fate for _, fate in bench.fates("a")] == ["rejected"] * (len(UNREADABLE) + 1) + ["ingested"]
    assert all(entry.rule and entry.reason for entry in bench.ledger() if entry.fate == Fate.REJECTED)
    [photo] = bench.quarantine().filter(file="b/photo.csv").to_dicts()
    assert (photo["table"], photo["stage"], photo["record"]) == ("bronze.b", "ingest", None)
    check_once(bench)


def test_a_dataset_that_begins_with_bad_files_alone(fast_endpoint: Endpoint) -> None:
    """A table whose first batch brought no columns takes those of the first file that can be read."""
    bench = Bench(fast_endpoint)
    bench.drop("a/1.csv", UNREADABLE[0])
    bench.drop("a/2.csv", b"")
    bench.ingest()
    assert bench.bronze("a").rows == 0
    bench.drop("a/3.csv", readable(1))
    bench.ingest()
    bench.drop("a/4.csv", b"other,columns\n1,2\n")
    bench.drop("a/5.csv", b"note,id\nchanged order,2\n")
    bench.ingest()
    assert bench.rows("a").select("id", "note").rows() == [("1", "note 1"), ("2", "changed order")]
    assert [fate for _, fate in bench.fates("a")] == ["rejected", "rejected", "ingested", "rejected", "ingested"]


def test_a_file_with_a_header_alone(fast_endpoint: Endpoint) -> None:
    """It is ingested with no rows; the columns of a table are those of the first file that brings some."""
    bench = Bench(fast_endpoint)
    bench.drop("a/1.csv", b"id,remark\n")
    bench.ingest()
    assert bench.bronze("a").rows == 0
    bench.drop("a/2.csv", readable(1))
    bench.ingest()
    bench.drop("a/3.csv", b"id,remark\n")
    bench.drop("a/4.csv", b"note,id\n")
    bench.ingest()
    assert [fate for _, fate in bench.fates("a")] == ["ingested"] * 4
    assert bench.rows("a").select("id", "note", "remark").rows() == [("1", "note 1", None)]


def test_columns_with_names_that_delta_or_polars_would_mistake(fast_endpoint: Endpoint) -> None:
    """Names with spaces, umlauts, patterns, and the lake's own names become columns that can be read back."""
    bench = Bench(fast_endpoint)
    bench.drop("a/1.csv", "größe,^.*$,dep delay,_file,*,Größe\n1,2,3,4,5,6\n".encode())
    bench.ingest()
    bench.drop("a/2.csv", "größe,^.*$,dep delay,_file,*,Größe\n7,8,9,a,b,c\n".encode())
    bench.ingest()
    rows = bench.rows("a").drop(LAKE_COLUMNS).rows()
    assert rows == [("1", "2", "3", "4", "5", "6"), ("7", "8", "9", "a", "b", "c")]


def test_many_small_files_make_one_data_file_and_one_commit(fast_endpoint: Endpoint) -> None:
    """A batch of hundreds of files is one data file, so that reading a dataset stays cheap."""
    bench = Bench(fast_endpoint)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: bench.drop(f"a/{number:03}.csv", readable(number)), range(SMALL_FILES)))
    assert len(bench.ingest()) == 1
    bronze = bench.bronze("a")
    assert (bronze.version, len(bronze.files), bronze.rows) == (0, 1, SMALL_FILES)
    bench.drop("a/007.csv", readable("corrected"))
    bench.ingest()
    assert bench.landing() == []
    expected = [str(number) for number in range(SMALL_FILES) if number != 7]
    assert sorted(bench.rows("a")["id"]) == sorted([*expected, "corrected"])


def _mixed(number: int) -> bytes:
    """Small files of all kinds: plain, with another column, of which a part is bad, unreadable, empty."""
    if number % 7 == 3:
        return readable(number) + b'9,"never closed\n'
    if number % 11 == 5:
        return UNREADABLE[number % len(UNREADABLE)]
    if number in {20, 31}:
        return f"id,note,extra{number}\n{number},n,x\n".encode()
    return readable(number, number + 1000)


def test_small_files_that_are_read_two_at_a_time_are_read_as_one_by_one(
    fast_endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns that come on the way, bad files and corrections in one batch: nothing depends on who reads which."""
    found, bench = [], Bench(fast_endpoint)
    for dataset, many in (("two", 2), ("one", 1000)):
        monkeypatch.setattr(absorb, "MANY", many)
        for number in range(40):
            bench.drop(f"{dataset}/{number:02}.csv", _mixed(number))
        bench.drop(f"{dataset}/13.csv", readable(5000))
        bench.drop(f"{dataset}/large.csv", b"id,note\n" + b"".join(b"%d,a note\n" % row for row in range(100_000)))
        bench.ingest()
        assert bench.landing() == []
        rows = bench.rows(dataset).drop("_batch", "_ingested_at").with_columns(pl.col("_file").str.slice(4))
        told = [(entry.file[4:], entry.fate, entry.rows, entry.reason) for entry in bench.ledger(dataset)]
        found.append((rows.rows(), rows.columns, told))
    assert found[0] == found[1]


def test_files_at_the_root_belong_to_the_dataset_that_their_names_tell(fast_endpoint: Endpoint) -> None:
    """`prices-2024.csv` and `prices-2025.csv` are one dataset, and one with a folder of that name."""
    bench = Bench(fast_endpoint)
    bench.drop("prices-2024.csv", readable(1))
    bench.drop("prices-2025.csv", readable(2))
    bench.drop("Prices/2026.csv", readable(3))
    bench.ingest()
    assert bench.rows("prices")["id"].to_list() == ["3", "1", "2"]
    check_once(bench)


ODD = (
    "a/with spaces and 'quotes' \".csv",
    "a/ümläut/größe.csv",
    "a/emoji 🦆.csv",
    "a/100% & more + #?=;,~.csv",
    "a/[glob]*{x}.csv",
    "a/..hidden/...csv",
    "a/e\u0301 combining.csv",
    f"a/{'long' * 50}.csv",
    "a/$(touch x)`id`.csv",
    "a/no extension",
    "a/b/c/d/e/f.csv",
    "ä.csv",
)


def test_odd_names_are_taken_and_never_become_local_paths(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a key is called, its rows carry it unaltered, it leaves landing, and nothing is written in its name."""
    bench = Bench(endpoint)
    for number, key in enumerate(ODD):
        bench.drop(key, readable(number))
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    before = sorted(tmp_path.rglob("*"))
    bench.ingest()
    datasets = {dataset_of(key) for key in ODD}
    assert sorted(file for dataset in datasets for file in bench.rows(dataset)["_file"]) == sorted(ODD)
    assert sorted(tmp_path.rglob("*")) == before
    check_once(bench)


def test_names_that_look_like_paths_are_refused_by_the_store_or_taken_whole(endpoint: Endpoint) -> None:
    """A store may refuse such a key or keep it under an alias; what it lists is taken once, under the listed name."""
    bench = Bench(endpoint)
    for number, key in enumerate(("a/../../escape.csv", "a//double.csv", "a/back\\slash.csv", "a/./dot.csv")):
        with suppress(StoreError):
            bench.objects.put(Zone.LANDING, key, readable(number))
    listed = [version.key for version in bench.landing()]
    assert listed
    bench.ingest()
    assert sorted(entry.file for entry in bench.ledger()) == sorted(listed)
    assert all(entry.fate == Fate.INGESTED for entry in bench.ledger())
    assert bench.landing() == []


def test_placeholders_of_folders_are_no_deliveries(endpoint: Endpoint) -> None:
    """An object whose key ends with a slash, as some tools make them, is left alone."""
    bench = Bench(endpoint)
    bench.objects.put(Zone.LANDING, "a/", b"")
    bench.drop("a/1.csv", readable(1))
    bench.ingest()
    assert len(bench.ledger()) == 1
    check_once(bench)
    assert bench.ingest() == []
