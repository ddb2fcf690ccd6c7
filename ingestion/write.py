"""One table of a file as Parquet: in its table's columns, with the lake's own, and its account closed."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from catalog.zones import identifier
from ingestion.columns import LAKE_COLUMNS
from ingestion.found import Found
from ingestion.protocol import ParseRequest, Part
from ingestion.refusal import FileRefused


def write_part(found: Found, request: ParseRequest, number: int, tables: Mapping[str, pl.Schema]) -> Part:
    """Write the rows of a found table to ``request.out``, in the columns of the table that takes them.

    ``tables`` has the value columns of the tables that have rows, by their suffix; a table that is not among them takes
    the columns as they were found. Raises `FileRefused` where a record would be lost or altered.
    """
    rows, rejects = request.out / f"{number}.parquet", request.out / f"{number}.rejects.parquet"
    try:
        return _write(found, request, (rows, rejects), tables)
    except BaseException:
        rows.unlink(missing_ok=True)
        rejects.unlink(missing_ok=True)
        raise


def _write(found: Found, request: ParseRequest, out: tuple[Path, Path], tables: Mapping[str, pl.Schema]) -> Part:
    rows, rejects = out
    table = identifier(found.part) if found.part else ""
    schema = _value_columns(found)
    if table in tables and dict(tables[table]) != dict(schema):
        raise FileRefused("schema", "the columns are not those of the table")
    schema = tables.get(table, schema)
    file = f"{request.name}#{found.fragment}" if found.fragment else request.name
    frame = found.rows.select(*map(pl.col, schema), *_lake_columns(request, file))
    frame.sink_parquet(rows, compression="zstd", statistics=True, maintain_order=True, engine="streaming")
    if found.check is not None:
        found.check(rows)
    rejected = _take_rejects(found, rejects)
    return _closed(
        Part(
            table=table,
            file=file,
            path=rows,
            schema=schema,
            records=found.records,
            rows=_count(rows),
            rejected=rejected,
            rejects=rejects if rejected else None,
            metadata=found.metadata,
            notices=found.notices,
            account={
                "format": found.format,
                "dialect": dict(found.dialect),
                "header": list(found.header),
                "lines": found.lines,
            },
        )
    )


def _value_columns(found: Found) -> pl.Schema:
    return pl.Schema({name: dtype for name, dtype in found.rows.collect_schema().items() if name != "_line"})


def _lake_columns(request: ParseRequest, file: str) -> list[pl.Expr]:
    values = {
        "_file": pl.lit(file),
        "_line": pl.col("_line"),
        "_batch": pl.lit(request.batch),
        "_ingested_at": pl.lit(request.ingested_at),
        "_rescued": pl.lit(None),
    }
    return [values[name].cast(dtype).alias(name) for name, dtype in LAKE_COLUMNS.items()]


def _take_rejects(found: Found, target: Path) -> int:
    """Keep the file of what the reader set aside, if it set anything aside; how many records that is."""
    rejected = 0 if found.rejects is None else _count(found.rejects)
    if rejected and found.rejects is not None:
        shutil.move(found.rejects, target)
    return rejected


def _count(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)


def _closed(part: Part) -> Part:
    """The part, if every record that was counted is a row or a reject; raises `FileRefused`."""
    if part.records != part.rows + part.rejected:
        told = f"{part.records:,} records were counted, {part.rows:,} rows and {part.rejected:,} rejects were written"
        raise FileRefused("account", f"the account does not close: {told}")
    return part
