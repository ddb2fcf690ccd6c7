"""What a job in Python is given, what it may give back, and whose fault an error is."""
# ruff: noqa: F821 - Source["bronze.rows"] names a table, not a type

from collections.abc import Callable

import polars as pl
import pytest

from catalog.errors import JobFailed, TypeRefused
from catalog.zones import TableName
from lake import Source, expect
from lake.promote.faults import blaming
from lake.promote.frames import count_tokens, result_of
from tests.support.jobs import declared

ROWS = TableName.parse("bronze.rows")


def made(body: Callable[[pl.LazyFrame], object], **options: object) -> pl.LazyFrame:
    def rows(rows: Source["bronze.rows"]) -> pl.LazyFrame:
        return body(rows)  # type: ignore[return-value]

    frame = pl.LazyFrame({"n": ["1", "NA", "na"], "m": [1, 2, 3], "_file": ["NA"] * 3})
    return result_of(declared("silver.t", **options)(rows), {ROWS: frame})


def test_declared_tokens_are_absent_before_the_function_sees_them() -> None:
    result = made(lambda rows: rows, null_tokens=["NA", "-"]).collect()
    assert result.rows() == [("1", 1, "NA"), (None, 2, "NA"), ("na", 3, "NA")]


def test_tokens_are_counted_by_column_where_they_are() -> None:
    frame = pl.LazyFrame({"a": ["NA", "-", "NA", None], "b": ["x"] * 4, "_c": ["NA"] * 4})
    assert count_tokens(frame, ["NA", "-", "?"]) == {"a": {"NA": 2, "-": 1}}
    assert count_tokens(frame, []) == {}


def test_what_a_table_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeRefused, match="column 'd' is Duration"):
        made(lambda rows: rows.select(d=pl.duration(days=pl.col("m"))))


def test_an_error_names_the_job_s_own_line() -> None:
    def broken(rows: pl.LazyFrame) -> pl.LazyFrame:
        raise ValueError("no such thing\nand more")

    line = broken.__code__.co_firstlineno + 1
    with pytest.raises(JobFailed) as caught:
        made(broken)
    assert f"ValueError: no such thing (tests/unit/test_jobs_frames.py:{line})" in str(caught.value)


def test_an_error_of_a_plan_names_the_declaration() -> None:
    with pytest.raises(JobFailed, match=r"ColumnNotFoundError: .*\(tests/unit/test_jobs_frames\.py:\d+\)"):
        made(lambda rows: rows.select("x"))


def test_a_panic_is_an_error_like_others() -> None:
    with pytest.raises(JobFailed, match="PanicException"), blaming(_plain):
        pl.LazyFrame({"b": [b"x"]}).select(pl.struct("b").struct.json_encode()).collect()


@declared("silver.plain")
def _plain(rows: Source["bronze.rows"]) -> pl.LazyFrame:
    return rows


def test_only_a_lazy_frame_is_a_result() -> None:
    with pytest.raises(JobFailed, match="gives back DataFrame, not a LazyFrame"):
        made(lambda rows: rows.collect())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": ["k"]}, "key names the column 'k', which the result lacks"),
        ({"types": {"_fil": pl.Int32}}, "the nearest is _file"),
        ({"expect": [expect.not_null("q")]}, r"not_null\(q\) names the column 'q'"),
        ({"types": {"m": pl.Int32}}, "types casts text, and 'm' is Int64"),
    ],
)
def test_a_declaration_that_does_not_fit_the_result_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(JobFailed, match=message):
        made(lambda rows: rows, **options)
