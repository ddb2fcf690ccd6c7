"""A small lake with a silver upsert and gold on it: orders of a few shops; what it must hold, reckoned without it."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from catalog.objects import Endpoint
from catalog.quarantine import QUARANTINE
from catalog.zones import TableName
from lake import Lake, View
from lake.reading import open_lake
from tests.faults.bench import Bench
from tests.faults.checks import UNREADABLE, check_once, records, standing
from tests.support.projects import variables

JOBS = '''
import polars as pl

from lake import Source, expect, job


@job(
    "silver.orders",
    mode="upsert",
    key=["id"],
    types={"amount": pl.Int64},
    expect=[expect.rule("amount is not negative", pl.col("amount") >= 0, action="quarantine")],
)
def orders(orders: Source["bronze.orders"]) -> pl.LazyFrame:
    """Every order as its newest delivery has it."""
    newest = orders.sort("_batch", "_line").unique("id", keep="last", maintain_order=True)
    return newest.select("id", "shop", "amount")


@job("silver.shops", key=["shop"])
def shops(shops: Source["bronze.shops"]) -> pl.LazyFrame:
    """Every shop and its city."""
    return shops.select("shop", "city")
'''
GOLD = {
    "sales": "select shop, count(*) as orders, cast(sum(amount) as bigint) as amount from silver.orders group by shop",
    "cities": "select s.city, count(*) as orders from silver.orders o join silver.shops s using (shop) group by s.city",
}
SHOPS, CITIES = "abc", ("Bern", "Graz")

Rows = list[dict[str, Any]]


def found_shop(endpoint: Endpoint, folder: Path) -> Lake:
    """A project with these jobs, on this store."""
    (folder / "jobs" / "gold").mkdir(parents=True)
    (folder / "lake.toml").touch()
    (folder / "jobs" / "silver.py").write_text(JOBS)
    for name, query in GOLD.items():
        (folder / "jobs" / "gold" / f"{name}.sql").write_text(f"-- mode: replace\n{query}\n")
    return open_lake(folder, variables(endpoint))


def orders_file(rng: random.Random, number: int) -> bytes:
    """Some of a file's eight orders, each of some shop; now and then one with an amount that silver refuses."""
    lines = [f"{number}-{i},{rng.choice(SHOPS)},{rng.randint(-1, 20)}" for i in range(8) if rng.random() < 0.7]
    return "\n".join(["id,shop,amount", *lines, ""]).encode()


def shops_file(rng: random.Random) -> bytes:
    """Every shop, in some city."""
    return "\n".join(["shop,city", *(f"{shop},{rng.choice(CITIES)}" for shop in SHOPS), ""]).encode()


def bring(bench: Bench, rng: random.Random) -> str:
    """One thing that a supplier does; what it was."""
    what = rng.choices(["file", "same again", "other name", "bad file", "delete", "shops"], [5, 1, 1, 1, 1, 1])[0]
    number = rng.randint(1, 5)
    key = f"orders/{number}.csv"
    readable = [
        d for d in bench.drops if d.body is not None and d.key.startswith("orders/") and d.body not in UNREADABLE
    ]
    if what == "delete":
        bench.delete(key)
    elif what == "bad file":
        bench.drop(key, rng.choice(UNREADABLE))
    elif what == "shops":
        bench.drop("shops/shops.csv", shops_file(rng))
    elif what == "file" or not readable:
        bench.drop(key, orders_file(rng, number))
    else:
        again = rng.choice(readable)
        bench.drop(again.key if what == "same again" else f"orders/copy of {number}.csv", again.body or b"")
    return what


def check_settled(bench: Bench, lake: Lake) -> None:
    """After a clean run: every record once in bronze, and silver and gold are what follows from what was dropped."""
    check_once(bench)
    bodies = {(drop.key, drop.version_id): drop.body for drop in bench.drops}
    delivered = [
        dict(zip(("id", "shop", "amount"), values, strict=True))
        for entry in standing(bench.ledger("orders"), replacing=True)
        for _, _, values in records(entry.file, bodies[entry.file, entry.version_id] or b"")
    ]
    assert rows(lake.at(), "silver.orders") == silver_orders(delivered)


def check_commit(lake: Lake, number: int) -> None:
    """One commit, read as a whole: every table that it pins opens, and all that it pins belongs together."""
    view = lake.at(number)
    for name in view.names():
        assert view.read(name).collect().height == view.snapshot(name).rows, f"{name} at commit {number}"
    if "silver.orders" not in view.names():
        return
    orders = rows(view, "silver.orders")
    assert orders == silver_orders(_as_read(lake, view)), f"silver.orders at commit {number}"
    sales = [
        {"shop": shop, "orders": len(amounts), "amount": sum(amounts)}
        for shop in SHOPS
        if (amounts := [row["amount"] for row in orders if row["shop"] == shop])
    ]
    assert rows(view, "gold.sales") == sales, f"gold.sales at commit {number}"
    if "silver.shops" in view.names():
        city = {row["shop"]: row["city"] for row in rows(view, "silver.shops")}
        cities = Counter(city[row["shop"]] for row in orders)
        expected = [{"city": name, "orders": cities[name]} for name in sorted(cities)]
        assert rows(view, "gold.cities") == expected, f"gold.cities at commit {number}"


def rows(view: View, name: str) -> Rows:
    """A published table's rows in the order of its first column."""
    frame = view.read(name).collect()
    return frame.sort(frame.columns[0]).to_dicts()


def silver_orders(delivered: Iterable[dict[str, str]]) -> Rows:
    """What silver.orders must hold: of each order the newest delivery, unless its amount is refused."""
    newest = {row["id"]: row | {"amount": int(row["amount"])} for row in delivered}
    return [newest[key] for key in sorted(newest) if newest[key]["amount"] >= 0]


def _as_read(lake: Lake, view: View) -> Iterator[dict[str, str]]:
    """The rows of bronze that a published silver.orders says that it was made from; its rejects are in quarantine."""
    metadata = view.snapshot("silver.orders").metadata
    bronze = lake.store.open(TableName.parse("bronze.orders"), metadata["sources"]["bronze.orders"]["version"])
    assert bronze is not None
    read = bronze.scan().collect().sort("_batch", "_line").select("id", "shop", "amount").to_dicts()
    refused = {row["id"]: int(row["amount"]) for row in read}
    _check_rejects(lake, metadata["rejects"], sum(amount < 0 for amount in refused.values()))
    return iter(read)


def _check_rejects(lake: Lake, rejects: dict[str, Any] | None, expected: int) -> None:
    assert (0 if rejects is None else rejects["rows"]) == expected
    if rejects is not None:
        source = rejects["key"].rpartition("/")[2].removesuffix(".parquet")
        quarantine = lake.store.open(QUARANTINE)
        assert quarantine is not None
        assert quarantine.scan().collect().filter(source=source).height == expected
