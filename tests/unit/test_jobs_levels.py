"""Rules on a table as a whole: what is measured once, and what is said of it with the last version's measures alone."""
# ruff: noqa: F821 - Source["bronze.rows"] names a table, not a type

import datetime as dt
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import ExpectationFailed, JobFailed, UsageError
from lake import Source, expect
from lake.promote.check import refuse
from lake.promote.declare import Job
from lake.promote.expect import Expectation
from lake.promote.levels import Measures, measures, overdue, weigh
from tests.support.jobs import declared

NOW = dt.datetime(2026, 1, 3, 12, tzinfo=dt.UTC)


def made(*rules: Expectation) -> Job:
    @declared("silver.t", expect=rules)
    def table(rows: Source["bronze.rows"]) -> pl.LazyFrame:
        return rows

    return table


def measured(job: Job, columns: Mapping[str, object] | pl.DataFrame, before: Measures | None = None) -> Measures:
    """As it comes back from a commit's metadata."""
    found: Measures = json.loads(json.dumps(measures(job, pl.LazyFrame(columns), before or {})))
    return found


def messages(job: Job, columns: Mapping[str, object], before: Measures | None = None) -> list[str]:
    return [found.message for found in weigh(job, measured(job, columns, before), before or {}, NOW)]


def distance(one: Sequence[Any], other: Sequence[Any], dtype: pl.DataType) -> float:
    """As the rule has it, from one version to the next."""
    job = made(expect.drift("n", 0.1))
    frames = [pl.DataFrame({"n": pl.Series(values, dtype=dtype)}) for values in (one, other)]
    found: float = measured(job, frames[1], measured(job, frames[0]))["drift"]["n"]["distance"]
    return found


def test_a_job_without_such_rules_has_nothing_measured() -> None:
    job = made(expect.not_null("n"))
    assert measures(job, pl.LazyFrame({"n": [1]}), {}) == {}
    assert weigh(job, {}, {}, NOW) == ()


@pytest.mark.parametrize(
    ("newest", "message"),
    [
        (dt.date(2026, 1, 2), ""),
        (dt.date(2026, 1, 1), "t: the newest is 2026-01-01T00:00:00+00:00, older than 2 days"),
        (dt.datetime(2026, 1, 1, 12), ""),
        (dt.datetime(2026, 1, 1, 11), "t: the newest is 2026-01-01T11:00:00+00:00, older than 2 days"),
        (dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC), ""),
        (None, "t: no value says how fresh the table is"),
    ],
)
def test_freshness_looks_at_the_newest_value(newest: dt.date | None, message: str) -> None:
    job = made(expect.freshness("t", "2 days"))
    dtype = pl.Date() if newest is None else pl.Series([newest]).dtype
    assert messages(job, {"t": pl.Series([None, newest], dtype=dtype)}) == [message]


def test_a_table_grows_stale_without_being_read_again() -> None:
    job = made(expect.freshness("t", "2 days", action="warn"), expect.row_count(max=0))
    kept = measured(job, {"t": [dt.date(2026, 1, 2)]})
    assert overdue(job, kept, NOW) == overdue(job, {}, NOW) == ()
    late = "t: the newest is 2026-01-02T00:00:00+00:00, older than 2 days"
    assert overdue(job, kept, NOW + dt.timedelta(days=1)) == (late,)
    job = made(expect.freshness("t", "2 days"))
    assert [found.holds for found in weigh(job, kept, {}, NOW)] == [True]
    assert [found.holds for found in weigh(job, kept, {}, NOW + dt.timedelta(days=1))] == [False]


@pytest.mark.parametrize(
    ("rule", "last", "rows", "message"),
    [
        (expect.row_count(min=2, max=3), None, 2, ""),
        (expect.row_count(min=2), None, 1, "1 row, less than 2"),
        (expect.row_count(max=2), None, 3, "3 rows, more than 2"),
        (expect.row_count(max_fall=0.1), None, 3, ""),
        (expect.row_count(max_fall=0.1), 10, 9, ""),
        (expect.row_count(max_fall=0.1), 10, 8, "8 rows, 20.0% less than the last 10: more than 10.0%"),
        (expect.row_count(max_rise=0.5), 10, 15, ""),
        (expect.row_count(max_rise=0.5), 10, 16, "16 rows, 60.0% more than the last 10: more than 50.0%"),
        (expect.row_count(max_fall=0.1), 0, 3, ""),
    ],
)
def test_rows_are_counted_and_compared_with_the_last_version(
    rule: Expectation, last: int | None, rows: int, message: str
) -> None:
    job = made(rule)
    before = measured(job, {"n": range(last)}) if last is not None else {}
    assert messages(job, {"n": range(rows)}, before) == [message]


def test_a_rule_that_fails_refuses_the_table_and_one_that_warns_does_not() -> None:
    for action in ("warn", "fail"):
        job = made(expect.row_count(min=2, action=action))
        found = weigh(job, measured(job, {"n": [1]}), {}, NOW)
        assert [(each.rule, each.rows, each.judged) for each in found] == [("row_count", 0, 1)]
        if action == "warn":
            refuse(job, found)
        else:
            with pytest.raises(ExpectationFailed, match="1 row, less than 2"):
                refuse(job, found)


