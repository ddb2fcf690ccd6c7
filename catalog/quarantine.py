"""The quarantine: what was set aside, by which rule, from which file and line, with the record itself."""

from collections.abc import Callable, Iterable

import polars as pl

from catalog.derived import record_once
from catalog.ledger import Entry, Fate
from catalog.tables import Snapshot, Tables
from catalog.zones import TableName, Zone

QUARANTINE = TableName(Zone.CATALOG, "quarantine")

SCHEMA = pl.Schema(
    {
        "source": pl.String(),
        "table": pl.String(),
        "stage": pl.String(),
        "file": pl.String(),
        "line": pl.Int64(),
        "rule": pl.String(),
        "message": pl.String(),
        "record": pl.String(),
        "archived_as": pl.String(),
        "at": pl.Datetime("us", "UTC"),
    }
)
"""``source`` is the batch or the operation that set the record aside; a file that was set aside whole has no record."""


def whole_files(entries: Iterable[Entry]) -> pl.DataFrame:
    """The rejected deliveries among a batch's entries, each as one row of the quarantine."""
    rows = [
        {
            "source": entry.batch,
            "table": f"{Zone.BRONZE}.{entry.dataset}",
            "stage": "ingest",
            "file": entry.file,
            "line": entry.line,
            "rule": entry.rule,
            "message": entry.reason,
            "record": None,
            "archived_as": entry.archived_as,
            "at": entry.ingested_at,
        }
        for entry in entries
        if entry.fate == Fate.REJECTED
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def record(tables: Tables, source: str, rows: Callable[[], pl.LazyFrame]) -> Snapshot:
    """Write down once what a source set aside: columns as `SCHEMA`, asked for only if needed. Raises `StoreError`."""
    return record_once(tables, QUARANTINE, ("source", source), rows)
