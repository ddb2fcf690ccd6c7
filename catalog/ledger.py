"""The ledger: every file that ever landed, what became of it, and from which bytes its rows came."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import polars as pl

from catalog.derived import record_once
from catalog.tables import Snapshot, Tables, in_columns, store_faults
from catalog.zones import TableName, Zone

LEDGER = TableName(Zone.CATALOG, "ledger")


class Fate(StrEnum):
    """What became of a delivery."""

    INGESTED = "ingested"
    KNOWN = "known"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    KEPT = "kept"
    """No table: its bytes are kept and catalogued, and nothing of it is read."""
    RETRACTED = "retracted"
    """A person took the file back: its rows are gone, its bytes are kept."""


SCHEMA = pl.Schema(
    {
        "dataset": pl.String(),
        "batch": pl.String(),
        "delivery": pl.String(),
        "file": pl.String(),
        "version_id": pl.String(),
        "size_bytes": pl.Int64(),
        "arrived_at": pl.Datetime("us", "UTC"),
        "ingested_at": pl.Datetime("us", "UTC"),
        "sha256": pl.String(),
        "archived_as": pl.String(),
        "fate": pl.String(),
        "on_correction": pl.String(),
        "records": pl.Int64(),
        "rows": pl.Int64(),
        "rejected": pl.Int64(),
        "refused": pl.Int64(),
        "rule": pl.String(),
        "reason": pl.String(),
        "line": pl.Int64(),
        "notice": pl.String(),
        "details": pl.String(),
        "format": pl.String(),
        "origin": pl.String(),
        "run": pl.String(),
    }
)

PAST = ("delivery", "file", "sha256", "fate", "on_correction", "origin", "details")


@dataclass(frozen=True)
class Entry:
    """One delivery in the ledger.

    ``records`` is counted by the reader of its format, ``rows`` by the data files' footers, ``rejected`` by the file of
    rejects, ``refused`` are the parts of a file that was taken in without them; ``archived_as`` is the key of the raw
    bytes in the bronze bucket; ``on_correction`` is the policy that its batch kept to; ``rule``, ``reason`` and
    ``line`` say why a delivery was rejected whole; ``details`` is JSON: for each part its table, dialect, header,
    counts. ``origin`` names the delivery of which this one is another reading.
    """

    dataset: str
    batch: str
    delivery: str
    file: str
    version_id: str
    size_bytes: int
    arrived_at: datetime
    ingested_at: datetime
    sha256: str | None
    archived_as: str | None
    fate: Fate
    on_correction: str
    records: int = 0
    rows: int = 0
    rejected: int = 0
    refused: int = 0
    rule: str | None = None
    reason: str | None = None
    line: int | None = None
    notice: str | None = None
    details: str | None = None
    format: str | None = None
    origin: str | None = None
    run: str | None = None

    @property
    def is_aside(self) -> bool:
        """Whether the file was set aside whole, or a part of it was."""
        return self.fate == Fate.REJECTED or self.refused > 0


def frame_of(entries: Iterable[Entry]) -> pl.DataFrame:
    """The entries as rows of the ledger."""
    return pl.DataFrame([asdict(entry) for entry in entries], schema=SCHEMA)


def record(tables: Tables, batch: str, entries: list[Entry]) -> Snapshot:
    """Write a batch's entries down once, however often it is asked. Raises `StoreError`."""
    return record_once(tables, LEDGER, ("batch", batch), lambda: frame_of(entries).lazy())


def past(tables: Tables, dataset: str, files: Collection[str], *, others: bool = False) -> pl.DataFrame:
    """What became of these landing names, in order of delivery: columns as `PAST`; of ``others``, all but the details.

    Raises `StoreError`.
    """
    is_named = pl.col("file").is_in(sorted(files))
    entries = _entries(tables, dataset, pl.lit(others) | is_named).with_columns(pl.when(is_named).then("details"))
    with store_faults(f"read {LEDGER}"):
        return entries.select(PAST).sort("delivery").collect(engine="streaming")


def entries_of(tables: Tables, deliveries: Collection[str]) -> list[dict[str, Any]]:
    """The entries of these deliveries and of their later readings, in order, as dictionaries by column.

    Raises `StoreError`.
    """
    wanted = sorted(deliveries)
    return _all(_entries(tables, None, pl.col("delivery").is_in(wanted) | pl.col("origin").is_in(wanted)))


def entries_named(tables: Tables, files: Collection[str]) -> list[dict[str, Any]]:
    """The entries of these landing names, in order of delivery, as dictionaries by column. Raises `StoreError`."""
    return _all(_entries(tables, None, pl.col("file").is_in(sorted(files))))


def names(tables: Tables) -> list[str]:
    """Every landing name that ever came, once. Raises `StoreError`."""
    with store_faults(f"read {LEDGER}"):
        return _entries(tables, None).select(pl.col("file").unique()).collect(engine="streaming")["file"].to_list()


def _all(entries: pl.LazyFrame) -> list[dict[str, Any]]:
    with store_faults(f"read {LEDGER}"):
        return entries.sort("delivery").collect(engine="streaming").to_dicts()


def first_names(tables: Tables, dataset: str, hashes: Collection[str]) -> dict[str, str]:
    """The landing name under which each of these bytes (SHA-256) first came in, where they did. Raises `StoreError`."""
    ingested = _entries(tables, dataset, pl.col("fate") == Fate.INGESTED, pl.col("sha256").is_in(sorted(hashes)))
    with store_faults(f"read {LEDGER}"):
        rows = ingested.select("delivery", "sha256", "file").sort("delivery").collect(engine="streaming")
    return dict(rows.unique("sha256", keep="first", maintain_order=True).select("sha256", "file").iter_rows())


def last_batches(ledger: Snapshot) -> dict[str, str]:
    """The newest batch of each dataset that a version of the ledger holds. Raises `StoreError`."""
    with store_faults(f"read {LEDGER}"):
        newest = ledger.scan().group_by("dataset").agg(pl.col("batch").max()).collect(engine="streaming")
    return dict(newest.iter_rows())


def _entries(tables: Tables, dataset: str | None, *which: pl.Expr) -> pl.LazyFrame:
    """The entries (of a dataset, None is all) that fit, as `SCHEMA`, also where an older lake wrote fewer columns."""
    ledger = tables.open(LEDGER)
    if ledger is None:
        return pl.LazyFrame(schema=SCHEMA)
    if dataset is None:
        rows = ledger.scan()
    else:
        files = [file for file in ledger.files if file.may_hold("dataset", {dataset})]
        rows = tables.scan_files(LEDGER, files, ledger.schema).filter(pl.col("dataset") == dataset)
    return in_columns(rows, SCHEMA).filter(*which)
