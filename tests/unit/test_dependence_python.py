"""What Python jobs are shown to depend on: by row, by key, or as a whole and why."""

import datetime as dt
import random
from collections.abc import Callable

import polars as pl
import pytest

from catalog.zones import TableName
from lake.promote.dependent import ByRow, Dependence
from lake.promote.history import Sources, advance
from lake.promote.polarsplan import Given, read_function
from tests.support.randomjobs import multiset

SALES = TableName.parse("silver.sales")
SHOPS = TableName.parse("silver.shops")
SALES_SCHEMA = pl.Schema(
    {
        "id": pl.Int64,
        "shop": pl.String,
        "day": pl.Date,
        "amount": pl.Float64,
        "tags": pl.List(pl.String),
        "at": pl.Struct({"x": pl.Int64, "y": pl.Int64}),
    }
)
SHOPS_SCHEMA = pl.Schema({"shop": pl.String, "region": pl.String, "opened": pl.Date})
KEYS = {SALES: ["id"], SHOPS: ["shop"]}
JANUARY = dt.date(2026, 1, 1)
c = pl.col
Job = Callable[[pl.LazyFrame, pl.LazyFrame], pl.LazyFrame]


def read(job: Job) -> dict[TableName, Dependence]:
    relation, _ = read_function(
        job, {"sales": Given(SALES, SALES_SCHEMA, [KEYS[SALES]]), "shops": Given(SHOPS, SHOPS_SCHEMA, [KEYS[SHOPS]])}
    )
    return {table: trace.dependence for table, trace in relation.traces.items()}


