"""The way back: what is in the archive is read again, and a file that was wrong is taken back."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from catalog.errors import NotFound, UsageError
from catalog.ledger import Fate, entries_named, entries_of, names
from catalog.tables import Tables
from ingestion.batch import Finished
from ingestion.ingest import Policy, Told, retake
from ingestion.landing import first
from ingestion.manifest import Delivery, Kind, Patches


@dataclass(frozen=True)
class Replay:
    """A delivery to read again from its archived bytes, by its name in the ledger.

    ``patches`` are what a person mended of it: by file, as rows name it in ``_file``, and by the line on which a record
    begins, the text to read there.
    """

    delivery: str
    patches: Patches = field(default_factory=dict)


def replay(
    tables: Tables, policy: Policy, replays: Sequence[Replay], told: Callable[[Told], None] = lambda _: None
) -> list[Finished]:
    """Read archived deliveries again, by the policy as it is now; each takes the place of its earlier reading at once.

    So nothing is replayed twice, however often it is asked: what a reading brought goes when the next one comes. A
    delivery whose place a later one took is not read. Raises `NotFound`, `UsageError`, `StoreError`.
    """
    entries = entries_of(tables, {replay.delivery for replay in replays})
    by_name, mended = {entry["delivery"]: entry for entry in entries}, _patches(entries)
    by_dataset: dict[str, dict[str, Delivery]] = defaultdict(dict)
    for wanted in replays:
        entry = _archived(wanted, by_name)
        origin = entry["origin"] or entry["delivery"]
        patches = _merged(mended.get(origin, {}), wanted.patches)
        by_dataset[entry["dataset"]][origin] = _delivery(entry, Kind.REPLAY, origin, patches)
    return _retaken(tables, policy, by_dataset, told)


def retract(
    tables: Tables, policy: Policy, files: Iterable[str], told: Callable[[Told], None] = lambda _: None
) -> list[Finished]:
    """Take files back, by their landing names: their rows go in one commit, their bytes stay in the archive.

    Dropped again, they come in again. Raises `NotFound` for a name that never came, before anything is done, and
    `StoreError`.
    """
    wanted = set(files)
    newest = {(entry["dataset"], entry["file"]): entry for entry in entries_named(tables, wanted)}
    if unknown := sorted(wanted - {file for _, file in newest}):
        raise NotFound(f"no file {unknown[0]} was ever taken in", next=_near(unknown[0], names(tables)))
    by_dataset: dict[str, dict[str, Delivery]] = defaultdict(dict)
    for (dataset, file), entry in newest.items():
        if entry["fate"] != Fate.RETRACTED:
            by_dataset[dataset][file] = _delivery(entry, Kind.RETRACT, None, {})
    return _retaken(tables, policy, by_dataset, told)


def _retaken(
    tables: Tables, policy: Policy, by_dataset: Mapping[str, Mapping[str, Delivery]], told: Callable[[Told], None]
) -> list[Finished]:
    finished: list[Finished] = []
    for dataset, deliveries in sorted(by_dataset.items()):
        # Those of one name in a row and in order, as they are found in landing.
        in_order = sorted(deliveries.values(), key=lambda delivery: (delivery.key, delivery.origin or ""))
        for batch in _batches(in_order):
            finished += retake(tables, policy, dataset, batch, told)
    return finished


def _batches(deliveries: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
    """As many as one batch takes, and all of a name in one."""
    rest = tuple(deliveries)
    while rest:
        count = len(first(rest))
        while count < len(rest) and rest[count].key == rest[count - 1].key:
            count += 1
        yield rest[:count]
        rest = rest[count:]


def _archived(wanted: Replay, entries: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    entry = entries.get(wanted.delivery)
    if entry is None:
        raise NotFound(f"the ledger has no delivery {wanted.delivery}", next="lake quarantine lists those that wait")
    if entry["archived_as"] is None:
        raise UsageError(
            f"{entry['file']} was {entry['fate']} and has no bytes in the archive", next="drop the file again"
        )
    return entry


def _patches(entries: Iterable[dict[str, Any]]) -> dict[str, Patches]:
    """What was mended of each delivery by its newest reading that has an account: one refused whole has none."""
    newest = {
        entry["origin"]: entry["details"] for entry in entries if entry["origin"] is not None and entry["details"]
    }
    return {origin: _lines(json.loads(details).get("patches", {})) for origin, details in newest.items()}


def _lines(patches: Mapping[str, Mapping[str, str]]) -> Patches:
    return {file: {int(line): text for line, text in lines.items()} for file, lines in patches.items()}


def _merged(older: Patches, newer: Patches) -> Patches:
    return {file: {**older.get(file, {}), **newer.get(file, {})} for file in {*older, *newer}}


def _delivery(entry: dict[str, Any], kind: Kind, origin: str | None, patches: Patches) -> Delivery:
    return Delivery(
        key=entry["file"],
        version_id=entry["version_id"],
        size_bytes=entry["size_bytes"],
        modified=entry["arrived_at"],
        kind=kind,
        origin=origin,
        patches=patches,
    )


def _near(file: str, known: Collection[str]) -> str:
    """What to do about a name that never came: those that end like it, or the one that is most like it."""
    near = [key for key in known if key.endswith(f"/{file}")] or get_close_matches(file, known, n=1)
    return f"did you mean {' or '.join(near[:3])}?" if near else "lake deliveries lists what came"
