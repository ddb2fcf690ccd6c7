"""Random queries out of a grammar of DuckDB's SQL, and what they give on frames."""

import random
from collections.abc import Mapping

import duckdb
import polars as pl

from catalog.zones import TableName

_COLUMNS = {"silver.facts": ["id", "k", "g", "d", "x"], "silver.names": ["k", "g", "v"]}
_LITERALS = {"id": "5", "k": "'b'", "g": "2", "d": "date '2026-01-02'", "x": "0", "v": "2", "n": "1"}


class Engine:
    """DuckDB with tables out of frames."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("create schema silver; set threads = 1; set python_enable_replacements = false")

    def run(self, sql: str, frames: Mapping[TableName, pl.LazyFrame]) -> pl.LazyFrame:
        """What a query gives."""
        for name, frame in frames.items():
            self.connection.register("given", frame.collect().to_arrow())
            self.connection.execute(f"create or replace table {name} as from given")
            self.connection.unregister("given")
        return self.connection.sql(sql).pl().lazy()


def random_query(dice: random.Random) -> str:
    """A query over ``silver.facts`` and ``silver.names``; DuckDB may refuse it."""
    sql, columns = _relation(dice, dice.choice([1, 1, 2, 2, 3]))
    if dice.random() < 0.1:
        return f"with w as ({sql}) select * from w a join w b using ({dice.choice(columns)})"
    return sql + (dice.choice([" limit 2", " order by all limit 2", " order by 1"]) if dice.random() < 0.1 else "")


def _relation(dice: random.Random, depth: int) -> tuple[str, list[str]]:
    """A SELECT and the names of its columns."""
    if depth == 0:
        table = dice.choice(list(_COLUMNS))
        return f"select {', '.join(_COLUMNS[table])} from {table}", list(_COLUMNS[table])
    makers = (
        _filtered,
        _filtered,
        _computed,
        _computed,
        _grouped,
        _windowed,
        _joined,
        _joined,
        _united,
        _distinct,
        _asked,
    )
    return dice.choice(makers)(dice, depth)


def _filtered(dice: random.Random, depth: int) -> tuple[str, list[str]]:
    inner, columns = _relation(dice, depth - 1)
    column = dice.choice(columns)
    tests = [f"{column} is not null", f"{column} >= {_LITERALS.get(column, '1')}", f"{column} is distinct from null"]
    return f"select * from ({inner}) where {dice.choice(tests)}", columns


def _computed(dice: random.Random, depth: int) -> tuple[str, list[str]]:
    inner, columns = _relation(dice, depth - 1)
    column = dice.choice(columns)
    made = dice.choice(
        [
            f"{column} as n",
            f"coalesce({column}::varchar, '-') as n",
            f"date_trunc('month', {column}) as n",
            f"case when {column} is null then 0 else 1 end as n",
            f"upper({column}) as n",
            "unnest([1, 2]) as n",
        ]
    )
    rest = [each for each in columns if each != "n"]
    return f"select {', '.join(rest)}, {made} from ({inner})", [*rest, "n"]


def _by(dice: random.Random, columns: list[str]) -> str:
    return ", ".join(dice.sample(columns, min(len(columns), dice.randint(1, 2))))


def _grouped(dice: random.Random, depth: int) -> tuple[str, list[str]]:
    inner, columns = _relation(dice, depth - 1)
    by, column = _by(dice, columns), dice.choice(columns)
    made = dice.choice(
        [
            *(["count(*)", f"max({column})"] * 3),
            f"count(distinct {column})",
            f"list({column} order by {column})",
            f"first({column})",
            f"arg_max({column}, {columns[0]})",
            f"max({column}) filter ({column} is not null)",
        ]
    )
    names = by.split(", ")
    having = dice.choice(["", "", " having count(*) > 1"])
    grouping = dice.choice([by, by, by, by, by, by, f"rollup({by})", "all"])
    if "n" in names:
        return f"select {by}, {made} as m from ({inner}) group by {grouping}{having}", [*names, "m"]
    return f"select {by}, {made} as n from ({inner}) group by {grouping}{having}", [*names, "n"]


def _windowed(dice: random.Random, depth: int) -> tuple[str, list[str]]:
    inner, columns = _relation(dice, depth - 1)
    by, column, order = _by(dice, columns), dice.choice(columns), _by(dice, columns)
    made = dice.choice(
        [
            *([f"count(*) over (partition by {by})"] * 4),
            f"max({column}) over (partition by {by} order by {order})",
            f"max({column}) over (partition by {by} order by {order} rows between 1 preceding and current row)",
            f"rank() over (partition by {by} order by {order})",
            f"row_number() over (partition by {by} order by {order})",
            f"lag({column}) over (partition by {by} order by {order})",
            f"count(*) over (order by {order})",
        ]
    )
    rest = [each for each in columns if each != "n"]
    if dice.random() < 0.4:
        return f"select {', '.join(columns)} from ({inner}) qualify {made} = 1", columns
    return f"select {', '.join(rest)}, {made} as n from ({inner})", [*rest, "n"]


def _joined(dice: random.Random, depth: int) -> tuple[str, list[str]]:
    (one, mine), (two, other) = _relation(dice, depth - 1), _relation(dice, 0 if dice.random() < 0.7 else depth - 1)
    if dice.random() < 0.3:
        two, other = f"select {mine[0]}, count(*) as c from ({one}) group by all", [mine[0], "c"]
    shared = [column for column in mine if column in other]
    if not shared:
        return f"select a.* from ({one}) a, ({two}) b", mine
    on = dice.sample(shared, dice.randint(1, len(shared)))
    how = dice.choice(["join", "join", "left join", "right join", "full join", "semi join", "anti join"])
    extra = [column for column in other if column not in mine] if how[:4] not in {"semi", "anti"} else []
    kept = [*mine, *extra]
    if dice.random() < 0.5:
        return f"select {', '.join(kept)} from ({one}) a {how} ({two}) b using ({', '.join(on)})", kept
    same = dice.choice(["=", "is not distinct from"])
    condition = " and ".join(f"a.{column} {same} b.{column}" for column in on)
    told = ", ".join([*(f"a.{column}" for column in mine), *(f"b.{column}" for column in extra)])
    return f"select {told} from ({one}) a {how} ({two}) b on {condition}", kept


def _united(dice: random.Random, depth: int) -> tuple[str, list[str]]:
    (one, mine), (two, other) = _relation(dice, depth - 1), _relation(dice, depth - 1)
    how = dice.choice(["union all", "union all", "union", "except", "intersect", "except all", "intersect all"])
    shared = [column for column in mine if column in other]
    if not shared:
        return f"({one}) {how} by name ({two})" if how == "union all" else one, mine
    told = ", ".join(shared)
    return f"(select {told} from ({one})) {how} (select {told} from ({two}))", shared


def _distinct(dice: random.Random, depth: int) -> tuple[str, list[str]]:
    inner, columns = _relation(dice, depth - 1)
    by = _by(dice, columns)
    if dice.random() < 0.5:
        return f"select distinct {by} from ({inner})", by.split(", ")
    return f"select distinct on ({by}) * from ({inner}) order by {_by(dice, columns)}", columns


def _asked(dice: random.Random, depth: int) -> tuple[str, list[str]]:
    inner, columns = _relation(dice, depth - 1)
    column, (table, other) = dice.choice(columns), dice.choice(list(_COLUMNS.items()))
    its = column if column in other else other[0]
    asked = dice.choice(
        [
            f"{column} in (select {its} from {table})",
            f"{column} not in (select {its} from {table})",
            f"exists (select 1 from {table} t where t.{its} = a.{column})",
            f"not exists (select 1 from {table} t where t.{its} = a.{column})",
            f"{column} = (select max({its}) from {table})",
            f"1 < (select count(*) from {table} t where t.{its} = a.{column})",
        ]
    )
    return f"select * from ({inner}) a where {asked}", columns
