"""Which Polars types a Delta table holds without loss, and the schema in both forms."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pyarrow as pa
from deltalake import Field
from deltalake import Schema as DeltaSchema

from catalog.errors import SchemaRefused, TypeRefused
from catalog.zones import INNER

if TYPE_CHECKING:
    from polars._typing import PolarsDataType

_AS_IT_IS = (
    pl.Boolean,
    pl.Int8,
    pl.Int16,
    pl.Int32,
    pl.Int64,
    pl.Float32,
    pl.Float64,
    pl.String,
    pl.Binary,
    pl.Date,
)

_WIDENED: dict[type[pl.DataType], pl.DataType] = {
    pl.UInt8: pl.Int16(),
    pl.UInt16: pl.Int32(),
    pl.UInt32: pl.Int64(),
    pl.Categorical: pl.String(),
    pl.Enum: pl.String(),
}

_ADVICE: dict[type[pl.DataType], str] = {
    pl.Null: "every value is missing: say which type it is, as in .cast(pl.String)",
    pl.UInt64: "cast it to pl.Int64, or to pl.Decimal(20, 0) where values pass 9223372036854775807",
    pl.Int128: "cast it to pl.Int64, or to pl.Decimal(38, 0)",
    pl.Time: "keep it as text (.cast(pl.String)) or as seconds since midnight",
    pl.Duration: "keep it as a number in a unit that its name says, as in .dt.total_seconds()",
    pl.Object: "make it one of Polars' own types",
    pl.Struct: "it has no fields: drop the column",
}


def storable(frame: pl.LazyFrame) -> pl.LazyFrame:
    """The same rows in types that Delta holds: small unsigned integers widened, categories as their text.

    Nothing else is changed. Raises `TypeRefused` naming the column, its type and what to cast it to, and
    `SchemaRefused` where two names differ in case only, which Delta takes for one, or where one is the lake's own.

    >>> storable(pl.LazyFrame({"n": [1]}, schema={"n": pl.UInt32})).collect_schema()
    Schema([('n', Int64)])
    """
    schema = frame.collect_schema()
    _refuse_twins(schema.names())
    if own := next((name for name in schema if name.lower().startswith(INNER)), None):
        raise SchemaRefused(f"column {own!r}: names that begin with {INNER} are the lake's own", next="rename it")
    casts = [pl.col(name).cast(target) for name, dtype in schema.items() if (target := _target(name, dtype)) != dtype]
    return frame.with_columns(casts) if casts else frame


def in_columns(rows: pl.LazyFrame, schema: pl.Schema) -> pl.LazyFrame:
    """The rows in these columns and no others; those that they lack are missing: a table of an older lake has fewer.

    >>> in_columns(pl.LazyFrame({"a": [1]}), pl.Schema({"b": pl.String(), "a": pl.Int64()})).collect().rows()
    [(None, 1)]
    """
    there = rows.collect_schema()
    lacking = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items() if name not in there]
    return rows.with_columns(lacking).select(list(schema))


def require_storable(schema: pl.Schema) -> None:
    """Raises `TypeRefused` or `SchemaRefused` where a table of this schema could not hold its rows exactly."""
    _refuse_twins(schema.names())
    for name, dtype in schema.items():
        if _target(name, dtype) != dtype:
            raise TypeRefused(
                f"column {name!r} is {dtype}, which Delta cannot hold", next=f"cast it to {_target(name, dtype)}"
            )


def _refuse_twins(names: list[str]) -> None:
    if not names:
        raise SchemaRefused("the frame has no columns", next="select at least one")
    if "" in names:
        raise SchemaRefused("a column has no name", next='name it, as in .rename({"": "name"})')
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(name.lower(), name)
        if twin != name:
            raise SchemaRefused(
                f"columns {twin!r} and {name!r} differ in case only", next="rename one: Delta takes them for one"
            )


def _target(name: str, dtype: pl.DataType) -> pl.DataType:
    """The type that a value of ``dtype`` is kept in."""
    if isinstance(dtype, pl.Datetime):
        return _instant(name, dtype)
    if isinstance(dtype, pl.List):
        return pl.List(_target(name, _inner(dtype.inner)))
    if isinstance(dtype, pl.Struct) and dtype.fields:
        return pl.Struct([pl.Field(f.name, _target(f"{name}.{f.name}", _inner(f.dtype))) for f in dtype.fields])
    if isinstance(dtype, pl.Decimal) or type(dtype) in _AS_IT_IS:
        return dtype
    if type(dtype) in _WIDENED:
        return _WIDENED[type(dtype)]
    advice = _ADVICE.get(type(dtype), "cast it to a number, text, a date or a time in microseconds")
    raise TypeRefused(f"column {name!r} is {dtype}, which Delta cannot hold", next=advice)


def _instant(name: str, dtype: pl.Datetime) -> pl.DataType:
    if dtype.time_unit == "ns":
        raise TypeRefused(
            f"column {name!r} counts nanoseconds; Delta holds microseconds and would cut the rest",
            next="say so yourself: .dt.cast_time_unit('us')",
        )
    if dtype.time_zone not in (None, "UTC"):
        raise TypeRefused(
            f"column {name!r} is in the time zone {dtype.time_zone}, which Delta does not keep",
            next="convert it: .dt.convert_time_zone('UTC'), and keep the zone's name in a column of its own",
        )
    return pl.Datetime("us", dtype.time_zone)


def _inner(dtype: "PolarsDataType") -> pl.DataType:
    return dtype if isinstance(dtype, pl.DataType) else dtype()


def to_delta(schema: pl.Schema, columns: Mapping[str, Mapping[str, str]] = MappingProxyType({})) -> DeltaSchema:
    """The Delta schema of a Polars schema, with what is known of its ``columns``."""
    plain = DeltaSchema.from_arrow(schema.to_frame().to_arrow().schema)
    return DeltaSchema(
        [Field(f.name, f.type, nullable=f.nullable, metadata=dict(columns.get(f.name, {}))) for f in plain.fields]
    )


def from_delta(schema: DeltaSchema) -> pl.Schema:
    """The Polars schema of a Delta schema."""
    return from_arrow(pa.schema(cast("Any", schema.to_arrow())))


def from_arrow(schema: pa.Schema) -> pl.Schema:
    """The Polars schema of an Arrow schema: of a data file's footer, say."""
    return pl.Schema(schema)


def has_naive_time(dtype: "PolarsDataType") -> bool:
    """Whether the type holds times without a zone, for which a Delta table needs the feature ``timestampNtz``."""
    if isinstance(dtype, pl.Struct):
        return any(has_naive_time(field.dtype) for field in dtype.fields)
    if isinstance(dtype, pl.List):
        return has_naive_time(dtype.inner)
    return isinstance(dtype, pl.Datetime) and dtype.time_zone is None


def difference(expected: pl.Schema, found: pl.Schema) -> str:
    """What tells two schemas apart, in words; empty where they hold the same columns in any order.

    >>> difference(pl.Schema({"a": pl.Int64}), pl.Schema({"a": pl.String, "b": pl.Int64}))
    "unknown 'b'; 'a' is String, not Int64"
    """
    parts = []
    if missing := [name for name in expected if name not in found]:
        parts.append(f"missing {', '.join(map(repr, missing))}")
    if unknown := [name for name in found if name not in expected]:
        parts.append(f"unknown {', '.join(map(repr, unknown))}")
    parts += [f"{n!r} is {found[n]}, not {t}" for n, t in expected.items() if n in found and found[n] != t]
    return "; ".join(parts)
