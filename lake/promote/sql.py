"""Jobs in SQL: DuckDB over local copies of the source files, within a memory limit and with access to nothing else."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
from duckdb.sqltypes import DuckDBPyType

from catalog.errors import JobFailed, TypeRefused
from catalog.zones import TableName
from lake.engine import connect, quote_name, quote_text, show_table
from lake.promote.account import count_rows, require_balance
from lake.promote.declare import Job, Query
from lake.promote.faults import machine_fault
from lake.promote.names import suggested

_EXACT = {"hugeint": "bigint", "uhugeint": "bigint", "ubigint": "bigint", "uuid": "varchar", "enum": "varchar"}
"""Types that Parquet lacks, and what their values are cast to, with an error where one does not fit: DuckDB's own
choice for a HUGEINT, which every sum of integers is, would be an inexact DOUBLE without a word."""

_REFUSED = {"interval", "time", "time with time zone", "null", "bit", "bignum", "variant", "union", "geometry"}
_NESTED = {"list", "array", "struct", "map"}


@dataclass(frozen=True)
class SourceFiles:
    """A table as DuckDB reads it: local Parquet files, and the schema that a table without any still has."""

    schema: pl.Schema
    files: Sequence[Path]


@dataclass(frozen=True)
class Bounds:
    """What a query may take: memory, and files below one folder, which holds its sources and all that it writes."""

    folder: Path
    memory_gb: float


def run_query(job: Job, sources: Mapping[TableName, SourceFiles], folder: Path, bounds: Bounds) -> pl.LazyFrame:
    """Run a job's query into a Parquet file in ``folder``, an empty one; a frame that reads it.

    Raises `JobFailed` with the query's line, `TypeRefused` for a column that a table cannot hold, `MachineError`
    where the disk fails.
    """
    body = job.body
    if not isinstance(body, Query):
        raise TypeError(f"{job.table} is not SQL")
    target = folder / "result.parquet"
    try:
        with connect(bounds.folder, bounds.memory_gb) as connection:
            for name, source in sources.items():
                show_table(connection, name, source.schema, source.files, folder)
            connection.execute(f"create temp view __result as {body.sql}")
            result = connection.table("__result")
            casts = ", ".join(_exact(job, *column) for column in zip(result.columns, result.types, strict=True))
            copy = f"copy (select {casts} from __result) to {quote_text(target)} (format parquet)"  # noqa: S608
            (made,) = connection.execute(copy).fetchone() or (0,)
    except duckdb.Error as error:
        if fault := machine_fault(error):
            raise fault from None
        raise JobFailed(f"{job.table}: {_first_line(error)} ({_place(job, error)})", next=_advice(error)) from None
    rows = pl.scan_parquet(target, glob=False)
    require_balance(job, {"made by DuckDB": made, "in its result": count_rows(rows)})
    return rows


def _exact(job: Job, name: str, dtype: DuckDBPyType) -> str:
    """The column in a type that Parquet and Delta hold exactly."""
    column = quote_name(name)
    if dtype.id in _EXACT:
        return f"cast({column} as {_EXACT[dtype.id]}) as {column}"
    if refused := _refused(dtype):
        raise TypeRefused(
            f"{job.table}: column {name!r} is {refused}, which a table cannot hold ({job.where})",
            next="cast it in the query, as in ::varchar or ::bigint",
        )
    return column


def _refused(dtype: DuckDBPyType) -> str | None:
    """The type that a table cannot hold: this one, or one inside of it."""
    if dtype.id in _REFUSED:
        return str(dtype.id)
    if dtype.id not in _NESTED:
        return None
    inner = [part for _, part in dtype.children if isinstance(part, DuckDBPyType)]
    found = (part.id if part.id in _EXACT else _refused(part) for part in inner)
    return next((each for each in found if each is not None), None)


def _advice(error: duckdb.Error) -> str:
    if isinstance(error, duckdb.OutOfMemoryException):
        return "raise [compute] memory_gb in lake.toml, or ask for less; its table stays at its last good version"
    near = suggested(str(error)) if isinstance(error, duckdb.BinderException | duckdb.CatalogException) else None
    meant = f"the nearest is {near}: " if near else ""
    return f"{meant}mend the query; its table stays at its last good version"


def _first_line(error: duckdb.Error) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _place(job: Job, error: duckdb.Error) -> str:
    """The file, and the line that DuckDB names: the query is run with its lines as they are."""
    line = re.search(r"^LINE (\d+):", str(error), re.MULTILINE)
    return f"{job.where.rpartition(':')[0]}:{line[1]}" if line else job.where
