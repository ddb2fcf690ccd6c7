"""The object store's writing verbs on both servers: one winner, an honest answer after a lost reply, no key told."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.errors import AccessRefused, LakeError, StoreError
from catalog.objects import Endpoint, ObjectStore
from catalog.zones import Zone
from tests.support.proxy import Proxy


@pytest.fixture
def direct(endpoint: Endpoint) -> ObjectStore:
    return ObjectStore(endpoint)


@pytest.fixture
def through(proxy: Proxy) -> ObjectStore:
    return ObjectStore(proxy.endpoint)


def flip(body: bytes) -> bytes:
    """The same length with one bit changed."""
    return bytes([body[0] ^ 1]) + body[1:]


class TestCreate:
    def test_the_first_bytes_stay(self, direct: ObjectStore) -> None:
        """True for whoever's bytes stand there: a second writer is told no, or yes where it brings the same bytes."""
        assert direct.create(Zone.CATALOG, "key", b"first")
        assert not direct.create(Zone.CATALOG, "key", b"second")
        assert direct.create(Zone.CATALOG, "key", b"first")
        assert direct.get(Zone.CATALOG, "key") == b"first"

    def test_one_of_many_racers_wins(self, direct: ObjectStore) -> None:
        """32 threads race for 20 keys: one winner each, and its bytes stand there."""

        def race(racer: int) -> list[bool]:
            return [direct.create(Zone.CATALOG, f"{key}", f"racer {racer}".encode()) for key in range(20)]

        with ThreadPoolExecutor(32) as pool:
            won = list(pool.map(race, range(32)))
        winners = [[racer for racer in range(32) if won[racer][key]] for key in range(20)]
        stand = [direct.get(Zone.CATALOG, f"{key}").decode() for key in range(20)]
        assert [[f"racer {racer}" for racer in one] for one in winners] == [[name] for name in stand]

    @pytest.mark.usefixtures("impatient")
    def test_a_lost_reply_is_known_as_ones_own(self, proxy: Proxy, through: ObjectStore) -> None:
        """The PUT took place, nobody heard of it, the next try finds its own bytes."""
        proxy.drop_reply("PUT", "/key$", times=2)
        assert through.create(Zone.CATALOG, "key", b"mine")
        assert [request.status for request in proxy.seen("PUT", "/key$")] == [None, None, 412]

    @pytest.mark.usefixtures("impatient")
    @pytest.mark.parametrize("fault", ["drop_request", "drop_reply"])
    def test_a_rival_that_was_first_is_seen(
        self, fault: str, proxy: Proxy, through: ObjectStore, direct: ObjectStore
    ) -> None:
        """A lost request or reply does not make a rival's object one's own."""
        proxy.on_request(lambda _: direct.create(Zone.CATALOG, "key", b"rival"), "PUT", "/key$")
        getattr(proxy, fault)("PUT", "/key$")
        assert not through.create(Zone.CATALOG, "key", b"mine")
        assert direct.get(Zone.CATALOG, "key") == b"rival"

    @pytest.mark.usefixtures("impatient")
    @pytest.mark.parametrize("status", [409, 429, 500, 503])
    def test_a_store_that_stumbles_is_asked_again(self, status: int, proxy: Proxy, through: ObjectStore) -> None:
        """Several refusals that pass, then success."""
        proxy.answer(status, "PUT", "/key$", times=4)
        assert through.create(Zone.CATALOG, "key", b"mine")
        assert len(proxy.seen("PUT", "/key$")) == 5

    @pytest.mark.usefixtures("impatient")
    def test_a_body_altered_in_flight_is_refused(self, proxy: Proxy, through: ObjectStore, direct: ObjectStore) -> None:
        """The store keeps what was sent or nothing: SeaweedFS does not check the signed hash."""
        proxy.alter(flip, "PUT", "/once$", times=1)
        assert through.create(Zone.CATALOG, "once", b"body")
        assert direct.get(Zone.CATALOG, "once") == b"body"
        proxy.alter(flip, "PUT", "/always$", times=None)
        with pytest.raises(StoreError):
            through.create(Zone.CATALOG, "always", b"body")
        assert not direct.exists(Zone.CATALOG, "always")


