"""SQL over the tables that a catalog commit pins: DuckDB over their files in the cache, and nothing else."""

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.errors import NotFound, UsageError
from catalog.zones import TableName
from lake.engine import Answer, Statement, hide_table, parse, refused, show_table
from lake.filecache import FileCache
from lake.published import Published
from lake.session import session
from lake.settings import Settings

_MISSING = re.compile(r'Table with name "?(.+?)"? does not exist')


def run_query(view: Published, settings: Settings, sql: str) -> pl.LazyFrame:
    """Run a query at once; its whole result, in memory, as a LazyFrame.

    Sums of integers are Int64 where all fit, else Decimal(38, 0), never floats. Raises `UsageError` for bad SQL and for
    what would write, `NotFound` for an unknown table with the nearest name, `StoreError`.
    """
    with _answered(view, settings, sql) as (answer, _):
        return narrowed(pl.concat(list(answer.frames())).lazy(), answer.integers)


def stream_query(view: Published, settings: Settings, sql: str) -> Generator[pl.DataFrame, None, None]:
    """Run a query as its rows are asked for, in memory that does not depend on how many there are.

    The first frame is empty: every frame has its schema. Sums of integers are Decimal(38, 0). Close the iterator where
    it is not read to its end. Raises as `run_query` does, when the first frame is asked for or any later one.
    """
    with _answered(view, settings, sql) as (answer, _):
        yield from answer.frames()


def save_query(view: Published, settings: Settings, sql: str, target: Path) -> int:
    """Run a query into a Parquet file; the number of its rows. Types are those of `run_query`.

    Memory does not depend on the number of rows. Raises as `run_query` does, and `OSError` where it cannot be written.
    """
    with _answered(view, settings, sql) as (answer, folder):
        spilled = folder / "result.parquet"
        too_wide = _spill(answer, spilled)
        # What type the sums have is known only now, when all of them are.
        return _copy(spilled, target, [name for name in answer.integers if name not in too_wide])


def cache_of(settings: Settings) -> FileCache:
    """The project's cache of data files."""
    return FileCache(settings.state / "cache", int(settings.cache_gb * 1e9))


def narrowed(frame: pl.LazyFrame, integers: Sequence[str]) -> pl.LazyFrame:
    """The frame with those of the columns of whole decimals as Int64 whose values all fit.

    >>> from decimal import Decimal
    >>> frame = pl.LazyFrame({"n": [Decimal(7), None]}, schema={"n": pl.Decimal(38, 0)})
    >>> narrowed(frame, ["n"]).collect().to_dict(as_series=False)
    {'n': [7, None]}
    """
    if not integers:
        return frame
    small = pl.col(*integers).cast(pl.Int64, strict=False)
    fits = frame.select((small.is_null() == pl.col(*integers).is_null()).all()).collect(engine="streaming").row(0)
    return frame.with_columns(pl.col(name).cast(pl.Int64) for name, fit in zip(integers, fits, strict=True) if fit)


def _spill(answer: Answer, target: Path) -> set[str]:
    """Write an answer's rows to a file as they come; the columns of integers that pass 64 bits."""
    too_wide: set[str] = set()
    frames = answer.frames()
    with pq.ParquetWriter(target, next(frames).to_arrow().schema) as writer:
        for frame in frames:
            writer.write_table(frame.to_arrow())
            fitted = narrowed(frame.lazy(), answer.integers).collect_schema()
            too_wide |= {name for name in answer.integers if fitted[name] != pl.Int64}
    return too_wide


def _copy(source: Path, target: Path, narrow: Sequence[str]) -> int:
    """Write a Parquet file again with some columns as 64-bit integers, a row group at a time; the number of its rows.

    Polars' own sink holds gigabytes where values are long.
    """
    with pq.ParquetFile(source) as spilled:
        schema = spilled.schema_arrow
        for name in narrow:
            schema = schema.set(schema.get_field_index(name), pa.field(name, pa.int64()))
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for group in range(spilled.num_row_groups):
                writer.write_table(spilled.read_row_group(group).cast(schema))
        return spilled.metadata.num_rows


@contextmanager
def _answered(view: Published, settings: Settings, sql: str) -> Iterator[tuple[Answer, Path]]:
    """A query's answer, and a folder of its own for what it needs on disk; both are gone afterwards."""
    statement, cache = parse(sql), cache_of(settings)
    snapshots = [view.snapshot(str(name)) for name in statement.tables if str(name) in view.commit.tables]
    with (
        session(cache.folder / "sessions", settings.memory_gb) as here,
        cache.lease(view.objects, here.folder) as lease,
        _explained(view, statement),
    ):
        connection = here.connection
        # A PIVOT leaves the values of its columns behind, as a type.
        here.is_spent = not statement.is_bound_first
        if statement.is_bound_first and not all(map(lease.is_cached, snapshots)):
            # Over empty tables, so that a slip of the pen is told before anything large is fetched.
            for snapshot in snapshots:
                show_table(connection, snapshot.name, snapshot.schema, [], lease.folder)
            Answer(connection, statement.sql)
        for snapshot in snapshots:
            show_table(connection, snapshot.name, snapshot.schema, lease.files(snapshot), lease.folder)
        yield Answer(connection, statement.sql), lease.folder
        for snapshot in snapshots:
            hide_table(connection, snapshot.name)


@contextmanager
def _explained(view: Published, statement: Statement) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        missing = _MISSING.search(str(error))
        if missing is not None and isinstance(error, duckdb.CatalogException):
            raise _not_found(view, statement, missing[1]) from None
        raise refused(error) from None


def _not_found(view: Published, statement: Statement, name: str) -> UsageError:
    """The error for a name that is no table: which ones are near, or of the same name in a zone."""
    if "." not in name:
        unpublished = [str(table) for table in statement.tables if str(table) not in view.commit.tables]
        name = next((full for full in unpublished if full.endswith(f".{name.lower()}")), name)
    same = [full for full in view.names() if TableName.parse(full).name == name.lower()]
    near = same or get_close_matches(name.lower(), view.names(), n=1)
    asks_zone = same and "." not in name
    told = f"{'write the zone too:' if asks_zone else 'the nearest name is'} {' or '.join(near)}"
    there = f"there are: {', '.join(view.names()) or 'none yet'}"
    return NotFound(f"no table {name} at commit {view.commit.number}", next=told if near else there)
