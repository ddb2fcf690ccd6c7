"""A batch is a plan: which landing versions it takes, in order, and the version of bronze that it was made on."""

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeAlias

import psutil

from catalog.formats import opened, stored
from catalog.objects import ObjectStore, VersionInfo
from catalog.zones import Zone
from ingestion.options import DatasetPolicy

FORMAT = 3
"""Format 2 knew no epochs; format 1 one table a dataset, and of its policy ``on_correction`` only."""

Patches: TypeAlias = Mapping[str, Mapping[int, str]]
"""What a person mended of a delivery: by file, as rows name it in ``_file``, and by line, the record's new text."""


class Kind(StrEnum):
    """What a batch does with a delivery."""

    LANDED = "landed"
    """Its file lies in landing: it is archived, read, and cleared."""
    REPLAY = "replay"
    """Its file is in the archive: it is read again, and takes the place of its earlier reading."""
    RETRACT = "retract"
    """Its file was wrong: the rows of that name go."""


@dataclass(frozen=True)
class Delivery:
    """One version of one landing key, or the marker that deleted the versions before it; or what is done to an old one.

    ``origin`` names the delivery whose archived bytes are read again, with its ``patches``.
    """

    key: str
    version_id: str
    size_bytes: int
    modified: datetime
    is_marker: bool = False
    is_withdrawn: bool = False
    kind: Kind = Kind.LANDED
    origin: str | None = None
    patches: Patches = field(default_factory=dict, hash=False)

    @property
    def is_landed(self) -> bool:
        """Whether its file is, or was, in landing."""
        return self.kind == Kind.LANDED

    @property
    def version(self) -> VersionInfo:
        """The version on the store."""
        return VersionInfo(self.key, self.version_id, self.size_bytes, "", self.modified, self.is_marker)


@dataclass(frozen=True)
class Manifest:
    """Batch ``number`` of a dataset: created once, finished by anyone, any number of times.

    ``versions`` are those of the dataset's tables when it was begun, by table; ``policy`` is the dataset's at that
    time: whoever finishes the batch keeps to it. ``epoch`` is the routing epoch that it was planned in. ``run`` names
    the run that began it. ``begun_by`` and ``begun_at`` decide nothing: they let a second ingester wait a little before
    it helps.
    """

    dataset: str
    number: int
    deliveries: tuple[Delivery, ...]
    versions: Mapping[str, int]
    begun_at: datetime
    policy: DatasetPolicy
    epoch: int = 0
    run: str = ""
    begun_by: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")

    @property
    def name(self) -> str:
        """The batch's name, and the operation id of its commit.

        >>> Manifest("flights", 12, (), {}, datetime(2026, 1, 1), DatasetPolicy()).name
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
        return self.policy.on_correction == "replace"

    def delivery(self, index: int) -> str:
        """The name of one delivery, which its rows carry as ``_batch``."""
        return f"{self.name}/{index:06d}"

    def archive(self, index: int) -> str:
        """The key of a delivery's raw bytes in the bronze bucket: those of its origin, where it is read again."""
        return archive_of(self.deliveries[index].origin or self.delivery(index))

    def object(self, name: str) -> str:
        """The key of one of the batch's own objects in the catalog bucket."""
        return f"batches/{self.name}/{name}"


@dataclass(frozen=True)
class Outcome:
    """What became of a batch's deliveries, by index: archived, or withdrawn by then. What is neither comes again.

    All of a batch that ``is_void`` does: files were routed in another way before it was agreed on.
    """

    archived: tuple[int, ...]
    withdrawn: tuple[int, ...]
    is_void: bool = False


def manifests(dataset: str) -> str:
    """The prefix of a dataset's sequence of manifests in the catalog bucket."""
    return f"manifests/{dataset}"


def datasets_begun(objects: ObjectStore) -> list[str]:
    """The datasets that have a manifest. Raises `StoreError`."""
    return objects.folders(Zone.CATALOG, "manifests/")


def encode(manifest: Manifest) -> bytes:
    """The manifest as it is stored."""
    fields = asdict(manifest) | {"policy": manifest.policy.as_dict()}
    return stored(fields, version=FORMAT)


def decode(body: bytes) -> Manifest:
    """A stored manifest. Raises `UsageError` for one of a newer format."""
    fields = opened(body, newest=FORMAT, what="a batch's manifest")
    fields = fields if "policy" in fields else _from_format_1(fields)
    return Manifest(
        **fields
        | {
            "begun_at": datetime.fromisoformat(fields["begun_at"]),
            "policy": DatasetPolicy.from_dict(fields["policy"]),
            "deliveries": tuple(map(_delivery, fields["deliveries"])),
        }
    )


def archive_of(delivery: str) -> str:
    """The key of a delivery's raw bytes in the bronze bucket.

    >>> archive_of("flights/00000012/000003")
    'raw/flights/00000012/000003'
    """
    return f"raw/{delivery}"


def _delivery(values: dict[str, Any]) -> Delivery:
    patches = {file: {int(line): text for line, text in p.items()} for file, p in values.get("patches", {}).items()}
    kind = Kind(values.get("kind", Kind.LANDED))
    modified = datetime.fromisoformat(values["modified"])
    return Delivery(**values | {"modified": modified, "kind": kind, "patches": patches})


def _from_format_1(fields: dict[str, Any]) -> dict[str, Any]:
    version, on_correction = fields.pop("bronze_version"), fields.pop("on_correction")
    versions = {} if version is None else {fields["dataset"]: version}
    return fields | {"versions": versions, "policy": {"on_correction": on_correction}}


def now() -> datetime:
    """The time that a batch gives its rows as ``_ingested_at``, in whole milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
