"""A machine that fails in the midst of an ingest: nothing is taken for bad data, and the next ingest goes on."""

import sys

import psutil
import pytest

from catalog import failpoints
from catalog.errors import MachineError
from catalog.ledger import Fate
from catalog.objects import Endpoint
from catalog.zones import TableName, Zone
from tests.faults.bench import Bench
from tests.faults.checks import check_once, readable
from tests.support import frozen


def parser_of_this_process() -> int:
    """The pid of the worker that the ingest under way has."""
    # What other tests have started and killed may not be taken note of yet, and has no command line any more.
    children = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    [worker] = [child for child in children if "ingestion.worker" in child.cmdline()]
    return worker.pid


def test_a_machine_that_cannot_parse_leaves_the_batch_open(
    fast_endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is committed, recorded or taken out of landing; once the machine is mended, each file is in once."""
    bench = Bench(fast_endpoint)
    drops = [bench.drop(f"a/{number}.csv", readable(number)) for number in range(3)]
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/bin/false")
        with pytest.raises(MachineError, match="the parser has no worker"):
            bench.ingest()
    assert {version.version_id for version in bench.landing()} == {drop.version_id for drop in drops}
    assert bench.tables.open(TableName(Zone.BRONZE, "a")) is None
    assert bench.ledger() == []
    bench.ingest()
    assert [fate for _, fate in bench.fates("a")] == ["ingested"] * 3
    check_once(bench)


def test_a_machine_that_fails_between_two_files_rejects_neither(
    fast_endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(fast_endpoint)
    for number in range(3):
        bench.drop(f"a/{number}.csv", readable(number))

    def take_its_files(point: str) -> None:
        if point == "data.parsed":
            psutil.Process(parser_of_this_process()).rlimit(psutil.RLIMIT_NOFILE, (3, 3))

    monkeypatch.setattr(failpoints, "armed", take_its_files)
    with pytest.raises(MachineError, match="Too many open files"):
        bench.ingest()
    monkeypatch.setattr(failpoints, "armed", None)
    bench.ingest()
    assert [fate for _, fate in bench.fates("a")] == ["ingested"] * 3
    check_once(bench)


def test_files_that_cannot_be_made_one_go_in_one_by_one(
    fast_endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parser that dies of putting small files together does not keep the dataset waiting: nothing is refused."""
    bench = Bench(fast_endpoint)
    for number in range(3):
        bench.drop(f"a/{number}.csv", readable(number))
    bench.drop("a/3.csv", readable(3).partition(b"\n")[0] + b"\n")
    parsed, threads = [], []

    def die_of_the_next_request(point: str) -> None:
        if point == "data.parsed":
            parsed.append(point)
            if len(parsed) == 4:
                pid = parser_of_this_process()
                threads.append(frozen.once_asked(pid, lambda: frozen.end(pid)))

    monkeypatch.setattr(failpoints, "armed", die_of_the_next_request)
    bench.ingest()
    [thread] = threads
    thread.join()
    assert [entry.fate for entry in bench.ledger()] == [Fate.INGESTED] * 4
    assert len(bench.bronze("a").files) == 3
    check_once(bench)
