"""What a dataset's policy does to its files, and files that fill several tables."""

import io
from typing import Any

import pytest
import xlsxwriter

from catalog.ledger import Fate
from catalog.objects import Endpoint
from catalog.objects.client import connect
from catalog.zones import Zone, bronze_table
from ingestion.retake import retract
from tests.faults.bench import Bench
from tests.faults.checks import readable
from tests.support.stores import ROOT


def bench_of(endpoint: Endpoint, **policy: Any) -> Bench:
    """A lake whose datasets have this policy."""
    return Bench(endpoint, **policy)


def book(**sheets: list[tuple[str, ...]]) -> bytes:
    """A workbook of these sheets, every cell a text."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as made:
        for name, rows in sheets.items():
            sheet = made.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return out.getvalue()


def part(bench: Bench, dataset: str, name: str) -> list[tuple[Any, ...]]:
    """The first two columns of one of a dataset's further tables."""
    table = bench.tables.open(bronze_table(dataset, name))
    assert table is not None
    rows = table.scan().sort("_file", "_line").collect()
    return rows.select(rows.columns[:2]).rows()


def test_a_correction_that_is_refused_waits_and_the_old_rows_stay(fast_endpoint: Endpoint) -> None:
    """The policy names the reason; the same bytes again are no correction."""
    bench = bench_of(fast_endpoint, on_correction="refuse")
    bench.drop("a/x.csv", readable(1))
    bench.ingest()
    bench.drop("a/x.csv", readable(2))
    bench.drop("a/x.csv", readable(1))
    bench.ingest()
    assert bench.fates("a") == [("x.csv", "ingested"), ("x.csv", "rejected"), ("x.csv", "known")]
    assert bench.rows("a")["id"].to_list() == ["1"]
    assert bench.quarantine()["rule"].to_list() == ["correction"]


@pytest.mark.parametrize(("choice", "fate"), [("take", "ingested"), ("skip", "known"), ("refuse", "rejected")])
def test_the_same_bytes_under_another_name(fast_endpoint: Endpoint, choice: str, fate: str) -> None:
    """Taken with a notice, skipped or refused, whether the first came with them or long before."""
    bench = bench_of(fast_endpoint, on_duplicate=choice)
    bench.drop("a/1.csv", readable(1))
    bench.drop("a/2.csv", readable(1))
    bench.ingest()
    bench.drop("a/3.csv", readable(1))
    bench.ingest()
    assert [found for _, found in bench.fates("a")] == ["ingested", fate, fate]
    assert bench.bronze("a").rows == (3 if choice == "take" else 1)
    told = [entry.notice or entry.reason or "" for entry in bench.ledger()[1:]]
    assert all("a/1.csv" in text for text in told)


def test_a_workbook_fills_a_table_a_sheet_and_a_correction_reaches_all(fast_endpoint: Endpoint) -> None:
    """Rows of every sheet go when the workbook is corrected, also of a sheet that it has no more."""
    bench = bench_of(fast_endpoint)
    regions = [("code", "name"), ("N", "North"), ("S", "South")]
    bench.drop("a/book.xlsx", book(Prices=[("day", "price"), ("1", "x"), ("2", "y")], Regions=regions))
    bench.drop("a/other.xlsx", book(Prices=[("day", "price"), ("3", "z")], Regions=[("code", "name"), ("W", "West")]))
    bench.ingest()
    assert bench.bronze("a").rows == 3
    assert part(bench, "a", "regions") == [("N", "North"), ("S", "South"), ("W", "West")]
    bench.drop("a/book.xlsx", book(Prices=[("day", "price"), ("1", "corrected")]))
    bench.ingest()
    assert sorted(bench.rows("a")["price"]) == ["corrected", "z"]
    assert part(bench, "a", "regions") == [("W", "West")]
    retract(bench.tables, bench.policy, ["a/other.xlsx"])
    assert bench.rows("a")["price"].to_list() == ["corrected"]
    assert part(bench, "a", "regions") == []


def test_labels_and_codelists_of_a_statistics_file(fast_endpoint: Endpoint) -> None:
    """Codes stay codes; labels are the columns' metadata, and value labels a table of their own."""
    bench = bench_of(fast_endpoint)
    bench.drop("a/pspp.sav", (ROOT / "tests/data/formats/pspp.sav").read_bytes())
    bench.ingest()
    [entry] = bench.ledger()
    assert entry.fate == Fate.INGESTED
    assert any("label" in metadata for metadata in bench.bronze("a").columns.values())
    codelist = bench.tables.open(bronze_table("a", "codelist"))
    assert codelist is not None
    assert {"variable", "value", "label"} <= set(codelist.schema)
    assert entry.rows == bench.bronze("a").rows + codelist.rows == entry.records


def test_a_file_that_is_still_being_uploaded_is_not_seen(endpoint: Endpoint) -> None:
    """A multipart upload that nobody has completed is nothing yet."""
    bench = bench_of(endpoint)
    client, bucket = connect(endpoint), endpoint.bucket(Zone.LANDING)
    begun = client.create_multipart_upload(Bucket=bucket, Key="a/big.csv")
    upload = {"Bucket": bucket, "Key": "a/big.csv", "UploadId": begun["UploadId"]}
    sent = client.upload_part(**upload, PartNumber=1, Body=readable(1))
    assert bench.ingest() == []
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": sent["ETag"]}]})
    bench.ingest()
    assert bench.rows("a")["id"].to_list() == ["1"]
