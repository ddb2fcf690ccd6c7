"""The proxy that other tests rest on: requests pass unharmed, and its faults are the faults that it says."""

import itertools
import re
from pathlib import Path

import pytest

from catalog.errors import NotFound
from catalog.objects import Endpoint, ObjectStore, probe
from catalog.zones import Zone
from tests.support.proxy import Proxy, Request


@pytest.fixture
def store(proxy: Proxy) -> ObjectStore:
    return ObjectStore(proxy.endpoint)


@pytest.fixture
def direct(endpoint: Endpoint) -> ObjectStore:
    return ObjectStore(endpoint)


def test_a_store_behind_it_keeps_every_promise(store: ObjectStore) -> None:
    """Signatures, conditions, ranges, listings and versions work through the proxy."""
    probe(store)


def test_bodies_arrive_as_they_were(store: ObjectStore, direct: ObjectStore, tmp_path: Path) -> None:
    """Small, empty and multipart bodies, and keys that need escaping, are the same on either side."""
    large = b"0123456789abcdef" * (20 * 1024**2 // 16)
    (tmp_path / "large").write_bytes(large)
    store.put_file(Zone.BRONZE, "a folder/größe+=&.bin", tmp_path / "large")
    store.put(Zone.BRONZE, "empty", b"")
    assert direct.get(Zone.BRONZE, "a folder/größe+=&.bin") == large
    assert store.get(Zone.BRONZE, "a folder/größe+=&.bin") == large
    assert store.get(Zone.BRONZE, "empty") == b""
    assert [found.key for found in store.list_objects(Zone.BRONZE)] == ["a folder/größe+=&.bin", "empty"]


def test_a_lost_reply_is_of_a_request_that_took_place(proxy: Proxy, store: ObjectStore, direct: ObjectStore) -> None:
    """The object is there before the client tries again."""
    rule = proxy.drop_reply("PUT", "/key$")
    there: list[bytes] = []
    proxy.on_request(lambda _: there.append(_found(direct)), "PUT", "/key$", times=2)
    store.put(Zone.BRONZE, "key", b"body")
    assert there == [b"", b"body"]
    assert (rule.hits, [request.status for request in proxy.seen("PUT", "/key$")]) == (1, [None, 200])


def test_a_lost_request_did_not_take_place(proxy: Proxy, store: ObjectStore, direct: ObjectStore) -> None:
    """Nothing is there when the client tries again."""
    proxy.drop_request("PUT", "/key$", times=2)
    there: list[bytes] = []
    proxy.on_request(lambda _: there.append(_found(direct)), "PUT", "/key$", times=3)
    store.put(Zone.BRONZE, "key", b"body")
    assert there == [b"", b"", b""]
    assert direct.get(Zone.BRONZE, "key") == b"body"


def test_an_answer_is_given_as_often_as_said(proxy: Proxy, store: ObjectStore, direct: ObjectStore) -> None:
    """A false 404 hides what is there, twice; a 503 stands until its rule is taken away."""
    direct.put(Zone.BRONZE, "key", b"body")
    proxy.answer(404, "GET", "/key", times=2)
    for _ in range(2):
        with pytest.raises(NotFound):
            store.get(Zone.BRONZE, "key")
    assert store.get(Zone.BRONZE, "key") == b"body"
    rule = proxy.answer(503, "*", "/key", times=None)

    def relent(_: Request) -> None:
        if rule.hits == 3:
            proxy.remove(rule)

    proxy.on_request(relent, "GET", "/key", times=None)
    assert store.get(Zone.BRONZE, "key") == b"body"
    assert rule.hits == 3


def test_a_rewritten_reply_is_what_the_client_reads(proxy: Proxy, store: ObjectStore) -> None:
    """A listing whose objects are years older."""
    store.put(Zone.BRONZE, "key", b"body")
    aged = lambda body: re.sub(rb"<LastModified>\d{4}", b"<LastModified>1999", body)  # noqa: E731
    proxy.rewrite(aged, "GET", "list-type=2")
    assert [found.modified.year for found in store.list_objects(Zone.BRONZE)] == [1999]


def test_a_cut_reply_is_noticed(proxy: Proxy, store: ObjectStore, tmp_path: Path) -> None:
    """A body that ends too early is fetched again."""
    store.put(Zone.BRONZE, "key", b"0123456789")
    rule = proxy.cut_reply("GET", "/key", after_bytes=4)
    store.fetch(Zone.BRONZE, "key", tmp_path / "fetched")
    assert (rule.hits, (tmp_path / "fetched").read_bytes()) == (1, b"0123456789")


def test_rules_that_decide_act_one_after_the_other(proxy: Proxy, store: ObjectStore) -> None:
    """A 503, then a lost reply, then the truth."""
    proxy.answer(503, "PUT", "/key$")
    proxy.drop_reply("PUT", "/key$")
    proxy.delay(0.01, "PUT", "/key$", times=1)
    assert store.create(Zone.BRONZE, "key", b"mine")
    assert [request.status for request in proxy.seen("PUT", "/key$")] == [503, None, 412]


def test_a_callback_that_fails_fails_the_test(endpoint: Endpoint) -> None:
    """What goes wrong within a rule is not taken for a fault of the store."""
    numbers = itertools.count()

    def fail_once(_: Request) -> None:
        assert next(numbers) > 0

    proxy = Proxy(endpoint).__enter__()
    proxy.on_request(fail_once, "PUT", "/key$", times=None)
    ObjectStore(proxy.endpoint).put(Zone.BRONZE, "key", b"body")
    with pytest.raises(AssertionError, match="the proxy itself failed"):
        proxy.__exit__()


def _found(store: ObjectStore) -> bytes:
    try:
        return store.get(Zone.BRONZE, "key")
    except NotFound:
        return b""
