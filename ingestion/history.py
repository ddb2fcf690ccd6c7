"""What the names of a dataset have brought: which deliveries stand, and which go when another comes."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from catalog.ledger import Fate


@dataclass
class _Name:
    """What one landing name brought: the bytes of its readings, and of each delivery the reading that stands."""

    hashes: list[str] = field(default_factory=list)
    standing: dict[str, str] = field(default_factory=dict)
    parts: dict[str, set[str]] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)


class History:
    """A fold over the ledger's entries, in order of delivery; the batch that is read goes on with it.

    A delivery that was read again keeps its place: a reading is known by its origin, the delivery whose bytes it read.

    >>> history = History()
    >>> entry = {"file": "a.csv", "fate": "ingested", "on_correction": "replace"}
    >>> history.add(entry | {"delivery": "d/1/0", "sha256": "old"})
    >>> history.add(entry | {"delivery": "d/2/0", "sha256": "new"})
    >>> history.knows("a.csv", "old", replacing=True), history.knows("a.csv", "old", replacing=False)
    (False, True)
    >>> history.standing("a.csv")
    ('d/2/0',)
    """

    def __init__(self, entries: Iterable[dict[str, Any]] = ()) -> None:
        self._names: dict[str, _Name] = {}
        for entry in entries:
            self.add(entry)

    def knows(self, file: str, sha256: str, *, replacing: bool) -> bool:
        """Whether this name already brought these bytes; where corrections replace, only its current ones count."""
        hashes = self._of(file).hashes
        return sha256 in (hashes[-1:] if replacing else hashes)

    def standing(self, file: str) -> tuple[str, ...]:
        """The deliveries of this name whose rows the tables hold."""
        return tuple(self._of(file).standing.values())

    def is_superseded(self, file: str, origin: str) -> bool:
        """Whether a later delivery of this name stands, or the name was taken back since."""
        name = self._of(file)
        return origin not in name.standing and origin not in name.waiting

    def leaving(self, file: str, origin: str, *, replacing: bool) -> tuple[str, ...]:
        """The deliveries whose rows go when the bytes of ``origin`` are taken in under this name."""
        standing = self._of(file).standing
        if replacing:
            return tuple(standing.values())
        return (standing[origin],) if origin in standing else ()

    def settled(self, file: str, origin: str, *, replacing: bool) -> tuple[str, ...]:
        """The deliveries of which nothing waits any more when the bytes of ``origin`` are taken in."""
        name = self._of(file)
        return (*name.standing, *name.waiting) if replacing else (origin,)

    def is_standing(self, file: str, origin: str) -> bool:
        """Whether the tables hold the rows of this delivery."""
        return origin in self._of(file).standing

    def parts_leaving(self, file: str, origin: str, *, replacing: bool) -> set[str]:
        """The parts of files, as rows name them in ``_file``, whose rows go with the deliveries that are `leaving`."""
        parts = self._of(file).parts
        return {part for reading in self.leaving(file, origin, replacing=replacing) for part in parts.get(reading, ())}

    def add(self, entry: dict[str, Any]) -> None:
        """Go on with one more entry: columns as `catalog.ledger.PAST`."""
        name, fate = self._of(entry["file"]), entry["fate"]
        origin = entry.get("origin") or entry["delivery"]
        if fate == Fate.RETRACTED:
            self._names[entry["file"]] = _Name()
        elif fate == Fate.REJECTED:
            if origin not in name.standing and origin not in name.waiting:
                name.waiting.append(origin)
        elif fate == Fate.KEPT:
            name.hashes.append(entry["sha256"])
            name.waiting.append(origin)
        elif fate == Fate.INGESTED:
            if origin not in name.standing:
                name.hashes.append(entry["sha256"])
            if entry["on_correction"] == "replace":
                name.standing.clear()
                name.waiting.clear()
            if origin in name.waiting:
                name.waiting.remove(origin)
            name.standing[origin] = entry["delivery"]
            details = json.loads(entry.get("details") or "{}")
            name.parts[entry["delivery"]] = {part["file"] for part in details.get("parts", ()) if part.get("rows")}

    def _of(self, file: str) -> _Name:
        return self._names.setdefault(file, _Name())