def totals(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("shop").agg(total=c.amount.sum())


BY_ROW: dict[str, Job] = {
    "filter": lambda sales, shops: sales.filter(c.amount > 0),
    "select": lambda sales, shops: sales.select("id", twice=c.amount * 2, text=pl.format("{}:{}", "shop", "id")),
    "with_columns": lambda sales, shops: sales.with_columns(c.shop.str.to_uppercase(), month=c.day.dt.month_start()),
    "a constant": lambda sales, shops: sales.select("id", unit=pl.lit("EUR")),
    "drop, rename, cast": lambda sales, shops: sales.drop("tags").rename({"id": "n"}).cast({"n": pl.String}),
    "explode": lambda sales, shops: sales.explode("tags"),
    "unnest": lambda sales, shops: sales.unnest("at"),
    "unpivot": lambda sales, shops: sales.select("id", "amount").unpivot(index="id"),
    "drop_nulls": lambda sales, shops: sales.drop_nulls(),
    "fill_null": lambda sales, shops: sales.fill_null(0),
    "when": lambda sales, shops: sales.select(size=pl.when(c.amount > 9).then(pl.lit("L")).otherwise(c.shop)),
    "is_in a list": lambda sales, shops: sales.filter(c.shop.is_in(["A", "B"])),
    "is_in a list of its own": lambda sales, shops: sales.filter(c.shop.is_in(c.tags)),
    "replace": lambda sales, shops: sales.with_columns(c.shop.replace({"A": "B"})),
    "a date of a known format": lambda sales, shops: sales.select(c.shop.str.to_date("%Y-%m-%d", strict=False)),
    "inner join": lambda sales, shops: sales.join(shops, on="shop"),
    "left join": lambda sales, shops: sales.join(shops, on="shop", how="left"),
    "right join": lambda sales, shops: shops.join(sales, on="shop", how="right"),
    "semi join": lambda sales, shops: sales.join(shops, on="shop", how="semi"),
    "anti join": lambda sales, shops: sales.join(shops, on="shop", how="anti"),
    "cross join": lambda sales, shops: sales.join(shops, how="cross"),
    "join_where": lambda sales, shops: sales.join_where(shops, c.day >= c.opened),
    "join of an expression": lambda sales, shops: sales.join(
        shops, left_on=c.shop.str.to_lowercase(), right_on=c.shop.str.to_lowercase()
    ),
    "asof join": lambda sales, shops: sales.sort("day").join_asof(
        shops.sort("opened"), left_on="day", right_on="opened", by="shop"
    ),
    "concat": lambda sales, shops: pl.concat([sales.select("shop"), shops.select("shop")]),
    "concat with itself": lambda sales, shops: pl.concat([sales.filter(c.id > 0), sales.filter(c.id > 1)]),
    "sort": lambda sales, shops: sales.sort("amount"),
    "sql": lambda sales, shops: sales.sql("select id, upper(shop) as shop from self where amount > 0"),
    "cache": lambda sales, shops: sales.cache().filter(c.id > 0),
    "a lookup that is grouped": lambda sales, shops: sales.join(
        shops.group_by("region").agg(pl.len()), left_on="shop", right_on="region", how="left"
    ),
}

BY_KEY: dict[str, tuple[Job, str]] = {
    "group_by": (lambda sales, shops: totals(sales), "shop"),
    "group_by two": (lambda sales, shops: sales.group_by("shop", "day").agg(pl.len()), "shop, day"),
    "group_by with something computed": (
        lambda sales, shops: sales.group_by("shop", c.day.dt.month_start().alias("month")).agg(c.amount.mean()),
        "shop",
    ),
    "group_by under another name": (
        lambda sales, shops: sales.select(place=c.shop, n=c.id).group_by("place").agg(c.n.max()),
        "shop",
    ),
    "group_by of a left join": (
        lambda sales, shops: sales.join(shops, on="shop", how="left").group_by("shop", "region").agg(pl.len()),
        "shop",
    ),
    "group_by of a group_by": (
        lambda sales, shops: sales.group_by("shop", "day").agg(n=pl.len()).group_by("shop").agg(c.n.max()),
        "shop",
    ),
    "group_by of a concat": (
        lambda sales, shops: pl.concat([sales.select("shop"), shops.select("shop")]).group_by("shop").agg(n=pl.len()),
        "shop",
    ),
    "over": (lambda sales, shops: sales.with_columns(share=c.amount / c.amount.sum().over("shop")), "shop"),
    "over in a filter": (lambda sales, shops: sales.filter(c.amount == c.amount.max().over("shop")), "shop"),
    "two windows": (
        lambda sales, shops: sales.with_columns(x=pl.len().over("shop"), y=pl.len().over("shop", "day")),
        "shop",
    ),
    "rank": (lambda sales, shops: sales.with_columns(c.amount.rank("min").over("shop")), "shop"),
    "shift in an order that is total": (
        lambda sales, shops: sales.with_columns(c.amount.shift().over("shop", order_by="id")),
        "shop",
    ),
    "shift of rows that are sorted": (
        lambda sales, shops: sales.sort("id").with_columns(c.amount.cum_sum().over("shop")),
        "shop",
    ),
    "first of rows that are sorted": (
        lambda sales, shops: sales.sort("day", "id").group_by("shop").agg(c.amount.first()),
        "shop",
    ),
    "last by an order that is total": (
        lambda sales, shops: sales.group_by("shop").agg(c.amount.sort_by("day", "id").last()),
        "shop",
    ),
    "a sorted list": (lambda sales, shops: sales.group_by("shop").agg(c.amount.sort()), "shop"),
    "unique of all columns": (lambda sales, shops: sales.select("shop", "day").unique(), "shop, day"),
    "unique in an order that is total": (lambda sales, shops: sales.sort("id").unique("shop", keep="last"), "shop"),
    "unique that keeps none": (lambda sales, shops: sales.unique("shop", keep="none"), "shop"),
    "join with its own totals": (lambda sales, shops: sales.join(totals(sales), on="shop"), "shop"),
    "left join with its own totals": (lambda sales, shops: sales.join(totals(sales), on="shop", how="left"), "shop"),
    "pivot": (
        lambda sales, shops: sales.pivot(
            "id", on_columns=[1, 2], index="shop", values="amount", aggregate_function="sum"
        ),
        "shop",
    ),
    "concat of rows and totals": (
        lambda sales, shops: pl.concat([sales.select("shop", total="amount"), totals(sales)]),
        "shop",
    ),
    "on the right of a semi join": (lambda sales, shops: shops.join(sales, on="shop", how="semi"), "shop"),
}

WHOLE: dict[str, tuple[Job, str]] = {
    "head": (lambda sales, shops: sales.sort("day").head(3), "head, limit"),
    "top_k": (lambda sales, shops: sales.top_k(3, by="amount"), "head, limit"),
    "slice": (lambda sales, shops: sales.slice(1, 2), "head, limit"),
    "with_row_index": (lambda sales, shops: sales.with_row_index(), "numbers all rows"),
    "gather_every": (lambda sales, shops: sales.gather_every(2), "gather_every"),
    "shift": (lambda sales, shops: sales.with_columns(c.amount.shift()), "shift"),
    "cum_sum": (lambda sales, shops: sales.select(c.amount.cum_sum()), "cum_sum"),
    "forward_fill": (lambda sales, shops: sales.select(c.amount.forward_fill()), "fill_null_with_strategy"),
    "fill with a mean": (lambda sales, shops: sales.with_columns(c.amount.fill_null(strategy="mean")), "fill_null"),
    "interpolate": (lambda sales, shops: sales.with_columns(c.amount.interpolate()), "interpolate"),
    "sample": (lambda sales, shops: sales.with_columns(c.id.sample(fraction=1.0, shuffle=True)), "sample"),
    "shuffle": (lambda sales, shops: sales.with_columns(c.id.shuffle()), "shuffle"),
    "reverse": (lambda sales, shops: sales.with_columns(c.id.reverse()), "reverse"),
    "is_unique": (lambda sales, shops: sales.filter(c.shop.is_unique()), "IsUnique"),
    "is_first_distinct": (lambda sales, shops: sales.filter(c.shop.is_first_distinct()), "IsFirstDistinct"),
    "an aggregate": (lambda sales, shops: sales.select(c.amount.sum()), "sum over all rows"),
    "an aggregate beside rows": (lambda sales, shops: sales.with_columns(c.amount / c.amount.sum()), "sum over all"),
    "an aggregate in a filter": (lambda sales, shops: sales.filter(c.day == c.day.max()), "max over all rows"),
    "len": (lambda sales, shops: sales.with_columns(pl.len()), "len counts all rows"),
    "int_range": (lambda sales, shops: sales.with_columns(pl.int_range(pl.len())), "IntRange"),
    "is_in its own column": (lambda sales, shops: sales.filter(c.shop.is_in(c.shop.implode())), "implode"),
    "constants alone": (lambda sales, shops: sales.select(pl.lit(1)), "one row"),
    "a series": (lambda sales, shops: sales.with_columns(pl.Series("x", [1, 2])), "by their place"),
    "a date of a guessed format": (lambda sales, shops: sales.with_columns(c.shop.str.to_date()), "guessed"),
    "map_batches of frames": (lambda sales, shops: sales.map_batches(lambda frame: frame), "map_batches may look"),
    "map_batches of columns": (
        lambda sales, shops: sales.with_columns(c.id.map_batches(lambda s: s, return_dtype=pl.Int64)),
        "may look at all rows",
    ),
    "map_elements": (
        lambda sales, shops: sales.with_columns(c.id.map_elements(hash, return_dtype=pl.Int64)),
        "may look at all rows",
    ),
    "map_groups": (lambda sales, shops: sales.group_by("shop").map_groups(lambda f: f, None), "map_groups"),
    "group_by of something computed": (
        lambda sales, shops: sales.group_by(c.day.dt.month_start()).agg(pl.len()),
        "grouped by day, which is no column of silver.sales unchanged",
    ),
    "group_by of a column that was changed": (
        lambda sales, shops: sales.with_columns(c.shop.str.to_lowercase()).group_by("shop").agg(pl.len()),
        "grouped by shop",
    ),
    "group_by of a float": (lambda sales, shops: sales.group_by("amount").agg(pl.len()), "grouped by amount"),
    "group_by of a column of the lookup": (
        lambda sales, shops: sales.join(shops, on="shop").group_by("region").agg(pl.len()),
        "grouped by region",
    ),
    "group_by of an aggregate": (
        lambda sales, shops: sales.group_by("shop").agg(c.day.max()).group_by("day").agg(pl.len()),
        "grouped by day, of what is taken together by shop",
    ),
    "group_by of nothing": (lambda sales, shops: sales.group_by(pl.lit(1)).agg(pl.len()), "len counts all rows"),
    "group_by_dynamic": (
        lambda sales, shops: sales.sort("day").group_by_dynamic("day", every="1mo", group_by="shop").agg(pl.len()),
        "rolls",
    ),
    "rolling": (lambda sales, shops: sales.sort("day").rolling("day", period="2d").agg(pl.len()), "rolls"),
    "group_by with a list": (lambda sales, shops: sales.group_by("shop").agg("amount"), "in an order that is not told"),
    "group_by with first": (lambda sales, shops: sales.group_by("shop").agg(c.amount.first()), "first"),
    "first in an order with ties": (lambda sales, shops: sales.sort("day").group_by("shop").agg(c.id.first()), "first"),
    "last by an order with ties": (
        lambda sales, shops: sales.group_by("shop").agg(c.id.sort_by("day").last()),
        "which of the rows that tie",
    ),
    "group_by with head": (lambda sales, shops: sales.group_by("shop").head(1), "in an order that is not told"),
    "over something computed": (
        lambda sales, shops: sales.with_columns(pl.len().over(c.day.dt.month())),
        "window over computed columns",
    ),
    "over columns that have nothing in common": (
        lambda sales, shops: sales.with_columns(x=pl.len().over("shop"), y=pl.len().over("day")),
        "window over day, of what is taken together by shop",
    ),
    "shift over a key": (lambda sales, shops: sales.with_columns(c.amount.shift().over("shop")), "shift"),
    "shift in an order with ties": (
        lambda sales, shops: sales.with_columns(c.amount.shift().over("shop", order_by="day")),
        "shift",
    ),
    "rank by number": (lambda sales, shops: sales.with_columns(c.amount.rank("ordinal").over("shop")), "rank"),
    "over with lists": (
        lambda sales, shops: sales.select(c.amount.sort().over("shop", mapping_strategy="explode")),
        "mapping_strategy",
    ),
    "unique by some": (lambda sales, shops: sales.unique("shop"), "keeps one of the rows"),
    "unique in an order with ties": (lambda sales, shops: sales.sort("day").unique("shop", keep="last"), "keeps one"),
    "unique of any in order": (lambda sales, shops: sales.sort("id").unique("shop", keep="any"), "keeps one"),
    "unique after the order is lost": (
        lambda sales, shops: sales.sort("id").join(shops, on="shop").unique("region", keep="first"),
        "keeps one",
    ),
    "full join": (lambda sales, shops: sales.join(shops, on="shop", how="full"), "without a partner"),
    "join with itself by something computed": (
        lambda sales, shops: sales.join(sales, left_on=c.id, right_on=c.id + 1),
        "join of silver.sales with itself",
    ),
    "semi join with itself by something computed": (
        lambda sales, shops: sales.join(sales.select(c.id + 1), on="id", how="semi"),
        "join of silver.sales with itself",
    ),
    "asof join that may tie": (
        lambda sales, shops: sales.sort("day").join_asof(shops.sort("opened"), left_on="day", right_on="opened"),
        "tie",
    ),
    "frames side by side": (
        lambda sales, shops: pl.concat([sales.select("id"), shops.select("region")], how="horizontal"),
        "by the place",
    ),
    "concat of groups by different columns": (
        lambda sales, shops: pl.concat(
            [sales.group_by("shop").agg(n=pl.len()), sales.group_by(shop=c.day.cast(pl.String)).agg(n=pl.len())]
        ),
        "grouped by shop",
    ),
    "a frame that is read": (lambda sales, shops: sales.collect().lazy(), "reads rows of silver.sales"),
    "a frame of another's values": (
        lambda sales, shops: sales.filter(c.shop.is_in(shops.collect()["shop"].to_list())),
        "reads rows of silver.shops",
    ),
    "a job that cannot be called": (lambda sales, shops: sales.select("nothing"), "could not be looked at"),
}


OPAQUE = {
    "map_batches of frames",
    "map_batches of columns",
    "map_elements",
    "map_groups",
    "is_in its own column",
    "group_by of a float",
    "a date of a guessed format",
    "asof join that may tie",
    "a frame of another's values",
    "a frame that is read",
    "constants alone",
    "over with lists",
}
"""Jobs that are by row, or whose fault does not show in rows like these: nothing shows it, so they are whole."""


@pytest.mark.parametrize("name", sorted(WHOLE.keys() - OPAQUE))
def test_what_is_whole_would_go_wrong_by_row(name: str) -> None:
    """For each there are rows of which the formula would make another table, or fail."""
    job, _ = WHOLE[name]

    def make(sources: Sources) -> pl.LazyFrame:
        return job(sources[SALES], sources[SHOPS])

    assert any(goes_wrong(random.Random(seed), make) for seed in range(60))


def goes_wrong(dice: random.Random, make: Callable[[Sources], pl.LazyFrame]) -> bool:
    shops = pl.LazyFrame({"shop": ["A", "B"], "region": ["A", "n"], "opened": [JANUARY, JANUARY]}, SHOPS_SCHEMA)
    every = random_sales(dice)
    before, after = every.filter(c.id < dice.choice([4, 9])), every.filter(c.id > dice.choice([-1, 3]))
    old, new = {SALES: before, SHOPS: shops}, {SALES: after, SHOPS: shops}
    try:
        was, now = multiset(make(old)), multiset(make(new))
        gone, come = map(multiset, advance(make, old, new, {SALES: ByRow(), SHOPS: ByRow()}))
    except pl.exceptions.PolarsError:
        return True
    return not gone <= was or was - gone + come != now


def random_sales(dice: random.Random) -> pl.LazyFrame:
    rows = [
        {
            "id": number,
            "shop": dice.choice(["A", "B", "C"]),
            "day": JANUARY + dt.timedelta(dice.randrange(40)),
            "amount": dice.choice([1.0, 2.0, None]),
            "tags": ["x"],
            "at": {"x": 1, "y": 2},
        }
        for number in dice.sample(range(9), dice.randint(2, 5))
    ]
    return pl.LazyFrame(rows, SALES_SCHEMA)


@pytest.mark.parametrize("name", BY_ROW)
def test_what_is_shown_to_be_by_row(name: str) -> None:
    assert str(read(BY_ROW[name])[SALES]) == "by row"


@pytest.mark.parametrize("name", BY_KEY)
def test_what_is_shown_to_be_by_key(name: str) -> None:
    job, key = BY_KEY[name]
    assert str(read(job)[SALES]) == f"by key {key}"


@pytest.mark.parametrize("name", WHOLE)
def test_what_cannot_be_shown_is_whole_with_a_reason(name: str) -> None:
    job, reason = WHOLE[name]
    found = str(read(job)[SALES])
    assert found.startswith("whole: ")
    assert reason in found


def test_the_lookup_of_a_left_join_and_of_an_anti_join_is_whole() -> None:
    for name in ("left join", "right join", "anti join"):
        assert "without a partner in silver.shops" in str(read(BY_ROW[name])[SHOPS])


def test_the_lookup_of_an_inner_join_is_by_row_and_of_a_semi_join_by_its_key() -> None:
    assert str(read(BY_ROW["inner join"])[SHOPS]) == "by row"
    assert str(read(BY_ROW["semi join"])[SHOPS]) == "by key shop"


def test_a_lookup_that_may_come_out_another_way_makes_all_whole() -> None:
    """Which row of a shop is kept is open, so that old rows of sales could not be made again as they were."""
    found = read(lambda sales, shops: sales.join(shops.unique("region"), on="shop", how="left"))
    assert all("keeps one of the rows" in str(dependence) for dependence in found.values())
    assert len(found) == 2


def test_a_lookup_that_is_looked_at_as_a_whole_is_no_matter_to_the_others() -> None:
    found = read(lambda sales, shops: sales.join(shops.select(c.opened.max()), how="cross"))
    assert (str(found[SALES]), str(found[SHOPS])) == ("by row", "whole: max over all rows")


def test_the_first_rows_in_an_order_that_is_total_are_no_matter_to_the_others() -> None:
    found = read(lambda sales, shops: sales.join(shops.sort("shop").head(2), on="shop"))
    assert str(found[SALES]) == "by row"
    assert "head" in str(found[SHOPS])
    found = read(lambda sales, shops: sales.join(shops.sort("region").head(2), on="shop"))
    assert "head" in str(found[SALES])


def test_a_failure_that_the_job_hides_is_noticed() -> None:
    def hides(sales: pl.LazyFrame, shops: pl.LazyFrame) -> pl.LazyFrame:
        try:
            return sales.filter(c.amount > sales.collect()["amount"].mean())
        except Exception:
            return sales

    assert "reads rows of silver.sales" in str(read(hides)[SALES])
