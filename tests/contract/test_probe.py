"""The probe: both servers pass, and a store that breaks one promise is refused by name.

Each broken store is a real one behind a proxy that undoes a condition at the moment at which it would be asked.
"""

import itertools
from collections.abc import Callable

import pytest

from catalog.errors import UnsafeStore
from catalog.objects import Endpoint, ObjectStore, probe, require_versions
from catalog.objects.client import connect
from catalog.objects.probe import RACERS
from catalog.zones import Zone
from tests.support.proxy import Proxy, Request


@pytest.fixture
def direct(endpoint: Endpoint) -> ObjectStore:
    return ObjectStore(endpoint)


def key_of(request: Request) -> str:
    """The key in the catalog's bucket that a request is about."""
    return request.target.partition("?")[0].split("/", maxsplit=2)[2]


def test_both_servers_keep_every_promise(direct: ObjectStore) -> None:
    """The probe passes, and leaves nothing behind."""
    probe(direct)
    assert list(direct.list_objects(Zone.CATALOG)) == []


def test_a_store_that_ignores_if_none_match(proxy: Proxy, direct: ObjectStore) -> None:
    """A second writer that replaces the first is refused, in words that say what to use instead."""
    proxy.on_request(lambda request: direct.delete(Zone.CATALOG, key_of(request)), "PUT", "/once$", times=None)
    refused(proxy, "ignores If-None-Match")
    assert list(direct.list_objects(Zone.CATALOG)) == []


def test_a_store_that_looks_and_then_writes(proxy: Proxy, direct: ObjectStore) -> None:
    """A condition that holds for one writer after the other, and not for racers, is refused."""
    arrived = itertools.count(1)

    def let_the_last_win_too(request: Request) -> None:
        if next(arrived) == RACERS:
            while not direct.exists(Zone.CATALOG, key_of(request)):
                pass
            direct.delete(Zone.CATALOG, key_of(request))

    proxy.on_request(let_the_last_win_too, "PUT", "/race$", times=None)
    refused(proxy, "2 of 8 racing writers")


def test_a_store_that_ignores_if_match(proxy: Proxy, direct: ObjectStore) -> None:
    """A stale writer that replaces a newer object is refused."""
    is_stale = iter([False, False, True])

    def bring_back(request: Request) -> None:
        if next(is_stale):
            direct.put(Zone.CATALOG, key_of(request), b"0123456789")

    proxy.on_request(bring_back, "PUT", "/swapped$", times=None)
    refused(proxy, "If-Match")


@pytest.mark.parametrize("body", [b"abcdefghij", b"abc", b""])
def test_a_store_that_ignores_ranges(body: bytes, proxy: Proxy) -> None:
    """The whole object, another part of it or nothing is not the range that was asked for."""
    proxy.rewrite(lambda _: body, "GET", "/swapped$")
    refused(proxy, "range")


def test_a_landing_without_versions(proxy: Proxy, endpoint: Endpoint) -> None:
    """Refused, naming the bucket and what switches versions on."""
    s3, bucket = connect(endpoint), endpoint.bucket(Zone.LANDING)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    refused(proxy, bucket)
    with pytest.raises(UnsafeStore, match="lake up"):
        require_versions(ObjectStore(endpoint))


@pytest.mark.parametrize("fault", [Proxy.drop_reply, Proxy.drop_request])
def test_a_store_that_stumbles_is_not_called_unsafe(fault: Callable[..., object], proxy: Proxy) -> None:
    """Lost requests and replies say nothing of its promises."""
    for key in ("once", "race", "swapped"):
        fault(proxy, "PUT", f"/{key}$")
    probe(ObjectStore(proxy.endpoint))


def refused(proxy: Proxy, what: str) -> None:
    """The probe refuses the store behind the proxy, naming it, what it breaks and what to do next."""
    with pytest.raises(UnsafeStore, match=what) as raised:
        probe(ObjectStore(proxy.endpoint))
    told = str(raised.value)
    assert proxy.endpoint.url in told or proxy.endpoint.bucket(Zone.LANDING) in told
    assert "next: " in told
    assert proxy.endpoint.secret_key not in told
