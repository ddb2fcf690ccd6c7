"""What tables depend on: the job, what it states, the rules that take rows out, and the mode."""

from typing import Annotated, Any

import polars as pl
import pytest

from catalog.errors import JobFailed
from catalog.zones import TableName
from lake import Source, expect
from lake.promote.declare import Job, Mode, Query
from lake.promote.dependence import dependences
from lake.promote.dependent import Whole, by_key, by_row, whole
from lake.promote.expect import Expectation
from tests.support.jobs import declared

Rows = Annotated[pl.LazyFrame, Source["bronze.rows"]]
Shops = Annotated[pl.LazyFrame, Source["silver.shops"]]
ROWS = TableName.parse("bronze.rows")
SHOPS = TableName.parse("silver.shops")
SCHEMAS = {
    ROWS: pl.Schema({"id": pl.String, "shop": pl.String, "day": pl.String, "n": pl.Int64, "gone": pl.Boolean}),
    SHOPS: pl.Schema({"shop": pl.String, "region": pl.String}),
}


def same(rows: Rows) -> pl.LazyFrame:
    return rows


def opaque(rows: Rows) -> pl.LazyFrame:
    return rows.map_batches(lambda frame: frame)


def totals(rows: Rows) -> pl.LazyFrame:
    return rows.group_by("shop", "day").agg(pl.col("n").sum())


def last(rows: Rows) -> pl.LazyFrame:
    return rows.sort("day").unique("id", keep="last")


def on(function: Any, mode: str = "append", **options: Any) -> str:
    """How the table of a job depends on its rows."""
    return str(dependences(declared("silver.t", mode=mode, **options)(function), SCHEMAS)[ROWS])


def test_a_mode_that_keeps_rows_as_they_are_leaves_it_as_it_is() -> None:
    assert on(same) == on(same, "upsert", key=["id"]) == "by row"
    assert on(totals) == on(totals, "upsert", key=["shop", "day"]) == "by key shop, day"


def test_a_table_that_is_replaced_is_made_whole() -> None:
    assert on(same, "replace") == "whole: mode replace"


def test_a_reason_that_the_job_gives_comes_before_that_of_the_mode() -> None:
    assert on(opaque, "replace") == "whole: map_batches may look at all rows"


def test_a_history_needs_all_rows_of_a_key() -> None:
    assert on(same, "scd2", key=["id"], sequence="day") == "by key id"
    assert on(same, "scd2", key=["id", "shop"], sequence="day") == "by key id, shop"
    assert on(totals, "scd2", key=["shop"], sequence="day") == "by key shop"


def test_a_history_of_a_key_that_is_computed_is_made_whole() -> None:
    def lower(rows: Rows) -> pl.LazyFrame:
        return rows.with_columns(pl.col("id").str.to_lowercase())

    assert "mode scd2 takes all rows of a key, and id is not carried" in on(lower, "scd2", key=["id"], sequence="day")


def test_dumps_are_compared_as_a_whole() -> None:
    assert on(same, "snapshot", key=["id"], sequence="day").startswith("whole: mode snapshot")


def test_a_partition_needs_all_of_its_rows() -> None:
    assert on(same, "partition", partition_by=["shop"]) == "by key shop"
    assert on(totals, "partition", partition_by=["shop"]) == "by key shop"
    assert on(totals, "partition", partition_by=["n"]).startswith("whole: mode partition takes all rows")


@pytest.mark.parametrize(
    ("dtype", "said"), [(pl.Date, "by key day"), (pl.String, "by key day"), (pl.Int64, "whole"), (pl.Datetime, "whole")]
)
def test_a_key_that_is_cast_is_one_only_if_each_value_is_written_in_one_way(dtype: Any, said: str) -> None:
    """ "1" and "01" are one number, and may be in different rows."""
    assert on(same, "partition", partition_by=["day"], types={"day": dtype}).startswith(said)


def test_a_rule_that_takes_out_what_comes_twice_looks_at_all_rows_of_a_value() -> None:
    assert on(same, expect=[expect.unique("id", action="quarantine")]) == "by key id"
    assert on(same, expect=[expect.unique("id", action="warn"), expect.unique("shop")]) == "by row"
    two = [expect.unique("id", "shop", action="quarantine"), expect.unique("shop", action="quarantine")]
    assert on(same, expect=two) == "by key shop"
    apart = [expect.unique("id", action="quarantine"), expect.unique("shop", action="quarantine")]
    assert on(same, expect=apart).startswith("whole: unique(shop) takes rows out")


def test_rules_of_one_row_change_nothing() -> None:
    rules: list[Expectation] = [
        expect.rule("positive", pl.col("n") > 0, action="quarantine"),
        expect.not_null("id", action="quarantine"),
        expect.in_set("shop", ["a"], action="quarantine"),
    ]
    assert on(same, expect=rules) == "by row"


@pytest.mark.parametrize(
    "condition",
    [pl.col("n") > pl.col("n").mean(), pl.len() > 3, pl.col("n").is_unique(), pl.len().over("shop") > 1],
)
@pytest.mark.parametrize("action", ["warn", "quarantine", "fail"])
def test_a_rule_that_compares_rows_makes_it_whole(condition: pl.Expr, action: str) -> None:
    said = on(same, expect=[expect.rule("as others", condition, action=action)])
    assert said.startswith("whole: the expectation as others: ")


