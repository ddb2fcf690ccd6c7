"""A plan is a value: what runs and why, from states alone."""
# ruff: noqa: F821 - Source["bronze.rows"] names a table, not a type

from dataclasses import replace

import polars as pl

from catalog.zones import TableName
from lake import Source, expect
from lake.promote.change import State, progress
from lake.promote.declare import Job
from lake.promote.plan import plan
from tests.support.jobs import declared


@declared("silver.rows", expect=[expect.references("n", "silver.known", "n")])
def rows(rows: Source["bronze.rows"]) -> pl.LazyFrame:
    return rows


@declared("gold.sums")
def sums(rows: Source["silver.rows"]) -> pl.LazyFrame:
    return rows.select(pl.col("n").sum())


ROWS, SUMS = replace(rows, code="r1"), replace(sums, code="s1")
BRONZE, KNOWN, SILVER, GOLD = map(TableName.parse, ("bronze.rows", "silver.known", "silver.rows", "gold.sums"))


def built() -> dict[TableName, State]:
    """Everything published and nothing new."""
    states = {BRONZE: State(3, "b3", {}), KNOWN: State(0, "k0", {})}
    states[SILVER] = State(1, "s1", progress(ROWS, states))
    states[GOLD] = State(1, "g1", progress(SUMS, states))
    return states


def told(states: dict[TableName, State], *jobs: Job) -> list[tuple[bool, str]]:
    return [(step.runs, step.reason) for step in plan(jobs or (ROWS, SUMS), states)]


def test_nothing_new_runs_nothing() -> None:
    assert told(built()) == [(False, "nothing new"), (False, "nothing new")]


def test_a_table_that_was_never_built_runs_and_takes_along_what_reads_it() -> None:
    states = built()
    del states[SILVER]
    assert told(states) == [(True, "never built"), (True, "silver.rows changes in this run")]


def test_new_data_is_named_with_both_versions() -> None:
    states = built() | {BRONZE: State(4, "b4", {})}
    assert told(states)[0] == (True, "bronze.rows has new data: version 3 -> 4")


def test_a_version_without_new_files_is_no_news() -> None:
    states = built() | {BRONZE: State(7, "b3", {})}
    assert told(states) == [(False, "nothing new"), (False, "nothing new")]


def test_a_table_that_an_expectation_refers_to_is_news_too() -> None:
    states = built() | {KNOWN: State(1, "k1", {})}
    assert told(states)[0] == (True, "silver.known has new data: version 0 -> 1")


def test_changed_code_is_the_reason_before_all_others() -> None:
    states = built() | {BRONZE: State(4, "b4", {})}
    assert told(states, replace(ROWS, code="r2"), replace(SUMS, code="s2")) == [
        (True, "the job's code changed"),
        (True, "the job's code changed"),
    ]


def test_a_version_that_no_job_made_is_made_again() -> None:
    states = built() | {GOLD: State(2, "g2", {})}
    assert told(states)[1] == (True, "its published version was not made by a job")


def test_a_job_waits_for_data_that_never_came_and_so_does_what_reads_it() -> None:
    states = {KNOWN: State(0, "k0", {})}
    reason = "bronze.rows is not there yet: lake drop FILE --into rows"
    assert told(states) == [(False, reason), (False, reason)]
