"""Does a store keep the promises that the lake rests on? Asked before the first commit to any endpoint."""

import uuid
from concurrent.futures import ThreadPoolExecutor

from catalog.errors import UnsafeStore
from catalog.objects.store import ObjectStore
from catalog.zones import Zone

RACERS = 8

_NEXT = "use a store with conditional writes (AWS S3, MinIO, or the embedded SeaweedFS); lake doctor asks again"


def probe(store: ObjectStore) -> None:
    """Ask the store for what it must do; raises `UnsafeStore` naming the promise that it breaks, and `StoreError`.

    A second ``If-None-Match: *`` must be refused, one of several racers must win, a stale ``If-Match`` must be refused,
    a range must be a range, and landing must keep versions. A store that ignores the conditions loses acknowledged
    commits without any error.
    """
    prefix = f"probe/{uuid.uuid4().hex}"
    try:
        _ask(store, prefix)
    finally:
        for found in list(store.list_objects(Zone.CATALOG, prefix)):
            store.delete(Zone.CATALOG, found.key)


def _ask(store: ObjectStore, prefix: str) -> None:
    once = f"{prefix}/once"
    store.create(Zone.CATALOG, once, b"first")
    if store.create(Zone.CATALOG, once, b"second") or store.get(Zone.CATALOG, once) != b"first":
        raise UnsafeStore(f"{_name(store)} ignores If-None-Match: a second writer replaced the first", next=_NEXT)

    race = f"{prefix}/race"
    with ThreadPoolExecutor(RACERS) as pool:
        wins = sum(pool.map(lambda i: store.create(Zone.CATALOG, race, f"racer {i}".encode()), range(RACERS)))
    if wins != 1:
        raise UnsafeStore(
            f"{_name(store)}: {wins} of {RACERS} racing writers were told that they were first", next=_NEXT
        )

    swapped = f"{prefix}/swapped"
    etag = store.replace(Zone.CATALOG, swapped, b"0123456789", None)
    moved = store.replace(Zone.CATALOG, swapped, b"abcdefghij", etag)
    if etag is None or moved is None or store.replace(Zone.CATALOG, swapped, b"stale", etag) is not None:
        raise UnsafeStore(f"{_name(store)} does not keep If-Match: a stale writer replaced a newer object", next=_NEXT)
    if store.get_range(Zone.CATALOG, swapped, 2, 5) != b"cde":
        raise UnsafeStore(f"{_name(store)} does not answer a range of bytes with that range", next=_NEXT)
    require_versions(store)


def require_versions(store: ObjectStore) -> None:
    """Raises `UnsafeStore` where landing keeps no versions: clearing a file would lose a newer one of its name."""
    if not store.is_versioned(Zone.LANDING):
        bucket = store.endpoint.bucket(Zone.LANDING)
        raise UnsafeStore(
            f"the landing bucket {bucket!r} keeps no versions, so a file that arrives during an ingest could be lost",
            next="lake up switches versioning on (or ask whoever owns the bucket to)",
        )


def _name(store: ObjectStore) -> str:
    return store.endpoint.url or "AWS S3"
