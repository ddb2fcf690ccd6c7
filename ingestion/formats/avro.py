"""Avro files: read a block at a time, in the types of their schema."""

import io
import lzma
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import fastavro
import polars as pl
import pyarrow as pa
import zstandard
from fastavro.schema import SchemaParseException, UnknownType

from ingestion.formats.arrowtypes import StoredColumns, stored_columns
from ingestion.formats.avroblocks import Container, open_container, unread
from ingestion.formats.avrotypes import Kind, kind
from ingestion.formats.frames import lazy, refusing
from ingestion.found import Found, Source
from ingestion.refusal import FileRefused

_BATCH_ROWS = 10_000
_VALUE = "value"

_ERRORS = (
    SchemaParseException,
    UnknownType,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zstandard.ZstdError,
    pa.ArrowException,
)


def read_avro(source: Source) -> Iterator[Found]:
    """The table of an Avro file; its records are the sum of what its blocks declare.

    A schema that is no record makes one column, ``value``. Raises `FileRefused`.
    """
    with refusing("Avro file", *_ERRORS):
        container = open_container(source.path)
        kinds = _kinds(container.schema)
        if not kinds:
            raise FileRefused("format", "the Avro file's records have no fields")
        columns = stored_columns(pa.schema([(name, kind.type) for name, kind in kinds.items()]), lambda _: ())
        records = container.records()
    yield Found(
        rows=lazy(columns.schema, lambda: _frames(container, kinds, columns)),
        header=columns.header,
        records=records,
        format="avro",
        metadata=columns.metadata,
        dialect={"codec": container.codec},
    )


def _kinds(schema: Any) -> dict[str, Kind]:
    """How each field is stored, by name."""
    names = _named(schema)
    if not _is_record(schema):
        return {_VALUE: kind(schema, names)}
    return {field["name"]: kind(field["type"], names, frozenset({schema["name"]})) for field in schema["fields"]}


def _is_record(schema: Any) -> bool:
    return isinstance(schema, dict) and schema["type"] in {"record", "error"}


def _named(schema: Any) -> dict[str, Any]:
    """All types that a parsed schema names, by their full names."""
    if isinstance(schema, list):
        return {name: found for branch in schema for name, found in _named(branch).items()}
    if not isinstance(schema, dict):
        return {}
    named = (
        {schema["name"]: schema} if "name" in schema and schema["type"] in {"record", "error", "enum", "fixed"} else {}
    )
    parts = [schema.get("type"), schema.get("items"), schema.get("values"), *_field_types(schema)]
    return {**named, **{name: found for part in parts for name, found in _named(part).items()}}


def _field_types(schema: Mapping[str, Any]) -> list[Any]:
    return [field["type"] for field in schema.get("fields", ())]


def _frames(container: Container, kinds: Mapping[str, Kind], columns: StoredColumns) -> Iterator[pl.DataFrame]:
    is_record = _is_record(container.schema)
    with refusing("Avro file", *_ERRORS):
        for rows in _batches(container):
            records = rows if is_record else [{_VALUE: row} for row in rows]
            arrays = [_array(records, name, kind) for name, kind in kinds.items()]
            yield columns.frame(pa.RecordBatch.from_arrays(arrays, names=list(kinds)))


def _array(records: Sequence[Mapping[str, Any]], name: str, kind: Kind) -> "pa.Array[Any]":
    values = [record[name] for record in records]
    return pa.array(values if kind.convert is None else map(kind.convert, values), kind.type)


def _batches(container: Container) -> Iterator[list[Any]]:
    """The decoded records, some thousands at a time; raises `FileRefused` where a block holds more than it declares."""
    batch: list[Any] = []
    for count, plain in container.blocks():
        data = io.BytesIO(plain)
        for _ in range(count):
            batch.append(fastavro.schemaless_reader(data, container.schema, None, return_record_name=True))
            if len(batch) >= _BATCH_ROWS:
                yield batch
                batch = []
        if left := unread(data):
            raise FileRefused(
                "account", f"a block of the Avro file holds {left:,} bytes more than its {count:,} records"
            )
    if batch:
        yield batch
