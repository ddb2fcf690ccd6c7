"""A numbered sequence of immutable objects: whoever creates number n has made it, and n exists only after n - 1."""

from contextlib import suppress

from catalog.errors import NotFound, StoreError
from catalog.formats import opened, stored
from catalog.objects.store import ObjectStore

DIGITS = 20


class Sequence:
    """Create-only objects ``<prefix>/<n, 20 digits>.json`` from 1 on, and a hint at the newest beside them.

    The hint, ``<prefix>.last``, saves listing a long history. It may lag (its writer died, or lost a race), so what
    is listed after it decides; it never leads, because it is written after the object that it names.
    """

    def __init__(self, store: ObjectStore, zone: str, prefix: str) -> None:
        self._store = store
        self._zone = zone
        self._prefix = prefix

    def last(self) -> int:
        """The newest number, 0 where there is none. Raises `StoreError`."""
        hinted = self._hint()[0]
        newest = hinted
        for found in self._store.list_objects(self._zone, f"{self._prefix}/", start_after=self._key(hinted)):
            number = _number(found.key)
            newest = newest if number is None else max(newest, number)
        return newest

    def get(self, number: int) -> bytes:
        """The object of that number. Raises `NotFound`, `StoreError`."""
        return self._store.get(self._zone, self._key(number))

    def create(self, number: int, body: bytes) -> bool:
        """Make the object of that number; True when our bytes stand there. Raises `StoreError`.

        A hint that cannot be moved is no failure: the object is there, and the next writer moves the hint.
        """
        made = self._store.create(self._zone, self._key(number), body)
        if made:
            with suppress(StoreError):
                self._move_hint(number)
        return made

    def _hint(self) -> tuple[int, str | None]:
        try:
            body, etag = self._store.get_with_etag(self._zone, f"{self._prefix}.last")
        except NotFound:
            return 0, None
        return int(opened(body, newest=1, what=f"{self._prefix}.last")["last"]), etag

    def _move_hint(self, number: int) -> None:
        """Move the hint forward, once: whoever is overtaken leaves it to the one who overtook."""
        hinted, etag = self._hint()
        if hinted < number:
            body = stored({"last": number}, version=1)
            self._store.replace(self._zone, f"{self._prefix}.last", body, etag)

    def _key(self, number: int) -> str:
        return f"{self._prefix}/{number:0{DIGITS}d}.json"


def _number(key: str) -> int | None:
    stem = key.rpartition("/")[2].removesuffix(".json")
    return int(stem) if len(stem) == DIGITS and stem.isdigit() else None
