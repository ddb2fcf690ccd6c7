"""Folders that are their holder's alone, for as long as it lives: scratch space, and leases on cached files.

A folder is held by a lock on a file beside it, which the kernel gives up with the process, whatever its end. A pid
would not tell: each container numbers its own processes, and two of them may share a project.
"""

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LOCK = ".lock"


@contextmanager
def scratch_folder(state: Path) -> Iterator[Path]:
    """A folder in ``.lake/scratch``, as `held_folder` makes it."""
    with held_folder(state / "scratch") as folder:
        yield folder


@contextmanager
def held_folder(root: Path) -> Iterator[Path]:
    """A new folder below ``root``, which is removed at the end; those that nobody holds any more are removed first."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = root / uuid.uuid4().hex
    with alone(root):
        _sweep(root)
        folder.mkdir(mode=0o700)
        lock = _opened(folder)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            # Whoever removed all that is around it has removed its lock, too.
            with suppress(FileNotFoundError), alone(root):
                _lock_of(folder).unlink(missing_ok=True)
        finally:
            os.close(lock)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Alone with this folder among all processes that ask; for a few directory entries, never for long work."""
    lock = _opened(folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _sweep(root: Path) -> None:
    """Remove the folders whose holders died: only their locks can be taken."""
    for name in {path.name.removesuffix(_LOCK) for path in root.iterdir()}:
        lock = _opened(root / name)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(root / name, ignore_errors=True)
            _lock_of(root / name).unlink(missing_ok=True)
        finally:
            os.close(lock)


def _opened(folder: Path) -> int:
    return os.open(_lock_of(folder), os.O_CREAT | os.O_RDWR, 0o600)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(folder.name + _LOCK)
