"""A batch is a plan: which landing versions it takes, in order, and the version of bronze that it was made on."""

import os
import socket
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import psutil

from catalog.formats import opened, stored
from catalog.objects import ObjectStore, VersionInfo
from catalog.zones import TableName, Zone

FORMAT = 1


@dataclass(frozen=True)
class Delivery:
    """One version of one landing key, or the marker that deleted the versions before it."""

    key: str
    version_id: str
    size_bytes: int
    modified: datetime
    is_marker: bool = False
    is_withdrawn: bool = False

    @property
    def version(self) -> VersionInfo:
        """The version on the store."""
        return VersionInfo(self.key, self.version_id, self.size_bytes, "", self.modified, self.is_marker)


@dataclass(frozen=True)
class Manifest:
    """Batch ``number`` of a dataset: created once, finished by anyone, any number of times.

    ``on_correction``, "replace" or "append", is the dataset's policy when the batch was begun: whoever finishes it
    keeps to that. ``begun_by`` and ``begun_at`` decide nothing: they let a second ingester wait a little before it
    helps.
    """

    dataset: str
    number: int
    deliveries: tuple[Delivery, ...]
    bronze_version: int | None
    begun_at: datetime
    on_correction: str
    begun_by: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")

    @property
    def table(self) -> TableName:
        """The bronze table that the rows go to."""
        return TableName(Zone.BRONZE, self.dataset)

    @property
    def name(self) -> str:
        """The batch's name, and the operation id of its commit.

        >>> Manifest("flights", 12, (), None, datetime(2026, 1, 1), "replace").name
        'flights/00000012'
        """
        return f"{self.dataset}/{self.number:08d}"

    def is_begun_by_a_living_process(self) -> bool:
        """Whether the process that began the batch runs on this machine, and is not this one."""
        host, _, pid = self.begun_by.rpartition(":")
        return host == socket.gethostname() and int(pid) != os.getpid() and psutil.pid_exists(int(pid))

    @property
    def is_replacing(self) -> bool:
        """Whether a changed file under an old name takes the place of the older delivery."""
        return self.on_correction == "replace"

    def delivery(self, index: int) -> str:
        """The name of one delivery, which its rows carry as ``_batch``."""
        return f"{self.name}/{index:06d}"

    def archive(self, index: int) -> str:
        """The key of a delivery's raw bytes in the bronze bucket."""
        return f"raw/{self.delivery(index)}"

    def object(self, name: str) -> str:
        """The key of one of the batch's own objects in the catalog bucket."""
        return f"batches/{self.name}/{name}"


@dataclass(frozen=True)
class Outcome:
    """What became of a batch's deliveries, by index: archived, or withdrawn by then. What is neither comes again."""

    archived: tuple[int, ...]
    withdrawn: tuple[int, ...]


def manifests(dataset: str) -> str:
    """The prefix of a dataset's sequence of manifests in the catalog bucket."""
    return f"manifests/{dataset}"


def datasets_begun(objects: ObjectStore) -> list[str]:
    """The datasets that have a manifest. Raises `StoreError`."""
    return objects.folders(Zone.CATALOG, "manifests/")


def encode(manifest: Manifest) -> bytes:
    """The manifest as it is stored."""
    return stored(asdict(manifest), version=FORMAT)


def decode(body: bytes) -> Manifest:
    """A stored manifest. Raises `UsageError` for one of a newer format."""
    fields = opened(body, newest=FORMAT, what="a batch's manifest")
    fields["begun_at"] = datetime.fromisoformat(fields["begun_at"])
    fields["deliveries"] = tuple(
        Delivery(**(delivery | {"modified": datetime.fromisoformat(delivery["modified"])}))
        for delivery in fields["deliveries"]
    )
    return Manifest(**fields)


def now() -> datetime:
    """The time that a batch gives its rows as ``_ingested_at``, in whole milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
