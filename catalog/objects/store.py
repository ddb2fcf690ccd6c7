"""One S3 store, as the verbs that the lake needs, each with a stated answer to a lost reply."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from catalog.errors import NotFound
from catalog.objects.client import Refusal, answer, connect, patiently
from catalog.objects.download import Fingerprint, download, download_hashed
from catalog.objects.endpoint import Endpoint
from catalog.zones import Zone

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

COPY_SIZE_BYTES_MAX = 5 * 1024**3
"""The largest object that one CopyObject takes: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html."""

DELETED_AT_ONCE_MAX = 1000
"""As many as one DeleteObjects takes: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html."""

CHECKED_BYTES_MIN = 16 * 1024**2
"""A smaller file is copied sooner than the requests are answered that tell whether its copy is the same."""

_FIND_CHECKSUMS = {"MinIO", "AmazonS3"}
"""What these servers call themselves."""

_Versions: TypeAlias = tuple[tuple[str, str], ...]
"""Versions by key and version id."""


@dataclass(frozen=True)
class ObjectInfo:
    """One object of a listing."""

    key: str
    size_bytes: int
    etag: str
    modified: datetime


@dataclass(frozen=True)
class VersionInfo:
    """One version of one key, or the marker that a plain DELETE leaves on top of it."""

    key: str
    version_id: str
    size_bytes: int
    etag: str
    modified: datetime
    is_marker: bool


class ObjectStore:
    """The five buckets of a lake on one S3 endpoint; each verb names the zone, whose bucket may have a prefix."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._s3: S3Client = connect(endpoint)

    def create(self, zone: str, key: str, body: bytes) -> bool:
        """Put an object only where there is none; True when our bytes stand there afterwards.

        A reply that is lost is no answer: the PUT is sent again, and on a 412 the bytes are compared. So whoever needs
        to know who was first puts something of their own into the body. Raises `StoreError`, `NotFound` (no bucket).
        """

        def put() -> bool:
            try:
                self._put(zone, key, body, IfNoneMatch="*")
            except Refusal as refusal:
                if refusal.status != 412:
                    raise
            else:
                return True
            try:
                return self.get(zone, key) == body
            except NotFound:
                raise Refusal(409, "Deleted") from None

        return patiently(put, f"create {zone}/{key}")

    def replace(self, zone: str, key: str, body: bytes, etag: str | None) -> str | None:
        """Put an object only where ``etag`` (None: nothing) still stands; the new etag, or None when it does not.

        A refusal of the first try is the truth. After a try whose answer is not known the bytes that stand there are
        compared with ours. Raises `StoreError`, `NotFound` (no bucket).
        """
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        tries = count(1)

        def put() -> str | None:
            is_first = next(tries) == 1
            try:
                return _etag(self._put(zone, key, body, **condition))
            except Refusal as refusal:
                if refusal.status not in (404, 412) or refusal.code == "NoSuchBucket":
                    raise
            if is_first:
                return None
            try:
                found, standing = self.get_with_etag(zone, key)
            except NotFound:
                return None
            return standing if found == body and standing != etag else None

        return patiently(put, f"replace {zone}/{key}")

    def put(self, zone: str, key: str, body: bytes) -> str | None:
        """Put an object whatever stands there; the version id where the bucket has versions. Raises `StoreError`."""
        version: str | None = patiently(lambda: self._put(zone, key, body), f"put {zone}/{key}").get("VersionId")
        return version

    def put_file(self, zone: str, key: str, path: Path) -> None:
        """Upload a local file, a large one in parts, under a name that nobody else writes. Raises `StoreError`."""
        bucket = self._bucket(zone)
        patiently(lambda: self._s3.upload_file(str(path), bucket, key), f"upload {zone}/{key}")

    def get(self, zone: str, key: str) -> bytes:
        """The bytes of an object. Raises `NotFound`, `StoreError`."""
        return self.get_with_etag(zone, key)[0]

    def get_with_etag(self, zone: str, key: str) -> tuple[bytes, str]:
        """The bytes of an object and the etag that they have. Raises `NotFound`, `StoreError`."""

        def read() -> tuple[bytes, str]:
            reply = self._s3.get_object(Bucket=self._bucket(zone), Key=key)
            return reply["Body"].read(), _etag(reply)

        return patiently(read, f"read {zone}/{key}")

    def get_range(self, zone: str, key: str, start: int, stop: int) -> bytes:
        """The bytes from ``start`` up to, not including, ``stop``. Raises `NotFound`, `StoreError`."""

        def read() -> bytes:
            reply = self._s3.get_object(Bucket=self._bucket(zone), Key=key, Range=f"bytes={start}-{stop - 1}")
            return reply["Body"].read()

        return patiently(read, f"read {zone}/{key}")

    def fetch(self, zone: str, key: str, path: Path) -> None:
        """Copy an object to a local file. Raises `NotFound`, `StoreError`."""
        download(self._s3, {"Bucket": self._bucket(zone), "Key": key}, path, f"read {zone}/{key}")

    def fetch_hashed(self, zone: str, key: str, path: Path) -> str:
        """Copy an object to a local file; its SHA-256 in hex. Raises `NotFound`, `StoreError`."""
        return download_hashed(self._s3, {"Bucket": self._bucket(zone), "Key": key}, path, f"read {zone}/{key}").sha256

    def fetch_version(self, source: VersionInfo, path: Path, meanwhile: Callable[[], None]) -> Fingerprint:
        """Copy one version of a landing key to a local file; what it is known by.

        ``meanwhile`` is called now and then; what it raises ends the work. Raises `NotFound`, `StoreError`.
        """
        asked = {"Bucket": self._bucket(Zone.LANDING), "Key": source.key, "VersionId": source.version_id}
        what = f"read {Zone.LANDING}/{source.key} version {source.version_id}"
        return download_hashed(self._s3, asked, path, what, meanwhile)

    def exists(self, zone: str, key: str) -> bool:
        """Whether an object of that key is there. Raises `StoreError`."""
        try:
            patiently(lambda: self._s3.head_object(Bucket=self._bucket(zone), Key=key), f"find {zone}/{key}")
        except NotFound:
            return False
        return True

    def vouches_for_copy(self, source: VersionInfo) -> bool:
        """Whether the store is likely to find the CRC-32 of a version's copy by itself, so that `crc32` tells of it.

        Some carry over to a copy what came with the upload (SeaweedFS, and MinIO before 2025): of a version that has
        one of all its bytes nothing can be told. Raises `NotFound`, `StoreError`.
        """
        if not CHECKED_BYTES_MIN <= source.size_bytes <= COPY_SIZE_BYTES_MAX:
            return False
        reply = self._described(Zone.LANDING, source.key, VersionId=source.version_id)
        return reply["ResponseMetadata"]["HTTPHeaders"].get("server") in _FIND_CHECKSUMS and _crc32(reply) is None

    def crc32(self, zone: str, key: str) -> int | None:
        """The CRC-32 of all bytes of an object, where the store has one. Raises `NotFound`, `StoreError`."""
        return _crc32(self._described(zone, key))

    def _described(self, zone: str, key: str, **version: Any) -> Any:
        asked = {"Bucket": self._bucket(zone), "Key": key, "ChecksumMode": "ENABLED", **version}
        return patiently(lambda: self._s3.head_object(**asked), f"find {zone}/{key}")

    def list_objects(self, zone: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo]:
        """The objects under a prefix, asked for by the thousand. Raises `StoreError`.

        In the order of their keys where these are letters, digits and ``-_./``: SeaweedFS sorts others as it likes.
        """
        after: dict[str, Any] = {"StartAfter": start_after} if start_after else {}
        while True:
            page = self._page("list_objects_v2", zone, prefix, after)
            for entry in page.get("Contents", []):
                yield ObjectInfo(entry["Key"], entry["Size"], entry["ETag"].strip('"'), entry["LastModified"])
            if not page.get("IsTruncated"):
                return
            after = {"ContinuationToken": page["NextContinuationToken"]}

    def folders(self, zone: str, prefix: str = "") -> list[str]:
        """The names directly under a prefix that have something below them.

        A store may show emptied ones for a while. Raises `StoreError`.
        """
        names: list[str] = []
        after: dict[str, Any] = {"Delimiter": "/"}
        while True:
            page = self._page("list_objects_v2", zone, prefix, after)
            names += [entry["Prefix"][len(prefix) : -1] for entry in page.get("CommonPrefixes", [])]
            if not page.get("IsTruncated"):
                return names
            after = {"Delimiter": "/", "ContinuationToken": page["NextContinuationToken"]}

    def list_versions(self, zone: str, prefix: str = "") -> Iterator[VersionInfo]:
        """Every version and marker under a prefix; of one key the newest comes first. Raises `StoreError`."""
        after: dict[str, Any] = {}
        while True:
            page = self._page("list_object_versions", zone, prefix, after)
            yield from _newest_first(page)
            if not page.get("IsTruncated"):
                return
            after = {"KeyMarker": page["NextKeyMarker"]}
            if page.get("NextVersionIdMarker"):
                after["VersionIdMarker"] = page["NextVersionIdMarker"]

    def copy_version(self, source: VersionInfo, to_zone: str, to_key: str) -> None:
        """Copy one version of a landing key on the server. Raises `NotFound` on a 404, which may be a lie.

        Of a large one the server is asked to find the CRC-32 of what it reads and writes.
        """
        origin: Any = {"Bucket": self._bucket(Zone.LANDING), "Key": source.key, "VersionId": source.version_id}
        target: Any = {"Bucket": self._bucket(to_zone), "Key": to_key}

        def copy() -> None:
            if source.size_bytes > COPY_SIZE_BYTES_MAX:
                self._s3.copy(origin, target["Bucket"], to_key)
            else:
                checked: Any = {"ChecksumAlgorithm": "CRC32"} if source.size_bytes >= CHECKED_BYTES_MIN else {}
                self._s3.copy_object(CopySource=origin, **target, **checked)

        patiently(copy, f"copy {Zone.LANDING}/{source.key} version {source.version_id}")

    def delete_version(self, zone: str, key: str, version_id: str) -> None:
        """Delete one version or marker; what is gone already is no error. Raises `StoreError`."""
        with suppress(NotFound):
            patiently(
                lambda: self._s3.delete_object(Bucket=self._bucket(zone), Key=key, VersionId=version_id),
                f"delete {zone}/{key} version {version_id}",
            )

    def delete_versions(self, zone: str, versions: Iterable[tuple[str, str]]) -> None:
        """Delete many versions and markers, by key and version id, in few requests. Raises `StoreError`."""
        for page in _pages(versions):
            # By itself each tells what is the matter with it.
            for key, version_id in self._refused(zone, page) if len(page) > 1 else page:
                self.delete_version(zone, key, version_id)

    def _refused(self, zone: str, page: _Versions) -> _Versions:
        """Delete versions in one request; those of which the store does not say that this very version is gone."""
        named: Any = [{"Key": key, "VersionId": version_id} for key, version_id in page]
        try:
            reply = answer(
                lambda: self._s3.delete_objects(Bucket=self._bucket(zone), Delete={"Objects": named, "Quiet": False})
            )
        except Refusal:
            # XML has no way to write some keys that a URL can: one of them spoils the request.
            return page
        gone = {(entry.get("Key"), entry.get("VersionId")) for entry in reply.get("Deleted", [])}
        return tuple(version for version in page if version not in gone)

    def delete(self, zone: str, key: str) -> None:
        """Delete a key; in a versioned bucket this puts a marker on top of it. Raises `StoreError`."""
        with suppress(NotFound):
            patiently(lambda: self._s3.delete_object(Bucket=self._bucket(zone), Key=key), f"delete {zone}/{key}")

    def is_versioned(self, zone: str) -> bool:
        """Whether the zone's bucket keeps versions. Raises `NotFound`, `StoreError`."""
        bucket = self._bucket(zone)
        reply = patiently(lambda: self._s3.get_bucket_versioning(Bucket=bucket), f"read the versioning of {bucket}")
        return reply.get("Status") == "Enabled"

    def ensure_buckets(self) -> None:
        """Make the buckets that are missing, landing with versions. Raises `StoreError`."""
        there = {entry["Name"] for entry in patiently(self._s3.list_buckets, "list the buckets").get("Buckets", [])}
        for zone in Zone:
            bucket = self._bucket(zone)
            if bucket not in there:
                self._make_bucket(bucket)
        if not self.is_versioned(Zone.LANDING):
            landing = self._bucket(Zone.LANDING)
            enabled: Any = {"Bucket": landing, "VersioningConfiguration": {"Status": "Enabled"}}
            patiently(lambda: self._s3.put_bucket_versioning(**enabled), f"switch on versions of {landing}")

    def _make_bucket(self, bucket: str) -> None:
        where: dict[str, Any] = {}
        if not self.endpoint.url and self.endpoint.region != "us-east-1":
            where = {"CreateBucketConfiguration": {"LocationConstraint": self.endpoint.region}}

        def make() -> None:
            try:
                answer(lambda: self._s3.create_bucket(Bucket=bucket, **where))
            except Refusal as refusal:
                if refusal.code != "BucketAlreadyOwnedByYou":
                    raise

        patiently(make, f"make bucket {bucket}")

    def _bucket(self, zone: str) -> str:
        return self.endpoint.bucket(zone)

    def _put(self, zone: str, key: str, body: bytes, **condition: Any) -> Any:
        """One PUT, never a multipart one, whose completion is not atomic everywhere; the MD5 guards it in flight."""
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        return answer(
            lambda: self._s3.put_object(Bucket=self._bucket(zone), Key=key, Body=body, ContentMD5=md5, **condition)
        )

    def _page(self, verb: str, zone: str, prefix: str, after: dict[str, Any]) -> Any:
        call = getattr(self._s3, verb)
        return patiently(lambda: call(Bucket=self._bucket(zone), Prefix=prefix, **after), f"list {zone}/{prefix}")


def _crc32(reply: Any) -> int | None:
    """The CRC-32 that a reply tells of all bytes of an object: of one in parts there may be one of the parts' own."""
    told = reply.get("ChecksumCRC32") if reply.get("ChecksumType") == "FULL_OBJECT" else None
    return None if told is None else int.from_bytes(base64.b64decode(told))


def _etag(reply: Any) -> str:
    return str(reply["ETag"]).strip('"')


def _newest_first(page: Any) -> Iterator[VersionInfo]:
    """The versions and markers of one page, which boto3 has sorted into two lists, in the order of the store."""
    versions, markers = iter(page.get("Versions", [])), iter(page.get("DeleteMarkers", []))
    for is_marker in page["MarkersInOrder"]:
        entry = next(markers if is_marker else versions)
        yield VersionInfo(
            entry["Key"],
            entry["VersionId"],
            entry.get("Size", 0),
            entry.get("ETag", "").strip('"'),
            entry["LastModified"],
            is_marker,
        )


def _pages(versions: Iterable[tuple[str, str]]) -> Iterator[_Versions]:
    rest = iter(versions)
    while page := tuple(islice(rest, DELETED_AT_ONCE_MAX)):
        yield page
