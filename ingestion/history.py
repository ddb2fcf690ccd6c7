"""What the names of a dataset have brought: which deliveries stand, and which go when another comes."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from catalog.ledger import Fate


@dataclass
class _Name:
    """What one landing name brought, by delivery: the bytes that count, and the reading that stands."""

    hashes: dict[str, str] = field(default_factory=dict)
    standing: dict[str, str] = field(default_factory=dict)
    parts: dict[str, set[str]] = field(default_factory=dict)
    waiting: dict[str, None] = field(default_factory=dict)


class History:
    """A fold over the ledger's entries, in order of delivery; the batch that is read goes on with it.

    A delivery that was read again keeps its place: a reading is known by its origin, the delivery whose bytes it read.

    >>> history = History()
    >>> entry = {"file": "a.csv", "fate": "ingested", "on_correction": "replace"}
    >>> history.add(entry | {"delivery": "d/1/0", "sha256": "old"})
    >>> history.add(entry | {"delivery": "d/2/0", "sha256": "new"})
    >>> history.knows("a.csv", "old", replacing=True), history.knows("a.csv", "old", replacing=False)
    (False, False)
    >>> history.standing("a.csv")
    ('d/2/0',)
    """

    def __init__(self, entries: Iterable[dict[str, Any]] = ()) -> None:
        self._names: dict[str, _Name] = {}
        self._bringers: dict[str, dict[str, None]] = {}
        for entry in entries:
            self.add(entry)

    def knows(self, file: str, sha256: str, *, replacing: bool) -> bool:
        """Whether this name already brought these bytes; where corrections replace, only its current ones count."""
        hashes = self._of(file).hashes
        return sha256 in ([hashes[max(hashes)]] if replacing and hashes else hashes.values())

    def bringer(self, sha256: str) -> str | None:
        """The first name of which rows stand that were read from these bytes, None where there is none."""
        for file in self._bringers.get(sha256, ()):
            name = self._of(file)
            if any(name.hashes.get(origin) == sha256 for origin in name.standing):
                return file
        return None

    def standing(self, file: str) -> tuple[str, ...]:
        """The deliveries of this name whose rows the tables hold."""
        return tuple(self._of(file).standing.values())

    def is_superseded(self, file: str, origin: str) -> bool:
        """Whether a later delivery of this name stands, or the name was taken back since."""
        name = self._of(file)
        return origin not in name.standing and origin not in name.waiting

    def leaving(self, file: str, origin: str, *, replacing: bool) -> tuple[str, ...]:
        """The deliveries whose rows go when the bytes of ``origin`` are taken in under this name.

        Never those of a later one: an old delivery that is read again takes no newer one's place.
        """
        standing = self._of(file).standing
        return tuple(reading for old, reading in standing.items() if _gives_way(old, origin, replacing=replacing))

    def settled(self, file: str, origin: str, *, replacing: bool) -> tuple[str, ...]:
        """The deliveries of which nothing waits any more when the bytes of ``origin`` are taken in."""
        name = self._of(file)
        if not replacing:
            return (origin,)
        return tuple(old for old in (*name.standing, *name.waiting) if _gives_way(old, origin, replacing=True))

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
            if origin not in name.standing:
                name.waiting[origin] = None
        elif fate == Fate.KEPT:
            name.hashes[origin] = entry["sha256"]
            name.waiting[origin] = None
        elif fate == Fate.INGESTED:
            if entry["on_correction"] == "replace":
                for old in [old for old in (*name.standing, *name.waiting) if old < origin]:
                    name.standing.pop(old, None)
                    name.hashes.pop(old, None)
                    name.waiting.pop(old, None)
            name.waiting.pop(origin, None)
            name.standing[origin] = entry["delivery"]
            details = json.loads(entry.get("details") or "{}")
            name.parts[entry["delivery"]] = {part["file"] for part in details.get("parts", ()) if part.get("rows")}
            name.hashes[origin] = entry["sha256"]
            self._bringers.setdefault(entry["sha256"], {})[entry["file"]] = None

    def _of(self, file: str) -> _Name:
        return self._names.setdefault(file, _Name())


def _gives_way(old: str, origin: str, *, replacing: bool) -> bool:
    """Whether a delivery's rows go for another's: names of deliveries are in the order in which they came."""
    return old <= origin if replacing else old == origin
