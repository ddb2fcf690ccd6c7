"""A small lake with jobs of several modes: orders of a few shops; what it must hold, reckoned without it."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from catalog.objects import Endpoint
from catalog.zones import TableName
from lake import Lake, View
from lake.reading import open_lake
from tests.faults.bench import Bench, entries_of
from tests.faults.checks import UNREADABLE, check_once, records, standing
from tests.faults.samples import FORMS, make
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


@job(
    "silver.lines",
    mode="append",
    types={"amount": pl.Int64},
    expect=[expect.rule("amount is not negative", pl.col("amount") >= 0, action="quarantine")],
)
def lines(orders: Source["bronze.orders"]) -> pl.LazyFrame:
    """Every order of every delivery, as often as it comes: what is new comes by row."""
    return orders.select("id", "shop", "amount")


@job("silver.shops", key=["shop"])
def shops(shops: Source["bronze.shops"]) -> pl.LazyFrame:
    """Every shop and its city."""
    return shops.select("shop", "city")
'''
GOLD = {
    "turnover": "-- mode: upsert\n-- key: shop\n"
    "select shop, count(*) as lines, cast(sum(amount) as bigint) as amount from silver.lines group by shop",
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
        (folder / "jobs" / "gold" / f"{name}.sql").write_text(f"{query}\n")
    return open_lake(folder, variables(endpoint))


def orders_file(rng: random.Random, number: int) -> bytes:
    """Some of a file's eight orders, each of some shop, in some form; now and then an amount that silver refuses."""
    orders = [(f"{number}-{i}", rng.choice(SHOPS), str(rng.randint(-2, 12))) for i in range(8) if rng.random() < 0.7]
    form = rng.choice(list(FORMS)) if len(orders) > 1 else "csv"
    return make(form, ("id", "shop", "amount"), orders).body


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
    view = lake.at()
    for name, (accepted, refused) in (("silver.orders", judged(delivered)), ("silver.lines", divided(delivered))):
        how = view.snapshot(name).metadata["how"]
        assert rows(view, name) == accepted, f"{name}, made {how}"
        set_aside = view.read("catalog.quarantine").filter(table=name).collect()
        assert sorted(json.loads(record)["id"] for record in set_aside["record"]) == [row["id"] for row in refused]
    for name in GOLD:
        assert rows(view, f"gold.{name}") == _follows(name, partial(rows, view)), f"gold.{name}"


def check_ended(lake: Lake) -> None:
    """When none is at work every run has ended, and it is known how."""
    ended = lake.runs().select("run", "status").unique().collect()
    assert set(ended["status"]) <= {"ok", "failed", "interrupted"}, ended


def check_commit(lake: Lake, number: int) -> None:
    """One commit, read as a whole: every table that it pins opens, and all that it pins belongs together."""
    view = lake.at(number)
    for name in view.names():
        assert view.read(name).collect().height == view.snapshot(name).rows, f"{name} at commit {number}"
    _check_bronze(view)
    if "silver.orders" in view.names():
        orders = rows(view, "silver.orders")
        assert orders == judged(_as_read(lake, view, "silver.orders"))[0], f"silver.orders at commit {number}"
    if "silver.lines" in view.names():
        lines = rows(view, "silver.lines")
        assert lines == divided(_as_read(lake, view, "silver.lines"))[0], f"silver.lines at commit {number}"
    # A job that was killed leaves its table as it was: it goes with the silver that it says it was made from.
    for name in GOLD:
        if f"gold.{name}" in view.names():
            read = partial(_as_made, lake, view.snapshot(f"gold.{name}").metadata["sources"])
            assert rows(view, f"gold.{name}") == _follows(name, read), f"gold.{name} at commit {number}"


def rows(view: View, name: str) -> Rows:
    """A published table's rows, in the order of its columns."""
    frame = view.read(name).collect()
    return frame.sort(frame.columns).to_dicts()


def judged(delivered: Iterable[dict[str, str]]) -> tuple[Rows, Rows]:
    """Of each order the newest delivery: those that silver.orders must hold, and those whose amounts it refuses."""
    newest = {row["id"]: row | {"amount": int(row["amount"])} for row in delivered}
    ordered = [newest[key] for key in sorted(newest)]
    return [row for row in ordered if row["amount"] >= 0], [row for row in ordered if row["amount"] < 0]


def divided(delivered: Iterable[dict[str, str]]) -> tuple[Rows, Rows]:
    """All that was delivered: what silver.lines must hold, and what it refuses."""
    lines = [row | {"amount": int(row["amount"])} for row in delivered]
    ordered = sorted(lines, key=lambda row: (row["id"], row["shop"], row["amount"]))
    return [row for row in ordered if row["amount"] >= 0], [row for row in ordered if row["amount"] < 0]


def _by_shop(found: Rows, count: str) -> Rows:
    """How many rows each shop has, and their amounts together."""
    return [
        {"shop": shop, count: len(amounts), "amount": sum(amounts)}
        for shop in SHOPS
        if (amounts := [row["amount"] for row in found if row["shop"] == shop])
    ]


def _check_bronze(view: View) -> None:
    """Bronze and the ledger of a commit tell of the same deliveries."""
    pinned = "catalog.ledger" in view.names()
    entries = entries_of(view.read("catalog.ledger").collect()) if pinned else []
    for name in ("orders", "shops"):
        of_name = [entry for entry in entries if entry.dataset == name]
        told = {entry.delivery: entry.rows for entry in standing(of_name, replacing=True) if entry.rows}
        there = f"bronze.{name}" in view.names()
        found = Counter(view.read(f"bronze.{name}").collect()["_batch"]) if there else Counter()
        assert found == told, f"bronze.{name} at commit {view.commit.number}"


def _follows(name: str, read: Callable[[str], Rows]) -> Rows:
    """What a gold table must hold, by the silver that ``read`` gives."""
    if name == "turnover":
        return _by_shop(read("silver.lines"), "lines")
    if name == "sales":
        return _by_shop(read("silver.orders"), "orders")
    city = {row["shop"]: row["city"] for row in read("silver.shops")}
    cities = Counter(city[row["shop"]] for row in read("silver.orders"))
    return [{"city": name, "orders": cities[name]} for name in sorted(cities)]


def _as_made(lake: Lake, sources: Mapping[str, Mapping[str, Any]], name: str) -> Rows:
    """A table's rows at the version that another was made from."""
    snapshot = lake.store.open(TableName.parse(name), sources[name]["version"])
    assert snapshot is not None
    return snapshot.scan().collect().to_dicts()


def _as_read(lake: Lake, view: View, name: str) -> list[dict[str, str]]:
    """The rows of bronze that a published table says that it was made from."""
    sources = view.snapshot(name).metadata["sources"]
    bronze = lake.store.open(TableName.parse("bronze.orders"), sources["bronze.orders"]["version"])
    assert bronze is not None
    return bronze.scan().collect().sort("_batch", "_line").select("id", "shop", "amount").to_dicts()
