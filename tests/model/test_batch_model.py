"""Random schedules of suppliers and ingesters on a real store, with deaths between any two requests.

The rules are those of the protocol's model: whatever happened, after one clean ingest landing is empty, every delivery
has one outcome, and bronze is what the accounts say. A schedule is made from its seed; LAKE_SCHEDULES=200 tries more.
"""

import os
import random
import signal
from contextlib import ExitStack
from multiprocessing.context import ForkServerProcess
from queue import Queue

import pytest

from catalog.objects import Endpoint
from tests.faults.bench import Bench
from tests.faults.checks import UNREADABLE, check_once, readable
from tests.faults.victim import start_ingest, was_killed
from tests.support.proxy import Proxy
from tests.support.stores import SERVERS, Stores, lake_on

SCHEDULES = int(os.environ.get("LAKE_SCHEDULES", "4"))
STEPS = 16
REQUESTS_MAX = 140
RUNNING_MAX = 2
KEYS = ("a/1.csv", "a/2.csv", "b/1.csv")
BODIES = (*(readable(*range(first, first + 3)) for first in range(4)), readable(), *UNREADABLE[:2])


class Ingesters:
    """Ingests in processes of their own, each before a proxy of its own that may kill it."""

    def __init__(self, endpoint: Endpoint, on_correction: str, stack: ExitStack) -> None:
        self._endpoint = endpoint
        self._on_correction = on_correction
        self._stack = stack
        self._running: list[ForkServerProcess] = []

    def start(self, requests_max: int | None) -> None:
        """Start an ingest, when there is room for one; it dies at a request, which the store may see and answer."""
        if len(self._running) == RUNNING_MAX:
            was_killed(self._running.pop(0))
        proxy = self._stack.enter_context(Proxy(self._endpoint))
        started: Queue[ForkServerProcess] = Queue()

        def kill(_: object) -> None:
            if len(proxy.log) == requests_max:
                os.kill(started.get().pid or 0, signal.SIGKILL)

        proxy.on_request(kill, "*", "", times=None)
        self._running.append(start_ingest(proxy.endpoint, self._on_correction))
        started.put(self._running[-1])

    def wait(self) -> None:
        """Wait until all have ended, in one way or the other."""
        while self._running:
            was_killed(self._running.pop())


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_every_delivery_once_whoever_dies_when(stores: Stores, seed: int) -> None:
    """Drops, deletes and ingests that die, two at a time; then a clean ingest, and the assertions of the model."""
    rng = random.Random(seed)
    bench = Bench(lake_on(stores(SERVERS[seed // 2 % 2])), ("append", "replace")[seed % 2])
    with ExitStack() as stack:
        ingesters = Ingesters(bench.endpoint, bench.on_correction, stack)
        for _ in range(STEPS):
            step = rng.choices(["drop", "delete", "ingest", "wait"], [10, 1, 4, 2])[0]
            if step == "drop":
                bench.drop(rng.choice(KEYS), rng.choice(BODIES))
            elif step == "delete":
                bench.delete(rng.choice(KEYS))
            elif step == "ingest":
                ingesters.start(rng.choice([None, *range(1, REQUESTS_MAX)]))
            else:
                ingesters.wait()
        ingesters.wait()
    bench.ingest()
    check_once(bench)
