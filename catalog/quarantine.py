"""The quarantine: what was set aside, by which rule, from which file and line, with the record itself."""

import uuid
from collections.abc import Callable, Collection, Mapping

import polars as pl

from catalog.derived import is_held, on_newest, widened, written
from catalog.tables import Change, Rewritten, Snapshot, Tables, rewritten, store_faults, without
from catalog.zones import TableName, Zone

QUARANTINE = TableName(Zone.CATALOG, "quarantine")

SCHEMA = pl.Schema(
    {
        "id": pl.String(),
        "source": pl.String(),
        "table": pl.String(),
        "stage": pl.String(),
        "delivery": pl.String(),
        "file": pl.String(),
        "line": pl.Int64(),
        "rule": pl.String(),
        "message": pl.String(),
        "record": pl.String(),
        "archived_as": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "run": pl.String(),
        "status": pl.String(),
        "done_by": pl.String(),
    }
)
"""``source`` is the batch or the operation that set the record aside; a file that was set aside whole has no record.

``id`` is a reading's name and a number. ``status`` is ``waiting``; or ``done``, when the delivery ``done_by`` took the
place of ``delivery``, or took it back.
"""

WAITING, DONE = "waiting", "done"


def record(tables: Tables, batch: str, rows: pl.LazyFrame, settled: Mapping[str, str]) -> Snapshot | None:
    """Write down once what a batch set aside, and that nothing waits any more of the deliveries that it settled.

    ``rows`` have columns as `SCHEMA`; ``settled`` names by delivery the one that took its place. One commit, or none
    where all is so. Raises `Conflict` after many rivals, `StoreError`.
    """
    return on_newest(tables, QUARANTINE, lambda base: _record(tables, base, batch, rows, settled))


def _record(
    tables: Tables, base: Snapshot | None, batch: str, rows: pl.LazyFrame, settled: Mapping[str, str]
) -> Snapshot | None:
    is_new = base is None or not is_held(tables, base, ("source", batch))
    base = widened(tables, base, SCHEMA)
    marked = _marked(tables, base, settled)
    schema = SCHEMA if base is None else base.schema
    new = Rewritten()
    if is_new:
        fresh = _settler(settled)(rows) if settled else rows
        new = written(tables, QUARANTINE, base, fresh.select(list(schema)), marked.removed)
    if not new.kept and not marked.removed:
        return base
    operation = f"{QUARANTINE}:source:{batch}"
    gone = (*marked.removed, *new.removed)
    return tables.commit(Change(QUARANTINE, operation, base, schema, (*marked.kept, *new.kept), gone))


def _marked(tables: Tables, base: Snapshot | None, settled: Mapping[str, str]) -> Rewritten:
    """The files that hold waiting rows of settled deliveries, written again with these marked as done."""
    if base is None or not settled:
        return Rewritten()
    which, marked = _is_settled(settled), _settler(settled)
    return rewritten(tables, base, ("delivery", set(settled)), which, marked)


def delivery_of() -> pl.Expr:
    """A row's delivery; where an older lake did not write it down, the one whose bytes the archive keeps."""
    return pl.coalesce("delivery", pl.col("archived_as").str.strip_prefix("raw/"))


def _is_settled(settled: Mapping[str, str]) -> pl.Expr:
    """Whether a row waits and its delivery is settled, by another reading than the one that brought the row."""
    waits = pl.col("status").fill_null(WAITING) == WAITING
    return _by(settled).is_not_null() & waits & (_reading().fill_null("") != _by(settled))


def _settler(settled: Mapping[str, str]) -> Callable[[pl.LazyFrame], pl.LazyFrame]:
    which = _is_settled(settled).fill_null(value=False)
    status = pl.when(which).then(pl.lit(DONE)).otherwise(pl.col("status"))
    done_by = pl.when(which).then(_by(settled)).otherwise(pl.col("done_by"))
    return lambda rows: rows.with_columns(status=status, done_by=done_by, delivery=delivery_of())


def _by(settled: Mapping[str, str]) -> pl.Expr:
    return delivery_of().replace_strict(list(settled), list(settled.values()), default=None, return_dtype=pl.String)


def _reading() -> pl.Expr:
    return pl.col("id").str.split(":").list.first()


def settle(
    tables: Tables, sources: Mapping[str, str | None], rows: Callable[[Collection[str]], pl.LazyFrame]
) -> Snapshot | None:
    """Make the quarantine hold, of these tables' rows, what their published versions set aside, and nothing older.

    ``sources`` has the operation that set rows aside by table, None where none did; ``rows`` gives the rows of some of
    the tables, in columns as `SCHEMA`. One commit, or none where all is so. Raises `Conflict`, `StoreError`.
    """
    base = widened(tables, tables.open(QUARANTINE), SCHEMA)
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
