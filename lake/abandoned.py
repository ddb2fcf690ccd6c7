"""Runs whose process is gone: whoever looks writes their end, which two may do without harm."""

import os
import socket
from datetime import UTC, datetime, timedelta

from catalog.log import Log
from catalog.register import Begun, Ended, Register, Status
from catalog.turns import Turn
from lake.local import Process

UNSEEN_DAYS = 7
"""A run on another machine, or in another container, without an end is taken for interrupted after so many days."""

active: set[str] = set()
"""The runs of this process that go on: one that has begun here and is not among them is over."""


def here() -> tuple[str, str, Process]:
    """This process as another on the same machine knows it: the host, its space of pids, pid and start."""
    pid = os.getpid()
    return socket.gethostname(), _space(), Process.of(pid) or Process(pid, "")


def seen_from_here(known: Begun | Turn) -> Process | None:
    """The process of a run or of a turn; None where it is, or was, where it cannot be seen from here."""
    host, space, _ = here()
    return Process(known.pid, known.started) if (known.host, known.space) == (host, space) else None


def ended_and_going(register: Register, log: Log) -> tuple[list[Ended], list[Begun]]:
    """Of the runs that are open: the ends of those that are over, and the runs that go on. Raises `StoreError`."""
    over, going = [], []
    for begun in register.open():
        ended = register.ended(begun) or _interrupted(register, log, begun)
        if ended is None:
            going.append(begun)
        else:
            over.append(ended)
    return over, going


def _interrupted(register: Register, log: Log, begun: Begun) -> Ended | None:
    """The end of a run whose process is gone, as it is written by now; None where it goes on, or did nothing."""
    now = datetime.now(UTC)
    if not is_gone(begun, now):
        return None
    # It was gone before this look: what it left is all that it will ever leave, its own end among it.
    if not register.is_open(begun):
        return None
    where = f"{begun.host}:{begun.pid}"
    error = f"the process of this run ({where}) ended before the run did; what it committed stands"
    return register.end(Ended(begun, Status.INTERRUPTED, now, error, commit=_commit(log, begun)))


def is_gone(begun: Begun, now: datetime) -> bool:
    """Whether the process of a run has ended; of one that cannot be seen from here, whether it must have by now."""
    host, _, mine = here()
    process = seen_from_here(begun)
    if process is not None:
        return begun.run not in active if process == mine else not process.is_running()
    if begun.host == host and _boot(begun.started) != _boot(mine.started):
        return True
    return now - begun.at > timedelta(days=UNSEEN_DAYS)


def _commit(log: Log, begun: Begun) -> int | None:
    """The commit that a run made before it died, None where it made none."""
    numbers = range(begun.head + 1, log.head().number + 1)
    return next((number for number in numbers if log.at(number).run == begun.run), None)


def _boot(started: str) -> str:
    """When the machine of a process was started, as far as that is known."""
    return started.rpartition("/")[0]


def _space() -> str:
    """Where this process's pid is one: each container has pids of its own."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
