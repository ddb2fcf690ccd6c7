"""kill -9 at every step of a batch: after a clean ingest every record is there once."""

import pytest

from catalog import failpoints
from tests.faults.bench import Bench
from tests.faults.checks import UNREADABLE, check_once, readable
from tests.faults.samples import sample
from tests.faults.victim import start_ingest, was_killed
from tests.support.stores import SERVERS, Stores, lake_on

POINTS = {point: point.replace(".", "_") for point in failpoints.POINTS if point != "catalog.published"}
"""The points that an ingest reaches, each with the dataset that dies there."""


def _fill(bench: Bench, dataset: str) -> None:
    """A correction, a duplicate, two versions of a name, a bad file and a deleted one."""
    bench.drop(f"{dataset}/1.csv", readable(1, 20))
    bench.drop(f"{dataset}/2.csv", readable(3))
    bench.drop(f"{dataset}/3.csv", readable(4))
    bench.drop(f"{dataset}/3.csv", readable(5))
    bench.drop(f"{dataset}/bad.csv", UNREADABLE[0])
    bench.drop(f"{dataset}/gone.csv", readable(6))
    bench.delete(f"{dataset}/gone.csv")
    for number, form in enumerate(("dirty csv", "zip", "xlsx", "parquet", "xml")):
        bench.drop(f"{dataset}/form {number}.csv", sample(form, 10 * number, 10 * number + 1).body)


@pytest.mark.parametrize(("server", "time"), [(server, time) for time, server in enumerate(SERVERS, start=1)])
def test_who_dies_at_a_point_loses_nothing_and_doubles_nothing(stores: Stores, server: str, time: int) -> None:
    """A process dies at each point when it reaches it for the first time, on the other server for the second time."""
    bench = Bench(lake_on(stores(server)))
    for dataset in POINTS.values():
        bench.drop(f"{dataset}/1.csv", readable(1, 2))
        bench.drop(f"{dataset}/2.csv", readable(3))
    bench.ingest()
    for point, dataset in POINTS.items():
        _fill(bench, dataset)
        datasets = [dataset, f"{dataset}_next"][:time]
        bench.drop(f"{datasets[-1]}/4.csv", readable(7))
        bench.drop(f"{datasets[-1]}/bad.csv", UNREADABLE[1])
        doomed = start_ingest(bench.endpoint, armed=(point, time), datasets=tuple(datasets))
        assert was_killed(doomed), point
    bench.ingest()
    check_once(bench)
    assert bench.ingest() == []
