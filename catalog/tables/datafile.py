"""One Parquet file of a table: what its footer says of it."""

import io
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.errors import DataRefused
from catalog.objects import ObjectStore
from catalog.tables.schema import from_arrow

_TAIL_BYTES = 64 * 1024
_TEXT_LENGTH_MAX = 128

Bound = str | int | date | datetime
"""A value that statistics have bounds for."""

_MICROSECONDS = {"milliseconds": 1000, "microseconds": 1}

_BLUR = timedelta(milliseconds=1)
"""Other writers cut the bounds of times to milliseconds."""


@dataclass(frozen=True)
class DataFile:
    """One immutable file of a table: its path below the table's folder, its size, rows and statistics (Delta's JSON).

    ``schema`` is what the footer says; None for a file that comes from the log, which was checked when it was added.
    """

    path: str
    size_bytes: int
    rows: int
    stats: str = field(repr=False)
    schema: pl.Schema | None = field(default=None, repr=False, compare=False)

    def may_hold(self, column: str, values: Collection[Bound]) -> bool:
        """Whether a row with one of these values in ``column`` can be in the file, by its least and greatest value.

        >>> DataFile("f", 1, 1, '{"minValues": {"k": "b"}, "maxValues": {"k": "d"}}').may_hold("k", {"a", "e"})
        False
        """
        bounds = self._bounds(column, next(iter(values), None))
        return bounds is None or any(bounds[0] <= value <= bounds[1] for value in values)

    def may_hold_between(self, column: str, low: Bound, high: Bound) -> bool:
        """Whether a row with a value in ``column`` from ``low`` to ``high`` can be in the file.

        >>> DataFile("f", 1, 1, '{"minValues": {"k": 5}, "maxValues": {"k": 7}}').may_hold_between("k", 1, 4)
        False
        """
        bounds = self._bounds(column, low)
        return bounds is None or (bounds[0] <= high and low <= bounds[1])

    def _bounds(self, column: str, like: Bound | None) -> tuple[Any, Any] | None:
        """The least and the greatest value, to be compared with values like this one; None where they are not known."""
        stats = json.loads(self.stats)
        least, greatest = stats.get("minValues", {}).get(column), stats.get("maxValues", {}).get(column)
        if isinstance(like, int) and isinstance(least, int) and isinstance(greatest, int):
            return least, greatest
        if not isinstance(least, str) or not isinstance(greatest, str):
            return None
        if isinstance(like, str):
            return least, greatest
        try:
            if isinstance(like, datetime):
                low, high = datetime.fromisoformat(least) - _BLUR, datetime.fromisoformat(greatest) + _BLUR
                return (low, high) if (low.tzinfo is None) == (like.tzinfo is None) else None
            return (date.fromisoformat(least), date.fromisoformat(greatest)) if isinstance(like, date) else None
        except (ValueError, OverflowError):
            return None


def describe(objects: ObjectStore, zone: str, folder: str, path: str, size_bytes: int) -> DataFile:
    """What the footer of a Parquet file on the store says. Raises `DataRefused`, `NotFound`, `StoreError`."""
    key = f"{folder}/{path}"
    try:
        footer = pq.read_metadata(pa.PythonFile(_Remote(objects, zone, key, size_bytes), mode="r"))
    except pa.ArrowInvalid as error:
        raise DataRefused(f"{zone}/{key} is not a Parquet file: {error}", next="write it again") from None
    schema = from_arrow(footer.schema.to_arrow_schema())
    # Not in ASCII: delta-rs reads an escaped pair of surrogates as another character.
    stats = json.dumps(_statistics(footer), ensure_ascii=False)
    return DataFile(path, size_bytes, footer.num_rows, stats, schema)


