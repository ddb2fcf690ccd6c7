"""DuckDB as the lake's SQL engine: bounded, cut off from everything but one folder, and with exact results.

Its memory limit bounds what it sorts, joins and groups, which then goes to disk. It does not cap the process, whose
peak is some 100 to 200 MB more: the interpreter, and batches on their way out.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import duckdb
import polars as pl
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from catalog.errors import UsageError
from catalog.zones import TABLE_ZONES, TableName

T = TypeVar("T")

BATCH_ROWS = 50_000

INTERRUPT_SECONDS = 0.05

_OPENERS = {"select", "with", "from", "values", "table", "describe", "desc", "summarize", "pivot", "unpivot"}
_BEFORE_OPENER = {"explain", "analyze", "format", "json", "text", "html", "graphviz", "yaml", "mermaid", "(", ")", ","}
_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)
"""MULTI is what a PIVOT becomes whose columns depend on the data."""

_NESTED = ("list", "array", "struct", "map")
_AS_TEXT = ("interval", "bit", "bignum", "union", "time with time zone", "variant", "geometry", "enum", "uuid")
_EXACT = dict.fromkeys(_AS_TEXT, "VARCHAR") | {
    "hugeint": "DECIMAL(38,0)",
    "uhugeint": "DECIMAL(38,0)",
    "null": "INTEGER",
}


@dataclass(frozen=True)
class Statement:
    """One statement that only reads, and the tables of the lake that it may name.

    ``is_bound_first``: names and types can be checked without running any of it.
    """

    sql: str
    tables: tuple[TableName, ...]
    is_bound_first: bool


def parse(sql: str) -> Statement:
    """Read a query. Raises `UsageError` for what is not one, is more than one, or would write.

    >>> [str(name) for name in parse('with a as (from silver.flights) from a join "gold"."Delays" using (x)').tables]
    ['silver.flights', 'gold.delays']
    """
    with _reader().cursor() as connection:
        try:
            statements = connection.extract_statements(sql)
        except duckdb.Error as error:
            raise refused(error) from None
    if len(statements) != 1:
        found = f"{len(statements)} statements" if statements else "nothing to run"
        raise UsageError(f"one query is needed, and here is {found}", next='lake query "select ..."')
    words = _words(statements[0].query)
    opener = next((word for word in words if word not in _BEFORE_OPENER), "")
    if statements[0].type not in _READING or opener not in _OPENERS:
        raise UsageError(
            f"{opener.upper()} is no query, and the lake is read-only here: tables are written by jobs",
            next="write SELECT, WITH, FROM, VALUES, PIVOT, DESCRIBE, SUMMARIZE or EXPLAIN; lake tables lists them",
        )
    return Statement(statements[0].query, _tables(words), statements[0].type == duckdb.StatementType.SELECT)


@cache
def _reader() -> duckdb.DuckDBPyConnection:
    """A database that reads statements and runs none: to make one takes as long as a small query."""
    return duckdb.connect(":memory:")


def _words(sql: str) -> list[str]:
    """The words and signs of a query in lower case, quotes off, without comments and texts: by DuckDB's own lexer."""
    body = sql.encode()
    tokens = duckdb.tokenize(sql)
    ends = [offset for offset, _ in tokens[1:]] + [len(body)]
    spoken = [
        body[start:end].decode().strip().lower()
        for (start, kind), end in zip(tokens, ends, strict=True)
        if kind not in (duckdb.token_type.comment, duckdb.token_type.string_const)
    ]
    return [word[1:-1].replace('""', '"') if word.startswith('"') else word for word in spoken]


def _tables(words: Sequence[str]) -> tuple[TableName, ...]:
    """What is written as ``zone.name``: the tables, and perhaps a column of an alias that is called as a zone.

    So it is enough to fetch these. Whether a name is a table is DuckDB's to say, whose grammar no other parser has.
    """
    found: dict[TableName, None] = {}
    for zone, dot, name in zip(words, words[1:], words[2:], strict=False):
        if dot == "." and zone in TABLE_ZONES:
            try:
                found[TableName.parse(f"{zone}.{name}")] = None
            except UsageError:
                continue
    return tuple(found)


