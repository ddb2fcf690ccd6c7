"""The frames that a job is given, and the frame that it gives back: pure, so that jobs are testable without a store."""

from collections.abc import Mapping, Sequence

import polars as pl

from catalog.errors import JobFailed
from catalog.tables import storable
from catalog.zones import TableName
from lake.promote.declare import Frames, Job
from lake.promote.faults import blaming
from lake.promote.names import listed, nearest

Nulls = Mapping[str, Mapping[str, Mapping[str, int]]]
"""How often which token stood for "missing": by source, column and token."""


def result_of(job: Job, sources: Mapping[TableName, pl.LazyFrame]) -> pl.LazyFrame:
    """The frame that a job in Python makes of its sources, not yet run. Raises `JobFailed`, `TypeRefused`."""
    body = job.body
    if not isinstance(body, Frames):
        raise TypeError(f"{job.table} is SQL")
    frames = {
        name: without_tokens(sources[table], job.null_tokens.get(table, ())) for name, table in body.parameters.items()
    }
    with blaming(job):
        made = body.function(**frames)
        if not isinstance(made, pl.LazyFrame):
            raise TypeError(f"the job gives back {type(made).__name__}, not a LazyFrame")
        result = storable(made)
    require_columns(job, result.collect_schema())
    return result


def without_tokens(frame: pl.LazyFrame, tokens: Sequence[str]) -> pl.LazyFrame:
    """The frame with NULL for each of the tokens in its text columns, the lake's own columns apart.

    >>> without_tokens(pl.LazyFrame({"n": ["1", "NA"], "_file": ["NA", "NA"]}), ["NA"]).collect().rows()
    [('1', 'NA'), (None, 'NA')]
    """
    if not tokens:
        return frame
    columns = _texts(frame)
    return frame.with_columns(pl.when(pl.col(name).is_in(list(tokens)).not_()).then(pl.col(name)) for name in columns)


def count_tokens(frame: pl.LazyFrame, tokens: Sequence[str]) -> dict[str, dict[str, int]]:
    """How often each token stands in each text column, where it does; one pass over the frame.

    >>> count_tokens(pl.LazyFrame({"n": ["1", "NA"], "m": ["1", "2"]}), ["NA"])
    {'n': {'NA': 1}}
    """
    columns = _texts(frame) if tokens else []
    sums = [
        (pl.col(name) == token).sum().alias(f"{i}.{j}")
        for i, name in enumerate(columns)
        for j, token in enumerate(tokens)
    ]
    if not sums:
        return {}
    (found,) = frame.select(sums).collect(engine="streaming").to_dicts()
    counts = {
        name: {token: found[f"{i}.{j}"] for j, token in enumerate(tokens) if found[f"{i}.{j}"]}
        for i, name in enumerate(columns)
    }
    return {name: tokens for name, tokens in counts.items() if tokens}


def require_columns(job: Job, schema: pl.Schema) -> None:
    """Raises `JobFailed` where the declaration names a column that the result lacks, or casts one that is no text."""
    named = [(name, "key") for name in job.key] + [(name, "types") for name in job.types]
    named += [(name, "origin") for name in job.origin]
    named += [(name, rule.name) for rule in job.expect for name in rule.columns]
    for name, said in named:
        if name not in schema:
            near = nearest(name, schema) or listed(schema)
            raise JobFailed(
                f"{job.table}: {said} names the column {name!r}, which the result lacks ({job.where})",
                next=f"the nearest is {near}",
            )
    for name, dtype in job.types.items():
        if schema[name] not in {pl.String, dtype}:
            raise JobFailed(
                f"{job.table}: types casts text, and {name!r} is {schema[name]} ({job.where})",
                next=f"cast it in the job, or leave it out of types: it is to be {dtype}",
            )


def _texts(frame: pl.LazyFrame) -> list[str]:
    return [name for name, dtype in frame.collect_schema().items() if dtype == pl.String and not name.startswith("_")]
