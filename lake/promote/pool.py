"""Workers that do the jobs of a run: several at once, within one memory limit, each watched for time and memory.

A job that hangs its worker, fills its memory or kills it costs that job and nothing else. What the store or a rival is
to blame for is tried again after a while.
"""

import os
import selectors
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

from catalog.errors import AccessRefused, Conflict, JobFailed, LakeError, MachineError, StoreError
from catalog.tables import Tables
from catalog.zones import TableName
from lake.promote.compare import Difference, discard
from lake.promote.hand import Hand, Lost
from lake.promote.outcome import Outcome, error_from_dict
from lake.promote.preview import Ahead, Preview
from lake.promote.process import environment
from lake.promote.work import Tell, Work, failed, request

ATTEMPTS_MAX = 4
BACKOFF_SECONDS = 1.0
"""The pause before the second attempt; each later one is twice as long."""

JOB_GB_MIN = 0.5
"""With less than this for each, fewer jobs are done at once."""

IDLE_GB_MAX = 0.5
"""A worker that holds more than this when its job is done is ended: the next job has a new one."""

START_SECONDS = 0.5
"""What a job waits for a worker that has one, before another is started: about what a start takes."""

PREVIEW_SECONDS_MAX = 60.0
"""Jobs that take longer with frames without rows are not foreseen."""

MISTAKES_SECONDS_MAX = 10.0
"""A run looks no longer for mistakes ahead, in all jobs together: the others find theirs themselves."""

_ASKED_SHARE = 0.8
"""Of the time that there is for a look ahead the worker may begin with another job: what it has seen is then told."""

_TICK_SECONDS = 0.05


@dataclass(frozen=True)
class Site:
    """Where a run's workers work: the project's ``jobs``, a scratch folder of the run's own, a cache of data files.

    ``memory_gb`` is for all of them together, ``seconds_max`` for each job that says no time of its own.
    """

    jobs: Path
    scratch: Path
    cache: Path
    cache_bytes: int
    run: str
    memory_gb: float
    seconds_max: float
    jobs_max: int

    def hello(self, tables: Tables) -> dict[str, Any]:
        """What a worker is told first, keys to the store included."""
        endpoint = tables.endpoint
        return {
            "path": sys.path,
            "environment": environment(),
            "folder": _folder(),
            "jobs": str(self.jobs),
            "scratch": str(self.scratch),
            "cache": str(self.cache),
            "cache_bytes": self.cache_bytes,
            "run": self.run,
            "endpoint": {name: getattr(endpoint, name) for name in endpoint.__dataclass_fields__},
        }


@dataclass(eq=False)
class _Order:
    """A job that was taken on: when it may begin, and whether nothing else may be at work meanwhile."""

    work: Work
    attempts: int = 0
    due: float = 0.0
    is_alone: bool = False
    started_at: datetime | None = None
    seconds: float = 0.0
    peak_bytes: int = 0