class TestReplace:
    def test_only_the_standing_etag_is_replaced(self, direct: ObjectStore) -> None:
        """None makes what is not there; the right etag moves it on; a stale one, or None again, does not."""
        first = direct.replace(Zone.CATALOG, "key", b"one", None)
        assert direct.replace(Zone.CATALOG, "key", b"other", None) is None
        second = direct.replace(Zone.CATALOG, "key", b"two", first)
        assert second is not None
        assert direct.replace(Zone.CATALOG, "key", b"stale", first) is None
        assert direct.get_with_etag(Zone.CATALOG, "key") == (b"two", second)

    def test_what_is_gone_cannot_be_replaced(self, direct: ObjectStore) -> None:
        """An etag of an object that was deleted is stale, and nothing is made."""
        etag = direct.replace(Zone.CATALOG, "key", b"one", None)
        direct.delete(Zone.CATALOG, "key")
        assert direct.replace(Zone.CATALOG, "key", b"two", etag) is None
        assert not direct.exists(Zone.CATALOG, "key")

    @pytest.mark.usefixtures("impatient")
    @pytest.mark.parametrize("is_new", [True, False])
    def test_a_lost_reply_is_known_as_ones_own(
        self, is_new: bool, proxy: Proxy, through: ObjectStore, direct: ObjectStore
    ) -> None:
        """The new etag comes back, though the answer that held it did not."""
        etag = None if is_new else direct.replace(Zone.CATALOG, "key", b"one", None)
        proxy.drop_reply("PUT", "/key$")
        made = through.replace(Zone.CATALOG, "key", b"two", etag)
        assert (b"two", made) == direct.get_with_etag(Zone.CATALOG, "key")

    @pytest.mark.usefixtures("impatient")
    def test_a_lost_request_does_not_hide_a_rival(
        self, proxy: Proxy, through: ObjectStore, direct: ObjectStore
    ) -> None:
        """Somebody else's change after the same etag is reported as such."""
        etag = direct.replace(Zone.CATALOG, "key", b"one", None)
        proxy.on_request(lambda _: direct.replace(Zone.CATALOG, "key", b"rival", etag), "PUT", "/key$")
        proxy.drop_request("PUT", "/key$")
        assert through.replace(Zone.CATALOG, "key", b"mine", etag) is None
        assert direct.get(Zone.CATALOG, "key") == b"rival"

    def test_one_of_many_racers_moves_it_on(self, direct: ObjectStore) -> None:
        """Six threads count to 24 together by compare-and-put: no count is lost."""
        direct.put(Zone.CATALOG, "key", b"0")

        def count(_: int) -> None:
            counted = 0
            while counted < 4:
                body, etag = direct.get_with_etag(Zone.CATALOG, "key")
                counted += direct.replace(Zone.CATALOG, "key", b"%d" % (int(body) + 1), etag) is not None

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(count, range(6)))
        assert direct.get(Zone.CATALOG, "key") == b"24"


