"""Processes that take files in and die at a named point, as by a power cut: nothing of theirs runs afterwards.

They are forked from a server process that has imported everything, which saves the second or two that a start takes.
"""

import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.context import ForkServerProcess

from catalog import failpoints
from catalog.errors import Conflict
from catalog.objects import Endpoint, ObjectStore, store
from catalog.tables import Tables
from ingestion.ingest import ingest
from ingestion.routing import Routes
from tests.faults.bench import policy

SECONDS_MAX = 120

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.faults.victim"])


def dies_at(point: str | None, time: int, parent_pid: int | None = None) -> Callable[[str], None]:
    """Kills this process, and before it a parent, when a point (None: any) is reached for the n-th time, from 1."""
    reached = itertools.count(1)

    def reach(name: str) -> None:
        assert name in failpoints.POINTS, f"{name} is not in failpoints.POINTS"
        if point in {None, name} and next(reached) == time:
            for pid in filter(None, (parent_pid, os.getpid())):
                os.kill(pid, signal.SIGKILL)

    return reach


def _ingest(
    endpoint: Endpoint,
    on_correction: str,
    armed: tuple[str | None, int] | None,
    datasets: tuple[str, ...],
    routes: Routes | None,
) -> None:
    # A few bytes are read while they are archived, as a large file is.
    store.CHECKED_BYTES_MIN = 0
    if armed is not None:
        failpoints.armed = dies_at(*armed)
    tables = Tables(ObjectStore(endpoint))
    if routes is None:
        ingest(tables, policy(on_correction), datasets)
        return
    with suppress(Conflict):
        ingest(tables, replace(policy(on_correction), routes=routes), datasets)


def start_ingest(
    endpoint: Endpoint,
    on_correction: str = "replace",
    armed: tuple[str | None, int] | None = None,
    datasets: tuple[str, ...] = (),
    routes: Routes | None = None,
) -> ForkServerProcess:
    """An ingest in a process of its own, that dies at the n-th reach of a point where ``armed`` says so.

    One with ``routes`` expects others of other routes, and ends without a word where these were always first.
    """
    process = _context.Process(target=_ingest, args=(endpoint, on_correction, armed, datasets, routes), daemon=True)
    process.start()
    return process


def was_killed(process: ForkServerProcess) -> bool:
    """Wait for the end; whether it was a kill. Any end but that and the ordinary one fails the test."""
    process.join(SECONDS_MAX)
    assert process.exitcode in {0, -signal.SIGKILL}, f"an ingest ended with {process.exitcode}"
    return process.exitcode != 0
