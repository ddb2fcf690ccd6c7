"""Arrow's types as Delta holds them: what is cast, what becomes text, and nothing that loses a digit.

==============================  ====================================================================================
found                           stored
==============================  ====================================================================================
uint8, uint16, uint32, uint64   the next wider signed integer; Decimal(20, 0) for uint64
float16                         Float32
time                            text, as 12:34:56.789
duration                        Int64, with the unit in the column's metadata
timestamps                      Datetime in microseconds where every value is exact, else text; other zones in UTC, with
                                the zone in the column's metadata
dictionary                      the values
map                             a list of structs of key and value
null, uuid                      text
union, interval, a              JSON text
struct without fields, or with
fields that Delta cannot name
==============================  ====================================================================================
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

import polars as pl
import pyarrow as pa

from ingestion.columns import labels, safe_names

Array: TypeAlias = "pa.Array[Any]"
Type: TypeAlias = Any
"""A `pyarrow.DataType`: its stubs lack what each kind has."""

_WIDER: dict[Type, Type] = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
    pa.float16(): pa.float32(),
    pa.null(): pa.large_string(),
}
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_time)
_BYTES = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
)
_AS_THEY_ARE = (
    pa.types.is_boolean,
    pa.types.is_signed_integer,
    pa.types.is_float32,
    pa.types.is_float64,
    pa.types.is_date32,
)
_LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)
_DECIMAL_DIGITS_MAX = 38


@dataclass(frozen=True)
class StoredColumns:
    """How the columns of an Arrow schema are stored: names, types, and what is said of them beside their values."""

    header: tuple[str, ...]
    names: tuple[str, ...]
    found: tuple[Type, ...]
    targets: tuple[Type | None, ...]

    @property
    def schema(self) -> pl.Schema:
        """The stored columns."""
        fields = [(name, target or pa.large_string()) for name, target in zip(self.names, self.targets, strict=True)]
        return pl.Schema(pa.schema(fields))

    @property
    def metadata(self) -> dict[str, dict[str, str]]:
        """By stored name: the name as found where it is another, the unit of a duration, the zone of a time."""
        said = labels(self.header, self.names)
        for name, dtype in zip(self.names, self.found, strict=True):
            if facts := _facts(dtype):
                said[name] = {**said.get(name, {}), **facts}
        return said

    def frame(self, batch: pa.RecordBatch) -> pl.DataFrame:
        """The rows of a batch as they are stored; raises `pyarrow.ArrowInvalid` where the batch contradicts itself."""
        batch.validate(full=True)
        columns = [stored(batch.column(i), target) for i, target in enumerate(self.targets)]
        table = pa.Table.from_arrays(columns, names=list(self.names))
        made = pl.from_arrow(table)
        return made if isinstance(made, pl.DataFrame) else made.to_frame()


def stored_columns(schema: pa.Schema, batches: Callable[[list[int]], Iterable[pa.RecordBatch]]) -> StoredColumns:
    """How the columns of ``schema`` are stored.

    ``batches`` reads the columns at some positions: those whose type alone does not say whether all values are exact in
    the type that Delta has, such as times in nanoseconds. A column of which one is not is stored as text.
    """
    header = tuple(schema.names)
    found = tuple(field.type for field in schema)
    targets = [storable_type(dtype) for dtype in found]
    texts = [storable_type(dtype, exact=False) for dtype in found]
    doubtful = [position for position in range(len(found)) if targets[position] != texts[position]]
    if doubtful:
        for batch in batches(doubtful):
            for column, position in zip(batch.columns, doubtful, strict=True):
                if targets[position] != texts[position] and not _is_exact(column, targets[position]):
                    targets[position] = texts[position]
    return StoredColumns(header, safe_names(header), found, tuple(targets))


def storable_type(dtype: Type, *, exact: bool = True) -> Type | None:
    """The type that values of ``dtype`` are cast to; None where they become JSON text.

    ``exact`` says that every value fits the type that Delta has for its kind; else those kinds are text.

    >>> storable_type(pa.uint64()), storable_type(pa.timestamp("ns")), storable_type(pa.timestamp("ns"), exact=False)
    (Decimal128Type(decimal128(20, 0)), TimestampType(timestamp[us]), DataType(large_string))
    """
    target = _wanted(dtype, exact)
    return target if target is not None and _casts(dtype, target) else None


def stored(array: Array, target: Type | None) -> Array:
    """The array in its stored type; None is JSON text. Raises `pyarrow.ArrowInvalid` where a value would be altered."""
    if target is None:
        return pa.array(map(_json, array.to_pylist()), pa.large_string())
    if isinstance(array, pa.DictionaryArray):
        values: Array = stored(array.dictionary, target)
        return values.take(array.indices)
    return array if array.type == target else array.cast(target, safe=True)


def _wanted(dtype: Type, exact: bool) -> Type | None:
    if isinstance(dtype, pa.BaseExtensionType):
        return None if dtype.extension_name == "arrow.uuid" else _wanted(dtype.storage_type, exact)
    if pa.types.is_dictionary(dtype) or pa.types.is_run_end_encoded(dtype):
        return _wanted(dtype.value_type, exact)
    return _wanted_plain(dtype) or _wanted_where_exact(dtype, exact) or _wanted_nested(dtype, exact)


def _wanted_plain(dtype: Type) -> Type | None:
    if any(test(dtype) for test in _AS_THEY_ARE):
        return dtype
    if any(test(dtype) for test in _TEXTS):
        return pa.large_string()
    if any(test(dtype) for test in _BYTES):
        return pa.large_binary()
    return pa.int64() if pa.types.is_duration(dtype) else _WIDER.get(dtype)


def _wanted_where_exact(dtype: Type, exact: bool) -> Type | None:
    """The type of those kinds of values of which Delta may hold some only."""
    target: Type | None = None
    if pa.types.is_timestamp(dtype):
        target = pa.timestamp("us", None if dtype.tz is None else "UTC")
        exact = exact or dtype.unit == "us"
    elif pa.types.is_date64(dtype):
        target = pa.date32()
    elif pa.types.is_decimal(dtype):
        target = _decimal(dtype)
        exact = exact or dtype.precision <= _DECIMAL_DIGITS_MAX
    return target if exact or target is None else pa.large_string()


def _decimal(dtype: Type) -> Type:
    scale = max(dtype.scale, 0)
    digits = dtype.precision + scale - dtype.scale
    if scale > _DECIMAL_DIGITS_MAX:
        return pa.large_string()
    return pa.decimal128(min(digits, _DECIMAL_DIGITS_MAX), scale)


def _wanted_nested(dtype: Type, exact: bool) -> Type | None:
    if pa.types.is_map(dtype):
        key, value = _wanted(dtype.key_type, exact), _wanted(dtype.item_type, exact)
        return None if key is None or value is None else pa.large_list(pa.struct([("key", key), ("value", value)]))
    if any(test(dtype) for test in _LISTS):
        inner = _wanted(dtype.value_type, exact)
        return None if inner is None else pa.large_list(inner)
    if pa.types.is_struct(dtype) and dtype.num_fields:
        fields = [dtype.field(position) for position in range(dtype.num_fields)]
        names = [field.name for field in fields]
        inner_types = [_wanted(field.type, exact) for field in fields]
        kept = [(n, t) for n, t in zip(names, inner_types, strict=True) if t is not None]
        return pa.struct(kept) if len(kept) == len(names) and list(safe_names(names)) == names else None
    return None


def _casts(dtype: Type, target: Type) -> bool:
    """Whether Arrow has this cast, which no table of its documentation says."""
    try:
        stored(pa.nulls(0, dtype), target)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True


def _is_exact(array: Array, target: Type | None) -> bool:
    try:
        stored(array, target)
    except pa.ArrowInvalid:
        return False
    return True


def _facts(dtype: Type) -> dict[str, str]:
    if pa.types.is_duration(dtype):
        return {"unit": dtype.unit}
    if pa.types.is_timestamp(dtype) and dtype.tz not in {None, "UTC"}:
        return {"time_zone": str(dtype.tz)}
    return {}


def _json(value: object) -> str | None:
    """A value as JSON, so that the text 1 and the number 1 of a union stay two values; a UUID as it is written.

    >>> _json({"a": b"x"}), _json("1"), _json(1), _json(None)
    ('{"a": "x"}', '"1"', '1', None)
    """
    if value is None or isinstance(value, UUID):
        return None if value is None else str(value)
    return json.dumps(value, ensure_ascii=False, default=json_text)


def json_text(value: object) -> str:
    """What JSON has no type for, as text: bytes by their code points, as Avro writes them."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
