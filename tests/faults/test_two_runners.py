"""Runners of the whole at once, all of which live: every record once, and nothing that does not belong together."""

import os
import random
import subprocess
import sys
from pathlib import Path

from catalog.errors import ExitCode
from catalog.objects import Endpoint
from tests.faults.bench import Bench
from tests.faults.shop import bring, check_commit, check_ended, check_settled, found_shop, shops_file
from tests.support.projects import variables
from tests.support.stores import ROOT

ROUNDS = 2
AT_ONCE = 3
SECONDS_MAX = 200


def test_runners_at_once_publish_every_record_once(endpoint: Endpoint, tmp_path: Path) -> None:
    """One that comes too late to publish says so, and has done no harm: a run that follows finds all in order."""
    bench, rng = Bench(endpoint), random.Random(3)
    lake = found_shop(endpoint, tmp_path)
    bench.drop("shops/shops.csv", shops_file(rng))
    command = [sys.executable, "-m", "lake", "-C", str(tmp_path), "run"]
    environ = os.environ | variables(endpoint) | {"PYTHONPATH": str(ROOT)}
    for _ in range(ROUNDS):
        for _ in range(4):
            bring(bench, rng)
        running = [subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) for _ in range(AT_ONCE)]
        codes = {each.wait(SECONDS_MAX) for each in running}
        assert codes <= {ExitCode.OK, ExitCode.DATA_REFUSED, ExitCode.CONFLICT}
        assert codes & {ExitCode.OK, ExitCode.DATA_REFUSED}
    assert not lake.run().failed
    check_settled(bench, lake)
    check_ended(lake)
    for number in range(1, lake.log.head().number + 1):
        check_commit(lake, number)
