"""What SQL jobs are shown to depend on: by row, by key, or as a whole and why."""

import polars as pl
import pytest

from catalog.zones import TableName
from lake.promote.dependent import Dependence
from lake.promote.sqlplan import Read, read_query

SALES = TableName.parse("silver.sales")
SHOPS = TableName.parse("silver.shops")
TABLES = {
    SALES: Read(
        pl.Schema(
            {
                "id": pl.Int64,
                "shop": pl.String,
                "day": pl.Date,
                "amount": pl.Float64,
                "tags": pl.List(pl.String),
                "at": pl.Datetime("us", "UTC"),
            }
        ),
        [["id"]],
    ),
    SHOPS: Read(pl.Schema({"shop": pl.String, "region": pl.String, "opened": pl.Date}), [["shop"]]),
}


def read(sql: str) -> dict[TableName, Dependence]:
    relation, _ = read_query(sql, TABLES)
    return {table: trace.dependence for table, trace in relation.traces.items()}


@pytest.mark.parametrize(
    "sql",
    [
        "select * from silver.sales",
        "from silver.sales where amount > 0 order by day",
        "select * exclude (tags) replace (upper(shop) as shop) from silver.sales",
        "select id, amount * 2 as twice, coalesce(shop, '-'), day::varchar, try_cast(shop as int) from silver.sales",
        "select id, date_trunc('month', day), extract(year from day), strftime(day, '%Y') from silver.sales",
        "select id, day + interval 1 day, date_diff('day', day, day), md5(shop), round(amount, 2) from silver.sales",
        "select case when amount > 1 then shop end, shop like 'A%', regexp_replace(shop, 'a', 'b') from silver.sales",
        "select id, list_transform(tags, lambda tag: upper(tag)), tags[1], list_sum([id, 1]) from silver.sales",
        "select id, unnest(tags) as tag from silver.sales",
        'select id, epoch("at"), "at" at time zone \'Europe/Paris\' from silver.sales',
        "select * from silver.sales join silver.shops using (shop)",
        "select * from silver.sales natural join silver.shops",
        "select s.* from silver.sales s, silver.shops p where s.shop = p.shop and s.day > p.opened",
        "select s.*, region from silver.sales s left join silver.shops p on s.shop = p.shop",
        "select s.id, p.region from silver.shops p right join silver.sales s on s.shop = p.shop",
        "select * from silver.sales semi join silver.shops using (shop)",
        "select * from silver.sales anti join silver.shops using (shop)",
        "select * from silver.sales where shop in (select shop from silver.shops)",
        "select * from silver.sales where shop not in (select shop from silver.shops)",
        "select * from silver.sales s where exists (select 1 from silver.shops p where p.shop = s.shop)",
        "select id, (select max(region) from silver.shops p where p.shop = s.shop) from silver.sales s",
        "select id, (select max(opened) from silver.shops) from silver.sales",
        "select id from silver.sales where amount > 0 union all select id from silver.sales",
        "select id as n from silver.sales union all by name select 1 as n",
        "with good as (select * from silver.sales where amount > 0) select id from good where shop is not null",
        "select id from (select * from silver.sales) where id in (1, 2)",
        "select v.a, id from (values ('A', 1), ('B', 2)) v(a, n) join silver.sales on shop = a",
        "select id, r.n from silver.sales, range(3) r(n)",
    ],
)
def test_what_is_shown_to_be_by_row(sql: str) -> None:
    assert str(read(sql)[SALES]) == "by row"


