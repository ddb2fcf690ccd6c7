"""The quarantine: what was set aside, by which rule, from which file and line, with the record itself."""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping

import polars as pl

from catalog.derived import record_once
from catalog.ledger import Entry, Fate
from catalog.tables import Change, Snapshot, Tables, store_faults, without
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
    """Write down once what a batch set aside: columns as `SCHEMA`, asked for only if needed. Raises `StoreError`."""
    return record_once(tables, QUARANTINE, ("source", source), rows)


def settle(
    tables: Tables, sources: Mapping[str, str | None], rows: Callable[[Collection[str]], pl.LazyFrame]
) -> Snapshot | None:
    """Make the quarantine hold, of these tables' rows, what their published versions set aside, and nothing older.

    ``sources`` has the operation that set rows aside by table, None where none did; ``rows`` gives the rows of some of
    the tables, in columns as `SCHEMA`. One commit, or none where all is so. Raises `Conflict`, `StoreError`.
    """
    base = tables.open(QUARANTINE)
    held = _sources(base)
    stale = {table for table, source in sources.items() if held.get(table, set()) != ({source} if source else set())}
    if not stale:
        return base
    wanted = sorted(table for table in stale if sources[table])
    gone = without(tables, base, "table", stale)
    added = tables.sink(QUARANTINE, rows(wanted)) if wanted else []
    return tables.commit(
        Change(
            name=QUARANTINE,
            operation=f"settle:{uuid.uuid4().hex}",
            base=base,
            schema=SCHEMA if base is None else base.schema,
            add=(*gone.kept, *added),
            remove=gone.removed,
        )
    )


def _sources(base: Snapshot | None) -> dict[str, set[str]]:
    """Which operations set rows aside that the quarantine holds, by table."""
    if base is None:
        return {}
    with store_faults(f"read {QUARANTINE}"):
        pairs = base.scan().select("table", "source").unique().collect(engine="streaming")
    held: dict[str, set[str]] = {}
    for table, source in pairs.iter_rows():
        held.setdefault(table, set()).add(source)
    return held
