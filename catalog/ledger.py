"""The ledger: every file that ever landed, what became of it, and from which bytes its rows came."""

from collections.abc import Iterable
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
    bytes in the bronze bucket; ``rule``, ``reason`` and ``line`` say why a delivery was rejected; ``details`` is JSON:
    dialect, header.
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


def taken(tables: Tables, dataset: str) -> pl.DataFrame:
    """What a dataset's rows came from, in order: ``file``, ``sha256``, ``delivery``. Raises `StoreError`."""
    ledger = tables.open(LEDGER)
    if ledger is None:
        return pl.DataFrame(schema={"file": pl.String, "sha256": pl.String, "delivery": pl.String})
    files = [file for file in ledger.files if file.may_hold("dataset", {dataset})]
    rows = tables.scan_files(LEDGER, files, ledger.schema).filter(
        pl.col("dataset") == dataset, pl.col("fate") == Fate.INGESTED
    )
    with store_faults(f"read {LEDGER}"):
        return rows.select("file", "sha256", "delivery").sort("delivery").collect(engine="streaming")