def connect(folder: Path, memory_gb: float) -> duckdb.DuckDBPyConnection:
    """A database in memory that reaches files in ``folder`` alone, where it also spills, whatever a query says."""
    connection = duckdb.connect(":memory:")
    connection.execute(f"set memory_limit = '{int(memory_gb * 1000)}MB'")
    connection.execute(f"set temp_directory = {quote_text(folder / 'spill')}")
    connection.execute("set TimeZone = 'UTC'")
    # It would be written to stdout, which is for data. A notebook without ipywidgets has none, and refuses to unset it.
    with suppress(duckdb.InvalidInputException):
        connection.execute("set enable_progress_bar = false")
    # Without this, a name that is no table could be a Python variable of whoever calls.
    connection.execute("set python_enable_replacements = false")
    # What is read of files stays in the system's cache, and is not held here a second time.
    connection.execute("set enable_external_file_cache = false")
    connection.execute("set autoinstall_known_extensions = false; set autoload_known_extensions = false")
    connection.execute(f"set allowed_directories = [{quote_text(f'{folder}/')}]")
    connection.execute("set enable_external_access = false; set lock_configuration = true")
    for zone in TABLE_ZONES:
        connection.execute(f"create schema {zone}")
    return connection


def show_table(
    connection: duckdb.DuckDBPyConnection, name: TableName, schema: pl.Schema, files: Sequence[Path], folder: Path
) -> None:
    """Make a table's files readable under its name, in its schema; shown again, it has the new files.

    Where a file has other columns than the table, or there is none, the first file that is read has no rows and the
    schema: so a table without files has its types, and a column that a file is older than is missing in its rows.
    Otherwise there is none such, since DuckDB guesses from the first how many rows there are, and joins accordingly.
    """
    paths, by_name = list(files), "false"
    if not files or any(_schema_of(path) != schema for path in files):
        empty, by_name = folder / f"{name}.schema.parquet", "true"
        paths.insert(0, empty)
        if not empty.exists():
            schema.to_frame().write_parquet(empty)
    listed = ", ".join(map(quote_text, paths))
    columns = ", ".join(quote_name(column) for column in schema)
    connection.execute(
        f"create or replace view {name.zone}.{quote_name(name.name)} as select {columns} "  # noqa: S608
        f"from read_parquet([{listed}], union_by_name = {by_name}, hive_partitioning = false)"
    )


def _schema_of(path: Path) -> pl.Schema | None:
    """The columns of a file; None where it is none that can be read: DuckDB says of it what is wrong."""
    try:
        return pl.scan_parquet(path, glob=False).collect_schema()
    except pl.exceptions.PolarsError:
        return None


def hide_table(connection: duckdb.DuckDBPyConnection, name: TableName) -> None:
    """Take back what `show_table` did."""
    connection.execute(f"drop view {name.zone}.{quote_name(name.name)}")


