"""Raw bytes, a little ahead of their reader: small files wait for the network together, a large one for no copy."""

import threading
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

from catalog.errors import LakeError, StoreError
from catalog.objects import ObjectStore
from catalog.zones import Zone
from ingestion.manifest import Delivery, Kind, Manifest

FILES_AHEAD = 16
BYTES_AHEAD = 64 * 1024**2
"""What may lie in scratch before it is read: a file larger than this is fetched alone."""


class _Unwanted(Exception):
    """Nobody waits for the bytes any more."""


@dataclass(frozen=True)
class Raw:
    """A delivery's bytes on local disk, and their SHA-256."""

    path: Path
    sha256: str


class Early:
    """The first delivery of a batch, if it is large, read from landing while the server archives it.

    The bytes count where the archive has the same ones, by the CRC-32 that the server found when it copied them. Else,
    and where the server finds none, the archive is read. A context manager: what nobody took is gone at its end.
    """

    def __init__(self, objects: ObjectStore, scratch: Path) -> None:
        self._objects = objects
        self._scratch = scratch
        self._pool = ThreadPoolExecutor(1)
        self._unwanted = threading.Event()
        self._read: tuple[Manifest, Future[tuple[Raw, int] | None]] | None = None

    def __enter__(self) -> "Early":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_up()
        try:
            self._drop()
        finally:
            self._pool.shutdown()

    def begin(self, manifest: Manifest) -> None:
        """Start to read the batch's first delivery, which is about to be archived."""
        self._drop()
        first = manifest.deliveries[0]
        if first.is_landed and not first.is_withdrawn:
            self._unwanted = threading.Event()
            self._read = manifest, self._pool.submit(self._fetch, first, self._unwanted)

    def give_up(self) -> None:
        """Let what is being read not be read to its end: whoever waits for it was interrupted."""
        self._unwanted.set()

    def take(self, manifest: Manifest, index: int) -> Raw | None:
        """A delivery's bytes, if they were read and are what was archived; who takes them removes them."""
        if self._read is None or index > 0 or self._read[0] != manifest:
            return None
        reading, self._read = self._read[1], None
        found = reading.result()
        if found is None:
            return None
        raw, crc32 = found
        with suppress(LakeError):
            if self._objects.crc32(Zone.BRONZE, manifest.archive(index)) == crc32:
                return raw
        raw.path.unlink()
        return None

    def _fetch(self, delivery: Delivery, unwanted: threading.Event) -> tuple[Raw, int] | None:
        """The bytes and their CRC-32; None where they cannot be had, or nothing would tell whether the copy is good."""
        path = self._scratch / f"{uuid.uuid4().hex}.raw"
        with suppress(LakeError, OSError, _Unwanted):
            if self._objects.vouches_for_copy(delivery.version):
                known = self._objects.fetch_version(delivery.version, path, partial(_require_wanted, unwanted))
                if path.stat().st_size == delivery.size_bytes:
                    return Raw(path, known.sha256), known.crc32
        path.unlink(missing_ok=True)
        return None

    def _drop(self) -> None:
        if self._read is None:
            return
        reading, self._read = self._read[1], None
        self.give_up()
        if (found := reading.result()) is not None:
            found[0].path.unlink()


def _require_wanted(unwanted: threading.Event) -> None:
    if unwanted.is_set():
        raise _Unwanted


def fetched(
    objects: ObjectStore, manifest: Manifest, indexes: Sequence[int], scratch: Path, early: Early
) -> Iterator[tuple[int, Raw | None]]:
    """Each of a batch's deliveries by its index, with its bytes; None for one that has none to read. In order.

    Who takes the bytes removes them. Raises `StoreError`.
    """
    waiting: deque[tuple[int, Future[Raw] | None]] = deque()
    ahead_bytes, coming, ended = 0, iter(indexes), threading.Event()
    with ThreadPoolExecutor(FILES_AHEAD // 2) as pool:
        try:
            following = next(coming, None)
            while waiting or following is not None:
                while following is not None and len(waiting) < FILES_AHEAD:
                    size_bytes = manifest.deliveries[following].size_bytes
                    if waiting and ahead_bytes + size_bytes > BYTES_AHEAD:
                        break
                    is_read = manifest.deliveries[following].kind != Kind.RETRACT
                    fetch = partial(_fetch, objects, manifest, following, scratch)
                    future = pool.submit(fetch, early, ended) if is_read else None
                    waiting.append((following, future))
                    ahead_bytes += size_bytes
                    following = next(coming, None)
                index, future = waiting.popleft()
                yield index, None if future is None else future.result()
                ahead_bytes -= manifest.deliveries[index].size_bytes
        except BaseException:
            ended.set()
            early.give_up()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _fetch(
    objects: ObjectStore, manifest: Manifest, index: int, scratch: Path, early: Early, ended: threading.Event
) -> Raw:
    if (raw := early.take(manifest, index)) is not None:
        return raw
    # What was read early may have been given up a moment ago: the archive is not to be read in its place.
    _require_wanted(ended)
    delivery, path = manifest.deliveries[index], scratch / f"{uuid.uuid4().hex}.raw"
    sha256 = objects.fetch_hashed(Zone.BRONZE, manifest.archive(index), path)
    size_bytes = path.stat().st_size
    if size_bytes != delivery.size_bytes:
        raise StoreError(
            f"the archive of {delivery.key} has {size_bytes} bytes, not {delivery.size_bytes}", next="run again"
        )
    return Raw(path, sha256)
