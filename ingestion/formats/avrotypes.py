"""Avro's types as Arrow has them, and how a decoded value becomes one of theirs."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa

from ingestion.columns import safe_names
from ingestion.formats.arrowtypes import Type, json_text

Schema: TypeAlias = "str | list[Any] | dict[str, Any]"
"""A schema as `fastavro.parse_schema` gives it: a name, a union, or a type with its attributes."""

_DECIMAL_DIGITS_MAX = 38

_PRIMITIVES: dict[str, Type] = {
    "null": pa.string(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
    "fixed": pa.binary(),
    "enum": pa.string(),
}
_LOGICAL: dict[str, Type] = {
    "date": pa.date32(),
    "timestamp-millis": pa.timestamp("us", "UTC"),
    "timestamp-micros": pa.timestamp("us", "UTC"),
    "local-timestamp-millis": pa.timestamp("us"),
    "local-timestamp-micros": pa.timestamp("us"),
}
_TEXTS = {"time-millis", "time-micros", "uuid"}
_WIDER = {frozenset({"int", "long"}): "long", frozenset({"float", "double"}): "double"}


@dataclass(frozen=True)
class Kind:
    """The Arrow type of a field, and what makes its decoded values fit that type (None: they do)."""

    type: Type
    convert: Callable[[Any], Any] | None = None


JSON = Kind(pa.string(), lambda value: None if value is None else to_json(value))
_TEXT = Kind(pa.string(), lambda value: None if value is None else str(value))


def kind(schema: Schema, names: Mapping[str, Any], within: frozenset[str] = frozenset()) -> Kind:
    """How values of a schema are stored; ``names`` has the types that were named before, ``within`` those around it.

    Unions of several types, types that hold themselves, and records with fields that Delta cannot name are JSON text.

    >>> kind(["null", "long"], {}).type, kind(["int", "string"], {}) is JSON
    (DataType(int64), True)
    """
    if isinstance(schema, list):
        return _union(schema, names, within)
    if isinstance(schema, str):
        if schema in _PRIMITIVES:
            return Kind(_PRIMITIVES[schema])
        return JSON if schema in within else kind(names[schema], names, within)
    if "logicalType" in schema and (logical := _logical(schema)) is not None:
        return logical
    nested = {"record": _record, "error": _record, "array": _array, "map": _map}.get(schema["type"])
    if nested is not None:
        return nested(schema, names, within | {schema.get("name", "")})
    return (
        kind(schema["type"], names, within) if schema["type"] not in _PRIMITIVES else Kind(_PRIMITIVES[schema["type"]])
    )


def to_json(value: object) -> str:
    """A decoded value as JSON; a record of a union under its name, as Avro's own JSON has it.

    >>> to_json(("test.Point", {"x": 1})), to_json("1")
    ('{"test.Point": {"x": 1}}', '"1"')
    """
    return json.dumps(_named(value), ensure_ascii=False, default=json_text)


def _named(value: object) -> object:
    if isinstance(value, tuple):
        return {value[0]: _named(value[1])}
    if isinstance(value, dict):
        return {key: _named(inner) for key, inner in value.items()}
    return [_named(inner) for inner in value] if isinstance(value, list) else value


def _union(branches: list[Any], names: Mapping[str, Any], within: frozenset[str]) -> Kind:
    others = [branch for branch in branches if branch != "null"]
    if not others:
        return Kind(_PRIMITIVES["null"])
    if len(others) == 1:
        return kind(others[0], names, within)
    primitives = frozenset(branch for branch in others if isinstance(branch, str))
    wider = _WIDER.get(primitives) if len(primitives) == len(others) else None
    return JSON if wider is None else Kind(_PRIMITIVES[wider])


def _logical(schema: dict[str, Any]) -> Kind | None:
    """How a logical type is stored; None where it is read as the type below it."""
    logical = schema["logicalType"]
    if logical == "decimal":
        digits, scale = schema["precision"], schema.get("scale", 0)
        return Kind(pa.decimal128(digits, scale)) if digits <= _DECIMAL_DIGITS_MAX else _TEXT
    if logical in _TEXTS:
        return _TEXT
    return Kind(_LOGICAL[logical]) if logical in _LOGICAL else None


def _record(schema: dict[str, Any], names: Mapping[str, Any], within: frozenset[str]) -> Kind:
    kinds = {field["name"]: kind(field["type"], names, within) for field in schema["fields"]}
    if not kinds or safe_names(tuple(kinds)) != tuple(kinds):
        return JSON
    converts = [(name, inner.convert) for name, inner in kinds.items() if inner.convert is not None]

    def convert(value: Any) -> Any:
        record = value[1] if isinstance(value, tuple) else value
        return None if record is None else {**record, **{name: change(record[name]) for name, change in converts}}

    return Kind(pa.struct([(name, inner.type) for name, inner in kinds.items()]), convert)


def _array(schema: dict[str, Any], names: Mapping[str, Any], within: frozenset[str]) -> Kind:
    inner = kind(schema["items"], names, within)
    change = inner.convert
    if change is None:
        return Kind(pa.list_(inner.type))
    return Kind(pa.list_(inner.type), lambda value: None if value is None else [change(item) for item in value])


def _map(schema: dict[str, Any], names: Mapping[str, Any], within: frozenset[str]) -> Kind:
    inner = kind(schema["values"], names, within)
    change = inner.convert or (lambda value: value)
    pairs = pa.list_(pa.struct([("key", pa.string()), ("value", inner.type)]))

    def convert(value: Any) -> Any:
        return None if value is None else [{"key": key, "value": change(item)} for key, item in value.items()]

    return Kind(pairs, convert)
