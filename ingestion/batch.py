"""One batch, finished: archive, agree on the outcome, read, agree on the account, commit, record, clear, mark done.

Anyone may do any of it again, two at a time even, and may die between any two requests. What makes it happen once: the
manifest, the outcome, the account and the done mark are created only where there is none; the commit to each table of
bronze is a compare-and-set that carries the batch's name; a delivery leaves landing by its version id, after that. And
two ingesters that route files in different ways take none twice: who agrees on an outcome looks first whether the
routing epoch is still that of the manifest, which is there by then; where it is not, the batch is void.
Two attempts may read differently, since a worker's limits may strike one of them: the account says which one counts.
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from catalog import ledger, quarantine
from catalog.errors import Conflict, NotFound
from catalog.failpoints import reach
from catalog.formats import opened, stored
from catalog.ledger import Entry
from catalog.objects import ObjectStore
from catalog.tables import Change, DataFile, Rewritten, Snapshot, Tables, difference, without
from catalog.zones import TableName, Zone, parted
from ingestion import account, landing
from ingestion.absorb import Absorber, Heads
from ingestion.account import Account, Share
from ingestion.manifest import Delivery, Manifest, Outcome
from ingestion.routing import newest_epoch

ARCHIVED, WITHDRAWN, VOID = "archived", "withdrawn", "void"

FORMAT = 3
"""Format 2 knew no batches that are void."""

LOOKS_MAX = 10
LOOK_SECONDS = 0.05
"""How often a delivery that is listed and yet not found is looked for, before it is left for the next batch."""


@dataclass(frozen=True)
class Finished:
    """A batch that is done: the versions that it made of the dataset's tables, and an entry per delivery."""

    manifest: Manifest
    versions: Mapping[TableName, int]
    entries: tuple[Entry, ...]
    is_void: bool = False


