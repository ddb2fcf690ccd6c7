"""Ingesting as files arrive: landing is listed every little while, and a listing is all that decides."""

import threading
import time
from collections.abc import Callable, Collection
from typing import TypeAlias

from catalog.errors import LakeError, NotFound
from catalog.zones import Zone
from lake.machine import blamed
from lake.publication import RunResult
from lake.runs import called_by
from lake.workspace import Workspace

LOOK_SECONDS = 0.5
RETRY_SECONDS_MAX = 30.0
"""After an error it is tried again, in twice the time each, up to this."""

Landed: TypeAlias = frozenset[tuple[str, str]]
"""The versions that lie in landing: key and version id."""


class Watch:
    """Watches landing until it is told to stop. Two of them on one lake do no harm: a batch is made once.

    ``work`` ingests, or runs; ``done`` hears of each result, ``said`` of errors and of their end, each once.
    """

    def __init__(
        self,
        lake: Workspace,
        work: Callable[[], RunResult],
        *,
        datasets: Collection[str] = (),
        done: Callable[[RunResult], None] = lambda _: None,
        said: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._lake = lake
        self._work = work
        self._datasets = datasets
        self._done = done
        self._said = said
        self._stop = threading.Event()
        self._tried: Landed | None = None
        self._again_at = 0.0
        self._wait_seconds = 0.0
        self._complaint = ""

    def stop(self) -> None:
        """Let it end: at once while it waits, else with the batch that it is at. May be called from anywhere."""
        self._stop.set()

    def run(self, seconds_max: float | None = None) -> None:
        """Watch until `stop`, or for so many seconds; what was open from before is finished first.

        No error ends it: each is said, and it is tried again.
        """
        until = None if seconds_max is None else time.monotonic() + seconds_max
        with self._lake.one_parser():
            while not self._stop.is_set() and (until is None or time.monotonic() < until):
                if not self._complaint or time.monotonic() >= self._again_at:
                    self._look()
                self._stop.wait(LOOK_SECONDS)

    def _look(self) -> None:
        """Work if something is in landing that was not there the last time, or that stayed there for a while."""
        try:
            # A pattern that routes files may have changed: two who go by different ones give up each other's batches.
            self._lake.reread()
            landed = self._landed()
            if self._tried is None or landed - self._tried or (landed and time.monotonic() >= self._again_at):
                self._work_on(landed)
                self._tried, self._again_at = landed, time.monotonic() + RETRY_SECONDS_MAX
            self._is_well()
        except (LakeError, OSError) as error:
            self._complain(blamed(error))

    def _work_on(self, landed: Landed) -> None:
        try:
            with called_by("watch"):
                result = self._work()
            self._done(result)
        except NotFound:
            # A dataset that is watched before its first file comes is in nobody's list yet.
            if landed or not self._datasets:
                raise

    def _landed(self) -> Landed:
        route = self._lake.settings.routes().dataset_of
        versions = self._lake.objects.list_versions(Zone.LANDING)
        return frozenset(
            (version.key, version.version_id)
            for version in versions
            if not self._datasets or route(version.key) in self._datasets
        )

    def _complain(self, error: LakeError) -> None:
        """Say an error once, and let some time pass."""
        self._wait_seconds = min(RETRY_SECONDS_MAX, max(LOOK_SECONDS, self._wait_seconds * 2))
        self._again_at = time.monotonic() + self._wait_seconds
        if error.kind != self._complaint:
            self._said(f"error: {error}\n  it is tried again until it works; Ctrl-C stops")
        self._complaint = error.kind

    def _is_well(self) -> None:
        if self._complaint:
            self._said("it works again")
        self._complaint, self._wait_seconds = "", 0.0
