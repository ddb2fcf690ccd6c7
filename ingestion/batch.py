"""One batch, finished: archive, agree on the outcome, parse, commit, record, clear, mark done.

Anyone may do any of it again, two at a time even, and may die between any two requests. What makes it happen once: the
manifest, the outcome and the done mark are created only where there is none; the commit to bronze is a compare-and-set
that carries the batch's name; a delivery leaves landing by its version id, after that commit.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from catalog import ledger, quarantine
from catalog.errors import Conflict, NotFound
from catalog.failpoints import reach
from catalog.formats import opened, readable, stored
from catalog.ledger import Entry, Fate
from catalog.objects import ObjectStore
from catalog.tables import Change, Snapshot, Tables
from catalog.zones import Zone
from ingestion import landing
from ingestion.absorb import Absorber
from ingestion.manifest import Delivery, Manifest, Outcome

ARCHIVED, WITHDRAWN = "archived", "withdrawn"

FORMAT = 1

LOOKS_MAX = 10
LOOK_SECONDS = 0.05
"""How often a delivery that is listed and yet not found is looked for, before it is left for the next batch."""


@dataclass(frozen=True)
class Finished:
    """A batch that is done: the version of bronze that holds it, and an entry per delivery."""

    manifest: Manifest
    version: int
    entries: tuple[Entry, ...]


class Finisher:
    """Finishes batches of one lake, with one parser."""

    def __init__(self, tables: Tables, absorber: Callable[[Manifest, Snapshot | None], Absorber]) -> None:
        self._tables = tables
        self._objects: ObjectStore = tables.objects
        self._absorber = absorber

    def is_done(self, manifest: Manifest) -> bool:
        """Whether somebody has finished the batch. Raises `StoreError`."""
        return self._objects.exists(Zone.CATALOG, manifest.object("done"))

    def finish(self, manifest: Manifest) -> Finished:
        """Do what is left to do of a batch. Raises `StoreError`: then it may be called again, by anyone."""
        outcome = self._agree(manifest)
        committed = self._commit(manifest, outcome)
        entries = self._record(manifest, committed)
        self._clear(manifest, outcome)
        self._objects.create(Zone.CATALOG, manifest.object("done"), stored({}, version=FORMAT))
        reach("batch.done")
        return Finished(manifest, committed.version, entries)

    def _agree(self, manifest: Manifest) -> Outcome:
        """Archive what can be archived, and create the outcome; whoever is first says which deliveries it holds."""
        key = manifest.object("outcome.json")
        if not self._objects.exists(Zone.CATALOG, key):
            with ThreadPoolExecutor(landing.PARALLEL_REQUESTS) as pool:
                found = list(pool.map(lambda i: self._archive(manifest, i), range(len(manifest.deliveries))))
            fates = _in_order(manifest.deliveries, found)
            outcome = {which: [i for i, fate in enumerate(fates) if fate == which] for which in (ARCHIVED, WITHDRAWN)}
            self._objects.create(Zone.CATALOG, key, stored(outcome, version=FORMAT))
            reach("outcome.created")
        agreed = opened(self._objects.get(Zone.CATALOG, key), newest=FORMAT, what="a batch's outcome")
        return Outcome(tuple(agreed[ARCHIVED]), tuple(agreed[WITHDRAWN]))

    def _archive(self, manifest: Manifest, index: int) -> str | None:
        """Copy one delivery: archived; withdrawn where a fresh listing lacks it; None where it is listed and hides."""
        delivery: Delivery = manifest.deliveries[index]
        if delivery.is_withdrawn:
            return WITHDRAWN
        for look in range(LOOKS_MAX):
            time.sleep(LOOK_SECONDS * look)
            try:
                self._objects.copy_version(delivery.version, Zone.BRONZE, manifest.archive(index))
            except NotFound:
                if not landing.is_there(self._objects, delivery):
                    return WITHDRAWN
            else:
                reach("delivery.archived")
                return ARCHIVED
        return None

    def _commit(self, manifest: Manifest, outcome: Outcome) -> Snapshot:
        """The version of bronze that holds the batch: found, or made by this attempt."""
        before = -1 if manifest.bronze_version is None else manifest.bronze_version
        while True:
            head = self._tables.open(manifest.table)
            made = None if head is None else self._tables.find_operation(head, manifest.name, after=before)
            if made is not None:
                return made
            absorbed = self._absorber(manifest, head).absorb(outcome)
            account = manifest.object(f"account-{uuid.uuid4().hex}.json")
            self._objects.put(Zone.CATALOG, account, _encode(absorbed.entries))
            try:
                return self._tables.commit(
                    Change(
                        name=manifest.table,
                        operation=manifest.name,
                        base=head,
                        schema=absorbed.schema,
                        add=absorbed.added,
                        remove=absorbed.removed,
                        metadata={"format": FORMAT, "batch": manifest.name, "account": account},
                    )
                )
            except Conflict:
                continue
            finally:
                reach("bronze.committed")

    def _record(self, manifest: Manifest, committed: Snapshot) -> tuple[Entry, ...]:
        """Write the winning attempt's account into the ledger, and what it rejected into the quarantine."""
        told = readable(committed.metadata, newest=FORMAT, what=f"the commit of {manifest.name}")
        entries = _decode(self._objects.get(Zone.CATALOG, told["account"]))
        rejected = quarantine.whole_files(entries)
        if rejected.height:
            quarantine.record(self._tables, manifest.name, rejected.lazy)
        if entries:
            ledger.record(self._tables, manifest.name, list(entries))
        reach("ledger.committed")
        return entries

    def _clear(self, manifest: Manifest, outcome: Outcome) -> None:
        """Take out of landing what is safe in bronze or was withdrawn; what is neither stays, and comes again."""
        safe = set(outcome.archived)
        landing.clear(self._objects, [d for i, d in enumerate(manifest.deliveries) if i in safe or d.is_withdrawn])
        reach("delivery.cleared")


def _in_order(deliveries: Sequence[Delivery], found: Sequence[str | None]) -> list[str | None]:
    """The fates, but for the later versions of a key of which one hides: these wait with it, or it would come after
    them and take their place."""
    hiding: set[str] = set()
    fates: list[str | None] = []
    for delivery, fate in zip(deliveries, found, strict=True):
        waits = fate == ARCHIVED and delivery.key in hiding
        fates.append(None if waits else fate)
        hiding |= {delivery.key} if fate is None else set()
    return fates


def _encode(entries: tuple[Entry, ...]) -> bytes:
    return stored({"entries": [asdict(entry) for entry in entries]}, version=FORMAT)


def _decode(body: bytes) -> tuple[Entry, ...]:
    fields: list[dict[str, Any]] = opened(body, newest=FORMAT, what="a batch's account")["entries"]
    for entry in fields:
        entry["fate"] = Fate(entry["fate"])
        for name in ("arrived_at", "ingested_at"):
            entry[name] = datetime.fromisoformat(entry[name])
    return tuple(Entry(**entry) for entry in fields)
