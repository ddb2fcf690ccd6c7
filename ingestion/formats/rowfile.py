"""Rows on their way into one table: text columns that may grow, in Parquet files in scratch."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.columns import safe_names
from ingestion.refusal import FileRefused

COLUMNS_MAX = 10_000
"""A table of more columns is the sign of keys that are data, such as an identifier for each record."""

_CELLS_MAX = 4_000_000

_Key = TypeVar("_Key", bound=Hashable)

_Array: TypeAlias = "pa.Array[Any]"
Texts: TypeAlias = "Sequence[str | bytes | None] | _Array"
"""A column's values: text, or text in UTF-8."""


class RowFile:
    """Rows that are written once, in the order of the file, and then scanned as one table.

    A column is known by a key of any kind, so that two columns may be found under one name. Rows that were written
    before a column was first seen have nulls in it. Memory is bounded by what one `write` is given.
    """

    def __init__(self, folder: Path, name: str = "rows") -> None:
        self._folder = folder
        self._name = name
        self._files: list[Path] = []
        self._writer: pq.ParquetWriter | None = None
        self._positions: dict[Hashable, int] = {}
        self._filled: list[int] = []
        self.rows = 0

    @property
    def keys(self) -> tuple[Hashable, ...]:
        """The columns' keys, as they were first seen."""
        return tuple(self._positions)

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self._positions)

    def write(self, lines: Sequence[int], columns: Mapping[Any, Texts]) -> None:
        """Add rows: the line on which each begins, and the values of the columns that any of them has.

        Columns are kept where there are no rows. Raises FileRefused where the table becomes too wide.
        """
        self._grow(columns)
        if not len(lines):
            return
        arrays = {self._positions[key]: _array(values) for key, values in columns.items()}
        for position, array in arrays.items():
            self._filled[position] += len(array) - array.null_count
        step = max(1, _CELLS_MAX // (len(self._positions) + 1))
        for begin in range(0, len(lines), step):
            part = {position: array.slice(begin, step) for position, array in arrays.items()}
            self._write(pa.array(lines[begin : begin + step], pa.int64()), part)
        self.rows += len(lines)

    def close(self) -> None:
        """Finish the file that is being written; rows that come later begin another."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def scan(self, names: Mapping[Any, str]) -> pl.LazyFrame:
        """All rows: the columns of these keys in this order, under these names, then ``_line``."""
        self.close()
        columns = [pl.col(f"c{self._positions[key]}").alias(name) for key, name in names.items()]
        return self._frame().select(*columns, pl.col("_line"))

    def check(self, names: Mapping[Any, str], path: Path) -> None:
        """Raise FileRefused where a Parquet file has not as many values in each of its columns as were written."""
        if not names:
            return
        counts = pl.scan_parquet(path, glob=False).select(pl.col(list(names.values())).count()).collect().row(0)
        for (key, name), count in zip(names.items(), counts, strict=True):
            expected = self._filled[self._positions[key]]
            if count != expected:
                reason = f"the account does not close: column {name!r} has {expected:,} values, {count:,} were written"
                raise FileRefused("account", reason)

    def _grow(self, columns: Mapping[Any, Texts]) -> None:
        new = [key for key in columns if key not in self._positions]
        if not new:
            return
        if len(self._positions) + len(new) > COLUMNS_MAX:
            reason = f"the records have more than {COLUMNS_MAX:,} different fields: their names seem to be data"
            raise FileRefused("columns", reason)
        self.close()
        for key in new:
            self._positions[key] = len(self._positions)
            self._filled.append(0)

    def _write(self, lines: _Array, arrays: Mapping[int, _Array]) -> None:
        if self._writer is None:
            self._writer = self._next_writer()
        nulls = pa.nulls(len(lines), pa.large_string())
        columns = [arrays.get(position, nulls) for position in range(len(self._positions))]
        self._writer.write_table(pa.Table.from_arrays([*columns, lines], schema=_physical(len(columns))))

    def _next_writer(self) -> pq.ParquetWriter:
        path = self._folder / f"{self._name}-{len(self._files)}.parquet"
        self._files.append(path)
        schema = _physical(len(self._positions))
        return pq.ParquetWriter(path, schema, compression="lz4", write_statistics=False)

    def _frame(self) -> pl.LazyFrame:
        columns = dict.fromkeys((f"c{position}" for position in range(len(self._positions))), pl.String())
        schema = pl.Schema({**columns, "_line": pl.Int64()})
        if not self._files:
            return pl.LazyFrame(schema=schema)
        return pl.scan_parquet(self._files, schema=schema, missing_columns="insert", glob=False)


def stored_names(header: Mapping[_Key, str]) -> dict[_Key, str]:
    """The names under which columns are stored, by key, from their names as found.

    >>> stored_names({"a": "x", "b": "x"})
    {'a': 'x', 'b': 'x_2'}
    """
    return dict(zip(header, safe_names(tuple(header.values())), strict=True))


def _physical(width: int) -> pa.Schema:
    texts: list[pa.Field[Any]] = [pa.field(f"c{position}", pa.large_string()) for position in range(width)]
    return pa.schema([*texts, pa.field("_line", pa.int64())])


def _array(values: Texts) -> _Array:
    return values if isinstance(values, pa.Array) else pa.array(values, pa.large_string())
