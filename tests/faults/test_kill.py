"""kill -9 at every step of a batch: after a clean ingest every record is there once."""

import pytest

from catalog import failpoints
from catalog.objects import Endpoint
from tests.faults.bench import Bench
from tests.faults.checks import UNREADABLE, check_once, readable
from tests.faults.victim import start_ingest, was_killed

INGESTION = tuple(point for point in failpoints.POINTS if point != "catalog.published")


def _fill(bench: Bench) -> None:
    """Something in bronze; then a correction, a duplicate, two versions of a name, a bad file and a deleted one."""
    bench.drop("a/1.csv", readable(1, 2))
    bench.drop("a/2.csv", readable(3))
    bench.ingest()
    bench.drop("a/1.csv", readable(1, 20))
    bench.drop("a/2.csv", readable(3))
    bench.drop("a/3.csv", readable(4))
    bench.drop("a/3.csv", readable(5))
    bench.drop("a/bad.csv", UNREADABLE[0])
    bench.drop("a/gone.csv", readable(6))
    bench.delete("a/gone.csv")


@pytest.mark.parametrize("point", INGESTION)
def test_a_kill_at_a_point_and_another_at_a_later_reach_of_it(fast_endpoint: Endpoint, point: str) -> None:
    """Who dies at a point loses nothing and doubles nothing, nor does who helps, goes on, and dies there too."""
    bench = Bench(fast_endpoint)
    _fill(bench)
    assert was_killed(start_ingest(fast_endpoint, armed=(point, 1)))
    bench.drop("a/1.csv", readable(1, 2))
    bench.drop("b/1.csv", readable(7))
    bench.drop("b/bad.csv", UNREADABLE[1])
    assert was_killed(start_ingest(fast_endpoint, armed=(point, 2)))
    bench.ingest()
    check_once(bench)
    assert bench.ingest() == []
