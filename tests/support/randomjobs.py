"""Random frames, random changes of them, and random jobs out of a grammar of operators: to try dependences by force."""

import datetime as dt
import random
from collections import Counter
from collections.abc import Callable, Mapping

import polars as pl

from catalog.zones import TableName

Frames = Mapping[str, pl.LazyFrame]
Step = Callable[[pl.LazyFrame, Frames], pl.LazyFrame]
Rows = list[dict[str, object]]

FACTS, NAMES = TableName.parse("silver.facts"), TableName.parse("silver.names")
SCHEMAS: dict[TableName, pl.Schema] = {
    FACTS: pl.Schema(
        {
            "id": pl.Int64,
            "k": pl.String,
            "g": pl.Int64,
            "d": pl.Date,
            "x": pl.Float64,
            "l": pl.List(pl.Int64),
        }
    ),
    NAMES: pl.Schema({"k": pl.String, "g": pl.Int64, "v": pl.Int64}),
}
PARAMETERS = {"facts": FACTS, "names": NAMES}
_VALUES: dict[str, list[object]] = {
    "k": ["a", "b", "c", None],
    "g": [1, 2, 3, None],
    "v": [1, 2, 1000, None],
    "d": [dt.date(2026, 1, 1), dt.date(2026, 1, 2), dt.date(2026, 2, 1), None],
    "x": [0.0, 1.5, -2.0, float("nan"), None],
    "l": [[1, 2], [], None, [3]],
}


def random_rows(dice: random.Random, table: TableName, most: int = 8) -> Rows:
    """Some rows of a table; their ``id``, where it has one, tells them apart."""
    columns = [name for name in SCHEMAS[table] if name != "id"]
    rows: Rows = [{name: dice.choice(_VALUES[name]) for name in columns} for _ in range(dice.randrange(most))]
    if "id" not in SCHEMAS[table]:
        return rows + rows[: dice.randrange(3)]
    return [{"id": number, **row} for number, row in zip(dice.sample(range(20), len(rows)), rows, strict=True)]


def changed_rows(dice: random.Random, table: TableName, rows: Rows) -> Rows:
    """The rows after some went, some came and some were corrected; in another order."""
    kept = [row for row in rows if dice.random() < 0.7]
    used = {row.get("id") for row in kept}
    come = [row for row in random_rows(dice, table, 5) if row.get("id") is None or row["id"] not in used]
    if kept and dice.random() < 0.5:
        column = dice.choice([name for name in SCHEMAS[table] if name != "id"])
        kept[0] = {**kept[0], column: dice.choice(_VALUES[column])}
    return dice.sample(kept + come, len(kept) + len(come))


def frame(table: TableName, rows: Rows) -> pl.LazyFrame:
    """Rows as the frame that a job is given."""
    return pl.LazyFrame(rows, schema=SCHEMAS[table], orient="row") if rows else pl.LazyFrame(schema=SCHEMAS[table])


def multiset(rows: pl.LazyFrame) -> Counter[str]:
    """The rows as a multiset, in which NaN equals NaN."""
    return Counter(map(repr, rows.collect().rows()))


def random_job(dice: random.Random) -> Callable[..., pl.LazyFrame]:
    """A function of ``facts`` and ``names``, which is the same for the same dice."""
    empty = {name: pl.LazyFrame(schema=SCHEMAS[table]) for name, table in PARAMETERS.items()}
    first = dice.choice(["facts", "facts", "names"])
    steps: list[Step] = []
    at = empty[first]
    for _ in range(dice.randint(1, 4)):
        step = _random_step(dice, at.collect_schema())
        try:
            then = step(at, empty)
            then.collect()
        except pl.exceptions.PolarsError:
            continue
        if then.collect_schema():
            at = then
            steps.append(step)

    def job(**frames: pl.LazyFrame) -> pl.LazyFrame:
        rows = frames[first]
        for step in steps:
            rows = step(rows, frames)
        return rows

    return job


def _random_step(dice: random.Random, schema: pl.Schema) -> Step:
    plain = [name for name, dtype in schema.items() if not dtype.is_nested()]
    numbers = [name for name in plain if schema[name].is_numeric()]
    if not plain:
        return lambda rows, _: rows
    by = dice.sample(plain, min(len(plain), dice.randint(1, 2)))
    column, number = dice.choice(plain), dice.choice(numbers or [""])
    makers = (_of_rows, _of_rows, _of_groups, _of_groups, _of_joins, _of_joins, _of_all)
    return dice.choice(makers)(dice, schema, by, column, number)


