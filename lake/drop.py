"""Putting files into the landing bucket."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
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


@dataclass(frozen=True)
class LeftOut:
    """What lies in a folder that is dropped and is no file to drop, and why."""

    path: Path
    why: str


def drop(
    objects: ObjectStore,
    files: Sequence[Path],
    dataset: str | None = None,
    told: Callable[[Dropped | LeftOut], None] = lambda _: None,
) -> list[Dropped]:
    """Put files into landing as ``<dataset>/<file's name>``; a file that lies there byte for byte is left alone.

    Of a folder all files below it, as ``<dataset>/<path in the folder>``, but for hidden ones and links that lead out
    of it. Without a dataset they lie at the root, where a pattern of ``lake.toml``, their folder or their own name says
    whose they are. Raises `UsageError` where a file is not one or two have the same name, before anything is put;
    `StoreError`.
    """
    if dataset is not None:
        _require_dataset(dataset)
    keys = _keys(files, "" if dataset is None else f"{dataset}/", told)
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


def _keys(files: Sequence[Path], folder: str, told: Callable[[LeftOut], None]) -> dict[str, Path]:
    keys: dict[str, Path] = {}
    for path, name in chain.from_iterable(_named(path, told) for path in files):
        key = f"{folder}{name}"
        if "\\" in name or not name.isprintable():
            raise UsageError(f"the name of {path} has a backslash or a control character", next="rename the file")
        if key in keys:
            raise UsageError(f"{keys[key]} and {path} have the same name", next="rename one, or drop them one by one")
        keys[key] = path
    return keys


def _named(path: Path, told: Callable[[LeftOut], None]) -> list[tuple[Path, str]]:
    """A file with its name, or the files below a folder with their paths in it."""
    if path.is_file():
        return [(path, path.name)]
    if not path.is_dir():
        raise UsageError(f"{path} is not there, or no file", next="name the files themselves, as in data/*.csv")
    found = list(_below(path, path.resolve(), told))
    if not found:
        raise UsageError(f"{path} is a folder, and no file is in it", next="name a file, or a folder that has some")
    return [(file, file.relative_to(path).as_posix()) for file in found]


def _below(folder: Path, top: Path, told: Callable[[LeftOut], None]) -> Iterator[Path]:
    """The files in a folder and in those below it, by name; of others it is said why not."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            told(LeftOut(path, "it is hidden"))
        elif path.is_symlink() and not path.resolve().is_relative_to(top):
            told(LeftOut(path, "it is a link that leads out of the folder"))
        elif path.is_symlink() and not path.is_file():
            told(LeftOut(path, "it is a link, and to no file"))
        elif path.is_dir():
            yield from _below(path, top, told)
        elif path.is_file():
            yield path
        else:
            told(LeftOut(path, "it is no file"))


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
