"""Jobs in SQL: DuckDB over local copies of the source files, within a memory limit and with access to nothing else."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from catalog.errors import JobFailed, TypeRefused
from catalog.zones import TableName
from lake.promote.declare import Job, Query

_EXACT = {"HUGEINT": "BIGINT", "UHUGEINT": "BIGINT", "UBIGINT": "BIGINT", "UUID": "VARCHAR"}
"""Types that Parquet lacks, and what their values are cast to, with an error where one does not fit: DuckDB's own
choice for a HUGEINT, which every sum of integers is, would be an inexact DOUBLE without a word."""

_REFUSED = ("HUGEINT", "INTERVAL", "TIME", "TIMETZ", "TIME WITH TIME ZONE", "NULL", "BIT", "BIGNUM", "VARIANT")
_WORD = re.compile(r"[A-Z_]+(?: WITH TIME ZONE)?")


@dataclass(frozen=True)
class SourceFiles:
    """A table as DuckDB reads it: local Parquet files, and the schema that a table without any still has."""

    schema: pl.Schema
    files: Sequence[Path]


@dataclass(frozen=True)
class Limits:
    """What one query may take of the machine."""

    memory_gb: float
    threads: int


def run_query(job: Job, sources: Mapping[TableName, SourceFiles], folder: Path, limits: Limits) -> pl.LazyFrame:
    """Run a job's query into a Parquet file in ``folder``, an empty one; a frame that reads it.

    Raises `JobFailed` with the query's line, `TypeRefused` for a column that a table cannot hold.
    """
    body = job.body
    if not isinstance(body, Query):
        raise TypeError(f"{job.table} is not SQL")
    target = folder / "result.parquet"
    try:
        with _connected(sources, folder, limits) as connection:
            connection.execute(f"create temp view __result as {body.sql}")
            columns = connection.execute("describe __result").fetchall()
            casts = ", ".join(_exact(job, name, dtype) for name, dtype, *_ in columns)
            connection.execute(f"copy (select {casts} from __result) to '{_quoted(target)}' (format parquet)")  # noqa: S608
    except duckdb.Error as error:
        raise JobFailed(
            f"{job.table}: {_first_line(error)} ({_place(job, error)})",
            next="mend the query; its table stays at its last good version",
        ) from None
    return pl.scan_parquet(target, glob=False)


def _connected(sources: Mapping[TableName, SourceFiles], folder: Path, limits: Limits) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    reachable = {folder, *(file.parent for source in sources.values() for file in source.files)}
    folders = ", ".join(f"'{_quoted(each)}/'" for each in sorted(reachable))
    connection.execute(f"set memory_limit = '{int(limits.memory_gb * 1000)}MB'")
    connection.execute(f"set threads = {limits.threads}")
    connection.execute(f"set temp_directory = '{_quoted(folder)}/spill'")
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(f"set allowed_directories = [{folders}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    for name, source in sources.items():
        empty = folder / f"{name}.schema.parquet"
        pl.DataFrame(schema=source.schema).write_parquet(empty)
        paths = ", ".join(f"'{_quoted(path)}'" for path in (empty, *source.files))
        connection.execute(f"create schema if not exists {name.zone}")
        connection.execute(f"create view {name} as select * from read_parquet([{paths}], union_by_name = true)")  # noqa: S608
    return connection


def _exact(job: Job, name: str, dtype: str) -> str:
    """The column in a type that Parquet and Delta hold exactly."""
    column = '"' + name.replace('"', '""') + '"'
    if dtype in _EXACT:
        return f"cast({column} as {_EXACT[dtype]}) as {column}"
    if dtype.startswith("ENUM("):
        return f"cast({column} as varchar) as {column}"
    words = _WORD.findall(dtype.replace('"', ""))
    if refused := next((word for word in words if word in {*_REFUSED, *_EXACT}), None):
        raise TypeRefused(
            f"{job.table}: column {name!r} is {refused.lower()}, which a table cannot hold ({job.where})",
            next="cast it in the query, as in ::varchar or ::bigint",
        )
    return column


def _quoted(path: Path) -> str:
    return str(path.resolve()).replace("'", "''")


def _first_line(error: duckdb.Error) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _place(job: Job, error: duckdb.Error) -> str:
    """The file, and the line that DuckDB names: the query is run with its lines as they are."""
    line = re.search(r"^LINE (\d+):", str(error), re.MULTILINE)
    return f"{job.where.rpartition(':')[0]}:{line[1]}" if line else job.where
