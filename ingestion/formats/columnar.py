"""Parquet, ORC and Arrow IPC files: read a row group, a stripe or a batch at a time, in the types that they have."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.orc as po
import pyarrow.parquet as pq

from ingestion.formats import arrowstream
from ingestion.formats.arrowtypes import StoredColumns, stored_columns
from ingestion.formats.frames import lazy, refusing
from ingestion.found import Found, Source
from ingestion.refusal import FileRefused

_BATCH_ROWS_MAX = 65_536
_BATCH_BYTES = 16 << 20
_READ_BYTES = 1 << 20
_ARROW_FILE, _FEATHER_1 = b"ARROW1", b"FEA1"

_ERRORS = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError)


@dataclass(frozen=True)
class _Table:
    """A file's schema, the number of records that it declares, and its batches: of all columns, or of some."""

    schema: pa.Schema
    records: int
    batches: Callable[[list[int] | None], Iterable[pa.RecordBatch]]
    notices: tuple[str, ...] = ()


def read_parquet(source: Source) -> Iterator[Found]:
    """The table of a Parquet file; its records are those of the footer. Raises `FileRefused`."""
    yield _found("parquet", "Parquet file", _parquet, source.path)


def read_orc(source: Source) -> Iterator[Found]:
    """The table of an ORC file; its records are those of the footer. Raises `FileRefused`."""
    yield _found("orc", "ORC file", _orc, source.path)


def read_arrow(source: Source) -> Iterator[Found]:
    """The table of an Arrow IPC file (Feather) or stream; its records are those that the messages declare.

    Raises `FileRefused`, also for Feather's first version, which was another format.
    """
    with source.path.open("rb") as file:
        magic = file.read(len(_ARROW_FILE))
    if magic.startswith(_FEATHER_1):
        raise FileRefused("format", "Feather's first version is not read: write it again with pyarrow or R's arrow")
    yield _found("arrow", "Arrow file", _arrow_file if magic == _ARROW_FILE else _arrow_stream, source.path)


def _found(format_name: str, what: str, opened: Callable[[Path], _Table], path: Path) -> Found:
    with refusing(what, *_ERRORS):
        table = opened(path)
        if not table.schema.names:
            raise FileRefused("format", f"the {what} has no columns")
        columns = stored_columns(table.schema, table.batches)
        schema = columns.schema
    return Found(
        rows=lazy(schema, lambda: _frames(what, table, columns)),
        header=columns.header,
        records=table.records,
        format=format_name,
        metadata=columns.metadata,
        notices=table.notices,
    )


def _frames(what: str, table: _Table, columns: StoredColumns) -> Iterator[pl.DataFrame]:
    with refusing(what, *_ERRORS):
        for batch in table.batches(None):
            yield columns.frame(batch)


def _parquet(path: Path) -> _Table:
    def batches(positions: list[int] | None) -> Iterator[pa.RecordBatch]:
        with _open_parquet(path, int96_unit) as file:
            names = _names(schema, positions)
            for batch in file.iter_batches(batch_size=batch_rows, columns=names):
                yield _some(batch, positions, names)

    int96_unit = _int96_unit(path)
    with _open_parquet(path, int96_unit) as file:
        schema, footer = file.schema_arrow, file.metadata
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        if footer.num_rows != sum(group.num_rows for group in groups):
            raise FileRefused("account", "the Parquet file's footer counts other rows than its row groups")
        row_bytes = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=1)
        batch_rows = min(_BATCH_ROWS_MAX, max(1, _BATCH_BYTES // max(row_bytes, 1)))
        return _Table(schema, footer.num_rows, batches)


def _open_parquet(path: Path, int96_unit: str | None) -> pq.ParquetFile:
    return pq.ParquetFile(path, buffer_size=_READ_BYTES, pre_buffer=False, coerce_int96_timestamp_unit=int96_unit)


def _int96_unit(path: Path) -> str | None:
    """In which unit Parquet's oldest times are read; None where there are none.

    They count nanoseconds over more years than Arrow's nanoseconds do, and wrap around in silence beyond 1677 to 2262.
    Microseconds reach all years; nanoseconds are for a file in which microseconds would cut a value.
    """
    with _open_parquet(path, None) as fine, _open_parquet(path, "us") as coarse:
        leaves = [coarse.schema.column(number) for number in range(len(coarse.schema))]
        names = list(dict.fromkeys(leaf.path.split(".")[0] for leaf in leaves if leaf.physical_type == "INT96"))
        if not names:
            return None
        batches = [file.iter_batches(batch_size=_BATCH_ROWS_MAX, columns=names) for file in (fine, coarse)]
        if all(_is_same(us, ns) for ns, us in zip(*batches, strict=True)):
            return "us"
        batches = [file.iter_batches(batch_size=_BATCH_ROWS_MAX, columns=names) for file in (fine, coarse)]
        for ns, us in zip(*batches, strict=True):
            _ = us.cast(ns.schema, safe=True)
        return "ns"


def _is_same(us: pa.RecordBatch, ns: pa.RecordBatch) -> bool:
    """Whether microseconds lose nothing: unchecked, their cast wraps around just as the nanoseconds did."""
    return all(a.cast(b.type, safe=False).equals(b) for a, b in zip(us.columns, ns.columns, strict=True))


def _orc(path: Path) -> _Table:
    def batches(positions: list[int] | None) -> Iterator[pa.RecordBatch]:
        file = po.ORCFile(path)
        for stripe in range(file.nstripes):
            batch = file.read_stripe(stripe)
            for begin in range(0, batch.num_rows, _BATCH_ROWS_MAX):
                yield _some(batch.slice(begin, _BATCH_ROWS_MAX), positions)

    file = po.ORCFile(path)
    return _Table(file.schema, file.nrows, batches)


def _arrow_file(path: Path) -> _Table:
    def batches(positions: list[int] | None) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(path), "rb") as file, pa.ipc.open_file(file) as reader:
            for number in range(reader.num_record_batches):
                yield _some(reader.get_batch(number), positions)

    with pa.OSFile(str(path), "rb") as file, pa.ipc.open_file(file) as reader:
        return _Table(reader.schema, _declared_rows(reader), batches)


def _declared_rows(reader: Any) -> int:
    return int(reader.count_rows())


def _arrow_stream(path: Path) -> _Table:
    def batches(positions: list[int] | None) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(path), "rb") as file, pa.ipc.open_stream(file) as reader:
            for batch in reader:
                yield _some(batch, positions)

    with pa.OSFile(str(path), "rb") as file, pa.ipc.open_stream(file) as reader:
        schema = reader.schema
    records, is_ended = arrowstream.measure(path)
    notices = () if is_ended else ("the Arrow stream has no end mark: if its end was cut off, nothing tells so",)
    return _Table(schema, records, batches, notices)


def _names(schema: pa.Schema, positions: list[int] | None) -> list[str] | None:
    """The columns to read by name; None where names do not tell them apart."""
    if positions is None or len(set(schema.names)) < len(schema.names):
        return None
    names = [schema.names[position] for position in positions]
    return None if any("." in name for name in schema.names) else names


def _some(batch: pa.RecordBatch, positions: list[int] | None, read: list[str] | None = None) -> pa.RecordBatch:
    """The columns at some positions, unless those alone were read."""
    return batch if positions is None or read is not None else batch.select(positions)
