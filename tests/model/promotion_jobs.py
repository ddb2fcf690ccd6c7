"""Jobs of every mode and dependence over two small tables, in Python and in SQL, for random histories."""
# ruff: noqa: F821 - Source["bronze.rows"] names a table, not a type

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from catalog.zones import TableName
from lake import Source, expect
from lake.promote.declare import Job, Mode, Query
from lake.promote.dependent import ByKey, ByRow, Dependence, by_key, by_row, whole
from tests.support.jobs import declared

ROWS, OTHER = TableName.parse("bronze.rows"), TableName.parse("bronze.other")


@dataclass(frozen=True)
class Recipe:
    """A job's shape: ``rows`` and ``other`` say how it depends on its two sources; ``options`` are of its mode."""

    mode: str
    shape: str
    rows: Dependence
    other: Dependence | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"{self.mode}/{self.shape}"

    @property
    def kind(self) -> str:
        """How it depends on its first source: by row, by key or on the whole."""
        return {ByRow: "by row", ByKey: "by key"}.get(type(self.rows), "on the whole")

    @property
    def reads_other(self) -> bool:
        """Whether the second source is read at all, if only by a rule."""
        return self.other is not None or "known" in self.shape

    @property
    def depends(self) -> dict[str, Dependence]:
        """What the job states."""
        return {"bronze.rows": self.rows} | ({} if self.other is None else {"bronze.other": self.other})


GOOD = expect.rule("v is above -2", pl.col("v") > -2, action="quarantine")
TYPED = {"types": {"v": pl.Int64}, "expect": [GOOD], "null_tokens": ["NA"], "origin": ["_line"]}
UNIQUE = {"expect": [expect.unique("k", "g", action="quarantine")], "null_tokens": ["NA"], "origin": ["_line"]}
KNOWN = expect.references("k", "bronze.other", "k", action="quarantine")
SEEN = expect.rule("g is seen", pl.col("g") == "x", action="warn")
UPSERT, GROUPS = {"key": ["id"]}, {"key": ["k"]}
HISTORY = {"key": ["id"], "sequence": "d"}
BY_G = {"partition_by": ["g"]}

RECIPES = [
    Recipe("replace", "typed", whole(), options=TYPED),
    Recipe("replace", "sql filter", whole()),
    Recipe("append", "typed", by_row(), options=TYPED),
    Recipe("append", "exploded", by_row()),
    Recipe("append", "grouped", by_key("k"), options={"null_tokens": ["NA"]}),
    Recipe("append", "window", by_key("k", "g"), options={"null_tokens": ["NA"]}),
    Recipe("append", "plain", by_key("k", "g"), options=UNIQUE),
    Recipe("append", "left join", by_row(), by_key("k")),
    Recipe("append", "inner join", by_row(), by_row()),
    Recipe("append", "union", by_row(), by_row()),
    Recipe("append", "plain known", by_row(), options={"expect": [KNOWN, SEEN]}),
    Recipe("append", "share", whole()),
    Recipe("append", "sql filter", by_row()),
    Recipe("append", "sql grouped", by_key("g", "k")),
    Recipe("append", "sql left join", by_row(), by_key("k")),
    Recipe("upsert", "typed", by_row(), options=TYPED | UPSERT),
    Recipe("upsert", "plain", by_row(), options=UPSERT | {"expect": [expect.unique("d")]}),
    Recipe("upsert", "grouped of k", by_key("k"), options=GROUPS),
    Recipe("upsert", "left join", by_row(), by_key("k"), options=UPSERT),
    Recipe("upsert", "union", by_row(), by_row(), options={"key": ["id", "at"]}),
    Recipe("upsert", "share", whole(), options=UPSERT),
    Recipe("upsert", "sql filter", by_row(), options=UPSERT),
    Recipe("upsert", "sql left join", by_row(), by_key("k"), options=UPSERT),
    Recipe("upsert", "sql newest", by_key("id"), options=UPSERT),
    Recipe("scd2", "typed", by_key("id"), options=TYPED | HISTORY),
    Recipe("scd2", "flagged", by_key("id"), options=HISTORY | {"deletes": "gone"}),
    Recipe("scd2", "flagged left join", by_key("id"), whole(), options=HISTORY | {"deletes": "gone"}),
    Recipe("scd2", "share", whole(), options=HISTORY),
    Recipe("scd2", "sql filter", by_key("id"), options=HISTORY),
    Recipe("snapshot", "plain", whole(), options=HISTORY),
    Recipe("snapshot", "sql filter", whole(), options=HISTORY),
    Recipe("partition", "typed", by_key("g"), options=TYPED | BY_G),
    Recipe("partition", "plain", by_key("g", "k"), options={"partition_by": ["g", "k"]}),
    Recipe("partition", "window", by_key("g"), options=BY_G | {"null_tokens": ["NA"]}),
    Recipe("partition", "share", whole(), options=BY_G),
    Recipe("partition", "sql grouped", by_key("g"), options=BY_G),
]