def test_infinities_are_kept_as_the_greatest_numbers() -> None:
    """JSON has none, and a version whose measures are no JSON cannot be committed."""
    job = made(expect.drift("n", 0.1))
    first = {"n": [float("-inf"), 0.0, float("inf"), float("inf")]}
    kept = measures(job, pl.LazyFrame(first), {})
    assert json.loads(json.dumps(kept, allow_nan=False))["drift"]["n"]["up_to"] == [1, 2, 2]
    assert measured(job, first, kept)["drift"]["n"]["distance"] == 0
    assert measured(job, {"n": [0.0, 0.0, 0.0, float("inf")]}, kept)["drift"]["n"]["distance"] == 0.25


def test_the_first_version_drifts_from_nothing() -> None:
    job = made(expect.drift("n", 0.1))
    assert messages(job, {"n": [1, 2]}) == [""]
    assert messages(job, {"n": [1, 2]}, measured(job, {"n": pl.Series([], dtype=pl.Int64)})) == [""]
    assert messages(job, {"n": ["a"]}, measured(job, {"n": [1]})) == [""], "of another type"


def test_a_distribution_that_drifts_is_told_with_its_distance() -> None:
    job = made(expect.drift("n", 0.2, action="warn"))
    before = measured(job, {"n": [1, 2, 3, 4]})
    assert messages(job, {"n": [4, 3, 2, 1]}, before) == [""]
    assert messages(job, {"n": [1, 2, 8, 9]}, before) == [
        "n: its distribution is 0.500 from that of the last version, more than 0.2"
    ]


numbers = st.lists(st.one_of(st.none(), st.integers(-5, 20)), min_size=1, max_size=60)
texts = st.lists(st.sampled_from([None, "", "a", "b", "c", "d"]), min_size=1, max_size=60)


def share(values: Sequence[Any], up_to: float) -> float:
    return sum(value is None or value <= up_to for value in values) / len(values)


@settings(deadline=None)
@given(numbers, numbers)
def test_the_distance_of_numbers_is_that_of_kolmogorov_and_smirnov(one: list[Any], other: list[Any]) -> None:
    """Exactly so at the values of the last version, and so between them too where a version has few rows."""
    places = [float("-inf"), *(value for value in one if value is not None)]
    wanted = max(abs(share(one, place) - share(other, place)) for place in places)
    assert distance(one, other, pl.Int64()) == pytest.approx(wanted)
    days = [[None if n is None else dt.date(2026, 1, 1) + dt.timedelta(n) for n in values] for values in (one, other)]
    assert distance(*days, pl.Date()) == pytest.approx(wanted)


@settings(deadline=None)
@given(texts, texts)
def test_the_distance_of_texts_is_the_total_variation(one: list[Any], other: list[Any]) -> None:
    """Values that the last version lacks are one: that differs from none, for they had no share."""
    shares = (abs(one.count(value) / len(one) - other.count(value) / len(other)) for value in {*one, *other})
    assert distance(one, other, pl.String()) == pytest.approx(sum(shares) / 2)


def test_many_numbers_are_compared_in_a_hundred_places() -> None:
    random.seed(7)
    one, other = ([random.gauss(mean, 1) for _ in range(120_000)] for mean in (0, 0.5))
    exact = 0.1974126513658  # 2 Phi(0.25) - 1
    assert distance(one, other, pl.Float64()) == pytest.approx(exact, abs=0.012)
    kept = measured(made(expect.drift("n", 0.1)), {"n": one})
    assert len(kept["drift"]["n"]["cuts"]) == 100


def test_what_is_not_a_number_is_absent() -> None:
    assert distance([1.0, float("nan")], [1.0, None], pl.Float64()) == 0


def test_long_texts_and_rare_ones_are_not_kept() -> None:
    job = made(expect.drift("n", 0.1))
    kept = measured(job, {"n": ["x" * 101, *(str(number) for number in range(500))]})
    assert len(kept["drift"]["n"]["values"]) == 200
    assert "x" * 101 not in kept["drift"]["n"]["values"]


@pytest.mark.parametrize("rule", [expect.freshness("n", "1 day"), expect.drift("n", 0.1)])
def test_a_rule_that_a_column_s_type_cannot_answer_is_refused(rule: Expectation) -> None:
    with pytest.raises(JobFailed, match=r"asks for .*, and n is List"):
        measured(made(rule), {"n": [[1]]})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: expect.drift("n", 0), "a distance between 0 and 1"),
        (expect.row_count, "has no bound"),
        (lambda: expect.row_count(max_fall=1.5), "write max_fall=0.1"),
        (lambda: expect.freshness("n", "now"), "not a span of time"),
        (lambda: expect.freshness("n", "1 day", action="quarantine"), "takes no rows out"),
        (lambda: expect.matches("n", "["), "not a regular expression"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_where_it_is_declared(make: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        make()
    assert message in str(caught.value)