def _of_rows(dice: random.Random, schema: pl.Schema, by: list[str], column: str, number: str) -> Step:
    old, new = dice.choice(["k", "g", "x"]), dice.choice(["k", "g", "y"])
    steps: list[Step] = [
        lambda rows, _: rows.filter(pl.col(column).is_not_null()),
        lambda rows, _: rows.filter(pl.col("k").is_in(["a", "b"])),
        lambda rows, _: rows.filter(pl.col(number) > 1),
        lambda rows, _: rows.with_columns(pl.col("k").str.to_uppercase()),
        lambda rows, _: rows.with_columns(k=pl.col("g").cast(pl.String)),
        lambda rows, _: rows.with_columns(y=pl.when(pl.col("g") > 1).then(pl.col("g")).otherwise(0)),
        lambda rows, _: rows.with_columns(d=pl.col("d").dt.month_start()),
        lambda rows, _: rows.rename({old: new}),
        lambda rows, _: rows.select(*by, pl.lit(7).alias("seven")),
        lambda rows, _: rows.explode("l"),
        lambda rows, _: rows.drop(column),
        lambda rows, _: rows.fill_null(1),
        lambda rows, _: rows.sort(by),
        lambda rows, _: rows.select("k", "g").unpivot(index="k"),
    ]
    return dice.choice(steps)


def _of_groups(dice: random.Random, schema: pl.Schema, by: list[str], column: str, number: str) -> Step:
    month = pl.col("d").dt.month_start().alias("month")
    order = dice.choice(["id", "d", "g"])
    steps: list[Step] = [
        lambda rows, _: rows.group_by(by).agg(n=pl.len()),
        lambda rows, _: rows.group_by(by).agg(g=pl.col(number).sum(), most=pl.col(column).max()),
        lambda rows, _: rows.group_by(*by[:1], month).agg(n=pl.col(column).n_unique()),
        lambda rows, _: rows.group_by(month).agg(g=pl.len()),
        lambda rows, _: rows.with_columns(n=pl.len().over(by)),
        lambda rows, _: rows.with_columns(g=pl.col(number).max().over(by)),
        lambda rows, _: rows.filter(pl.col(column) == pl.col(column).max().over(by)),
        lambda rows, _: rows.with_columns(r=pl.col(column).rank("min").over(by)),
        lambda rows, _: rows.with_columns(r=pl.col(column).shift().over(by, order_by=order)),
        lambda rows, _: rows.unique(),
        lambda rows, _: rows.unique(by, keep="none"),
        lambda rows, _: rows.sort(order).unique(by, keep="first"),
        lambda rows, _: rows.sort(order).group_by(by).agg(pl.col(column).last()),
        lambda rows, _: rows.group_by(by).agg(pl.col(column).sort_by(order).first()),
        lambda rows, _: rows.filter(pl.len().over(by) > 1),
    ]
    return dice.choice(steps)


def _of_joins(dice: random.Random, schema: pl.Schema, by: list[str], column: str, number: str) -> Step:
    other = dice.choice(["facts", "names"])
    on = dice.choice([["k"], ["g"], ["k", "g"]])
    how = dice.choice(["inner", "inner", "left", "semi", "anti", "right", "full"])
    is_coalesced = dice.choice([True, None])
    cut = dice.choice([["k", "g"], ["k", "g", "v"], ["k", "g", "d"]])
    is_null = dice.random() < 0.3

    def join(rows: pl.LazyFrame, frames: Frames) -> pl.LazyFrame:
        right = frames[other].select(cut)
        return rows.join(right, on=on, how=how, coalesce=is_coalesced, nulls_equal=is_null)

    steps: list[Step] = [
        join,
        join,
        lambda rows, _: rows.join(rows.group_by(by).agg(total=pl.len()), on=by, how=how),
        lambda rows, _: rows.join(rows.select(by), left_on=by, right_on=by[::-1], how=how),
        lambda rows, frames: rows.join(frames["names"], how="cross", suffix="_n"),
        lambda rows, frames: rows.join_where(frames["names"], pl.col("g") < pl.col("v"), suffix="_n"),
        lambda rows, frames: pl.concat([rows.select("k", "g"), frames[other].select("k", "g")]),
        lambda rows, frames: pl.concat([rows, frames[other]], how="diagonal"),
        lambda rows, _: pl.concat([rows.select("k", "g"), rows.group_by(by[:1]).agg(g=pl.len()).select("k", "g")]),
        lambda rows, _: pl.concat([rows, rows]),
        lambda rows, frames: rows.join(frames["names"].unique("k", keep="none"), on="k", how=how, coalesce=True),
    ]
    return dice.choice(steps)


def _of_all(dice: random.Random, schema: pl.Schema, by: list[str], column: str, number: str) -> Step:
    """Operators that look at all rows: what follows on them must not be shown to be less than whole."""
    steps: list[Step] = [
        lambda rows, _: rows.sort(by).head(2),
        lambda rows, _: rows.with_columns(g=pl.col(number).sum()),
        lambda rows, _: rows.filter(pl.col(column) == pl.col(column).max()),
        lambda rows, _: rows.select(pl.len().alias("g")),
        lambda rows, _: rows.filter(pl.col(column).is_unique()),
        lambda rows, _: rows.filter(pl.col("g").is_in(pl.col("g").max().implode())),
        lambda rows, frames: rows.filter(pl.len() > 2),
    ]
    return dice.choice(steps)
