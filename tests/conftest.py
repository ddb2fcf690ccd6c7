"""Fixtures that every test may use: real stores, and a proxy that misbehaves on request."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import settings

from catalog.objects import Endpoint
from tests.support.proxy import Proxy
from tests.support.stores import SERVERS, Stores, lake_on

settings.register_profile("same", derandomize=True, database=None)
settings.load_profile("same")
"""A change is judged on the same examples each time; `pytest --hypothesis-profile=default` draws new ones."""


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """``stores("minio")`` is the endpoint of a real server, started at the first call and stopped with the session."""
    with ExitStack() as stack:
        yield Stores(tmp_path_factory.mktemp, stack)


@pytest.fixture(params=SERVERS)
def endpoint(request: pytest.FixtureRequest, stores: Stores) -> Endpoint:
    """Each of the two servers, with five empty buckets that are this test's own."""
    return lake_on(stores(request.param))


@pytest.fixture
def fast_endpoint(stores: Stores) -> Endpoint:
    """One server, where it does not matter which: five empty buckets that are this test's own."""
    return lake_on(stores("minio"))


@pytest.fixture
def proxy(endpoint: Endpoint) -> Iterator[Proxy]:
    """A proxy before each of the two servers; ``proxy.endpoint`` goes through it, ``endpoint`` past it."""
    with Proxy(endpoint) as started:
        yield started


@pytest.fixture
def fast_proxy(fast_endpoint: Endpoint) -> Iterator[Proxy]:
    """A proxy before one server; ``fast_proxy.endpoint`` goes through it, ``fast_endpoint`` past it."""
    with Proxy(fast_endpoint) as started:
        yield started
