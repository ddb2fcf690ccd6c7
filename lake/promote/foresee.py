"""The columns that each job would give, and the mistakes that show in them, before any row is read."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from duckdb import BinderException, CatalogException
from polars.exceptions import ColumnNotFoundError

from catalog.errors import DataRefused, JobFailed
from catalog.tables import storable
from catalog.zones import TableName
from lake.promote.declare import Frames, Inferred, Job
from lake.promote.expect import References
from lake.promote.faults import blaming
from lake.promote.frames import require_columns, result_of
from lake.promote.modes import shape
from lake.promote.names import listed, nearest
from lake.promote.sql import Bounds, SourceFiles, run_query

_MEMORY_GB = 0.5

Foreseen = pl.Schema | DataRefused
"""What a job's table will be, or why it cannot be made."""


def foresee(jobs: Sequence[Job], schemas: Mapping[TableName, pl.Schema]) -> dict[TableName, Foreseen]:
    """The schema of each job's table, or the mistake in its declaration; ``jobs`` have sources first.

    ``schemas`` are those of the tables that no job makes. Jobs are given frames and tables without a row. Where a
    source is not known yet, or a job does not bear to see no row, nothing is foreseen, and nothing refused.
    """
    known = dict(schemas)
    found: dict[TableName, Foreseen] = {}
    for job in jobs:
        if not all(source in known for source in job.sources):
            known.pop(job.table, None)
            continue
        seen = _foresee(job, known)
        if isinstance(seen, pl.Schema):
            known[job.table] = seen
        else:
            known.pop(job.table, None)
        if seen is not None:
            found[job.table] = seen
    return found


def _foresee(job: Job, known: Mapping[TableName, pl.Schema]) -> Foreseen | None:
    if isinstance(job.body, Inferred):
        return None
    try:
        result = _result(job, {name: known[name] for name in job.sources})
        require_columns(job, result)
        _require_targets(job, known)
        return _table(job, result)
    except DataRefused as error:
        return error if _is_certain(error) else None


def _is_certain(error: DataRefused) -> bool:
    """Whether it would come with rows as well: it is the lake's own check, or an engine does not know a name."""
    return isinstance(
        error.__cause__ or error.__context__, ColumnNotFoundError | BinderException | CatalogException | None
    )


def _result(job: Job, sources: Mapping[TableName, pl.Schema]) -> pl.Schema:
    """The columns of the job's own result. Raises `JobFailed`, `TypeRefused`."""
    if isinstance(job.body, Frames):
        with blaming(job):
            return result_of(
                job, {name: pl.LazyFrame(schema=schema) for name, schema in sources.items()}
            ).collect_schema()
    with tempfile.TemporaryDirectory() as name:
        files = {name: SourceFiles(sources[name], ()) for name in job.inputs}
        return storable(run_query(job, files, Path(name), Bounds(Path(name), _MEMORY_GB))).collect_schema()


def _require_targets(job: Job, known: Mapping[TableName, pl.Schema]) -> None:
    """Raises `JobFailed` where a rule looks values up in a column that is not there."""
    for rule in job.expect:
        if isinstance(rule, References) and rule.target not in known[rule.table]:
            near = nearest(rule.target, known[rule.table]) or listed(known[rule.table])
            raise JobFailed(
                f"{job.table}: {rule.table} has no column {rule.target!r}, which {rule.name} names ({job.where})",
                next=f"the nearest is {near}",
            )


def _table(job: Job, result: pl.Schema) -> pl.Schema:
    """The columns of the table that the job's mode makes of such a result."""
    cast = {name: job.types.get(name, dtype) for name, dtype in result.items() if name not in job.origin}
    return shape(job, pl.LazyFrame(schema=cast)).collect_schema()
