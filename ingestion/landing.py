"""The inbox: what lies in landing, by dataset and in order, and how a version leaves it."""

from collections import defaultdict
from collections.abc import Callable, Iterable

from catalog.errors import UnsafeStore
from catalog.objects import ObjectStore, VersionInfo
from catalog.zones import Zone, dataset_of
from ingestion.manifest import Delivery

PARALLEL_REQUESTS = 8
BATCH_FILES_MAX = 10_000
BATCH_BYTES_MAX = 10 * 10**9


def find(
    objects: ObjectStore, datasets: Iterable[str] = (), route: Callable[[str], str] = dataset_of
) -> dict[str, tuple[Delivery, ...]]:
    """Everything in landing by dataset (all, or those named): by key, and of one key the oldest version first.

    ``route`` gives the dataset of a key. A marker withdraws the versions of its key that are older. A folder's
    placeholder is no delivery. Raises `UnsafeStore` for a version without an id, which cannot be deleted without the
    newer object of its name, and `StoreError`.
    """
    wanted = set(datasets)
    by_key: dict[str, list[VersionInfo]] = defaultdict(list)
    for version in objects.list_versions(Zone.LANDING):
        if not version.key.endswith("/") and (not wanted or route(version.key) in wanted):
            _require_id(version)
            by_key[version.key].append(version)
    found: dict[str, list[Delivery]] = defaultdict(list)
    for key in sorted(by_key):
        found[route(key)] += in_order(by_key[key])
    return {dataset: tuple(deliveries) for dataset, deliveries in sorted(found.items())}


def first(deliveries: tuple[Delivery, ...]) -> tuple[Delivery, ...]:
    """The first of a dataset's deliveries, as many as one batch takes; the others are the next one's.

    A batch that is interrupted is parsed again as a whole, so it is not to take for ever.

    >>> from datetime import datetime
    >>> [delivery.key for delivery in first((Delivery("a", "1", 1, datetime(2026, 1, 1)),))]
    ['a']
    """
    size_bytes = 0
    for count, delivery in enumerate(deliveries):
        size_bytes += delivery.size_bytes
        if count == BATCH_FILES_MAX or (count and size_bytes > BATCH_BYTES_MAX):
            return deliveries[:count]
    return deliveries


def in_order(newest_first: list[VersionInfo]) -> list[Delivery]:
    """The versions of one key, the oldest first, those that a marker withdraws marked."""
    deliveries, withdrawn = [], False
    for version in newest_first:
        withdrawn = withdrawn or version.is_marker
        deliveries.append(
            Delivery(
                version.key,
                version.version_id,
                version.size_bytes,
                version.modified,
                is_marker=version.is_marker,
                is_withdrawn=withdrawn,
            )
        )
    return deliveries[::-1]


def _require_id(version: VersionInfo) -> None:
    if version.version_id in ("", "null"):
        raise UnsafeStore(
            f"landing/{version.key} came before the bucket kept versions, so it has no version id",
            next="put the file into landing again, then delete the version 'null'",
        )


def is_there(objects: ObjectStore, delivery: Delivery) -> bool:
    """Whether a fresh listing still has this version: a 404 alone says nothing. Raises `StoreError`."""
    return any(
        version.key == delivery.key and version.version_id == delivery.version_id
        for version in objects.list_versions(Zone.LANDING, delivery.key)
    )


def clear(objects: ObjectStore, deliveries: Iterable[Delivery]) -> None:
    """Delete these versions and markers, by version id, never a key. Raises `StoreError`."""
    objects.delete_versions(Zone.LANDING, ((delivery.key, delivery.version_id) for delivery in deliveries))
