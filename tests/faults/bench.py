"""A lake on a real store as the tests of ingestion use it: files are dropped and deleted, taken in, and looked at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from catalog.ledger import LEDGER, SCHEMA, Entry, Fate
from catalog.objects import Endpoint, ObjectStore, VersionInfo
from catalog.objects.client import connect
from catalog.quarantine import QUARANTINE
from catalog.quarantine import SCHEMA as QUARANTINE_SCHEMA
from catalog.tables import Snapshot, Tables
from catalog.zones import TableName, Zone
from ingestion import ingest
from ingestion.batch import Finished
from ingestion.ingest import Policy
from ingestion.options import DatasetPolicy
from ingestion.parser import ParserLimits

LIMITS = ParserLimits(memory_bytes=2_000_000_000, seconds_max=60)


def policy(on_correction: str = "replace", **of: Any) -> Policy:
    """How the tests take files in: without the courtesy of waiting for another ingester."""
    return Policy(LIMITS, default=DatasetPolicy(on_correction=on_correction, **of), wait_s_max=0)


@dataclass(frozen=True)
class Drop:
    """One version that was put into landing; for the marker of a delete no body and no version id."""

    key: str
    version_id: str
    body: bytes | None


class Bench:
    """One lake; remembers what was dropped, so that it can be compared with what became of it."""

    def __init__(self, endpoint: Endpoint, on_correction: str = "replace", **of: Any) -> None:
        self.endpoint = endpoint
        self.on_correction = on_correction
        self.policy = policy(on_correction, **of)
        self.objects = ObjectStore(endpoint)
        self._supplier = connect(endpoint)
        self.tables = Tables(self.objects)
        self.drops: list[Drop] = []

    def drop(self, key: str, body: bytes, checksum: str = "SHA256") -> Drop:
        """Put a file into landing, with a checksum of the supplier's choice."""
        bucket = self.endpoint.bucket(Zone.LANDING)
        asked: Any = {"Bucket": bucket, "Key": key, "Body": body, "ChecksumAlgorithm": checksum}
        self.drops.append(Drop(key, self._supplier.put_object(**asked)["VersionId"], body))
        return self.drops[-1]

    def delete(self, key: str) -> None:
        """Delete a key as a supplier does, which leaves a marker."""
        self.objects.delete(Zone.LANDING, key)
        self.drops.append(Drop(key, "", None))

    def remove(self, drop: Drop) -> None:
        """Delete one version for good, which leaves nothing."""
        self.objects.delete_version(Zone.LANDING, drop.key, drop.version_id)

    def ingest(self, *datasets: str, told: Callable[[Finished], None] = lambda _: None) -> list[Finished]:
        """Take in what landed, in this process."""
        return ingest.ingest(self.tables, self.policy, datasets, told)

    def landing(self) -> list[VersionInfo]:
        """What lies in landing, markers and all, but no folder's placeholder."""
        return [version for version in self.objects.list_versions(Zone.LANDING) if not version.key.endswith("/")]

    def bronze(self, dataset: str) -> Snapshot:
        """The dataset's table at its head."""
        snapshot = self.tables.open(TableName(Zone.BRONZE, dataset))
        assert snapshot is not None, f"there is no table bronze.{dataset}"
        return snapshot

    def rows(self, dataset: str) -> pl.DataFrame:
        """The dataset's rows by file and line."""
        return self.bronze(dataset).scan().collect().sort("_file", "_line")

    def ledger(self, dataset: str | None = None) -> list[Entry]:
        """The ledger's entries in the order of delivery."""
        return [entry for entry in entries_of(self._all(LEDGER)) if dataset in {None, entry.dataset}]

    def fates(self, dataset: str) -> list[tuple[str, str]]:
        """What became of each delivery of a dataset: its file's name and its fate, in order."""
        return [(entry.file.rpartition("/")[2], str(entry.fate)) for entry in self.ledger(dataset)]

    def quarantine(self) -> pl.DataFrame:
        """What was set aside, by file."""
        return self._all(QUARANTINE).sort("file")

    def archived(self, entry: Entry) -> bytes:
        """The raw bytes that the archive keeps of a delivery."""
        assert entry.archived_as is not None
        return self.objects.get(Zone.BRONZE, entry.archived_as)

    def _all(self, name: TableName) -> pl.DataFrame:
        snapshot = self.tables.open(name)
        if snapshot is None:
            return pl.DataFrame(schema=SCHEMA if name == LEDGER else QUARANTINE_SCHEMA)
        return snapshot.scan().collect()


def entries_of(rows: pl.DataFrame) -> list[Entry]:
    """The ledger's rows as entries, in the order of delivery."""
    return [Entry(**(row | {"fate": Fate(row["fate"])})) for row in rows.sort("delivery").to_dicts()]
