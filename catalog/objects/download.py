"""An object as a local file: a large one in parts that come side by side, since one stream does not fill the wire."""

import hashlib
import os
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from catalog.objects.client import Refusal, patiently

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

PART_BYTES = 16 * 1024**2
PARALLEL_PARTS = 4
_CHUNK_BYTES = 1024**2

Asked: TypeAlias = Mapping[str, Any]
"""What GetObject is asked for: bucket, key, and a version where it is not the newest."""

Landed = Callable[[int, int, int], None]
"""Hears of each part in order, once it is in the file: the file, the offset, the length."""


@dataclass(frozen=True)
class _Part:
    """A part that is in the file: its length, and the etag and size of the object that it is of."""

    size_bytes: int
    etag: str
    object_bytes: int


@dataclass(frozen=True)
class Fingerprint:
    """What an object's bytes are known by: their SHA-256 in hex, and their CRC-32."""

    sha256: str
    crc32: int


def download(s3: "S3Client", asked: Asked, path: Path, what: str) -> None:
    """Copy an object to a local file; ``what`` names that in errors. Raises `NotFound`, `StoreError`."""
    patiently(lambda: _copy(partial(_get, s3, asked, what), path, lambda *_: None), what)


def download_hashed(
    s3: "S3Client", asked: Asked, path: Path, what: str, meanwhile: Callable[[], None] = lambda: None
) -> Fingerprint:
    """The same, and what its bytes are known by; they are hashed while others come.

    ``meanwhile`` is called now and then; what it raises ends the work.
    """

    def read() -> Fingerprint:
        digest, crc32 = hashlib.sha256(), 0

        def landed(file: int, start: int, size_bytes: int) -> None:
            nonlocal crc32
            for at in range(start, start + size_bytes, _CHUNK_BYTES):
                meanwhile()
                chunk = os.pread(file, min(_CHUNK_BYTES, start + size_bytes - at), at)
                digest.update(chunk)
                crc32 = zlib.crc32(chunk, crc32)

        _copy(partial(_get, s3, asked, what), path, landed)
        return Fingerprint(digest.hexdigest(), crc32)

    return patiently(read, what)


def _copy(get: Callable[[int, int], _Part], path: Path, landed: Landed) -> None:
    """Get the parts of an object; a `Refusal` where they are not all of the same one, so that it is begun anew."""
    with path.open("w+b") as opened:
        file = opened.fileno()
        first = get(file, 0)
        landed(file, 0, first.size_bytes)
        starts = range(PART_BYTES, first.object_bytes, PART_BYTES)
        if not starts:
            return
        with ThreadPoolExecutor(PARALLEL_PARTS) as pool:
            try:
                for start, part in zip(starts, pool.map(partial(get, file), starts), strict=True):
                    if (part.etag, part.object_bytes) != (first.etag, first.object_bytes):
                        raise Refusal(0, "Replaced")
                    landed(file, start, part.size_bytes)
            finally:
                pool.shutdown(cancel_futures=True)


def _get(s3: "S3Client", asked: Asked, what: str, file: int, start: int) -> _Part:
    """Write the part that begins at an offset to its place in a file."""

    def read() -> _Part:
        try:
            reply: Any = s3.get_object(**asked, Range=f"bytes={start}-{start + PART_BYTES - 1}")
        except s3.exceptions.ClientError as error:
            if error.response.get("Error", {}).get("Code") != "InvalidRange":
                raise
            if start > 0:
                raise Refusal(0, "Replaced") from None
            # Of an empty object there is no first byte.
            return _Part(0, "", 0)
        at = start
        for chunk in reply["Body"].iter_chunks(_CHUNK_BYTES):
            rest = memoryview(chunk)
            while rest:
                # A disk that is nearly full takes a part; what it says to the rest tells why.
                written = os.pwrite(file, rest, at)
                rest, at = rest[written:], at + written
        total = reply.get("ContentRange", "").rpartition("/")[2]
        object_bytes = int(total) if total.isdigit() else at - start
        if at - start != min(PART_BYTES, object_bytes - start):
            raise Refusal(0, "IncompleteBody")
        return _Part(at - start, reply["ETag"], object_bytes)

    return patiently(read, what)
