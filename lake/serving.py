"""Serving schedules: what is due is run, each time once, whichever server is there to do it.

Nothing is kept in memory that a kill could take: a turn is taken, and its end put down, by compare-and-set on an object
of the schedule (`catalog.turns`). A server whose turn stands still for some minutes is taken to be gone.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from catalog.errors import Conflict, LakeError, MachineError, StoreError
from catalog.turns import Turn, Turns
from catalog.zones import Zone
from lake.abandoned import here, seen_from_here
from lake.machine import blamed
from lake.publication import RunResult, Told
from lake.run import run
from lake.runs import called_by
from lake.timetable import Clock, Due, Timetable, due_by_change, due_by_clock
from lake.workspace import Workspace

LOOK_SECONDS = 1.0
BEAT_SECONDS = 30.0
STILL_SECONDS = 300.0
"""A turn of another machine that has not moved for so long, by this one's clock, is nobody's any more."""

ASLEEP_SECONDS = 30.0
STAYS_SECONDS = 30.0
"""Files that lie in landing after a run call for another one after so long."""

RETRY_SECONDS, RETRY_SECONDS_MAX = 2.0, 300.0
"""A change whose run the store fails calls for another one; it is tried in twice the time each."""

_AGAIN = (StoreError, MachineError, Conflict)


class Server:
    """Serves the schedules of a project (all, or those named) until it is told to stop.

    Any number of servers may run, on one machine or several, and each may be killed. ``told`` hears of batches and
    jobs, ``done`` of each result, ``said`` of what begins, of what is skipped, and of errors.
    """

    def __init__(
        self,
        lake: Workspace,
        names: Collection[str] = (),
        *,
        told: Told = lambda _: None,
        done: Callable[[RunResult], None] = lambda _: None,
        said: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._lake = lake
        self._names = names
        self._told, self._done, self._said = told, done, said
        self._stop = threading.Event()
        self._awake = datetime.now(UTC)
        self._looked = time.time()
        self._open: dict[str, tuple[Turn, str]] = {}
        self._still: dict[str, tuple[str, float]] = {}
        self._tried: dict[str, frozenset[tuple[str, str]]] = {}
        self._pauses: dict[str, tuple[float, float]] = {}
        self._again_at: dict[str, float] = {}
        self._complaints: dict[str, str] = {}

    def stop(self) -> None:
        """Let it end: at once while it waits, else with the run that it is at. May be called from anywhere."""
        self._stop.set()

    def run(self, seconds_max: float | None = None) -> None:
        """Serve until `stop`, or for so many seconds; runs come one after the other, in this thread.

        No error of a run or of the store ends it: each is said, and it goes on.
        """
        until = None if seconds_max is None else time.monotonic() + seconds_max
        with self._lake.one_parser():
            while not self._stop.is_set() and (until is None or time.monotonic() < until):
                self.look()
                self._stop.wait(LOOK_SECONDS)

    def look(self) -> None:
        """Run what is due now."""
        if time.time() - self._looked > ASLEEP_SECONDS:
            self._awake = datetime.now(UTC)
        with self._complaining(""):
            self._lake.reread()
        for timetable in self._lake.settings.timetables().values():
            if not self._stop.is_set() and (not self._names or timetable.name in self._names):
                with self._complaining(timetable.name):
                    self._serve(timetable)
        self._looked = time.time()

    def now(self, timetable: Timetable) -> RunResult | None:
        """Run a schedule at once, whatever its times; None where its run is at work already. Raises `LakeError`."""
        turns = Turns(self._lake.objects, timetable.key)
        found = turns.newest()
        if found is not None and found[0].is_at_work and not self._is_gone(timetable, *found):
            return None
        taken = self._take(timetable, turns, found, Due(datetime.now(UTC), "asked for"))
        return None if taken is None else self._run(timetable, turns, taken)

    def _serve(self, timetable: Timetable) -> None:
        turns = Turns(self._lake.objects, timetable.key)
        if timetable.name in self._open:
            self._close(timetable, turns, *self._open[timetable.name])
        found = turns.newest()
        if found is None and timetable.cron is not None:
            turns.put(self._first(), None)
            return
        due = self._due(timetable, found)
        if due is None:
            return
        taken = self._take(timetable, turns, found, due)
        if taken is None:
            return
        again = f", try {due.tries}" if due.tries > 1 else ""
        self._said(f"{timetable.name}: {shown_time(timetable, due.at)} ({due.why}{again})")
        try:
            self._done(self._run(timetable, turns, taken))
        except LakeError as error:
            self._said(f"{timetable.name}: error: {error}")

    def _due(self, timetable: Timetable, found: tuple[Turn, str] | None) -> Due | None:
        """What is due; the turn was read before anything else is, so that one taken meanwhile is not taken again."""
        is_gone = found is not None and found[0].is_at_work and self._is_gone(timetable, *found)
        clock = Clock(datetime.now(UTC), self._awake)
        turn = self._first() if found is None else found[0]
        if timetable.cron is not None:
            return due_by_clock(timetable, turn, clock, is_gone=is_gone)
        now = time.monotonic()
        if now < self._pauses.get(timetable.name, (0.0, 0.0))[0]:
            return None
        landed = fresh = self._landed(timetable)
        if now < self._again_at.get(timetable.name, 0.0):
            fresh = landed - self._tried[timetable.name]
        due = due_by_change(timetable, turn, self._published(timetable), len(fresh), clock, is_gone=is_gone)
        if due is not None:
            self._tried[timetable.name], self._again_at[timetable.name] = landed, now + STAYS_SECONDS
        return due

    def _take(self, timetable: Timetable, turns: Turns, found: tuple[Turn, str] | None, due: Due) -> "_Taken | None":
        """Take a turn; None where another was first."""
        before, etag = (None, None) if found is None else found
        turn = replace(
            self._new(1 if before is None else before.number + 1, due.at),
            seen=self._published(timetable),
            tries=due.tries,
        )
        standing = turns.put(turn, etag)
        return None if standing is None else _Taken(turn, standing, {} if before is None else dict(before.seen))

    def _run(self, timetable: Timetable, turns: Turns, taken: "_Taken") -> RunResult:
        """Run the jobs of a schedule whose turn was taken; what it came to is put down, however it ends."""
        turn, status = taken.turn, "interrupted"
        try:
            with taken.beating(turns), called_by(f"schedule {timetable.name}"):
                result = run(self._lake, timetable.run, told=self._told)
            status = "failed" if result.failed else "ok"
            turn = replace(turn, run=result.run, seen=_seen(timetable, turn, result))
            self._pauses.pop(timetable.name, None)
        except (LakeError, OSError) as error:
            failure = blamed(error)
            status = "failed"
            if isinstance(failure, _AGAIN):
                turn = replace(turn, seen=taken.seen)
            self._pause(timetable.name)
            raise failure from None
        finally:
            ended = replace(turn, beats=taken.beats + 1, ended=datetime.now(UTC), status=status)
            with suppress(LakeError):
                self._close(timetable, turns, ended, taken.etag)
            self._looked = time.time()
        return result

    def _close(self, timetable: Timetable, turns: Turns, ended: Turn, etag: str) -> None:
        """Put down the end of a turn; where the store does not take it now, at a later look."""
        self._open[timetable.name] = (ended, etag)
        turns.put(ended, etag)
        del self._open[timetable.name]
        if timetable.cron is not None and ended.due is not None and ended.ended is not None:
            passed = timetable.cron.latest(max(ended.due, ended.at), ended.ended)
            if passed is not None:
                self._said(
                    f"{timetable.name}: {shown_time(timetable, passed)} is skipped: the run before it was at work"
                )

    def _first(self) -> Turn:
        """No turn yet: the schedule is served from now on."""
        turn = self._new(0, None)
        return replace(turn, ended=turn.at, status="ok")

    def _new(self, number: int, due: datetime | None) -> Turn:
        host, space, process = here()
        return Turn(number, datetime.now(UTC), host, space, process.pid, process.started, due=due)

    def _is_gone(self, timetable: Timetable, turn: Turn, etag: str) -> bool:
        """Whether the server that took a turn is gone: its process is, or nothing was heard of it for long."""
        process = seen_from_here(turn)
        if process is not None:
            return not process.is_running()
        known, since = self._still.get(timetable.name, ("", 0.0))
        if known != etag:
            self._still[timetable.name] = (etag, time.monotonic())
            return False
        return time.monotonic() - since > STILL_SECONDS

    def _published(self, timetable: Timetable) -> dict[str, int]:
        """The published versions of the tables whose change calls for a run."""
        if not timetable.when:
            return {}
        head = self._lake.log.head()
        return {str(name): version for name in timetable.when if (version := head.version(name)) is not None}

    def _landed(self, timetable: Timetable) -> frozenset[tuple[str, str]]:
        """The files in landing of the datasets whose change calls for a run."""
        if not timetable.datasets:
            return frozenset()
        route = self._lake.settings.routes().dataset_of
        versions = self._lake.objects.list_versions(Zone.LANDING)
        return frozenset((each.key, each.version_id) for each in versions if route(each.key) in timetable.datasets)

    def _pause(self, name: str) -> None:
        seconds = min(RETRY_SECONDS_MAX, max(RETRY_SECONDS, self._pauses.get(name, (0.0, 0.0))[1] * 2))
        self._pauses[name], self._again_at[name] = (time.monotonic() + seconds, seconds), 0.0

    @contextmanager
    def _complaining(self, name: str) -> Iterator[None]:
        """Say an error within once, and go on."""
        try:
            yield
        except (LakeError, OSError) as error:
            failure = blamed(error)
            if self._complaints.get(name) != failure.kind:
                told = f"{name}: error: {failure}".removeprefix(": ")
                self._said(f"{told}\n  it is tried again until it works")
            self._complaints[name] = failure.kind
        else:
            if self._complaints.pop(name, ""):
                self._said(f"{name}: it works again".removeprefix(": "))


class _Taken:
    """A turn that was taken: while its run is at work, its object is written again now and then."""

    def __init__(self, turn: Turn, etag: str, seen: dict[str, int]) -> None:
        self.turn, self.etag, self.seen, self.beats = turn, etag, seen, 0

    @contextmanager
    def beating(self, turns: Turns) -> Iterator[None]:
        """Within, whoever looks sees that the turn moves."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT_SECONDS):
                with suppress(LakeError):
                    standing = turns.put(replace(self.turn, beats=self.beats + 1), self.etag)
                    if standing is None:
                        return
                    self.beats, self.etag = self.beats + 1, standing

        thread = threading.Thread(target=beat, name="beat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _seen(timetable: Timetable, turn: Turn, result: RunResult) -> dict[str, int]:
    """The versions that a run knows of: those that it made itself, else those from before it.

    What another has published meanwhile is news, even where this run has read it already.
    """
    made = {str(outcome.table): outcome.version for outcome in result.outcomes if outcome.status == "ran"}
    for batch in result.batches:
        made |= {str(name): max(version, made.get(str(name)) or 0) for name, version in batch.versions.items()}
    own = {str(name): made.get(str(name)) for name in timetable.when}
    return dict(turn.seen) | {name: version for name, version in own.items() if version is not None}


def shown_time(timetable: Timetable, at: datetime) -> str:
    """A time as a schedule's own clock shows it."""
    zone = ZoneInfo(timetable.cron.zone) if timetable.cron is not None else UTC
    return at.astimezone(zone).isoformat(" ", "minutes")