_SQL = {
    "filter": "select id, k, g, d, f, v, n{more} from bronze.rows where v is distinct from 'skip'",
    "grouped": "select k, g, count(*) as n, max(d) as d, count(f) as f{more} from bronze.rows group by k, g",
    "left join": "select id, k, v, d, other.name, rows.f{more} from bronze.rows left join bronze.other using (k)",
    "newest": "select id, max(d) as d, count(*) as n{more} from bronze.rows group by id",
}


def made(recipe: Recipe, code: int, *, is_stated: bool) -> Job:
    """The job of a recipe; ``code`` gives another one of the same kind, with a column more or less."""
    options = dict(recipe.options) | {"mode": recipe.mode}
    if recipe.shape.startswith("sql "):
        return _query(recipe, code, is_stated=is_stated)
    depends = recipe.depends if is_stated else {}

    @declared("silver.made", depends={"bronze.rows": depends["bronze.rows"]} if depends else {}, **options)
    def alone(rows: Source["bronze.rows"]) -> pl.LazyFrame:
        return _frame(recipe.shape, rows, None, code)

    @declared("silver.made", depends={} if recipe.other is None else depends, **options)
    def joined(rows: Source["bronze.rows"], other: Source["bronze.other"]) -> pl.LazyFrame:
        return _frame(recipe.shape, rows, other, code)

    return replace(alone if recipe.other is None else joined, code=f"{recipe.name} {code}")


def _query(recipe: Recipe, code: int, *, is_stated: bool) -> Job:
    sql = _SQL[recipe.shape.removeprefix("sql ")].format(more=f", '{code}' as code" if code else "")
    tables = (ROWS,) if recipe.other is None else (OTHER, ROWS)
    depends = {TableName.parse(name): way for name, way in recipe.depends.items()} if is_stated else {}
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in recipe.options.items()}
    return Job(
        TableName.parse("silver.made"),
        Query(sql, tables),
        Mode(recipe.mode),
        depends=depends,
        code=f"{recipe.name} {code}",
        **given,
    )


def _frame(shape: str, rows: pl.LazyFrame, other: pl.LazyFrame | None, code: int) -> pl.LazyFrame:
    if other is not None and shape != "union":
        rows = rows.join(other.select("k", "name"), on="k", how="inner" if "inner" in shape else "left")
    more = {"code": pl.lit(code)} if code else {}
    plain = ("id", "k", "g", "d", "f", "n")
    match shape.split(maxsplit=1)[0]:
        case "typed":
            made = rows.filter(pl.col("v").ne_missing("skip")).select(*plain, "v", "_line")
        case "exploded":
            made = rows.select("id", pl.col("n").alias("each"), "f").explode("each")
        case "grouped":
            known = rows.filter(pl.col("k").is_not_null()) if "of k" in shape else rows
            made = known.group_by("k").agg(n=pl.len(), d=pl.col("d").max(), ids=pl.col("id").sort())
        case "window":
            made = rows.select(*plain, count=pl.len().over("k", "g"), top=pl.col("d").max().over("g", "k"))
        case "share":
            made = rows.select(*plain, of=pl.col("d").max())
        case "union":
            made = _union(rows, other)
        case "flagged":
            made = rows.select("id", "k", "d", "f", gone=(pl.col("v") == "0").fill_null(value=False))
        case _:
            made = rows.select(*plain, "v", *(["name"] if other is not None else []), "_line")
    return made.with_columns(**more)


def _union(rows: pl.LazyFrame, other: pl.LazyFrame | None) -> pl.LazyFrame:
    assert other is not None
    named = other.select(pl.col("k").fill_null("?").alias("id"), "k", "name", at=pl.lit(0, pl.Int64))
    return pl.concat([rows.select("id", "k", name="v", at="d"), named])
