"""Ingesters at once that route landing files by different patterns: no file is taken twice, and none is left behind."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from catalog import failpoints
from catalog.errors import Conflict, UsageError
from catalog.ledger import Fate
from catalog.objects import Endpoint, Sequence
from catalog.zones import TableName, Zone
from ingestion import landing
from ingestion.batch import Finished
from ingestion.ingest import VOID_ROUNDS_MAX
from ingestion.manifest import Manifest, encode, manifests, now
from ingestion.options import DatasetPolicy
from ingestion.retake import Replay, replay, retract
from ingestion.routing import EPOCHS, Routes, newest_epoch, settle_epoch
from tests.faults.bench import Bench, Drop
from tests.faults.checks import readable
from tests.faults.victim import start_ingest, was_killed
from tests.support.proxy import Proxy

PATTERNS = Routes({"prices": ("cpi_*",)})
KEYS = ("inbox/cpi_1.csv", "inbox/cpi_2.csv", "inbox/other.csv")
DATASETS = ("inbox", "prices")
ROUNDS = 2

STEPS = (
    "epoch.settled",
    "landing.listed",
    "manifest.created",
    "delivery.archived",
    "outcome.created",
    "account.created",
    "bronze.committed",
    "ledger.committed",
    "delivery.cleared",
    "batch.done",
)
"""What an ingester goes through, in order."""


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """Fail points that a test arms are disarmed after it."""
    yield
    failpoints.armed = None


def routed(bench: Bench, routes: Routes) -> Bench:
    """The same lake as another project sees it, with these patterns."""
    other = Bench(bench.endpoint, bench.on_correction)
    other.policy = replace(other.policy, routes=routes)
    return other


def meanwhile(point: str, call: Callable[[], object], times: int = 1) -> None:
    """Have this called at the first reaches of a point, and nothing while it runs."""
    left = [times]

    def reach(name: str) -> None:
        if name == point and left[0]:
            left[0] -= 1
            failpoints.armed = None
            call()
            failpoints.armed = reach

    failpoints.armed = reach


def check_taken_once(bench: Bench) -> None:
    """Landing is empty; each version has one entry and its row, which is its key, is in one of the tables."""
    assert bench.landing() == []
    assert Counter(entry.version_id for entry in bench.ledger()) == Counter(drop.version_id for drop in bench.drops)
    tables = [bench.tables.open(TableName(Zone.BRONZE, dataset)) for dataset in DATASETS]
    ids = [each for table in tables if table is not None for each in table.scan().collect()["id"]]
    assert sorted(ids) == sorted(row_of(drop) for drop in bench.drops)


def row_of(drop: Drop) -> str:
    """The one id that a dropped file has."""
    assert drop.body is not None
    return drop.body.decode().splitlines()[1].partition(",")[0]


@pytest.mark.parametrize("point", STEPS)
def test_another_ingester_at_any_step(fast_endpoint: Endpoint, point: str) -> None:
    """While one with patterns is at a step, one without takes in all that it can: every file comes once."""
    bench = Bench(fast_endpoint, "append")
    if STEPS.index(point) % 2:
        for key in KEYS:
            bench.drop(key, readable(f"old {key}"))
        bench.ingest()
    for key in KEYS:
        bench.drop(key, readable(key))
    one, other = routed(bench, PATTERNS), routed(bench, Routes())
    meanwhile(point, other.ingest)
    one.ingest()
    check_taken_once(bench)
    assert one.ingest() == []


def test_what_was_void_comes_in_with_the_next_round(fast_endpoint: Endpoint) -> None:
    """A change of patterns after the plan was made: nothing of it is done, the same ingest takes the files in."""
    bench = Bench(fast_endpoint)
    gone = bench.drop("inbox/gone.csv", readable("gone"))
    bench.delete(gone.key)
    for key in KEYS:
        bench.drop(key, readable(key))
    one = routed(bench, PATTERNS)
    meanwhile("manifest.created", lambda: settle_epoch(bench.objects, Routes()))
    told: list[object] = []
    finished = one.ingest(told=told.append)
    assert [batch.manifest.number for batch in finished if batch.manifest.dataset == "prices"] == [1]
    assert [batch.manifest.number for batch in finished if batch.manifest.dataset == "inbox"] == [2]
    assert [batch for batch in told if isinstance(batch, Finished)] == finished
    assert one.fates("inbox") == [("gone.csv", "withdrawn"), ("other.csv", "ingested")]
    assert one.fates("prices") == [("cpi_1.csv", "ingested"), ("cpi_2.csv", "ingested")]
    assert bench.objects.exists(Zone.CATALOG, "batches/inbox/00000001/done")
    assert bench.landing() == []


def test_patterns_that_never_agree_are_a_conflict_that_says_what_to_do(fast_endpoint: Endpoint) -> None:
    """An ingester whose batches are void again and again ends, loses nothing, and works when it is alone."""
    bench = Bench(fast_endpoint)
    for key in KEYS:
        bench.drop(key, readable(key))
    one = routed(bench, PATTERNS)
    meanwhile("manifest.created", lambda: settle_epoch(bench.objects, Routes()), times=100)
    with pytest.raises(Conflict, match=r"other patterns.* of inbox or prices .*\n.*`files` patterns in lake\.toml"):
        one.ingest()
    assert newest_epoch(bench.objects) == 2 * VOID_ROUNDS_MAX
    assert len(bench.landing()) == len(KEYS)
    failpoints.armed = None
    one.ingest()
    check_taken_once(bench)


def test_patterns_that_are_alike_are_one_epoch(fast_endpoint: Endpoint) -> None:
    """None is epoch 0, of which nothing is written; the order of one dataset's patterns means nothing."""
    objects = Bench(fast_endpoint).objects
    assert settle_epoch(objects, Routes({"a": ()})) == 0
    assert settle_epoch(objects, Routes({"a": ("1", "2"), "b": ("*",)})) == 1
    assert settle_epoch(objects, Routes({"a": ("2", "1"), "c": (), "b": ("*",)})) == 1
    assert settle_epoch(objects, Routes({"b": ("*",), "a": ("1", "2")})) == 2
    assert settle_epoch(objects, Routes()) == 3
    assert settle_epoch(objects, Routes()) == 3