def test_a_rule_is_asked_of_the_types_after_the_casts() -> None:
    rules = [expect.rule("later", pl.col("day").dt.year() > 2000, action="quarantine")]
    assert on(same, types={"day": pl.Date}, expect=rules) == "by row"


def test_a_table_that_values_are_looked_up_in_is_whole() -> None:
    rule = expect.references("shop", "silver.shops", "shop", action="quarantine")
    found = dependences(declared("silver.t", mode="append", expect=[rule])(same), SCHEMAS)
    assert str(found[ROWS]) == "by row"
    assert str(found[SHOPS]) == "whole: looked up by references(shop, silver.shops, shop)"


def test_what_is_stated_holds_where_nothing_is_shown() -> None:
    assert on(opaque) == "whole: map_batches may look at all rows"
    assert on(opaque, depends={"bronze.rows": by_row()}) == "by row"
    assert on(opaque, depends={"bronze.rows": by_key("id")}) == "by key id"
    assert on(same, depends={"bronze.rows": whole()}) == "whole: the job says so"


def test_what_is_stated_goes_through_the_mode_too() -> None:
    stated = {"bronze.rows": by_key("id")}
    assert on(opaque, "scd2", key=["id"], sequence="day", depends=stated) == "by key id"
    assert on(opaque, "scd2", key=["shop"], sequence="day", depends=stated).startswith("whole: mode scd2")
    assert on(opaque, "scd2", key=["id"], sequence="day", depends={"bronze.rows": by_row()}).startswith("whole: mode")
    assert on(same, "scd2", key=["id"], sequence="day", depends={"bronze.rows": by_row()}) == "by key id"


def test_a_key_that_is_stated_has_columns_of_the_source() -> None:
    with pytest.raises(JobFailed, match=r"depends names the column 'shp', which bronze\.rows lacks"):
        on(same, depends={"bronze.rows": by_key("shp")})


def test_an_order_is_known_to_be_total_by_a_key_that_the_source_keeps() -> None:
    made = declared("silver.t", mode="append")(last)
    assert "no order tells which" in str(dependences(made, SCHEMAS)[ROWS])
    assert str(dependences(made, SCHEMAS, {ROWS: ("id", "day")})[ROWS]) == "by key id"
    assert str(dependences(made, SCHEMAS, {ROWS: ("id", "shop")})[ROWS]).startswith("whole")


def test_texts_that_become_null_break_the_key_of_a_source() -> None:
    made = declared("silver.t", mode="append", null_tokens=["NA", "-"])(last)
    assert str(dependences(made, SCHEMAS, {ROWS: ("id", "day")})[ROWS]).startswith("whole")


def test_an_input_of_which_nothing_is_used_is_whole() -> None:
    def only(rows: Rows, shops: Shops) -> pl.LazyFrame:
        return rows

    found = dependences(declared("silver.t", mode="append")(only), SCHEMAS)
    assert str(found[SHOPS]).startswith("whole: nothing of it")


def test_a_source_whose_rows_make_rows_of_their_own_may_be_left_out() -> None:
    """What is appended to one of two sources is not paid for by reading the other."""

    def both(rows: Rows, shops: Shops) -> pl.LazyFrame:
        return pl.concat([rows.select("shop"), shops.select("shop")])

    def met(rows: Rows, shops: Shops) -> pl.LazyFrame:
        return pl.concat([rows.select("shop"), shops.select("shop")]).unique()

    def joined(rows: Rows, shops: Shops) -> pl.LazyFrame:
        return rows.join(shops, on="shop")

    def left_out(function: Any, **options: Any) -> set[TableName]:
        found = dependences(declared("silver.t", mode="append", **options)(function), SCHEMAS)[ROWS]
        return set() if isinstance(found, Whole) else set(found.without)

    assert left_out(both) == {SHOPS}
    assert left_out(both, depends={"bronze.rows": by_row()}) == set()
    assert left_out(both, expect=[expect.unique("shop", action="quarantine")]) == set()
    assert left_out(met) == left_out(joined) == set()


def test_one_table_for_two_parameters_is_joined_with_itself() -> None:
    def pairs(one: Rows, two: Rows) -> pl.LazyFrame:
        return one.join(two, on="shop", suffix="_two")

    assert on(pairs) == "by key shop"


def test_a_query_goes_through_the_same_rules() -> None:
    def made(sql: str, **options: Any) -> str:
        body = Query(sql, (SHOPS,))
        return str(dependences(Job(TableName.parse("gold.t"), body, **options), SCHEMAS)[SHOPS])

    assert made("select * from silver.shops", mode=Mode.APPEND) == "by row"
    partition = {"mode": Mode.PARTITION, "partition_by": ("area",)}
    assert made("select region as area, count(*) from silver.shops group by all", **partition) == "by key region"
    assert made("select lower(region) as area from silver.shops", **partition).startswith("whole: mode partition")
    rule = expect.rule("long", pl.col("shop").str.len_chars() > 1, action="quarantine")
    assert made("select * from silver.shops", mode=Mode.APPEND, expect=(rule,)) == "by row"
    rule = expect.rule("many", pl.len() > 1)
    assert made("select * from silver.shops", mode=Mode.APPEND, expect=(rule,)).startswith("whole: the expectation")