@pytest.mark.parametrize(
    ("sql", "key"),
    [
        ("select shop, sum(amount) from silver.sales group by shop", "shop"),
        ("select shop, day, count(*) from silver.sales group by all having count(*) > 1", "shop, day"),
        ("select lower(shop) as shop, count(*) from silver.sales group by silver.sales.shop", "shop"),
        ("select shop, date_trunc('month', day) as m, avg(amount) from silver.sales group by all", "shop"),
        ("select shop, count(*) filter (amount > 0), count(distinct day) from silver.sales group by 1", "shop"),
        ("select shop, list(day order by day), string_agg(shop order by id) from silver.sales group by shop", "shop"),
        (
            "select s.shop, region, count(*) from silver.sales s left join silver.shops using (shop) group by all",
            "shop",
        ),
        (
            "select shop, max(n) from (select shop, day, count(*) n from silver.sales group by all) group by shop",
            "shop",
        ),
        ("select distinct shop, day from silver.sales", "shop, day"),
        ("select shop from silver.sales union select shop from silver.shops", "shop"),
        ("select shop from silver.sales except select shop from silver.shops", "shop"),
        ("select shop from silver.shops intersect select shop from silver.sales", "shop"),
        ("select distinct on (shop) * from silver.sales order by shop, id desc", "shop"),
        ("select *, sum(amount) over (partition by shop) from silver.sales", "shop"),
        ("select *, sum(amount) over (partition by shop order by day) from silver.sales", "shop"),
        ("select *, rank() over (partition by shop order by amount) from silver.sales", "shop"),
        ("from silver.sales qualify row_number() over (partition by shop order by day desc, id) = 1", "shop"),
        ("select id, lag(amount) over (partition by shop order by id) from silver.sales", "shop"),
        (
            "select *, count(*) over (partition by shop), count(*) over (partition by day, shop) from silver.sales",
            "shop",
        ),
        (
            "from silver.sales join (select shop, avg(amount) a from silver.sales group by shop) using (shop)",
            "shop",
        ),
        (
            "with t as (select shop, sum(id) from silver.sales group by 1) from silver.sales left join t using (shop)",
            "shop",
        ),
        ("select * from silver.shops semi join silver.sales using (shop)", "shop"),
        ("select shop, id from silver.sales union all select shop, count(*) from silver.sales group by shop", "shop"),
        ("pivot silver.sales on id in (1, 2) using sum(amount) group by shop", "shop"),
    ],
)
def test_what_is_shown_to_be_by_key(sql: str, key: str) -> None:
    assert str(read(sql)[SALES]) == f"by key {key}"


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select sum(amount) from silver.sales", "an aggregate of all rows"),
        (
            "select * from silver.sales where amount > (select avg(amount) from silver.sales)",
            "silver.sales with itself",
        ),
        ("select * from silver.sales limit 3", "by their place"),
        ("select * from silver.sales order by amount limit 3", "by their place"),
        ("select * from silver.sales offset 3", "by their place"),
        ("select * from silver.sales using sample 10%", "sample"),
        ("select id, random() from silver.sales", "random()"),
        ("select id, uuid() from silver.sales", "uuid()"),
        ("select id from silver.sales where day = current_date", "current_date()"),
        ("select id, now() from silver.sales", "now()"),
        ("select id, r from silver.sales, (select random() r)", "random()"),
        ("select list_transform(tags, lambda tag: random()) from silver.sales", "random()"),
        ("select date_trunc('month', day) as m, count(*) from silver.sales group by all", "which is no column"),
        ("select lower(shop) as s, count(*) from silver.sales group by s", "which is no column"),
        ("select amount, count(*) from silver.sales group by amount", "grouped by amount"),
        (
            "select region, count(*) from silver.sales join silver.shops using (shop) group by region",
            "grouped by region",
        ),
        ("select shop, day, count(*) from silver.sales group by rollup (shop, day)", "an aggregate of all rows"),
        ("select shop, first(amount) from silver.sales group by shop", "first() depends on the order"),
        ("select shop, any_value(amount) from silver.sales group by shop", "any_value() depends on the order"),
        ("select shop, list(amount) from silver.sales group by shop", "list() depends on the order"),
        ("select shop, list(amount order by day) from silver.sales group by shop", "some may tie"),
        ("select shop, arg_max(id, day) from silver.sales group by shop", "arg_max() depends on the order"),
        ("select shop, mode(day) from silver.sales group by shop", "mode() depends on the order"),
        ("select distinct on (shop) * from silver.sales", "no order tells which"),
        ("select distinct on (shop) * from silver.sales order by shop, day", "no order tells which"),
        ("select id, row_number() over () from silver.sales", "row_number over all rows"),
        ("select id, sum(amount) over (order by day) from silver.sales", "sum over all rows"),
        ("from silver.sales qualify row_number() over (partition by shop order by day) = 1", "some may tie"),
        ("select lag(amount) over (partition by shop order by day) from silver.sales", "some may tie"),
        ("select sum(id) over (partition by shop order by day rows 1 preceding) from silver.sales", "some may tie"),
        ("select id, ntile(4) over (partition by shop order by day) from silver.sales", "some may tie"),
        ("select count(*) over (partition by month(day)) from silver.sales", "window over a computed column"),
        (
            "select count(*) over (partition by shop), count(*) over (partition by day) from silver.sales",
            "taken together",
        ),
        ("select * from silver.sales full join silver.shops using (shop)", "without a partner"),
        ("select a.id from silver.sales a join silver.sales b on a.id = b.id + 1", "with itself"),
        ("select a.id from silver.sales a, silver.sales b where a.id < b.id", "with itself"),
        ("select * from silver.sales where id in (select max(id) from silver.sales)", "with itself"),
        (
            "select * from silver.sales where shop not in (select shop from silver.sales where amount < 0)",
            "with itself",
        ),
        ("select s.id from silver.sales s asof join silver.shops p on s.day >= p.opened", "tie"),
        ("select * from silver.sales positional join silver.shops", "by their place"),
        (
            "with recursive r as (select id from silver.sales union all select id + 1 from r where id < 3) from r",
            "recursive",
        ),
        ("select nothing from silver.sales", "does not tell its plan"),
        ("select * from read_csv('/etc/passwd')", "does not tell its plan"),
    ],
)
def test_what_cannot_be_shown_is_whole_with_a_reason(sql: str, reason: str) -> None:
    found = str(read(sql)[SALES])
    assert found.startswith("whole: ")
    assert reason in found


@pytest.mark.parametrize(
    "sql",
    [
        "select s.id, region from silver.sales s left join silver.shops p using (shop)",
        "select * from silver.sales anti join silver.shops using (shop)",
        "select * from silver.sales where shop in (select shop from silver.shops)",
        "select * from silver.sales where shop not in (select shop from silver.shops)",
        "select id, (select max(region) from silver.shops p where p.shop = s.shop) from silver.sales s",
        "select shop from silver.sales except select shop from silver.shops",
    ],
)
def test_a_lookup_without_which_rows_stay_is_whole(sql: str) -> None:
    assert "without a partner in silver.shops" in str(read(sql)[SHOPS])


def test_the_lookup_of_an_inner_join_is_by_row() -> None:
    assert str(read("select * from silver.sales join silver.shops using (shop)")[SHOPS]) == "by row"


def test_a_table_of_which_nothing_reaches_the_result_has_no_dependence() -> None:
    assert read("with unused as (from silver.shops) select id from silver.sales") == {
        SALES: read("from silver.sales")[SALES]
    }


def test_the_columns_that_are_carried_have_the_result_s_names() -> None:
    relation, schema = read_query(
        "-- key: n\nselect id as n, region R, upper(shop) as shop from silver.sales join silver.shops using (shop); --",
        TABLES,
    )
    assert relation.traces[SALES].carried == {"n": "id"}
    assert relation.traces[SHOPS].carried == {"R": "region"}
    assert schema == pl.Schema({"n": pl.Int64, "R": pl.String, "shop": pl.String})
