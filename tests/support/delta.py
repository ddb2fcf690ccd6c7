"""Tables on a real store as tests write them, and as ours and other readers of Delta read them."""

import itertools
import uuid
from typing import Any

import polars as pl
from deltalake import DeltaTable

from catalog.tables import Change, Snapshot, Tables
from catalog.tables.options import delta_options, polars_options
from catalog.zones import TableName

NUMBERS = pl.Schema({"n": pl.Int64()})

_names = itertools.count(1)


def fresh_name() -> TableName:
    """A table that no other test has."""
    return TableName.parse(f"silver.table_{next(_names)}")


def numbers(*values: int) -> pl.LazyFrame:
    """One column ``n``."""
    return pl.LazyFrame({"n": list(values)}, schema=NUMBERS)


def change(tables: Tables, name: TableName, base: Snapshot | None, frame: pl.LazyFrame, **more: Any) -> Change:
    """Write the rows as files, and say in which change they come; with ``replacing=True`` all others go."""
    gone = base.files if more.pop("replacing", False) and base is not None else ()
    said = {"operation": uuid.uuid4().hex, "schema": frame.collect_schema(), "remove": gone} | more
    return Change(name=name, base=base, add=tables.sink(name, frame), **said)


def append(tables: Tables, base: Snapshot, frame: pl.LazyFrame) -> Snapshot:
    """The next version: the base's rows and these."""
    return tables.commit(change(tables, base.name, base, frame))


def replace_all(tables: Tables, base: Snapshot, frame: pl.LazyFrame) -> Snapshot:
    """The next version: these rows alone."""
    return tables.commit(change(tables, base.name, base, frame, replacing=True))


def make(tables: Tables, frame: pl.LazyFrame, name: TableName | None = None) -> Snapshot:
    """A new table with these rows."""
    name = name or fresh_name()
    return tables.commit(change(tables, name, None, frame))


def head(tables: Tables, name: TableName) -> Snapshot:
    """The newest version of a table that is there."""
    found = tables.open(name)
    assert found is not None
    return found


def held(tables: Tables, name: TableName) -> list[int]:
    """The numbers in a table of `numbers`, in order."""
    return sorted(head(tables, name).scan().collect()["n"])


def uri(snapshot: Snapshot) -> str:
    """Where other readers find the table."""
    return f"s3://{snapshot.endpoint.bucket(snapshot.name.zone)}/{snapshot.name.path}"


def read_everywhere(snapshot: Snapshot) -> dict[str, pl.DataFrame]:
    """The rows of a version as ours, Polars' own scan of the Delta table, and delta-rs with pyarrow read them."""
    other = DeltaTable(uri(snapshot), version=snapshot.version, storage_options=delta_options(snapshot.endpoint))
    arrow = pl.from_arrow(other.to_pyarrow_table())
    assert isinstance(arrow, pl.DataFrame)
    options = polars_options(snapshot.endpoint)
    return {
        "ours": snapshot.scan().collect(),
        "polars": pl.scan_delta(uri(snapshot), version=snapshot.version, storage_options=options).collect(),
        "delta-rs": arrow,
    }
