"""The archive: the raw bytes of every delivery as they landed, found by a file's name or by the delivery's."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polars as pl

from catalog.errors import NotFound, StoreError, UsageError
from catalog.ledger import LEDGER, SCHEMA
from catalog.tables import store_faults
from catalog.zones import Zone
from lake.published import Published
from lake.scratch import scratch_folder

Entry = dict[str, Any]
"""A delivery in the ledger, or a later reading of one: columns as `catalog.ledger.SCHEMA`."""


@dataclass(frozen=True)
class Named:
    """What a name means: the ledger's entries of one landing name, in order, and those of them that are asked for.

    ``fragment`` is the part of the file that is named after a ``#``, as rows have it in ``_file``.
    """

    file: str
    fragment: str
    entries: tuple[Entry, ...]
    asked: tuple[Entry, ...]

    @property
    def in_rows(self) -> str:
        """The name as rows have it in ``_file``."""
        return f"{self.file}#{self.fragment}" if self.fragment else self.file

    @property
    def newest(self) -> Entry | None:
        """The newest of those that are asked for of which the archive has the bytes."""
        return next((entry for entry in reversed(self.asked) if entry["archived_as"] is not None), None)


def named(view: Published, name: str) -> Named:
    """What a name means at a commit: a file as rows name it in ``_file``, or a delivery, as in their ``_batch``.

    Raises `NotFound` naming the nearest, `StoreError`.
    """
    name = name.removeprefix(f"{Zone.LANDING}/")
    ledger = view.read_own(LEDGER, SCHEMA)
    # A "#" may be in a landing name itself: the longest name that is known counts.
    for candidate in _candidates(name):
        is_meant = (pl.col("file") == candidate) | (pl.col("delivery") == candidate)
        asked = _collected(ledger.filter(is_meant))
        if asked:
            is_file = any(entry["file"] == candidate for entry in asked)
            entries = asked if is_file else _collected(ledger.filter(pl.col("file") == asked[0]["file"]))
            return Named(asked[0]["file"], name[len(candidate) + 1 :], tuple(entries), tuple(asked))
    with store_faults(f"read {LEDGER}"):
        known = ledger.select(pl.col("file").unique()).collect(engine="streaming")["file"].to_list()
    near = [key for key in known if key.endswith(f"/{name}")] or get_close_matches(name, known, n=1)
    raise NotFound(
        f"no file and no delivery {name} was ever taken in",
        next=f"did you mean {' or '.join(near[:3])}?" if near else "lake deliveries lists what came",
    )


def save_raw(view: Published, name: str, target: Path) -> Entry:
    """Write a delivery's bytes, as they landed, to a new file; its entry in the ledger.

    Of a file with several deliveries the newest; of a part of one the whole file. Nothing is overwritten, and a file is
    there whole or not at all. Raises `NotFound`, `UsageError`, and `StoreError` where they are not the bytes that the
    ledger says.
    """
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} is there already, and nothing is overwritten", next="name another file")
    if not target.parent.is_dir():
        raise UsageError(f"{target} cannot be written: no folder {target.parent}", next="make it, or name another file")
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        entry = _fetched(view, name, part)
        target.touch(exist_ok=False)
        part.replace(target)
    except FileExistsError:
        raise UsageError(f"{target} is there already, and nothing is overwritten", next="name another file") from None
    finally:
        part.unlink(missing_ok=True)
    return entry


@contextmanager
def raw_file(view: Published, name: str) -> Iterator[tuple[Path, Entry]]:
    """A delivery's bytes in a file that is gone afterwards, as `save_raw` writes them, and its entry."""
    with scratch_folder(view.settings.state) as folder:
        path = folder / "raw"
        yield path, _fetched(view, name, path)


def _fetched(view: Published, name: str, path: Path) -> Entry:
    found = named(view, name)
    entry = found.newest
    if entry is None:
        fate = found.asked[-1]["fate"]
        raise NotFound(
            f"the archive has no bytes of {name}: it was {fate}", next=f"lake provenance {found.file} says what came"
        )
    sha256 = view.objects.fetch_hashed(Zone.BRONZE, entry["archived_as"], path)
    if sha256 != entry["sha256"]:
        path.unlink()
        raise StoreError(
            f"{Zone.BRONZE}/{entry['archived_as']} has not the bytes that came as {entry['file']}: "
            f"their SHA-256 is {sha256}, the ledger says {entry['sha256']}",
            next="bring this object back from a backup",
        )
    return entry


def _candidates(name: str) -> Iterator[str]:
    """The name, then what is before each ``#``, the longest first."""
    yield name
    while "#" in name:
        name = name.rpartition("#")[0]
        yield name


def _collected(entries: pl.LazyFrame) -> list[Entry]:
    with store_faults(f"read {LEDGER}"):
        return entries.sort("delivery").collect(engine="streaming").to_dicts()
