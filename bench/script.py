"""What an expert would write by hand, with Polars, deltalake and boto3: the lake is measured against it.

It does the same work: it archives the raw object (a copy by the server, beside the rest), numbers the lines, deletes
what it took, and writes Delta tables. It keeps no account: nothing is hashed, counted by other means or logged, and a
file that is not regular ends it, or is read wrongly.

    python -m bench.script bronze lineitem.csv        landing to bronze
    python -m bench.script silver unique|best         bronze to silver: 11 casts, cleaning, each key once
    python -m bench.script all lineitem.csv unique    landing to gold
    python -m bench.script small PREFIX               the bare loop over small files
"""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import polars as pl
from deltalake import convert_to_deltalake

LAKE = "s3://script-lake"

TYPED = (
    pl.col("l_orderkey", "l_partkey", "l_suppkey").cast(pl.Int64),
    pl.col("l_linenumber").cast(pl.Int32),
    pl.col("l_quantity", "l_extendedprice", "l_discount", "l_tax").cast(pl.Decimal(15, 2)),
    pl.col("l_shipdate", "l_commitdate", "l_receiptdate").str.to_date("%Y-%m-%d"),
    pl.col("l_returnflag", "l_linestatus", "l_shipinstruct", "l_shipmode", "l_comment").str.strip_chars(),
)
KEY = ["l_orderkey", "l_linenumber"]


def bronze(key: str) -> None:
    """Land one CSV file: its rows as text, with file and line; the raw object goes to the archive."""
    s3 = boto3.client("s3")
    with ThreadPoolExecutor(1) as beside:
        archived = beside.submit(s3.copy, {"Bucket": "script-landing", "Key": key}, "script-archive", key)
        rows = pl.scan_csv(f"s3://script-landing/{key}", infer_schema=False, row_index_name="_line", row_index_offset=2)
        _write(rows.with_columns(pl.lit(key).alias("_file")), "bronze/lineitem")
        archived.result()
    s3.delete_object(Bucket="script-landing", Key=key)


def silver(how: str) -> None:
    """Types, cleaning, and each key once: by ``unique``, or by looking for the duplicates first."""
    rows = pl.scan_delta(f"{LAKE}/bronze/lineitem").select(TYPED)
    if how == "unique":
        _write(rows.unique(KEY, keep="any"), "silver/lineitem")
        return
    twice = rows.group_by(KEY).len().filter(pl.col("len") > 1).select(KEY).collect(engine="streaming")
    if not twice.is_empty():
        few = rows.join(twice.lazy(), on=KEY, how="semi").unique(KEY, keep="any")
        rows = pl.concat([rows.join(twice.lazy(), on=KEY, how="anti"), few])
    _write(rows, "silver/lineitem")


def gold() -> None:
    """Quantities and prices by what became of a line."""
    sums = pl.col("l_quantity", "l_extendedprice").sum()
    rows = pl.scan_delta(f"{LAKE}/silver/lineitem").group_by("l_returnflag", "l_linestatus").agg(pl.len(), sums)
    _write(rows, "gold/pricing")


def zones(key: str, how: str) -> None:
    """Landing to gold."""
    bronze(key)
    silver(how)
    gold()


def small(prefix: str) -> None:
    """Get, copy and delete small files, eight at a time."""
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_object_versions").paginate(Bucket="script-landing", Prefix=prefix)
    found = [version for page in pages for version in page.get("Versions", [])]

    def take(version: dict[str, Any]) -> int:
        key = version["Key"]
        body = s3.get_object(Bucket="script-landing", Key=key)["Body"].read()
        s3.copy_object(Bucket="script-archive", Key=key, CopySource={"Bucket": "script-landing", "Key": key})
        s3.delete_object(Bucket="script-landing", Key=key, VersionId=version["VersionId"])
        return len(body)

    with ThreadPoolExecutor(8) as pool:
        sys.stdout.write(f"{sum(pool.map(take, found)):,} bytes\n")


def _write(rows: pl.LazyFrame, table: str) -> None:
    rows.sink_parquet(f"{LAKE}/{table}/part-0.parquet", compression_level=1, engine="streaming")
    convert_to_deltalake(f"{LAKE}/{table}", storage_options={"AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"]})


def main(step: str, *arguments: str) -> None:
    """Do one of the steps."""
    steps: dict[str, Callable[..., None]] = {"bronze": bronze, "silver": silver, "all": zones, "small": small}
    steps[step](*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
