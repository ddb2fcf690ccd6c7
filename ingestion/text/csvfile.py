"""A CSV file to Parquet: through the gate, then by Polars, then the account of records, lines and bytes is closed."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ingestion.text.dialect import Dialect, refuse_footer, understand
from ingestion.text.gate import RECORD_BYTES_MAX, Shape, measure
from ingestion.protocol import Parsed, ParseRequest
from ingestion.refusal import FileRefused


@dataclass(frozen=True)
class Account:
    """What a file holds below its header; ``last_line`` is the physical line on which the last record begins."""

    records: int
    values: int
    last_line: int
    value_bytes: int


def read_csv(request: ParseRequest) -> Parsed:
    """Write the rows of a CSV file to ``request.out``; raises `FileRefused` where any could be lost or altered."""
    dialect = understand(request.path, request.name)
    shape = measure(request.path, dialect.delimiter, len(dialect.header))
    if shape.records > 1:
        refuse_footer(_last_row(request.path, shape, dialect), shape.last_line)
    columns = _order(dialect.columns, request.columns)
    _write(request, dialect, shape, columns)
    account = close_account(request.out, columns, shape, dialect)
    return Parsed(account.records, shape.records - 1, shape.lines, columns, dialect.header, dialect.as_dict())


def close_account(out: Path, columns: Sequence[str], shape: Shape, dialect: Dialect) -> Account:
    """What a Parquet file holds; raises `FileRefused` where that is not what the gate counted in the CSV file."""
    counted, written = _counted(shape, dialect), _written(out, columns)
    if counted != written:
        raise FileRefused("account", f"the account does not close: {_difference(counted, written)}")
    return written


def _order(found: tuple[str, ...], expected: tuple[str, ...] | None) -> tuple[str, ...]:
    if expected is None:
        return found
    missing = [name for name in expected if name not in found]
    unknown = [name for name in found if name not in expected]
    if missing or unknown:
        parts = [f"without {', '.join(missing)}"] if missing else []
        parts += [f"with the unknown {', '.join(unknown)}"] if unknown else []
        raise FileRefused("schema", f"the columns are not those of the table: {' and '.join(parts)}")
    return expected


def _write(request: ParseRequest, dialect: Dialect, shape: Shape, columns: Sequence[str]) -> None:
    """Stream the file to Parquet. Columns are read by position, so that no name matters before it is stored.

    Blank lines at the end would be read as rows of nulls: there the parser is told when to stop.
    """
    positions = {name: f"c{position}" for position, name in enumerate(dialect.columns)}
    line = pl.col("line").cast(pl.Int64)
    if shape.multiline:
        inner = pl.sum_horizontal(
            pl.col(name).str.count_matches("\n", literal=True).cast(pl.Int64) for name in positions.values()
        )
        line += inner.cum_sum().shift(1, fill_value=0)
    frame = pl.scan_csv(
        request.path,
        has_header=False,
        skip_rows=1,
        schema=dict.fromkeys(positions.values(), pl.String),
        separator=dialect.delimiter,
        quote_char=dialect.quote,
        empty_string_is_null=False,
        n_rows=shape.records - 1 if shape.blank_lines else None,
        glob=False,
    )
    frame.with_row_index("line", offset=shape.header_lines + 1).select(
        *(pl.col(positions[name]).alias(name) for name in columns),
        pl.lit(request.file).alias("_file"),
        line.alias("_line"),
        pl.lit(request.batch).alias("_batch"),
        pl.lit(request.ingested_at).cast(pl.Datetime("us", "UTC")).alias("_ingested_at"),
        pl.lit(None, dtype=pl.String).alias("_rescued"),
    ).sink_parquet(request.out, compression="zstd", statistics=True, maintain_order=True)


def _counted(shape: Shape, dialect: Dialect) -> Account:
    """The gate's side of the account: what it counted, less the header."""
    records = shape.records - 1
    header_bytes = sum(len(cell.encode()) for cell in dialect.header)
    return Account(
        records=records,
        values=records * len(dialect.header),
        last_line=shape.last_line if records else 0,
        value_bytes=shape.value_bytes - header_bytes,
    )


def _written(out: Path, columns: Sequence[str]) -> Account:
    """The rows' side of the account: what the Parquet file holds, read back."""
    positions = {name: f"c{position}" for position, name in enumerate(columns)}
    values = [pl.col(name) for name in positions.values()]
    sums = (
        pl.scan_parquet(out, glob=False)
        .rename(positions)
        .select(
            pl.len().alias("records"),
            pl.sum_horizontal(value.count().cast(pl.Int64) for value in values).alias("values"),
            pl.col("_line").max().fill_null(0).alias("last_line"),
            pl.sum_horizontal(value.str.len_bytes().cast(pl.Int64).sum() for value in values).alias("value_bytes"),
        )
    )
    return Account(*(int(value) for value in sums.collect(engine="streaming").row(0)))


def _difference(counted: Account, written: Account) -> str:
    if counted.records != written.records:
        return f"{counted.records:,} records were counted, {written.records:,} rows were read"
    if counted.values != written.values:
        return f"{counted.values:,} values were counted, {written.values:,} were read"
    if counted.last_line != written.last_line:
        return f"the last record begins on line {counted.last_line:,}, its row says {written.last_line:,}"
    return f"the values have {counted.value_bytes:,} bytes, the rows that were read {written.value_bytes:,}"


def _last_row(path: Path, shape: Shape, dialect: Dialect) -> list[str]:
    with path.open("rb") as file:
        file.seek(shape.last_offset)
        text = file.read(RECORD_BYTES_MAX + 2).decode("utf-8")
    csv.field_size_limit(RECORD_BYTES_MAX + 2)
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=dialect.delimiter))
