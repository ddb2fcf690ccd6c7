"""Parsed files on their way into a table: put together, so that many small files make few data files, and uploaded."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from catalog.errors import DataRefused, StoreError
from catalog.failpoints import reach
from catalog.tables import DataFile, Snapshot, Tables
from catalog.zones import TableName
from ingestion.account import Share
from ingestion.columns import LAKE_COLUMNS
from ingestion.parser import Parser
from ingestion.protocol import Part

COMBINED_BYTES = 128 * 1024**2
"""Parsed files are put together up to about this size."""


@dataclass
class _Held:
    """Parsed files on local disk that are in no data file yet."""

    paths: list[Path] = field(default_factory=list)
    rows: int = 0
    size_bytes: int = 0


class Pending:
    """One table's share of a batch as it grows: what is held on local disk, and what is uploaded."""

    def __init__(self, tables: Tables, name: TableName, head: Snapshot | None, parser: Parser, scratch: Path) -> None:
        self._tables = tables
        self._name = name
        self._head = head
        self._parser = parser
        self._scratch = scratch
        self._held = _Held()
        self._files: list[tuple[DataFile, pl.Schema]] = []
        self._metadata: dict[str, Mapping[str, str]] = {}
        self.columns = value_columns(head)

    def hold(self, part: Part) -> None:
        """Take one file's rows, which have the columns known so far, and perhaps new ones behind them."""
        self.columns = part.schema
        self._metadata = {**part.metadata, **self._metadata}
        self._held.paths.append(part.path)
        self._held.rows += part.rows
        self._held.size_bytes += part.path.stat().st_size
        if self._held.size_bytes >= COMBINED_BYTES:
            self._flush()

    def share(self) -> Share:
        """The table's share, everything uploaded. Raises `StoreError`, `MachineError`."""
        self._flush()
        schema = self._schema()
        files = [file for uploaded, written in self._files for file in self._widened(uploaded, written, schema)]
        return Share(schema, tuple((file.path, file.size_bytes) for file in files), self._metadata)

    def _schema(self) -> pl.Schema:
        """The table's schema after this batch; a table without rows takes the columns of its first good file."""
        if self.columns is None:
            return LAKE_COLUMNS if self._head is None else self._head.schema
        if self._head is None or self._head.rows == 0:
            return pl.Schema(self.columns | LAKE_COLUMNS)
        return pl.Schema(self._head.schema | self.columns)

    def _flush(self) -> None:
        """Put what is held into data files, of which the footers must count the rows that were parsed."""
        held, self._held = self._held, _Held()
        if held.rows:
            uploaded = [self._tables.upload(self._name, path) for path in self._combined(held.paths)]
            rows = sum(file.rows for file in uploaded)
            if rows != held.rows:
                raise StoreError(f"{self._name}: {rows} rows in the data files, {held.rows} parsed", next="run again")
            self._files += [(file, file.schema or self._schema()) for file in uploaded if file.rows]
            reach("data.uploaded")
        for path in held.paths:
            discard(path)

    def _combined(self, paths: Sequence[Path]) -> Sequence[Path]:
        """One file of all; the files themselves where the parser cannot make them one, for that refuses no row."""
        if len(paths) == 1:
            return paths
        combined = self._scratch / f"{uuid.uuid4().hex}.parquet"
        try:
            self._parser.combine(paths, combined, self._schema())
        except DataRefused:
            return paths
        return [combined]

    def _widened(self, file: DataFile, written: pl.Schema, schema: pl.Schema) -> list[DataFile]:
        """The file with the columns that later files of the batch brought: missing in its rows."""
        if set(written) == set(schema):
            return [file]
        wider = self._tables.sink(self._name, self._tables.scan_files(self._name, [file], schema))
        if sum(each.rows for each in wider) != file.rows:
            raise StoreError(f"{self._name}: rows were lost while {file.path} was widened", next="run again")
        return wider


def discard(path: Path) -> None:
    """Remove a parsed file, and its folder once that is empty."""
    path.unlink()
    with suppress(OSError):
        path.parent.rmdir()


def discard_all(parts: Iterable[Part]) -> None:
    """Remove the files of parts that are not taken in."""
    for part in parts:
        discard(part.path)
        if part.rejects is not None:
            discard(part.rejects)


def value_columns(head: Snapshot | None) -> pl.Schema | None:
    """The value columns of a table; None while it has no row: then the next good file says."""
    if head is None or head.rows == 0:
        return None
    return pl.Schema({name: dtype for name, dtype in head.schema.items() if name not in LAKE_COLUMNS})
