"""How a job is declared, and what a declaration may not say."""
# ruff: noqa: F821 - Source["bronze.flights"] names a table, not a type

import subprocess
import sys
from typing import Annotated

import polars as pl
import pytest

from catalog.errors import UsageError
from catalog.zones import TableName
from lake import Source, expect, job
from lake.promote.declare import Frames, Mode, collecting
from tests.support.jobs import declared


def names(*texts: str) -> tuple[TableName, ...]:
    return tuple(map(TableName.parse, texts))


def test_a_declared_function_stays_a_function_of_frames() -> None:
    with collecting() as jobs:

        @job("silver.doubled", key=["n"])
        def doubled(numbers: Source["bronze.numbers"]) -> pl.LazyFrame:
            """Twice each number."""
            return numbers.select(pl.col("n") * 2)

    assert doubled(pl.LazyFrame({"n": [1, 2]})).collect()["n"].to_list() == [2, 4]
    (made,) = jobs
    assert (made.table, made.inputs) == (*names("silver.doubled"), names("bronze.numbers"))
    assert (made.mode, made.key, made.description) == (Mode.REPLACE, ("n",), "Twice each number.")


def test_sources_are_found_from_the_annotations_in_both_spellings() -> None:
    @declared("gold.both")
    def both(
        left: Source["silver.left"],
        right: Annotated[pl.LazyFrame, Source["silver.right"]],
        again: "Source['silver.left']",
        limit: int = 3,
    ) -> pl.LazyFrame:
        return pl.concat([left, right, again]).head(limit)

    body = both.body
    assert isinstance(body, Frames)
    assert dict(body.parameters) == dict(
        zip(("left", "right", "again"), names("silver.left", "silver.right", "silver.left"), strict=True)
    )
    assert both.inputs == names("silver.left", "silver.right")


def test_a_table_that_an_expectation_refers_to_is_a_source_too() -> None:
    @declared("silver.flights", expect=[expect.references("dest", "silver.airports", "faa", action="warn")])
    def flights(rows: Source["bronze.flights"]) -> pl.LazyFrame:
        return rows

    assert flights.inputs == names("bronze.flights")
    assert flights.sources == names("bronze.flights", "silver.airports")


def test_null_tokens_are_given_for_all_sources_or_for_one() -> None:
    def rows(left: Source["bronze.a"], right: Source["bronze.b"]) -> pl.LazyFrame:
        return pl.concat([left, right])

    a, b = names("bronze.a", "bronze.b")
    assert declared("silver.x", null_tokens=["NA", ""])(rows).null_tokens == {a: ("NA", ""), b: ("NA", "")}
    assert declared("silver.x", null_tokens={"bronze.b": ["-"]})(rows).null_tokens == {b: ("-",)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"table": "bronze.x"}, "a job cannot write bronze.x"),
        ({"table": "catalog.x"}, "a job cannot write catalog.x"),
        ({"table": "flights"}, "not a table name"),
        ({"table": "silver.x", "mode": "upsrt", "key": ["a"]}, "write upsert"),
        ({"table": "silver.x", "mode": "upsert"}, "in mode upsert without a key"),
        ({"table": "silver.x", "key": "ab"}, 'write key=["ab"]'),
        ({"table": "silver.x", "null_tokens": "NA"}, 'write null_tokens=["NA"]'),
        ({"table": "silver.x", "null_tokens": {"bronze.row": ["NA"]}}, "it reads bronze.rows"),
        ({"table": "silver.x", "types": {"a": pl.Time}}, "text is not cast to Time"),
        ({"table": "silver.x", "expect": [expect.not_null("a"), expect.not_null("a")]}, "two expectations not_null(a)"),
    ],
)
def test_a_declaration_that_cannot_be_kept_is_refused_with_the_way_out(
    arguments: dict[str, object], message: str
) -> None:
    def rows(rows: Source["bronze.rows"]) -> pl.LazyFrame:
        return rows

    with pytest.raises(UsageError) as caught:
        job(**arguments)(rows)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_parameter_without_a_table_is_refused() -> None:
    def rows(rows: Source["bronze.rows"], other: pl.LazyFrame) -> pl.LazyFrame:
        return pl.concat([rows, other])

    with pytest.raises(UsageError, match=r"the parameter 'other' of rows names no table"):
        job("silver.x")(rows)


def test_a_job_without_sources_is_refused() -> None:
    def nothing() -> pl.LazyFrame:
        return pl.LazyFrame()

    with pytest.raises(UsageError, match=r"silver\.x reads no table"):
        job("silver.x")(nothing)


def test_an_unknown_action_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="write quarantine"):
        expect.not_null("a", action="quarantne")


def test_importing_lake_does_not_import_polars() -> None:
    script = "import lake, sys; assert 'polars' not in sys.modules; lake.job; assert 'polars' in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
