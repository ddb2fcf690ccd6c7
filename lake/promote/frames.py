"""The frames that a job is given, and the frame that it gives back: pure, so that jobs are testable without a store."""

from collections.abc import Mapping, Sequence

import polars as pl

from catalog.errors import JobFailed
from catalog.tables import storable
from catalog.zones import TableName
from lake.promote.declare import Frames, Job
from lake.promote.faults import blaming
from lake.promote.modes import CURRENT, HISTORIES, MOMENTS, VALID_FROM, VALID_TO
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
    """Raises `JobFailed` where the declaration names a column that the result lacks, or one of another type."""
    for name, said in _named(job):
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
    _require_of_mode(job, pl.Schema({name: job.types.get(name, dtype) for name, dtype in schema.items()}))


def _named(job: Job) -> list[tuple[str, str]]:
    """The columns of the result that the declaration names, and where it does."""
    arguments = {
        "key": job.key,
        "sequence": [job.sequence] if job.sequence else [],
        "deletes": [job.deletes] if job.deletes else [],
        "partition_by": job.partition_by,
        "types": job.types,
        "origin": job.origin,
        "units": job.units,
        "pii": job.pii,
    }
    told = [*arguments.items(), *((rule.name, rule.columns) for rule in job.expect)]
    return [(name, said) for said, names in told for name in names]


def _require_of_mode(job: Job, schema: pl.Schema) -> None:
    """Raises `JobFailed` where a column cannot be what the mode takes it for; ``schema`` is that after the casts."""
    if job.mode in HISTORIES and (
        taken := next((name for name in (VALID_FROM, VALID_TO, CURRENT) if name in schema), "")
    ):
        raise JobFailed(
            f"{job.table}: the result has a column {taken!r}, which mode {job.mode} adds ({job.where})",
            next="give it another name in the job",
        )
    if job.sequence and not isinstance(moment := schema[job.sequence], MOMENTS):
        raise JobFailed(
            f"{job.table}: sequence names {job.sequence!r}, which is {moment} ({job.where})",
            next="it must be a date, a datetime or an integer: cast it, as in types",
        )
    if job.deletes and schema[job.deletes] != pl.Boolean:
        raise JobFailed(
            f"{job.table}: deletes names {job.deletes!r}, which is {schema[job.deletes]} ({job.where})",
            next="it must be true or false: write a condition, as in pl.col('status') == 'gone'",
        )


def _texts(frame: pl.LazyFrame) -> list[str]:
    return [name for name, dtype in frame.collect_schema().items() if dtype == pl.String and not name.startswith("_")]
