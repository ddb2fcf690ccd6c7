"""Data files on the local disk: immutable, so a copy is good for ever; bounded, so the least recently used go first.

Whoever reads holds a lease: a folder of hard links of its own. So a file may be evicted at any time, by any process,
and is there all the same until the last lease on it ends.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from catalog.errors import MachineError, StoreError
from catalog.objects import ObjectStore
from catalog.tables import DataFile, Snapshot
from lake.scratch import alone, held_folder

PARALLEL_FETCHES = 8


class Lease:
    """Local copies of some tables' files, there until the lease ends; ``folder`` holds them and nobody else's."""

    def __init__(self, folder: Path, shared: Path, objects: ObjectStore) -> None:
        self.folder = folder
        self._shared = shared
        self._objects = objects

    def files(self, snapshot: Snapshot) -> list[Path]:
        """The files of a table's version, in its order; fetches what is not here. They are not to be changed.

        Raises `NotFound`, `StoreError`, and `MachineError` where the disk is full.
        """
        with ThreadPoolExecutor(PARALLEL_FETCHES) as pool:
            return list(
                pool.map(lambda pair: self._local(snapshot, *pair), zip(snapshot.files, snapshot.uris(), strict=True))
            )

    def is_cached(self, snapshot: Snapshot) -> bool:
        """Whether all files of a table's version are here, so that `files` is likely to fetch nothing."""
        named = zip(snapshot.files, snapshot.uris(), strict=True)
        return all((self._shared / _name(file, uri)).exists() for file, uri in named)

    def _local(self, snapshot: Snapshot, file: DataFile, uri: str) -> Path:
        name = _name(file, uri)
        mine, shared = self.folder / name, self._shared / name
        if mine.exists():
            return mine
        if not _link_whole(shared, mine, file.size_bytes):
            self._fetch(snapshot, file, mine)
            with suppress(FileExistsError):
                os.link(mine, shared)
        # The time of a link is that of the file: this is what tells the least recently used.
        os.utime(mine)
        return mine

    def _fetch(self, snapshot: Snapshot, file: DataFile, target: Path) -> None:
        part = target.with_suffix(".part")
        if shutil.disk_usage(self.folder).free < file.size_bytes:
            raise MachineError(
                f"{self._shared}: no room on the disk for {file.path} of {snapshot.name} ({file.size_bytes} bytes)",
                next="make room there, or set a smaller [cache] size_gb in lake.toml",
            )
        self._objects.fetch(snapshot.name.zone, f"{snapshot.name.path}/{file.path}", part)
        size_bytes = part.stat().st_size
        if size_bytes != file.size_bytes:
            raise StoreError(
                f"{snapshot.name}: {file.path} has {size_bytes} bytes on the store, and {file.size_bytes} by its log",
                next="the file was changed or cut on the store: bring it back from a backup",
            )
        # On the disk before it has its name: a crash of the machine leaves no file that only looks whole.
        with part.open("rb") as fetched:
            os.fsync(fetched.fileno())
        part.rename(target)


class FileCache:
    """The cache in one folder, for any number of processes; it holds at most ``size_bytes_max`` between uses."""

    def __init__(self, folder: Path, size_bytes_max: int) -> None:
        self.folder = folder
        self.size_bytes_max = size_bytes_max
        self._leases = folder / "leases"

    @contextmanager
    def lease(self, objects: ObjectStore, folder: Path | None = None) -> Iterator[Lease]:
        """A lease for one query or run, in a new folder or in one that is the caller's, which is emptied at the end.

        The bound is enforced when it ends, so that one query may need more.
        """
        with held_folder(self._leases) if folder is None else _emptied(folder) as held:
            try:
                yield Lease(held, self.folder, objects)
            finally:
                with alone(self._leases):
                    self._shrink()

    def _shrink(self) -> None:
        files = [(path.stat(), path) for path in self.folder.glob("*.parquet")]
        kept_bytes = 0
        for stat, path in sorted(files, key=lambda pair: pair[0].st_mtime_ns, reverse=True):
            kept_bytes += stat.st_size
            if kept_bytes > self.size_bytes_max:
                path.unlink()


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """A folder, without files at the end; a folder in it is where a database spills, which clears it by itself."""
    try:
        yield folder
    finally:
        # Whoever removed the cache under a query has emptied it: what the query then met is what is to be told.
        with suppress(FileNotFoundError):
            for path in folder.iterdir():
                if not path.is_dir():
                    path.unlink()


def _name(file: DataFile, uri: str) -> str:
    return hashlib.sha256(f"{uri} {file.size_bytes}".encode()).hexdigest() + ".parquet"


def _link_whole(shared: Path, mine: Path, size_bytes: int) -> bool:
    """Link a cached file into the lease; False where there is none, or one that a crash of the machine cut short."""
    try:
        os.link(shared, mine)
    except FileNotFoundError:
        return False
    if mine.stat().st_size == size_bytes:
        return True
    mine.unlink()
    shared.unlink(missing_ok=True)
    return False
