"""The jobs that are measured: line items with types, cleaned and each once; and a table of gold over them.

TPC-H's other tables with money have jobs too, because money is decimal there, and what is inferred is a float.
"""

import polars as pl

from lake import Source, job

MONEY = pl.Decimal(15, 2)
TYPES = {
    "l_orderkey": pl.Int64,
    "l_partkey": pl.Int64,
    "l_suppkey": pl.Int64,
    "l_linenumber": pl.Int32,
    "l_quantity": MONEY,
    "l_extendedprice": MONEY,
    "l_discount": MONEY,
    "l_tax": MONEY,
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


CUSTOMER = {"c_custkey": pl.Int64, "c_nationkey": pl.Int32, "c_acctbal": MONEY}
ORDERS = {
    "o_orderkey": pl.Int64,
    "o_custkey": pl.Int64,
    "o_totalprice": MONEY,
    "o_orderdate": pl.Date,
    "o_shippriority": pl.Int32,
}
SUPPLIER = {"s_suppkey": pl.Int64, "s_nationkey": pl.Int32, "s_acctbal": MONEY}
PART = {"p_partkey": pl.Int64, "p_size": pl.Int32, "p_retailprice": MONEY}
PARTSUPP = {"ps_partkey": pl.Int64, "ps_suppkey": pl.Int64, "ps_availqty": pl.Int32, "ps_supplycost": MONEY}


@job("silver.customer", key=["c_custkey"], types=CUSTOMER)
def customer(rows: Source["bronze.customer"]) -> pl.LazyFrame:
    """Who buys; texts stay as they are, because TPC-H's answers have addresses that begin with a space."""
    return rows.select("^c_.*$")


@job("silver.orders", key=["o_orderkey"], types=ORDERS)
def orders(rows: Source["bronze.orders"]) -> pl.LazyFrame:
    """What was bought together."""
    return rows.select("^o_.*$")


@job("silver.supplier", key=["s_suppkey"], types=SUPPLIER)
def supplier(rows: Source["bronze.supplier"]) -> pl.LazyFrame:
    """Who sells."""
    return rows.select("^s_.*$")


@job("silver.part", key=["p_partkey"], types=PART)
def part(rows: Source["bronze.part"]) -> pl.LazyFrame:
    """What is sold."""
    return rows.select("^p_.*$")


@job("silver.partsupp", key=["ps_partkey", "ps_suppkey"], types=PARTSUPP)
def partsupp(rows: Source["bronze.partsupp"]) -> pl.LazyFrame:
    """Who has which part, how many, and at what cost."""
    return rows.select("^ps_.*$")
