"""The comment at the front of a job in SQL: what it may say, and how a slip is told."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from catalog.errors import UsageError
from catalog.zones import TableName
from lake import by_key, by_row, expect, whole
from lake.promote.declare import Job, Mode
from lake.promote.durations import duration
from lake.promote.sqlfile import read_job
from lake.promote.sqlrules import read_expectation

SALES, SHOPS, DAYS = (TableName.parse(name) for name in ("silver.sales", "silver.shops", "silver.days"))
QUERY = "select * from silver.sales, silver.shops, silver.days"


def written(folder: Path, front: str) -> Job:
    path = folder / "gold" / "t.sql"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{front}\n{QUERY}", encoding="utf-8")
    return read_job(path)


def test_everything_that_a_decorator_declares_a_comment_declares_too(tmp_path: Path) -> None:
    made = written(
        tmp_path,
        """-- Sales by shop, as they were.
-- mode: scd2
-- key: shop
-- key: day
-- sequence: changed_on
-- deletes: closed
-- depends: silver.sales by key shop, day
-- depends: silver.shops by row
-- depends: silver.days whole
-- origin: _file, _line
-- units: euros = EUR, distance = miles
-- pii: owner
-- timeout: 30 min
-- description: Sales by shop
-- description: and day.
-- owner: price statistics""",
    )
    assert (made.mode, made.key, made.sequence, made.deletes) == (Mode.SCD2, ("shop", "day"), "changed_on", "closed")
    assert dict(made.depends) == {SALES: by_key("shop", "day"), SHOPS: by_row(), DAYS: whole()}
    assert (made.origin, made.pii, made.timeout_seconds) == (("_file", "_line"), ("owner",), 1800)
    assert dict(made.units) == {"euros": "EUR", "distance": "miles"}
    assert (made.description, made.owner) == ("Sales by shop and day.", "price statistics")
    assert written(tmp_path, "-- mode: partition\n-- partition_by: month, shop").partition_by == ("month", "shop")


@pytest.mark.parametrize(
    ("told", "is_same"),
    [
        ("-- units: n = EUR", True),
        ("-- pii: n", True),
        ("-- timeout: 1 h", True),
        ("-- depends: silver.sales by row", False),
        ("-- origin: n", False),
    ],
)
def test_only_what_makes_the_table_is_its_code(tmp_path: Path, told: str, is_same: bool) -> None:
    assert (written(tmp_path, told).code == written(tmp_path, "").code) is is_same


@pytest.mark.parametrize(
    ("front", "message"),
    [
        ("-- owner: me\n-- mode: scd", "t.sql:2: no mode 'scd'"),
        ("-- mode: upsert\n-- key: a\n-- mode: replace", "t.sql:3: mode is said twice"),
        ("-- mode: scd2\n-- key: a", "t.sql:1: gold.t is in mode scd2 without a sequence"),
        ("-- depends: silver.sales by rows", "t.sql:1: not a dependence: 'silver.sales by rows'"),
        ("-- depends: silver.sale by row", "it reads silver.sales"),
        ("-- key: a\n-- timeout: soon", "t.sql:2: not a span of time: 'soon'"),
        ("-- units: euros", "t.sql:1: not units: 'euros'"),
        ("-- partitions_by: a", "write -- partition_by: a"),
        ("-- expect: matches(a)", "write matches(column, regular expression)"),
        ("-- expect: matches(a, [)", "not a regular expression"),
        ("-- expect: freshness(a, old)", "not a span of time: 'old'"),
        ("-- expect: drift(a)", "write drift(column, 0.1)"),
        ("-- expect: drift(a, 7)", "a distance between 0 and 1"),
        ("-- expect: row_count()", "row_count() has no bound"),
        ("-- expect: row_count(most=3)", "write row_count(min=1"),
        ("-- expect: row_count(max_fall=200%)", "write max_fall=0.1"),
        ("-- expect: row_count(min=3) quarantine", "takes no rows out"),
    ],
)
def test_a_slip_is_told_with_its_line_and_the_way_out(tmp_path: Path, front: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        written(tmp_path, front)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("not_null(a)", expect.not_null("a")),
        ("unique(a, b) warn", expect.unique("a", "b", action="warn")),
        ("in_set(a, 1, x, 'y')", expect.in_set("a", [1, "x", "y"])),
        ("matches(code, [A-Z]{2,3}) quarantine", expect.matches("code", "[A-Z]{2,3}", action="quarantine")),
        ("references(a, silver.t, b)", expect.references("a", "silver.t", "b")),
        ("freshness(day, 2 days)", expect.freshness("day", "2 days")),
        ("freshness(day, max_age=36 h) warn", expect.freshness("day", "1.5 days", action="warn")),
        ("row_count(min=1, max=1000)", expect.row_count(min=1, max=1000)),
        ("row_count(max_fall=10%, max_rise=2)", expect.row_count(max_fall=0.1, max_rise=2)),
        ("drift(amount, 0.1)", expect.drift("amount", 0.1)),
        ("drift(amount, max=10%) warn", expect.drift("amount", 0.1, action="warn")),
    ],
)
def test_a_rule_in_text_is_that_in_python(text: str, rule: expect.Expectation) -> None:
    assert read_expectation(text) == rule


def test_a_condition_in_text_is_that_in_sql() -> None:
    made = read_expectation("rule(in order, a < b and b < 3) warn")
    assert isinstance(made, expect.Rule)
    assert made.name == "in order"
    assert pl.DataFrame({"a": [1, 2], "b": [2, 1]}).select(made.condition).to_series().to_list() == [True, False]


@pytest.mark.parametrize("text", ["", "days", "2", "-1 day", "0 days", "2 months"])
def test_what_is_no_span_of_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a span of time"):
        duration(text)


def test_spans_of_time_are_read_in_words_and_in_short() -> None:
    assert [duration(text) for text in ("1 day", "2 d", "90min", "1 week", "30 S")] == [
        timedelta(days=1),
        timedelta(days=2),
        timedelta(minutes=90),
        timedelta(weeks=1),
        timedelta(seconds=30),
    ]