class Answer:
    """A query's result in Polars' types, in batches as they are asked for.

    ``integers`` are the columns of 128-bit integers, as every sum of integers is: they come as decimals of 38 digits.
    What Polars has no type for comes as text. Columns of one name are told apart: ``a``, ``a_1``.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, sql: str) -> None:
        self._connection = connection
        relation = connection.sql(sql)
        names, types = distinct(relation.columns), relation.types
        self.integers = [name for name, dtype in zip(names, types, strict=True) if dtype.id in ("hugeint", "uhugeint")]
        columns = [
            f"{f'#{i}' if (target := exact_type(dtype)) is None else f'cast(#{i} as {target})'} as {quote_name(name)}"
            for i, (name, dtype) in enumerate(zip(names, types, strict=True), 1)
        ]
        self._relation = relation.project(", ".join(columns))

    def frames(self) -> Iterator[pl.DataFrame]:
        """The rows; the first frame is empty. Raises `UsageError` for a bad query, or a value that Polars lacks.

        DuckDB works beside whoever waits, and so can be interrupted (Ctrl-C): by itself it looks for that between its
        tasks, of which a query may have one that takes minutes (https://github.com/duckdb/duckdb/issues/10216).
        """
        with ThreadPoolExecutor(1) as thread:
            reader = self._awaited(thread.submit(self._relation.to_arrow_reader, BATCH_ROWS))
            yield pl.Schema(reader.schema).to_frame()
            while (batch := self._awaited(thread.submit(_next, reader))) is not None:
                yield _exact(batch)

    def _awaited(self, doing: Future[T]) -> T:
        """What something comes to, in many short waits: one wait goes on after a signal where Polars handles it, too.

        Where whoever waits is interrupted, the database is, too; again and again, since what is only about to begin
        does not hear of it.
        """
        try:
            while not wait([doing], INTERRUPT_SECONDS).done:
                pass
        except BaseException:
            while not doing.done():
                self._connection.interrupt()
                with suppress(KeyboardInterrupt):
                    wait([doing], INTERRUPT_SECONDS)
            raise
        return doing.result()


def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None
    except (OSError, pa.ArrowException) as error:
        # Arrow hands on as its own what DuckDB raises after the first batch.
        raise UsageError(str(error).splitlines()[0], next="mend the query") from None


def _exact(batch: pa.RecordBatch) -> pl.DataFrame:
    """The batch as a frame. Raises `UsageError` where a value became missing on the way."""
    frame = pl.DataFrame(batch)
    for column, series in zip(batch.columns, frame, strict=True):
        if column.null_count != series.null_count():
            raise UsageError(
                f"column {series.name!r} holds a value that {series.dtype} does not have, such as 24:00:00",
                next=f"cast it in the query: {series.name}::varchar",
            )
    return frame


def exact_type(dtype: DuckDBPyType) -> str | None:
    """The type that a column is cast to so that Polars takes it exactly; None where it does so as it is.

    >>> exact_type(DuckDBPyType("HUGEINT[]")), exact_type(DuckDBPyType("INTERVAL")), exact_type(DuckDBPyType("DATE"))
    ('DECIMAL(38,0)[]', 'VARCHAR', None)
    """
    if dtype.id not in _NESTED:
        return _EXACT.get(dtype.id)
    parts = {name: part for name, part in dtype.children if isinstance(part, DuckDBPyType)}
    targets = {name: exact_type(part) for name, part in parts.items()}
    if all(target is None for target in targets.values()):
        return None
    inner = {name: target or str(parts[name]) for name, target in targets.items()}
    if dtype.id == "map":
        return f"MAP({inner['key']}, {inner['value']})"
    if dtype.id == "struct":
        return f"STRUCT({', '.join(f'{quote_name(name)} {target}' for name, target in inner.items())})"
    return f"{inner['child']}[{dict(dtype.children).get('size', '')}]"


def distinct(names: Sequence[str]) -> list[str]:
    """The names, with a number at those that came before.

    >>> distinct(["a", "a", "b", "a_1", "a"])
    ['a', 'a_1', 'b', 'a_1_1', 'a_2']
    """
    found: list[str] = []
    for name in names:
        candidate, number = name, 0
        while candidate in found:
            number += 1
            candidate = f"{name}_{number}"
        found.append(candidate)
    return found


def refused(error: duckdb.Error) -> UsageError:
    """What DuckDB said, in a line, with the advice that it gave."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    what = lines[0] if lines else type(error).__name__
    if isinstance(error, duckdb.PermissionException):
        return UsageError(what, next="a query reads the tables of the lake and nothing else: lake drop brings files in")
    if isinstance(error, duckdb.OutOfMemoryException):
        return UsageError(what, next="raise [compute] memory_gb in lake.toml, make room on the disk, or ask for less")
    advice = next((line for line in lines[1:] if line.startswith(("Did you mean", "Candidate"))), "")
    # What is raised as rows are made names a line of the query as it is wrapped here, not as it was written.
    is_written = isinstance(error, duckdb.ParserException | duckdb.BinderException | duckdb.CatalogException)
    place = next((line for line in lines[1:] if is_written and line.startswith("LINE ")), "")
    return UsageError(what, next="; ".join(filter(None, (advice, place))) or "mend the query")


def quote_name(name: str) -> str:
    """A name as SQL writes it.

    >>> quote_name('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str | Path) -> str:
    """A text as SQL writes it.

    >>> quote_text("it's")
    "'it''s'"
    """
    return "'" + str(text).replace("'", "''") + "'"
