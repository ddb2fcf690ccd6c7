"""Tables published in one step, for tests of what reads them."""

import uuid

import polars as pl

from catalog.log import Commit, Proposal
from catalog.tables import Change, Snapshot, storable
from catalog.zones import TableName
from lake import Lake


def commit(lake: Lake, name: str, *parts: pl.DataFrame) -> Snapshot:
    """A table's next version: these rows and no others, a file for each part that has any."""
    table = TableName.parse(name)
    base = lake.store.open(table)
    files = [file for part in parts for file in lake.store.sink(table, storable(part.lazy()))]
    schema = storable(parts[0].lazy()).collect_schema()
    removed = base.files if base else ()
    return lake.store.commit(Change(table, uuid.uuid4().hex, base, schema, files, removed))


def publish(lake: Lake, **tables: pl.DataFrame) -> Commit:
    """One catalog commit with the next version of each table; ``silver__flights`` is silver.flights."""
    made = [commit(lake, name.replace("__", "."), frame) for name, frame in tables.items()]
    pins = {snapshot.name: snapshot.version for snapshot in made}
    return lake.log.publish(lake.log.head(), Proposal(uuid.uuid4().hex, pins, author="me", message="a test", run="r1"))
