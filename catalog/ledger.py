"""The ledger: every file that ever landed, what became of it, and from which bytes its rows came."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

import polars as pl

from catalog.derived import record_once
from catalog.tables import Snapshot, Tables, store_faults
from catalog.zones import TableName, Zone

LEDGER = TableName(Zone.CATALOG, "ledger")


class Fate(StrEnum):
    """What became of a delivery."""

    INGESTED = "ingested"
    KNOWN = "known"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


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
        "rule": pl.String(),
        "reason": pl.String(),
        "line": pl.Int64(),
        "notice": pl.String(),
        "details": pl.String(),
    }
)


@dataclass(frozen=True)
class Entry:
    """One delivery in the ledger.

    ``records`` is counted by the gate and ``rows`` by the data file's footer; ``archived_as`` is the key of the raw
    bytes in the bronze bucket; ``on_correction`` is the policy that its batch kept to; ``rule``, ``reason`` and
    ``line`` say why a delivery was rejected; ``details`` is JSON: dialect, header.
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
    rule: str | None = None
    reason: str | None = None
    line: int | None = None
    notice: str | None = None
    details: str | None = None


def frame_of(entries: Iterable[Entry]) -> pl.DataFrame:
    """The entries as rows of the ledger."""
    return pl.DataFrame([asdict(entry) for entry in entries], schema=SCHEMA)


def record(tables: Tables, batch: str, entries: list[Entry]) -> Snapshot:
    """Write a batch's entries down once, however often it is asked. Raises `StoreError`."""
    return record_once(tables, LEDGER, ("batch", batch), lambda: frame_of(entries).lazy())


def taken(tables: Tables, dataset: str, files: Collection[str]) -> pl.DataFrame:
    """The bytes that these landing names brought in, in order: ``file``, ``sha256``. Raises `StoreError`."""
    return _ingested(tables, dataset, pl.col("file").is_in(sorted(files))).select("file", "sha256")


def first_names(tables: Tables, dataset: str, hashes: Collection[str]) -> dict[str, str]:
    """The landing name under which each of these bytes (SHA-256) first came in, where they did. Raises `StoreError`."""
    rows = _ingested(tables, dataset, pl.col("sha256").is_in(sorted(hashes)))
    return dict(rows.unique("sha256", keep="first", maintain_order=True).select("sha256", "file").iter_rows())


def last_batches(ledger: Snapshot) -> dict[str, str]:
    """The newest batch of each dataset that a version of the ledger holds. Raises `StoreError`."""
    with store_faults(f"read {LEDGER}"):
        newest = ledger.scan().group_by("dataset").agg(pl.col("batch").max()).collect(engine="streaming")
    return dict(newest.iter_rows())


def _ingested(tables: Tables, dataset: str, which: pl.Expr) -> pl.DataFrame:
    """The entries whose rows went in, in order of delivery."""
    ledger = tables.open(LEDGER)
    if ledger is None:
        return pl.DataFrame(schema=SCHEMA)
    files = [file for file in ledger.files if file.may_hold("dataset", {dataset})]
    rows = tables.scan_files(LEDGER, files, ledger.schema).filter(
        pl.col("dataset") == dataset, pl.col("fate") == Fate.INGESTED, which
    )
    with store_faults(f"read {LEDGER}"):
        return rows.select("delivery", "file", "sha256").sort("delivery").collect(engine="streaming")