def test_patterns_in_a_newer_format_are_left_alone(fast_endpoint: Endpoint) -> None:
    """An ingester that cannot read how files are routed takes none."""
    bench = Bench(fast_endpoint)
    bench.drop(KEYS[0], readable(1))
    Sequence(bench.objects, Zone.CATALOG, EPOCHS).create(1, b'{"format": 2}')
    with pytest.raises(UsageError, match="format 2"):
        bench.ingest()
    assert len(bench.landing()) == 1


@pytest.mark.parametrize("count", [1, 6])
def test_what_it_costs_does_not_grow_with_the_files(endpoint: Endpoint, proxy: Proxy, count: int) -> None:
    """One listing of the epochs a round, of which the second finds landing empty, and one a batch."""
    bench = routed(Bench(proxy.endpoint), PATTERNS)
    for number in range(count):
        bench.drop(f"inbox/{number}.csv", readable(number))
    bench.ingest()
    assert len(proxy.seen("GET", r"list-type=2.*prefix=routes")) == 3


def test_a_lost_reply_to_a_new_epoch_makes_no_other(endpoint: Endpoint, proxy: Proxy) -> None:
    """It is there, whatever the store said, and the ingest goes on in it."""
    bench = routed(Bench(proxy.endpoint), PATTERNS)
    bench.drop(KEYS[0], readable(1))
    rules = [proxy.drop_reply("PUT", r"/routes/"), proxy.answer(503, "GET", r"routes")]
    bench.ingest()
    assert all(rule.hits for rule in rules)
    assert newest_epoch(bench.objects) == 1
    assert bench.rows("prices")["id"].to_list() == ["1"]


@pytest.mark.parametrize("patterns", [Routes(), PATTERNS], ids=["without patterns", "with patterns"])
def test_a_manifest_of_an_older_lake_is_of_epoch_0(fast_endpoint: Endpoint, patterns: Routes) -> None:
    """It is finished where there are no patterns; where there are, what it planned comes by these."""
    bench = Bench(fast_endpoint)
    for key in KEYS:
        bench.drop(key, readable(key))
    found = landing.find(bench.objects)
    plan = Manifest("inbox", 1, found["inbox"], {}, now(), DatasetPolicy(), begun_by="elsewhere:1")
    body = {name: value for name, value in json.loads(encode(plan)).items() if name != "epoch"} | {"format": 2}
    assert Sequence(bench.objects, Zone.CATALOG, manifests("inbox")).create(1, json.dumps(body).encode())
    routed(bench, patterns).ingest()
    check_taken_once(bench)
    assert len(bench.ledger("prices")) == (2 if patterns.patterns else 0)
    assert {entry.batch for entry in bench.ledger("inbox")} == {f"inbox/0000000{2 if patterns.patterns else 1}"}


def test_what_is_read_again_or_taken_back_is_never_void(fast_endpoint: Endpoint) -> None:
    """It has no version in landing that could come twice: patterns may change as they like."""
    bench = Bench(fast_endpoint)
    bench.drop("inbox/other.csv", readable(1))
    bench.ingest()
    [entry] = bench.ledger()
    settle_epoch(bench.objects, PATTERNS)
    [again] = replay(bench.tables, bench.policy, [Replay(entry.delivery)])
    assert [made.fate for made in again.entries] == [Fate.INGESTED]
    meanwhile("manifest.created", lambda: settle_epoch(bench.objects, Routes()))
    [back] = retract(bench.tables, bench.policy, ["inbox/other.csv"])
    assert [made.fate for made in back.entries] == [Fate.RETRACTED]
    assert bench.bronze("inbox").rows == 0


def test_processes_of_different_patterns_some_of_them_dying(endpoint: Endpoint) -> None:
    """Four at once in each round, two of each routing, one of each dies somewhere; then one takes the rest."""
    bench = Bench(endpoint, "append")
    rng = random.Random(3)
    for number in range(ROUNDS):
        for key in KEYS:
            bench.drop(key, readable(f"{key} {number}"))
        deaths = [(None, rng.randint(1, 2 * len(STEPS))) for _ in range(2)]
        processes = [
            start_ingest(endpoint, "append", armed=armed, routes=routes)
            for routes, dying in ((PATTERNS, deaths[0]), (Routes(), deaths[1]))
            for armed in (dying, None)
        ]
        for process in processes:
            was_killed(process)
    routed(bench, PATTERNS).ingest()
    check_taken_once(bench)