class _Remote(io.RawIOBase):
    """An object as a seekable file: its tail, where a footer lies, comes in one request, what lies before on demand."""

    def __init__(self, objects: ObjectStore, zone: str, key: str, size_bytes: int) -> None:
        self._read_range: Callable[[int, int], bytes] = partial(objects.get_range, zone, key)
        self._size = size_bytes
        self._start = max(0, size_bytes - _TAIL_BYTES)
        self._tail = self._read_range(self._start, size_bytes) if size_bytes else b""
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        stop = self._size if size < 0 else min(self._size, self._at + size)
        if self._at < self._start:
            piece = self._read_range(self._at, stop)
        else:
            piece = self._tail[self._at - self._start : stop - self._start]
        self._at += len(piece)
        return piece


def _statistics(footer: pq.FileMetaData) -> dict[str, Any]:
    """Delta's statistics out of a footer: rows, and per column the least and greatest value and the missing ones.

    Only flat columns of integers, text, dates and times get bounds: a footer does not say whether a float column holds
    NaN, which is greater than its greatest value, and decimals lose digits as JSON numbers.
    Source: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#per-file-statistics.
    """
    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    missing: dict[str, int] = {}
    unknown: set[str] = set()
    for group in range(footer.num_row_groups):
        row_group = footer.row_group(group)
        for index in range(row_group.num_columns):
            column = row_group.column(index)
            name, statistics = column.path_in_schema, column.statistics
            if footer.schema.column(index).name != name:
                continue  # a leaf of a nested column, whose path may be a flat column's name
            if statistics is None or statistics.null_count is None:
                unknown.add(name)
                continue
            missing[name] = missing.get(name, 0) + statistics.null_count
            low, high = _bounds(statistics)
            if _has_bounds(low) and _has_bounds(high):
                least[name] = min(least.get(name, low), low)
                greatest[name] = max(greatest.get(name, high), high)
            elif statistics.null_count < row_group.num_rows:
                unknown.add(name)
    return {
        "numRecords": footer.num_rows,
        "minValues": {name: _json(value) for name, value in least.items() if name not in unknown},
        "maxValues": {name: _json(value) for name, value in greatest.items() if name not in unknown},
        "nullCount": {name: count for name, count in missing.items() if name not in unknown},
    }


def _bounds(statistics: pq.Statistics) -> tuple[Any, Any]:
    """The least and greatest value; None where there is none, or where Python's calendar has no such day."""
    if not statistics.has_min_max:
        return None, None
    try:
        if statistics.logical_type.type == "TIMESTAMP":
            return _times(statistics)
        return statistics.min, statistics.max
    except (OverflowError, ValueError):
        return None, None


def _times(statistics: pq.Statistics) -> tuple[datetime | None, datetime | None]:
    """The same for times. Not by pyarrow, which imports pandas for them, where that is installed."""
    kind = json.loads(statistics.logical_type.to_json())
    if kind["timeUnit"] not in _MICROSECONDS:
        return None, None
    start, unit = datetime(1970, 1, 1, tzinfo=UTC if kind["isAdjustedToUTC"] else None), _MICROSECONDS[kind["timeUnit"]]
    raw: tuple[Any, Any] = statistics.min_raw, statistics.max_raw
    return start + timedelta(microseconds=raw[0] * unit), start + timedelta(microseconds=raw[1] * unit)


def _has_bounds(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _TEXT_LENGTH_MAX
    return isinstance(value, int | date) and not isinstance(value, bool)


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds") + ("Z" if value.tzinfo else "")
    return value.isoformat() if isinstance(value, date) else value


def from_log(action: Mapping[str, Any]) -> DataFile:
    """A file as the table's log has it: one row of ``DeltaTable.get_add_actions``."""
    bounds = {
        "numRecords": action["num_records"],
        "minValues": {k: v for k, v in (action.get("min") or {}).items() if v is not None},
        "maxValues": {k: v for k, v in (action.get("max") or {}).items() if v is not None},
    }
    return DataFile(action["path"], action["size_bytes"], action["num_records"], json.dumps(bounds, default=str))