class Finisher:
    """Finishes batches of one lake, with one parser; ``archiving`` hears of a batch that is about to be archived."""

    def __init__(
        self, tables: Tables, absorber: Callable[[Manifest, Heads], Absorber], archiving: Callable[[Manifest], None]
    ) -> None:
        self._tables = tables
        self._objects: ObjectStore = tables.objects
        self._absorber = absorber
        self._archiving = archiving

    def is_done(self, manifest: Manifest) -> bool:
        """Whether somebody has finished the batch. Raises `StoreError`."""
        return self._objects.exists(Zone.CATALOG, manifest.object("done"))

    def finish(self, manifest: Manifest) -> Finished:
        """Do what is left to do of a batch. Raises `StoreError`: then it may be called again, by anyone."""
        outcome = self._agree(manifest)
        finished = Finished(manifest, {}, (), is_void=True) if outcome.is_void else self._take_in(manifest, outcome)
        self._objects.create(Zone.CATALOG, manifest.object("done"), stored({}, version=FORMAT))
        reach("batch.done")
        return finished

    def _take_in(self, manifest: Manifest, outcome: Outcome) -> Finished:
        agreed = self._read(manifest, outcome)
        versions = self._commit_all(manifest, agreed)
        self._record(manifest, agreed)
        self._clear(manifest, outcome)
        return Finished(manifest, versions, agreed.entries)

    def _agree(self, manifest: Manifest) -> Outcome:
        """Archive what can be archived, and create the outcome; whoever is first says which deliveries it holds."""
        key = manifest.object("outcome.json")
        if not self._objects.exists(Zone.CATALOG, key):
            is_void = self._is_outdated(manifest)
            fates = [] if is_void else self._archive_all(manifest)
            outcome = {which: [i for i, fate in enumerate(fates) if fate == which] for which in (ARCHIVED, WITHDRAWN)}
            self._objects.create(Zone.CATALOG, key, stored(outcome | {VOID: is_void}, version=FORMAT))
            reach("outcome.created")
        agreed = opened(self._objects.get(Zone.CATALOG, key), newest=FORMAT, what="a batch's outcome")
        return Outcome(tuple(agreed[ARCHIVED]), tuple(agreed[WITHDRAWN]), agreed.get(VOID, False))

    def _is_outdated(self, manifest: Manifest) -> bool:
        """Whether files are routed in another way by now. What is read again or taken back has no way to go."""
        is_routed = any(delivery.is_landed for delivery in manifest.deliveries)
        return is_routed and newest_epoch(self._objects) != manifest.epoch

    def _archive_all(self, manifest: Manifest) -> list[str | None]:
        self._archiving(manifest)
        with ThreadPoolExecutor(landing.PARALLEL_REQUESTS) as pool:
            found = list(pool.map(lambda i: self._archive(manifest, i), range(len(manifest.deliveries))))
        return _in_order(manifest.deliveries, found)

    def _archive(self, manifest: Manifest, index: int) -> str | None:
        """Copy one delivery: archived; withdrawn where a fresh listing lacks it; None where it is listed and hides."""
        delivery: Delivery = manifest.deliveries[index]
        if not delivery.is_landed:
            return ARCHIVED
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

    def _read(self, manifest: Manifest, outcome: Outcome) -> Account:
        """The account of the batch: the one that is agreed on, or the one that this attempt makes and is first with."""
        key = manifest.object("account.json")
        if not self._objects.exists(Zone.CATALOG, key):
            heads = bronze_heads(self._tables, manifest.dataset)
            absorber = self._absorber(manifest, heads)
            done = self._committed_by_format_1(manifest, heads)
            made = absorber.absorb(outcome) if done is None else absorber.adopt(done)
            self._objects.create(Zone.CATALOG, key, account.encode(made))
            reach("account.created")
        return account.decode(self._objects.get(Zone.CATALOG, key))

    def _committed_by_format_1(self, manifest: Manifest, heads: Heads) -> tuple[Entry, ...] | None:
        """What an older lake committed of the batch, where it died after that: its commits came before any account."""
        head = heads.get("")
        if head is None:
            return None
        made = self._tables.find_operation(head, manifest.name, after=manifest.versions.get(head.name.name, -1))
        told = None if made is None else made.metadata.get("account")
        return None if told is None else account.entries_of_format_1(self._objects.get(Zone.CATALOG, str(told)))

    def _commit_all(self, manifest: Manifest, agreed: Account) -> dict[TableName, int]:
        """Make the batch's commit to each table that it has a share of, or that holds rows which leave."""
        there = {name.name for name in bronze_tables(self._objects, manifest.dataset)} if agreed.leaving else set()
        versions: dict[TableName, int] = {}
        for table in sorted({*agreed.shares, *there}):
            made = self._commit(manifest, agreed, TableName(Zone.BRONZE, table))
            versions |= {} if made is None else {made.name: made.version}
        return versions

    def _commit(self, manifest: Manifest, agreed: Account, name: TableName) -> Snapshot | None:
        """The version of a table that holds the batch: found, or made by this attempt; None where nothing changes."""
        share = agreed.shares.get(name.name)
        while True:
            head = self._tables.open(name)
            before = manifest.versions.get(name.name, -1)
            made = None if head is None else self._tables.find_operation(head, manifest.name, after=before)
            if made is not None or (head is None and share is None):
                return made
            gone = without(self._tables, head, "_batch", agreed.leaving, None if share is None else share.schema)
            if not gone.removed and (share is None or _is_nothing(share, head)):
                return None
            try:
                return self._tables.commit(_change(manifest, name, share, head, gone))
            except Conflict:
                continue
            finally:
                reach("bronze.committed")

    def _record(self, manifest: Manifest, agreed: Account) -> None:
        """Write the account into the ledger, and what it set aside into the quarantine."""
        with tempfile.TemporaryDirectory(prefix="lake-rejects-") as folder:
            rows = pl.LazyFrame(schema=quarantine.SCHEMA)
            if agreed.rejects is not None:
                path = Path(folder) / "rejects.parquet"
                self._objects.fetch(Zone.CATALOG, agreed.rejects, path)
                rows = pl.scan_parquet(path, glob=False)
            if agreed.rejects is not None or agreed.settled:
                quarantine.record(self._tables, manifest.name, rows, agreed.settled)
        if agreed.entries:
            ledger.record(self._tables, manifest.name, list(agreed.entries))
        reach("ledger.committed")

    def _clear(self, manifest: Manifest, outcome: Outcome) -> None:
        """Take out of landing what is safe in bronze or was withdrawn; what is neither stays, and comes again."""
        safe = set(outcome.archived)
        landed = [(index, delivery) for index, delivery in enumerate(manifest.deliveries) if delivery.is_landed]
        leaving = [delivery for index, delivery in landed if index in safe or delivery.is_withdrawn]
        landing.clear(self._objects, leaving)
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


def _change(manifest: Manifest, name: TableName, share: Share | None, head: Snapshot | None, gone: Rewritten) -> Change:
    """A batch's commit to one table: its own files and those that are kept of old ones come, the old ones go."""
    if share is None:
        share = Share(pl.Schema() if head is None else head.schema)
    files = [DataFile(path, size_bytes, 0, "{}") for path, size_bytes in share.files]
    return Change(
        name=name,
        operation=manifest.name,
        base=head,
        schema=share.schema,
        add=(*gone.kept, *files),
        remove=gone.removed,
        metadata={"format": FORMAT, "batch": manifest.name},
        columns=share.columns,
    )


def _is_nothing(share: Share, head: Snapshot | None) -> bool:
    """Whether a share brings neither rows nor columns to a table that is there."""
    return head is not None and not share.files and not difference(head.schema, share.schema)


def bronze_tables(objects: ObjectStore, dataset: str | None = None) -> list[TableName]:
    """The bronze tables that were begun: all, or those of one dataset. Raises `StoreError`."""
    begun = objects.folders(Zone.BRONZE, "tables/")
    return [TableName(Zone.BRONZE, name) for name in begun if dataset is None or parted(name)[0] == dataset]


def bronze_heads(tables: Tables, dataset: str) -> Heads:
    """A dataset's tables at their heads, by part. Raises `StoreError`."""
    heads = (tables.open(name) for name in bronze_tables(tables.objects, dataset))
    return {parted(head.name.name)[1]: head for head in heads if head is not None}
