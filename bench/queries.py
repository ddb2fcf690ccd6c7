"""TPC-H queries over a lake: the first and the second time in one process, and by others over the same rows.

Run in a project whose silver tables are TPC-H's; prints a JSON object of seconds: ``first`` (Q1, Q3 and Q6, with an
empty cache), ``polars`` (the same by Polars' SQL over the files on the store), ``second`` (all four, again) and
``duckdb`` (DuckDB over the same files on the local disk, again). Polars' SQL does not know what Q18 asks.
Raises `RuntimeError` where the lake does not answer as DuckDB does.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import duckdb
import polars as pl

import lake

TABLES = ("lineitem", "orders", "customer")

QUERIES = {
    "Q1": """
        select l_returnflag, l_linestatus, sum(l_quantity) as quantity, sum(l_extendedprice) as price,
            sum(l_extendedprice * (1 - l_discount)) as discounted, avg(l_discount) as discount, count(*) as lines
        from {lineitem} as l where l_shipdate <= date '1998-09-02'
        group by l_returnflag, l_linestatus order by l_returnflag, l_linestatus""",
    "Q3": """
        select l_orderkey, sum(l_extendedprice * (1 - l_discount)) as revenue, o_orderdate, o_shippriority
        from {customer} as c join {orders} as o on c_custkey = o_custkey join {lineitem} as l on l_orderkey = o_orderkey
        where c_mktsegment = 'BUILDING' and o_orderdate < date '1995-03-15' and l_shipdate > date '1995-03-15'
        group by l_orderkey, o_orderdate, o_shippriority order by revenue desc, o_orderdate limit 10""",
    "Q6": """
        select sum(l_extendedprice * l_discount) as revenue from {lineitem} as l
        where l_shipdate >= date '1994-01-01' and l_shipdate < date '1995-01-01'
            and l_discount between 0.05 and 0.07 and l_quantity < 24""",
    "Q18": """
        select c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, sum(l_quantity) as quantity
        from {customer} as c join {orders} as o on c_custkey = o_custkey join {lineitem} as l on o_orderkey = l_orderkey
        where o_orderkey in (select l_orderkey from {lineitem} as big group by l_orderkey having sum(l_quantity) > 300)
        group by c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice
        order by o_totalprice desc, o_orderdate limit 100""",
}


def seconds_of(run: Callable[[str], object], tables: Mapping[str, str], names: Sequence[str]) -> float:
    """The seconds that queries take, one after another."""
    began = time.perf_counter()
    for name in names:
        run(QUERIES[name].format_map(tables))
    return time.perf_counter() - began


def copied(here: lake.View, folder: Path, tables: Iterable[str]) -> dict[str, str]:
    """The files of tables of silver on the local disk, as DuckDB names them."""
    found = {}
    for table in tables:
        snapshot = here.snapshot(f"silver.{table}")
        paths = [folder / file.path for file in snapshot.files]
        for path in paths:
            here.objects.fetch(snapshot.name.zone, f"{snapshot.name.path}/{path.name}", path)
        found[table] = f"read_parquet({list(map(str, paths))})"
    return found


def main() -> None:
    """Time the queries over the lake of this folder."""
    here = lake.open().at()
    silver = {table: f"silver.{table}" for table in TABLES}
    few, every = ("Q1", "Q3", "Q6"), tuple(QUERIES)
    told = {"first": seconds_of(lambda sql: here.query(sql).collect(), silver, few)}
    frames = pl.SQLContext({table: here.read(name) for table, name in silver.items()})
    names = {table: table for table in TABLES}
    told["polars"] = seconds_of(lambda sql: frames.execute(sql).collect(engine="streaming"), names, few)
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        files = copied(here, Path(folder), TABLES)
        for name, sql in QUERIES.items():
            ours = here.query(sql.format_map(silver)).collect().rows()
            if repr(ours) != repr(connection.sql(sql.format_map(files)).fetchall()):
                raise RuntimeError(f"{name}: the lake does not answer as DuckDB does: {ours}")
        told["second"] = seconds_of(lambda sql: here.query(sql).collect(), silver, every)
        told["duckdb"] = seconds_of(lambda sql: connection.sql(sql).fetchall(), files, every)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
