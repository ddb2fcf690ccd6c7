"""Several ingesters at once over the same landing: every record once, whoever of them dies."""

import random

from catalog import failpoints
from catalog.ledger import Fate
from catalog.objects import Endpoint
from ingestion.ingest import Policy, ingest
from ingestion.parser import ParserLimits
from tests.faults.bench import LIMITS, Bench
from tests.faults.checks import UNREADABLE, check_once, readable
from tests.faults.samples import FORMS, sample
from tests.faults.victim import start_ingest, was_killed
from tests.support.proxy import Proxy

ROUNDS = 2


def test_three_at_once_one_of_them_dying(endpoint: Endpoint) -> None:
    """Three processes take in two datasets in each round; one dies at some point, the others do what it left."""
    bench = Bench(endpoint)
    rng = random.Random(1)
    for number in range(ROUNDS):
        for dataset in "ab":
            bench.drop(f"{dataset}/same.csv", readable(number))
            bench.drop(f"{dataset}/{number}.csv", readable(number, f"more {number}"))
            bench.drop(f"{dataset}/bad.csv", rng.choice(UNREADABLE))
            bench.drop(f"{dataset}/form.csv", sample(rng.choice(list(FORMS)), number, "form").body)
        doomed = (None, rng.randint(1, 2 * len(failpoints.POINTS)))
        processes = [start_ingest(endpoint, armed=armed) for armed in (doomed, None, None)]
        killed = [was_killed(process) for process in processes]
        assert killed[1:] == [False, False]
    bench.ingest()
    check_once(bench)


def test_two_who_finish_at_once_leave_nothing_to_do(endpoint: Endpoint) -> None:
    """Two that run to their ends have taken everything in: a third finds landing empty."""
    bench = Bench(endpoint)
    for number in range(6):
        bench.drop(f"{'ab'[number % 2]}/{number}.csv", readable(number))
    for process in [start_ingest(endpoint) for _ in range(2)]:
        assert not was_killed(process)
    check_once(bench)
    assert bench.ingest() == []


def test_two_who_disagree_about_a_file(fast_endpoint: Endpoint) -> None:
    """Limits strike one of two ingesters: what the first says who writes its account down is what stands everywhere."""
    bench = Bench(fast_endpoint)
    bench.drop("a/1.csv", readable(1))
    hurried = Policy(ParserLimits(LIMITS.memory_bytes, seconds_max=0), wait_s_max=0)
    with Proxy(fast_endpoint) as proxy:
        proxy.on_request(lambda _: ingest(bench.tables, hurried), "PUT", r"/account\.json")
        [batch] = Bench(proxy.endpoint).ingest()
    [entry] = bench.ledger()
    assert batch.entries == (entry,)
    assert (entry.fate, entry.rule) == (Fate.REJECTED, "worker")
    assert bench.quarantine()["file"].to_list() == ["a/1.csv"]
    assert bench.bronze("a").rows == 0
    bench.drop("a/1.csv", readable(1))
    bench.ingest()
    assert bench.rows("a")["id"].to_list() == ["1"]
