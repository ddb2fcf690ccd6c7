"""The tables whose newest version is always right, at versions that belong together: bronze and its ledger."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from catalog.errors import NotFound
from catalog.ledger import LEDGER, last_batches
from catalog.objects import ObjectStore
from catalog.quarantine import QUARANTINE
from catalog.tables import Snapshot, Tables
from catalog.zones import TableName, bronze_table, parted
from ingestion.batch import bronze_tables
from ingestion.manifest import datasets_begun

PARALLEL_OPENS = 8


@dataclass(frozen=True)
class Heads:
    """Bronze tables, each at its newest version whose batch the ledger holds; the ledger and the quarantine."""

    bronze: dict[TableName, Snapshot]
    others: tuple[Snapshot, ...]

    @property
    def versions(self) -> dict[TableName, int]:
        """The version of each."""
        return {snapshot.name: snapshot.version for snapshot in (*self.bronze.values(), *self.others)}


def bronze_names(objects: ObjectStore) -> list[TableName]:
    """The bronze tables that there are, and the main ones of the datasets that were begun. Raises `StoreError`."""
    return sorted({*bronze_tables(objects), *map(bronze_table, datasets_begun(objects))})


def read_heads(tables: Tables) -> Heads:
    """Open them. A batch whose commit is made and whose entries are not in the ledger yet is left for the next run.

    Raises `StoreError`.
    """
    ledger = tables.open(LEDGER)
    held = {} if ledger is None else last_batches(ledger)
    with ThreadPoolExecutor(PARALLEL_OPENS) as pool:
        names = bronze_names(tables.objects)
        found = pool.map(lambda name: _recorded(tables, name, held.get(parted(name.name)[0], "")), names)
        bronze = {snapshot.name: snapshot for snapshot in found if snapshot is not None}
    others = (ledger, tables.open(QUARANTINE))
    return Heads(bronze, tuple(snapshot for snapshot in others if snapshot is not None))


def _recorded(tables: Tables, name: TableName, newest: str) -> Snapshot | None:
    """The table at its newest version whose batch is not later than ``newest``, None where there is none."""
    snapshot = tables.open(name)
    while snapshot is not None and str(snapshot.metadata.get("batch", "~")) > newest:
        if snapshot.version == 0:
            return None
        snapshot = _before(tables, snapshot)
    return snapshot


def _before(tables: Tables, snapshot: Snapshot) -> Snapshot:
    before = tables.open(snapshot.name, snapshot.version - 1)
    if before is None:
        raise NotFound(
            f"{snapshot.name} lost its version {snapshot.version - 1}", next="bring the store back from a backup"
        )
    return before
