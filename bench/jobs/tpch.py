"""The jobs that are measured: line items with types, cleaned and each once; and a table of gold over them."""

import polars as pl

from lake import Source, job

TYPES = {
    "l_orderkey": pl.Int64,
    "l_partkey": pl.Int64,
    "l_suppkey": pl.Int64,
    "l_linenumber": pl.Int32,
    "l_quantity": pl.Decimal(15, 2),
    "l_extendedprice": pl.Decimal(15, 2),
    "l_discount": pl.Decimal(15, 2),
    "l_tax": pl.Decimal(15, 2),
    "l_shipdate": pl.Date,
    "l_commitdate": pl.Date,
    "l_receiptdate": pl.Date,
}
KEY = ["l_orderkey", "l_linenumber"]
CLEANED = pl.col("l_returnflag", "l_linestatus", "l_shipinstruct", "l_shipmode", "l_comment").str.strip_chars()


@job("silver.lineitem", key=KEY, types=TYPES)
def lineitem(lines: Source["bronze.lineitem"]) -> pl.LazyFrame:
    """Every line of an order."""
    return lines.select(*TYPES, CLEANED)


@job("gold.pricing")
def pricing(lines: Source["silver.lineitem"]) -> pl.LazyFrame:
    """Quantities and prices by what became of a line."""
    return lines.group_by("l_returnflag", "l_linestatus").agg(
        pl.len().alias("lines"),
        pl.col("l_quantity").sum().alias("quantity"),
        pl.col("l_extendedprice").sum().alias("price"),
    )


@job("silver.lineitem_upsert", mode="upsert", key=KEY, types=TYPES)
def lineitem_upsert(lines: Source["bronze.lineitem"]) -> pl.LazyFrame:
    """The same, where only lines that are new or changed are written."""
    return lines.select(*TYPES, CLEANED)


@job("silver.lineitem_append", mode="append", types=TYPES)
def lineitem_append(lines: Source["bronze.lineitem"]) -> pl.LazyFrame:
    """The same without a key: what is new is added."""
    return lines.select(*TYPES, CLEANED)
