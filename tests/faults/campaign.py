"""A campaign of runs that die: ``python -m tests.faults.campaign --runs 200 --seed 1``.

Each run brings something to a small lake, starts the real command, now and then two at once, and kills it after a
random time or at a random fail point. Every few runs, and at the end, a run lives, and everything is compared with what
was dropped.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from catalog.errors import ExitCode
from catalog.objects import Endpoint
from tests.faults.bench import Bench
from tests.faults.doomed import WHO
from tests.faults.shop import bring, check_commit, check_ended, check_settled, found_shop, shops_file
from tests.support.projects import variables
from tests.support.stores import ROOT, SERVERS, lake_on, running

SETTLE_EVERY = 5

ENDS = (ExitCode.OK, ExitCode.DATA_REFUSED)
"""How a run ends that nobody kills: the second where a file was set aside, or where a worker was killed."""

REACHES_MAX = {"run": 25, "all": 8, "worker": 8}
"""So many fail points are reached in a run of some files, by its own process and by one of its workers."""

SECONDS_MAX = 600


class Campaign:
    """Runs against one lake, all of them from one seed."""

    def __init__(self, endpoint: Endpoint, folder: Path, seed: int, say: Callable[[str], None] = print) -> None:
        self._seed = seed
        self._say = say
        self._folder = folder
        self._log = folder / "said.log"
        self._environ = os.environ | variables(endpoint) | {"PYTHONPATH": str(ROOT)}
        self._bench = Bench(endpoint)
        self._lake = found_shop(endpoint, folder)
        self._checked = 0
        self._seconds = self._begin()

    def go(self, runs: int) -> None:
        """Do that many runs, and compare all commits at the end."""
        for number in range(1, runs + 1):
            self._run(number)
            if number % SETTLE_EVERY == 0 or number == runs:
                self._settle()
        for number in range(1, self._checked + 1):
            check_commit(self._lake, number)
        self._say(f"seed {self._seed}: {runs} runs, {self._checked} commits, every record once")

    def _begin(self) -> float:
        """Bring the first files, and let a first run live; how long it took, in seconds."""
        rng = random.Random(self._seed)
        self._bench.drop("shops/shops.csv", shops_file(rng))
        bring(self._bench, rng)
        begun = time.monotonic()
        code = self._start().wait(SECONDS_MAX)
        assert code in ENDS, self._log.read_text()[-2000:]
        return time.monotonic() - begun

    def _run(self, number: int) -> None:
        """One run of the campaign: something comes, one process or two start, and die."""
        rng = random.Random(f"{self._seed}/{number}")
        told = [bring(self._bench, rng) for _ in range(rng.randint(1, 3))]
        commands = [self._doom(rng, told) for _ in range(rng.choice([1, 1, 1, 2]))]
        codes = [command() for command in commands]
        self._say(f"seed {self._seed}/{number}: {', '.join(told)}; ended with {codes}")
        allowed = {*ENDS, -signal.SIGKILL} | ({ExitCode.CONFLICT} if len(codes) > 1 else set())
        assert set(codes) <= allowed, self._log.read_text()[-2000:]

    def _doom(self, rng: random.Random, told: list[str]) -> Callable[[], int]:
        """Start a command that will die, if it does not come to its end before; call the result to see to that."""
        if rng.random() < 0.5:
            who = rng.choice(WHO)
            doom = [who, str(rng.randint(1, REACHES_MAX[who]))]
            told.append(f"death of {who} at point {doom[1]}")
            process = self._start(*doom)
            return lambda: process.wait(SECONDS_MAX)
        due = time.monotonic() + (seconds := rng.uniform(0.3, 1.1) * self._seconds)
        told.append(f"death after {seconds:.2f} s")
        doomed = self._start()

        def kill() -> int:
            try:
                return doomed.wait(max(0.0, due - time.monotonic()))
            except subprocess.TimeoutExpired:
                doomed.kill()
                return doomed.wait()

        return kill

    def _start(self, *doom: str) -> "subprocess.Popen[bytes]":
        """The command in a process of its own, that dies at a fail point where ``doom`` says so."""
        module = ["tests.faults.doomed", *doom] if doom else ["lake"]
        return subprocess.Popen(
            [sys.executable, "-m", *module, "-C", str(self._folder), "run"],
            env=self._environ,
            stdout=subprocess.DEVNULL,
            stderr=self._log.open("ab"),
        )

    def _settle(self) -> None:
        """Let a run live; then everything is there once, and every commit since the last time holds together."""
        failed = self._lake.run().failed
        assert not failed, failed
        check_settled(self._bench, self._lake)
        check_ended(self._lake)
        newest = self._lake.log.head().number
        for number in range(self._checked + 1, newest + 1):
            check_commit(self._lake, number)
        self._checked = newest


def main() -> None:
    """Run a campaign on each of the servers that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--server", choices=SERVERS, action="append", help="default: both, half of the runs on each")
    given = parser.parse_args()
    servers = given.server or list(SERVERS)
    for place, server in enumerate(servers):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lake-campaign-")))
            endpoint = lake_on(stack.enter_context(running(server, folder / "server")))
            print(f"{server}:", flush=True)
            runs = given.runs // len(servers) + (place < given.runs % len(servers))
            Campaign(endpoint, folder / "project", given.seed, lambda told: print(told, flush=True)).go(runs)


if __name__ == "__main__":
    main()