class Pool:
    """Does jobs in worker processes. A context manager: at its end all workers have ended, whatever they are at.

    To be used from one thread: the kernel ends a worker together with the thread that started it.
    """

    def __init__(self, tables: Tables, site: Site, tell: Tell = lambda _: None) -> None:
        self.tables = tables
        self._site = site
        self._tell = tell
        self._jobs_max = max(1, min(site.jobs_max, int(site.memory_gb / JOB_GB_MIN)))
        self._queue: list[_Order] = []
        self._hands: dict[Hand, _Order | None] = {}
        self._leaving: list[Hand] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.dismiss()
        for hand in (*self._hands, *self._leaving):
            # One that was only warmed up has nothing to put in order.
            hand.end(patiently=hand.is_idle and hand.has_worked and error is None)
        self._selector.close()

    def dismiss(self) -> None:
        """Let the workers end that have nothing to do: while a run is published, they put their things in order."""
        for hand in [hand for hand, its in self._hands.items() if its is None]:
            self._forget(hand)
            hand.dismiss()
            self._leaving.append(hand)

    def warm_up(self) -> None:
        """Start a worker for jobs that are likely to come: it takes as long as it does to find out which they are.

        Where none can be started, a job that needs one hears of it.
        """
        with suppress(MachineError):
            self._idle()

    def preview(self, jobs: Sequence[Ahead], *, only_errors: bool = False) -> Mapping[TableName, Preview]:
        """Look ahead at jobs that would run, sources first, in a worker that they may bring down: then nothing is told.

        Raises `StoreError`, `UsageError`.
        """
        asked = [{**request(ahead), "changing": [str(name) for name in ahead.changing]} for ahead in jobs]
        seconds_max = MISTAKES_SECONDS_MAX if only_errors else PREVIEW_SECONDS_MAX
        wanted = {"kind": "preview", "jobs": asked, "only_errors": only_errors, "seconds": seconds_max * _ASKED_SHARE}
        answer = self._ask(wanted, None, seconds_max)
        if isinstance(answer, Lost):
            return {}
        return {TableName.parse(name): Preview.from_dict(told) for name, told in _told(answer)["previews"].items()}

    def compare(self, work: Work, limit: int) -> Difference:
        """Make the version that a job would make, compare it with the published one, and delete it; nothing is
        committed.

        Raises what the job, its rules and the store raise.
        """
        job, stem = work.job, f"diff-{uuid4().hex}"
        asked = {"kind": "compare", "reason": work.reason, "stem": stem, "limit": limit, **request(work)}
        try:
            answer = self._ask(asked, job.table, job.timeout_seconds or self._site.seconds_max)
        finally:
            discard(self.tables.objects, job.table, stem)
        told = _answered(work, answer)
        return Difference.load(told["difference"], Path(told["folder"]))

    def _ask(self, asked: Mapping[str, Any], table: TableName | None, seconds_max: float) -> dict[str, Any] | Lost:
        """One request, and its answer; a worker that went, or was made to go, has ended by then."""
        hand = self._idle()
        try:
            hand.begin(asked, table, self._site.memory_gb, seconds_max)
            while (found := hand.look()) is None:
                self._selector.select(_TICK_SECONDS)
        except BaseException:
            self._fire(hand)
            raise
        hand.rest()
        if isinstance(found, Lost):
            self._fire(hand)
        return found

    def begin(self, work: Work) -> None:
        """Take on one job."""
        self._queue.append(_Order(work, due=time.monotonic()))

    def ended(self) -> list[Outcome]:
        """Wait until one job or more have ended.

        Raises what ends a whole run: `StoreError` and `Conflict` after some attempts, `MachineError`, `UsageError`.
        """
        done: list[Outcome] = []
        while not done:
            for order, memory_gb in self._next():
                self._start(order, memory_gb)
            self._selector.select(_TICK_SECONDS)
            for hand, doing in list(self._hands.items()):
                found = hand.look()
                if doing is not None and found is not None:
                    done += self._settle(hand, doing, found)
                elif doing is None and hand.is_gone:
                    self._fire(hand)
        return done

    def _next(self) -> Sequence[tuple[_Order, float]]:
        """What may begin now, and with how much memory: what is free is shared by those that could begin together.

        Short jobs follow each other faster than workers start: another one is started for what has waited for long.
        """
        busy = [order for order in self._hands.values() if order is not None]
        due = [order for order in self._queue if order.due <= time.monotonic()]
        if alone := next((order for order in due if order.is_alone), None):
            return [] if busy else [(alone, self._site.memory_gb)]
        if not due or any(order.is_alone for order in busy):
            return []
        free_gb = self._site.memory_gb - sum(hand.memory_gb for hand in self._hands)
        least_gb = self._site.memory_gb / self._jobs_max
        count = min(len(due), self._jobs_max - len(busy), int(free_gb / least_gb + 1e-6))
        idle = sum(its is None and not hand.is_gone for hand, its in self._hands.items())
        is_due = time.monotonic() - min(order.due for order in due) >= START_SECONDS or not busy
        return [(order, free_gb / count) for order in due[: min(count, max(idle, int(is_due)))]]

    def _start(self, order: _Order, memory_gb: float) -> None:
        self._queue.remove(order)
        hand = self._idle()
        order.attempts += 1
        order.started_at = order.started_at or datetime.now(UTC)
        self._hands[hand] = order
        work = order.work
        asked = {"kind": "job", "reason": work.reason, "options": work.options.to_dict(), **request(work)}
        hand.begin(asked, work.job.table, memory_gb, work.job.timeout_seconds or self._site.seconds_max)

    def _idle(self) -> Hand:
        """A worker that has nothing to do; a new one where all have."""
        if free := next((hand for hand, its in self._hands.items() if its is None and not hand.is_gone), None):
            return free
        hand = Hand(self._site.hello(self.tables), self._tell)
        for lines in hand.pipes:
            self._selector.register(lines.pipe, selectors.EVENT_READ)
        self._hands[hand] = None
        return hand

    def _fire(self, hand: Hand) -> None:
        self._forget(hand)
        hand.end()

    def _forget(self, hand: Hand) -> None:
        del self._hands[hand]
        for lines in hand.pipes:
            self._selector.unregister(lines.pipe)

    def _settle(self, hand: Hand, order: _Order, found: dict[str, Any] | Lost) -> list[Outcome]:
        """The outcome of a job that has ended, in a list; an empty one where it is to be done once more."""
        order.seconds += hand.seconds
        order.peak_bytes = max(order.peak_bytes, hand.peak_bytes)
        had_all = hand.memory_gb >= self._site.memory_gb
        hand.rest()
        self._hands[hand] = None
        if isinstance(found, Lost) or hand.holds_gb > IDLE_GB_MAX:
            self._fire(hand)
        if isinstance(found, Lost) and found.for_memory and not had_all and not order.is_alone:
            order.is_alone = True
            return self._again(order, 0.0)
        try:
            said = Outcome.from_dict(_answered(order.work, found)["outcome"])
        except LakeError as error:
            if _is_passing(error) and order.attempts < ATTEMPTS_MAX:
                return self._again(order, BACKOFF_SECONDS * 2 ** (order.attempts - 1))
            said = failed(order.work, error)
        return [
            replace(
                said,
                started_at=order.started_at,
                seconds=order.seconds,
                attempts=order.attempts,
                memory_peak_bytes=order.peak_bytes,
            )
        ]

    def _again(self, order: _Order, pause_seconds: float) -> list[Outcome]:
        order.due = time.monotonic() + pause_seconds
        self._queue.append(order)
        return []


def _folder() -> str | None:
    """This process's folder; None where it is gone: a worker then stays where it was started."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


def _answered(work: Work, found: Mapping[str, Any] | Lost) -> Mapping[str, Any]:
    """What a worker answered about a job; raises what it raised, and `JobFailed` where it did not come to an end."""
    if isinstance(found, Lost):
        raise JobFailed(f"{work.job.table}: {found.what} ({work.job.where})", next=found.next)
    return _told(found)


def _told(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """An answer; raises the error that it tells of."""
    if "error" in answer:
        raise error_from_dict(answer["error"])
    return answer


def _is_passing(error: LakeError) -> bool:
    """Whether the same may work when it is tried again."""
    return isinstance(error, StoreError | Conflict) and not isinstance(error, AccessRefused)
