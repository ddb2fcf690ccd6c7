"""One table of a file as Parquet: in its table's columns, with the lake's own, and its account closed."""

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from catalog.parquet import COMPRESSION, LEVEL
from catalog.zones import identifier
from ingestion.columns import LAKE_COLUMNS
from ingestion.conform import Plan, plan
from ingestion.found import REJECTS, Found
from ingestion.protocol import ParseRequest, Part
from ingestion.refusal import FileRefused

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write_part(found: Found, request: ParseRequest, number: int, tables: Mapping[str, pl.Schema]) -> Part:
    """Write the rows of a found table to ``request.out``, in the columns of the table that takes them.

    ``tables`` has the value columns of the tables that have rows, by their suffix; a table that is not among them takes
    the columns as they were found. Raises `FileRefused` where a record would be lost or altered, or where the columns
    are not those of a table that is frozen.
    """
    out = _Out(*(request.out / f"{number}.{name}" for name in ("parquet", "rejects.parquet", "found.parquet")))
    with ExitStack() as undo:
        undo.callback(out.remove)
        table = identifier(found.part) if found.part else ""
        columns = _value_columns(found)
        way = plan(columns, tables.get(table), request.policy.drift)
        _refuse_swapped(found, columns, way)
        file = f"{request.name}#{found.fragment}" if found.fragment else request.name
        _write(found, way, _lake_columns(request, file, way.rescued), out)
        rows, rejected = _counted(out, found.records)
        rescued = 0 if way.is_plain else _count_rescued(out.rows)
        part = Part(
            table=table,
            file=file,
            path=out.rows,
            schema=way.schema,
            records=found.records,
            rows=rows,
            rejected=rejected,
            rejects=out.rejects if rejected else None,
            metadata=_metadata(found, columns, way),
            notices=(*found.notices, *way.notices, *_told(rescued)),
            account=_account(found, way, rescued),
        )
        undo.pop_all()
    out.remove(but_for=part)
    return part


def _refuse_swapped(found: Found, columns: pl.Schema, way: Plan) -> None:
    """Raise `FileRefused` where names that differ in case only come in another order than the table's.

    They are numbered by their order, so that a column would take the place of its twin.
    """
    names = dict(zip(columns, found.header, strict=True))
    for column, name in names.items():
        taken = way.drift.sources.get(name, column)
        if taken != column and names[taken] != name:
            reason = f"{name!r} and another column differ in case only, and come in another order than in the table"
            raise FileRefused("schema", reason)


@dataclass(frozen=True)
class _Out:
    """The files of a part: its rows, what is set aside, and in between the rows as they were found."""

    rows: Path
    rejects: Path
    found: Path

    def remove(self, but_for: Part | None = None) -> None:
        """Remove the files, but for those of a part that was made."""
        kept = set() if but_for is None else {but_for.path, but_for.rejects}
        for path in {self.rows, self.rejects, self.found} - kept:
            path.unlink(missing_ok=True)


def _write(found: Found, way: Plan, lake_columns: list[pl.Expr], out: _Out) -> None:
    """Write rows and rejects, and let the reader close its account of values over the rows as it found them.

    Rows that are only put into another order are written once; others lie on disk in between, since the reader's check
    reads them, and as rows and as rejects they would be parsed twice.
    """
    rows = found.rows
    if not way.is_plain:
        sink(rows, out.found)
        rows = pl.scan_parquet(out.found, glob=False)
    if way.faults is not None:
        # As a column, since Polars takes minutes over a filter that hundreds of columns are in; and under a name that
        # no found column has.
        rows = rows.with_columns(way.faults.alias("_rescued"))
        sink(pl.concat([*_set_aside(found), _misfits(rows, way.record)]), out.rejects)
        rows = rows.filter(pl.col("_rescued").is_null())
    sink(rows.select(*way.values, *lake_columns), out.rows)
    if found.check is not None:
        found.check(out.rows if way.is_plain else out.found)
    if way.faults is None and found.rejects is not None and found.rejected:
        shutil.move(found.rejects, out.rejects)


def sink(frame: pl.LazyFrame, path: Path) -> None:
    """Write rows to a Parquet file, in their order, as all of bronze is written."""
    frame.sink_parquet(
        path, compression=COMPRESSION, compression_level=LEVEL, statistics=True, maintain_order=True, engine="streaming"
    )


def _set_aside(found: Found) -> list[pl.LazyFrame]:
    return [] if found.rejects is None else [pl.scan_parquet(found.rejects, schema=REJECTS, glob=False)]


def _misfits(rows: pl.LazyFrame, record: pl.Expr) -> pl.LazyFrame:
    """The rows that do not fit the table, as rejects."""
    columns = {"line": pl.col("_line"), "rule": pl.lit("schema"), "message": pl.col("_rescued"), "record": record}
    misfits = rows.filter(pl.col("_rescued").is_not_null())
    return misfits.select(columns[name].cast(REJECTS[name]).alias(name) for name in REJECTS)


def _value_columns(found: Found) -> pl.Schema:
    return pl.Schema({name: dtype for name, dtype in found.rows.collect_schema().items() if name != "_line"})


def _lake_columns(request: ParseRequest, file: str, rescued: pl.Expr) -> list[pl.Expr]:
    values = {
        "_file": pl.lit(file),
        "_line": pl.col("_line"),
        "_batch": pl.lit(request.batch),
        # As a number: Polars makes a series of a literal time, which takes a fiftieth of a small file's time.
        "_ingested_at": pl.lit((request.ingested_at - _EPOCH) // timedelta(microseconds=1), pl.Int64),
        "_rescued": rescued,
    }
    return [values[name].cast(dtype).alias(name) for name, dtype in LAKE_COLUMNS.items()]


def _count(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)


def _count_rescued(path: Path) -> int:
    counted = pl.scan_parquet(path, glob=False).select(pl.col("_rescued").count()).collect(engine="streaming")
    return int(counted.item())


def _counted(out: _Out, records: int) -> tuple[int, int]:
    """How many rows and rejects were written; raises `FileRefused` where these are not all records."""
    rows, rejected = _count(out.rows), _count(out.rejects) if out.rejects.exists() else 0
    if records != rows + rejected:
        written = f"{rows:,} rows and {rejected:,} rejects were written"
        raise FileRefused("account", f"the account does not close: {records:,} records were counted, {written}")
    return rows, rejected


def _metadata(found: Found, columns: pl.Schema, way: Plan) -> dict[str, Mapping[str, str]]:
    """What is known of the stored columns; a name as found that could not be stored is the label, or beside one."""
    stored = {source: name for name, source in way.drift.sources.items()} | {name: name for name in way.drift.unknown}
    known: dict[str, Mapping[str, str]] = {}
    for column, as_found in zip(columns, found.header, strict=True):
        told = dict(found.metadata.get(column, {}))
        if as_found not in {column, stored[column], told.get("label"), ""}:
            told["name" if "label" in told else "label"] = as_found
        if told and stored[column] in way.schema:
            known[stored[column]] = told
    return known


def _told(rescued: int) -> list[str]:
    return [f"rows with values in _rescued: {rescued:,}"] if rescued else []


def _account(found: Found, way: Plan, rescued: int) -> dict[str, Any]:
    account = {
        "format": found.format,
        "dialect": dict(found.dialect),
        "header": list(found.header),
        "lines": found.lines,
    }
    drift = way.drift.as_dict() | ({"rescued": rescued} if rescued else {})
    return account | ({"drift": drift} if drift else {})
