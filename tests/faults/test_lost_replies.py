"""A store that loses replies, says 503, or says 404 for what it has: no file is lost or doubled by that."""

from contextlib import suppress
from functools import partial

import pytest

from catalog.errors import LakeError, StoreError
from catalog.objects import Endpoint
from tests.faults.bench import Bench
from tests.faults.checks import UNREADABLE, check_once, readable
from tests.faults.samples import sample
from tests.faults.victim import start_ingest, was_killed
from tests.support.proxy import Proxy, Request

STEPS = {
    "manifest": ("PUT", r"/manifests/a/"),
    "archive": ("PUT", r"bronze/raw/a/"),
    "outcome": ("PUT", r"/outcome\.json"),
    "data": ("PUT", r"bronze/tables/a/part-"),
    "rejects": ("PUT", r"/rejects-"),
    "account": ("PUT", r"/account\.json"),
    "bronze": ("PUT", r"bronze/tables/a/_delta_log/"),
    "quarantine": ("PUT", r"tables/quarantine/_delta_log/"),
    "ledger": ("PUT", r"tables/ledger/_delta_log/"),
    "clear": ("POST", r"landing/?\?delete"),
    "done": ("PUT", r"/done"),
}
"""What a batch writes, in order."""


def _fill(bench: Bench) -> None:
    """A table of one file; then its correction, a bad file and a deleted one."""
    bench.drop("a/1.csv", readable(1, 2))
    bench.ingest()
    bench.drop("a/1.csv", readable(3))
    bench.drop("a/2.csv", UNREADABLE[0])
    bench.drop("a/3.csv", readable(4))
    bench.delete("a/3.csv")
    bench.drop("a/4.csv", readable(5))
    bench.drop("a/5.csv", sample("dirty csv", 6).body)


def test_a_lost_reply_to_each_write_of_a_batch(endpoint: Endpoint, proxy: Proxy) -> None:
    """Each write happens and its first answer is lost, all in one batch: it comes to its end, and once."""
    bench = Bench(endpoint)
    _fill(bench)
    rules = {step: proxy.drop_reply(*request) for step, request in STEPS.items()}
    Bench(proxy.endpoint).ingest()
    assert {step for step, rule in rules.items() if not rule.hits} == set()
    check_once(bench)


def test_a_store_that_is_busy_at_each_step_of_a_batch(endpoint: Endpoint, proxy: Proxy) -> None:
    """A 503 to the first request of each kind, and another to the second, delay a batch and do nothing else to it."""
    bench = Bench(endpoint)
    _fill(bench)
    rules = {step: proxy.answer(503, *request, times=2) for step, request in STEPS.items()}
    Bench(proxy.endpoint).ingest()
    assert {step for step, rule in rules.items() if not rule.hits} == set()
    check_once(bench)


def test_a_store_that_is_gone_from_one_step_on(endpoint: Endpoint) -> None:
    """An ingest that the store leaves alone at a step ends with an error of the store; the next one gets further."""
    bench = Bench(endpoint)
    _fill(bench)
    for request in STEPS.values():
        with Proxy(endpoint) as proxy:
            proxy.on_request(partial(_close, proxy), *request)
            with pytest.raises(StoreError):
                Bench(proxy.endpoint).ingest()
    bench.ingest()
    check_once(bench)


def _close(proxy: Proxy, _: Request) -> None:
    proxy.answer(403, "*", "", times=None)


def test_a_404_that_is_not_true_loses_no_file(endpoint: Endpoint, proxy: Proxy) -> None:
    """A copy that finds nothing is tried again while a fresh listing has the version."""
    bench = Bench(endpoint)
    _fill(bench)
    rule = proxy.answer(404, "PUT", r"bronze/raw/a/", times=4)
    Bench(proxy.endpoint).ingest()
    assert rule.left == 0
    check_once(bench)


def test_a_file_that_is_listed_and_never_found_stays_in_landing(endpoint: Endpoint, proxy: Proxy) -> None:
    """It holds up nothing else, the ingest comes to an end, and the file comes again with the next one."""
    bench = Bench(endpoint)
    _fill(bench)
    hidden = bench.drop("a/hidden.csv", readable(6))
    bench.drop("b/1.csv", readable(7))
    proxy.answer(404, "PUT", r"bronze/raw/a/", times=None)
    Bench(proxy.endpoint).ingest()
    assert hidden.key in {version.key for version in bench.landing()}
    assert hidden.key not in {entry.file for entry in bench.ledger()}
    assert bench.rows("b")["id"].to_list() == ["7"]
    bench.ingest()
    check_once(bench)


def test_a_404_that_is_not_true_for_a_batch_s_own_objects(endpoint: Endpoint) -> None:
    """A store that denies what is there may fail an ingest, but not make it do anything twice."""
    bench = Bench(endpoint)
    _fill(bench)
    assert was_killed(start_ingest(endpoint, armed=("bronze.committed", 1)))
    for pattern in (r"/manifests/a/", r"/outcome\.json", r"bronze/raw/", r"/account-", r"/done"):
        with Proxy(endpoint) as proxy:
            proxy.answer(404, "GET", pattern, times=2)
            proxy.answer(404, "HEAD", pattern, times=2)
            with suppress(LakeError):
                Bench(proxy.endpoint).ingest()
    bench.ingest()
    check_once(bench)


@pytest.mark.parametrize("number", range(1, 4))
def test_a_404_that_is_not_true_for_a_batch_s_commit(fast_endpoint: Endpoint, number: int) -> None:
    """A batch that was committed is not committed again, whichever of the requests for its commit finds nothing."""
    bench = Bench(fast_endpoint)
    bench.drop("a/1.csv", readable(1, 2))
    assert was_killed(start_ingest(fast_endpoint, armed=("bronze.committed", 1)))
    commit = r"bronze/tables/a/_delta_log/0{20}\.json"
    with Proxy(fast_endpoint) as proxy:

        def deny(_: Request) -> None:
            if len(proxy.seen("GET", commit)) == number - 1:
                proxy.answer(404, "GET", commit)

        if number == 1:
            proxy.answer(404, "GET", commit)
        proxy.on_request(deny, "GET", commit, times=None)
        with suppress(LakeError):
            Bench(proxy.endpoint).ingest()
    bench.ingest()
    check_once(bench)


def test_a_ledger_that_the_store_denies_is_not_taken_for_an_empty_one(endpoint: Endpoint, proxy: Proxy) -> None:
    """An ingest that cannot read what came before ends with an error, or knows it; it takes nothing in again."""
    bench = Bench(endpoint, "append")
    bench.drop("a/1.csv", readable(1))
    bench.ingest()
    for _ in range(3):
        bench.drop("a/1.csv", readable(1))
        rule = proxy.answer(404, "GET", r"catalog/tables/ledger/", times=2)
        with suppress(LakeError):
            Bench(proxy.endpoint, "append").ingest()
        proxy.remove(rule)
    bench.ingest()
    check_once(bench)