class TestUpload:
    @pytest.mark.usefixtures("impatient")
    @pytest.mark.parametrize("size_bytes", [0, 1000, 18 * 1024**2])
    def test_a_file_altered_in_flight_is_sent_again(
        self, size_bytes: int, proxy: Proxy, through: ObjectStore, direct: ObjectStore, tmp_path: Path
    ) -> None:
        """In one piece or in parts: what stands there afterwards is the file."""
        body = b"0123456789abcdef" * (size_bytes // 16)
        (tmp_path / "file").write_bytes(body)
        proxy.alter(lambda sent: flip(sent) if sent else sent, "PUT", "/file", times=1)
        through.put_file(Zone.BRONZE, "file", tmp_path / "file")
        assert direct.get(Zone.BRONZE, "file") == body

    @pytest.mark.usefixtures("impatient")
    def test_a_file_that_is_always_altered_never_stands_there(
        self, proxy: Proxy, through: ObjectStore, direct: ObjectStore, tmp_path: Path
    ) -> None:
        """The default checksums of uploads are checked by both servers."""
        (tmp_path / "file").write_bytes(b"body")
        proxy.alter(flip, "PUT", "/file", times=None)
        with pytest.raises(StoreError):
            through.put_file(Zone.BRONZE, "file", tmp_path / "file")
        assert not direct.exists(Zone.BRONZE, "file")


class TestBuckets:
    def test_made_by_several_at_once(self, endpoint: Endpoint) -> None:
        """Four processes that start on a new store all find five buckets, landing with versions."""
        fresh = replace(endpoint, bucket_prefix=f"{endpoint.bucket_prefix}new-")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: ObjectStore(fresh).ensure_buckets(), range(4)))
        made = ObjectStore(fresh)
        assert [made.is_versioned(zone) for zone in Zone] == [zone == Zone.LANDING for zone in Zone]

    @pytest.mark.usefixtures("impatient")
    def test_a_lost_reply_is_no_error(self, proxy: Proxy) -> None:
        """A bucket that the first try made is taken as made."""
        proxy.drop_reply("PUT", "-lost-")
        fresh = ObjectStore(replace(proxy.endpoint, bucket_prefix=f"{proxy.endpoint.bucket_prefix}-lost-"))
        fresh.ensure_buckets()
        assert fresh.is_versioned(Zone.LANDING)


class TestErrors:
    def test_a_store_that_is_down(self) -> None:
        """Within some ten seconds the caller hears that it is down and what to do, without any key."""
        endpoint = Endpoint("http://127.0.0.1:9", "an-access-key", "a-secret-key")
        begun = time.monotonic()
        with pytest.raises(StoreError, match="lake up") as raised:
            ObjectStore(endpoint).get(Zone.CATALOG, "key")
        assert not isinstance(raised.value, AccessRefused)
        assert "catalog/key" in str(raised.value)
        assert time.monotonic() - begun < 15
        assert_silent(raised.value, endpoint)

    @pytest.mark.parametrize("wrong", ["access_key", "secret_key"])
    def test_wrong_keys(self, wrong: str, endpoint: Endpoint, tmp_path: Path) -> None:
        """Refused at once, in words that hold neither key."""
        bad = replace(endpoint, **{wrong: "not-the-key-0123456789"})
        refused = ObjectStore(bad)
        (tmp_path / "file").write_bytes(b"body")
        calls: list[Callable[[], object]] = [
            lambda: refused.create(Zone.CATALOG, "key", b"body"),
            lambda: refused.get(Zone.CATALOG, "key"),
            lambda: refused.exists(Zone.CATALOG, "key"),
            lambda: list(refused.list_objects(Zone.CATALOG)),
            lambda: refused.put_file(Zone.CATALOG, "key", tmp_path / "file"),
            refused.ensure_buckets,
        ]
        for call in calls:
            with pytest.raises(AccessRefused, match="check the keys") as raised:
                call()
            assert_silent(raised.value, bad)

    def test_a_refusal_that_time_does_not_mend(self, proxy: Proxy, through: ObjectStore) -> None:
        """What the store cannot do is said at once, and is an error of the lake."""
        for verb in (through.put, through.create):
            rule = proxy.answer(501, "PUT", "/key$", times=None)
            with pytest.raises(StoreError, match="501"):
                verb(Zone.CATALOG, "key", b"body")
            assert rule.hits == 1
            proxy.remove(rule)


def assert_silent(error: LakeError, endpoint: Endpoint) -> None:
    """No key in the error's words, its repr, or the chain behind it."""
    chain: BaseException | None = error
    while chain is not None:
        told = f"{chain} {chain!r}"
        assert not re.search(f"{re.escape(endpoint.secret_key)}|{re.escape(endpoint.access_key)}", told)
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
