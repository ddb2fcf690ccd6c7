"""Putting files into the landing bucket."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import UsageError
from catalog.objects import ObjectStore, VersionInfo
from catalog.zones import Zone, dataset_of

_PART_BYTES = 8 * 1024**2


@dataclass(frozen=True)
class Dropped:
    """One file that was put into landing, or that lay there already, byte for byte."""

    key: str
    size_bytes: int
    is_new: bool


def drop(
    objects: ObjectStore,
    files: Sequence[Path],
    dataset: str | None = None,
    told: Callable[[Dropped], None] = lambda _: None,
) -> list[Dropped]:
    """Put files into landing as ``<dataset>/<file's name>``; a file that lies there byte for byte is left alone.

    Without a dataset they lie at the root, where a pattern of ``lake.toml`` or their own name says whose they are.
    Raises `UsageError` where a file is not one or two have the same name, before anything is put; `StoreError`.
    """
    if dataset is not None:
        _require_dataset(dataset)
    keys = _keys(files, "" if dataset is None else f"{dataset}/")
    dropped = []
    for key, path in keys.items():
        is_new = not _lies_there(objects, key, path)
        if is_new:
            objects.put_file(Zone.LANDING, key, path)
        dropped.append(Dropped(key, path.stat().st_size, is_new))
        told(dropped[-1])
    return dropped


def _require_dataset(dataset: str) -> None:
    if dataset != dataset_of(f"{dataset}/"):
        raise UsageError(
            f"{dataset!r} is not a dataset's name",
            next=f"use lower-case letters, digits and _, beginning with a letter: {dataset_of(f'{dataset}/')}",
        )


def _keys(files: Sequence[Path], folder: str) -> dict[str, Path]:
    keys: dict[str, Path] = {}
    for path in files:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "is not there"
            raise UsageError(f"{path} {what}", next="name the files themselves, as in data/*.csv")
        key = f"{folder}{path.name}"
        if "\\" in path.name or not path.name.isprintable():
            raise UsageError(f"the name of {path} has a backslash or a control character", next="rename the file")
        if key in keys:
            raise UsageError(f"{keys[key]} and {path} have the same name", next="rename one, or drop them one by one")
        keys[key] = path
    return keys


def _lies_there(objects: ObjectStore, key: str, path: Path) -> bool:
    """Whether the key's newest version has the file's bytes: their MD5 is the etag of an object put in one part."""
    newest: VersionInfo | None = next((v for v in objects.list_versions(Zone.LANDING, key) if v.key == key), None)
    if newest is None or newest.is_marker or newest.size_bytes != path.stat().st_size:
        return False
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PART_BYTES):
            digest.update(piece)
    return newest.etag == digest.hexdigest()
