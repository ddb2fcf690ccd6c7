"""Databases that answer one query after the other: to make one, and to end it, takes as long as a small query.

Each is one query's alone while that runs, and reaches one folder, which is its own for as long as it lives.
"""

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from lake.engine import connect
from lake.scratch import held_folder

IDLE_MAX = 2
"""So many wait for the next query, each with a few megabytes."""


@dataclass(eq=False)
class Session:
    """A database, and the folder that it reaches, where it also spills.

    ``is_spent``: a query left something in it that another one would see.
    """

    folder: Path
    connection: duckdb.DuckDBPyConnection
    kind: tuple[Path, float]
    _ends: ExitStack = field(repr=False)
    is_spent: bool = False

    def end(self) -> None:
        """Close the database and remove its folder."""
        self._ends.close()


_idle: list[Session] = []
_parents: list[Session] = []
_lock = threading.Lock()


@contextmanager
def session(root: Path, memory_gb: float) -> Iterator[Session]:
    """A database with so much memory, in a folder of its own below ``root``; what a query leaves in either must go.

    One that met an error is not used again, nor is one that is spent.
    """
    kind = (root, memory_gb)
    taken = _taken(kind) or _made(kind)
    with ExitStack() as undo:
        undo.callback(taken.end)
        yield taken
        if not taken.is_spent:
            undo.pop_all()
            _put_back(taken)


def _taken(kind: tuple[Path, float]) -> Session | None:
    """One that waits, if its folder is still there: whoever removes a project's cache removes it, too."""
    while (waiting := _out_of_waiting(kind)) is not None:
        if waiting.folder.is_dir():
            return waiting
        waiting.end()
    return None


def _out_of_waiting(kind: tuple[Path, float]) -> Session | None:
    with _lock:
        found = next((waiting for waiting in _idle if waiting.kind == kind), None)
        if found is not None:
            _idle.remove(found)
        return found


def _put_back(one: Session) -> None:
    """Let it wait, in the place of the one that has waited longest where there are many."""
    with _lock:
        _idle.append(one)
        oldest = _idle.pop(0) if len(_idle) > IDLE_MAX else None
    if oldest is not None:
        oldest.end()


def _made(kind: tuple[Path, float]) -> Session:
    root, memory_gb = kind
    with ExitStack() as ends:
        folder = ends.enter_context(held_folder(root))
        connection = ends.enter_context(closing(connect(folder, memory_gb)))
        return Session(folder, connection, kind, ends.pop_all())


def _end_all() -> None:
    while _idle:
        _idle.pop().end()


def _leave_to_parent() -> None:
    """A child has none of the parent's threads, and without these a database neither answers nor ends."""
    _parents.extend(_idle)
    _idle.clear()


atexit.register(_end_all)
os.register_at_fork(after_in_child=_leave_to_parent)
