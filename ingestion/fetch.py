"""Raw bytes out of the archive, a little ahead of their reader: many small files wait for the network together."""

import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import StoreError
from catalog.objects import ObjectStore
from catalog.zones import Zone
from ingestion.manifest import Kind, Manifest

FILES_AHEAD = 16
BYTES_AHEAD = 64 * 1024**2
"""What may lie in scratch before it is read: a file larger than this is fetched alone."""


@dataclass(frozen=True)
class Raw:
    """A delivery's bytes on local disk, and their SHA-256."""

    path: Path
    sha256: str


def fetched(
    objects: ObjectStore, manifest: Manifest, indexes: Sequence[int], scratch: Path
) -> Iterator[tuple[int, Raw | None]]:
    """Each of a batch's deliveries by its index, with its bytes; None for one that has none to read. In order.

    Who takes the bytes removes them. Raises `StoreError`.
    """
    waiting: deque[tuple[int, Future[Raw] | None]] = deque()
    ahead_bytes, coming = 0, iter(indexes)
    with ThreadPoolExecutor(FILES_AHEAD // 2) as pool:
        try:
            following = next(coming, None)
            while waiting or following is not None:
                while following is not None and len(waiting) < FILES_AHEAD:
                    size_bytes = manifest.deliveries[following].size_bytes
                    if waiting and ahead_bytes + size_bytes > BYTES_AHEAD:
                        break
                    is_read = manifest.deliveries[following].kind != Kind.RETRACT
                    future = pool.submit(_fetch, objects, manifest, following, scratch) if is_read else None
                    waiting.append((following, future))
                    ahead_bytes += size_bytes
                    following = next(coming, None)
                index, future = waiting.popleft()
                yield index, None if future is None else future.result()
                ahead_bytes -= manifest.deliveries[index].size_bytes
        finally:
            pool.shutdown(cancel_futures=True)


def _fetch(objects: ObjectStore, manifest: Manifest, index: int, scratch: Path) -> Raw:
    delivery, path = manifest.deliveries[index], scratch / f"{uuid.uuid4().hex}.raw"
    sha256 = objects.fetch_hashed(Zone.BRONZE, manifest.archive(index), path)
    size_bytes = path.stat().st_size
    if size_bytes != delivery.size_bytes:
        raise StoreError(
            f"the archive of {delivery.key} has {size_bytes} bytes, not {delivery.size_bytes}", next="run again"
        )
    return Raw(path, sha256)
