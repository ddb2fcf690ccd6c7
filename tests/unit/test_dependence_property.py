"""Random jobs on random frames: what is reckoned from the rows that changed is what the whole would give."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import duckdb
import polars as pl
import pytest

from catalog.zones import TableName
from lake.promote.dependent import ByKey, ByRow, Dependence, Whole
from lake.promote.history import Sources, advance
from lake.promote.polarsplan import Given, read_function
from lake.promote.relation import Relation
from lake.promote.sqlplan import Read, read_query
from tests.support.randomjobs import (
    FACTS,
    NAMES,
    PARAMETERS,
    SCHEMAS,
    changed_rows,
    frame,
    multiset,
    random_job,
    random_rows,
)
from tests.support.randomqueries import Engine, random_query

CHANGES = 4
KEYS = {FACTS: [["id"]], NAMES: []}
FLAT = {table: pl.Schema({n: t for n, t in schema.items() if n != "l"}) for table, schema in SCHEMAS.items()}

Make = Callable[[Sources], pl.LazyFrame]


def check_job(seed: int) -> Counter[str]:
    """Derive what a random job depends on and try it on random changes; how often it was by row, by key, whole."""
    dice = random.Random(seed)
    job = random_job(dice)
    given = {name: Given(table, SCHEMAS[table], KEYS[table]) for name, table in PARAMETERS.items()}
    relation, _ = read_function(job, given)
    made = job(**{name: pl.LazyFrame(schema=SCHEMAS[table]) for name, table in PARAMETERS.items()})
    return check_changes(
        dice,
        lambda sources: job(**{name: sources[table] for name, table in PARAMETERS.items()}),
        relation,
        SCHEMAS,
        f"seed {seed}\n{made.explain(optimized=False)}",
    )


@cache
def duck() -> Engine:
    return Engine()


def check_query(seed: int) -> Counter[str]:
    """The same with a random query."""
    dice, engine = random.Random(seed), duck()
    sql = random_query(dice)
    try:
        engine.run(sql, {table: pl.LazyFrame(schema=schema) for table, schema in FLAT.items()})
    except duckdb.Error:
        return Counter()
    relation, schema = read_query(sql, {table: Read(schema, KEYS[table]) for table, schema in FLAT.items()})
    assert schema is not None, relation
    return check_changes(dice, lambda sources: engine.run(sql, sources), relation, FLAT, f"seed {seed}\n{sql}")


def check_changes(
    dice: random.Random, make: Make, relation: Relation, schemas: Mapping[TableName, pl.Schema], told: str
) -> Counter[str]:
    """Change what is not depended on as a whole, and compare."""
    found: dict[TableName, Dependence] = {table: ByRow() for table in SCHEMAS}
    for table, trace in relation.traces.items():
        alone = {} if isinstance(trace.dependence, Whole) else {"without": relation.beside(table)}
        found[table] = replace(trace.dependence, **alone)
    for _ in range(CHANGES):
        before = {table: random_rows(dice, table) for table in SCHEMAS}
        changing = [table for table in SCHEMAS if not isinstance(found[table], Whole)]
        after = before | {table: changed_rows(dice, table, before[table]) for table in changing}
        old, new = (
            {table: frame(table, rows).select(list(schemas[table])) for table, rows in sources.items()}
            for sources in (before, after)
        )
        if before == after:
            continue
        try:
            was, now = multiset(make(old)), multiset(make(new))
            gone, come = map(multiset, advance(make, old, new, found))
        except (pl.exceptions.PolarsError, duckdb.Error):
            continue  # a value that the job refuses, as in a cast
        said = f"{told}\n{found}\n{before}\n{after}"
        assert gone <= was, f"rows go that are not there: {gone - was}\n{said}"
        assert was - gone + come == now, f"{was - gone + come} is not {now}\n{said}"
    return Counter(type(trace.dependence).__name__ for trace in relation.traces.values())


@pytest.mark.parametrize("batch", range(4))
def test_the_rows_that_changed_give_the_difference(batch: int) -> None:
    tried = sum((check_job(seed) for seed in range(batch * 30, (batch + 1) * 30)), Counter[str]())
    assert min(tried[kind.__name__] for kind in (ByRow, ByKey, Whole)) > 3, tried


@pytest.mark.parametrize("batch", range(4))
def test_the_rows_that_changed_give_the_difference_in_sql(batch: int) -> None:
    tried = sum((check_query(seed) for seed in range(batch * 15, (batch + 1) * 15)), Counter[str]())
    assert min(tried[kind.__name__] for kind in (ByRow, ByKey, Whole)) > 0, tried
