"""The object store's verbs on both servers: one winner, an honest answer after a lost reply, no key in any error."""

import hashlib
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.errors import AccessRefused, LakeError, NotFound, StoreError
from catalog.objects import Endpoint, ObjectStore, Sequence, VersionInfo, client, store
from catalog.zones import Zone
from tests.support.proxy import Proxy, Request

ODD_KEYS = (
    "plain",
    "two words",
    "a+b",
    "a%20b",
    "100%",
    "a&b=c",
    "größe/straße.csv",
    'it\'s "quoted"',
    "<tag>",
    "what?#now",
    "(x)*!~@$,;",
    "new\nline",
    "trailing ",
    "😀",
)


@pytest.fixture
def direct(endpoint: Endpoint) -> ObjectStore:
    return ObjectStore(endpoint)


@pytest.fixture
def through(proxy: Proxy) -> ObjectStore:
    return ObjectStore(proxy.endpoint)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many tries as ever, with shorter pauses between them."""
    monkeypatch.setattr(client, "BACKOFF_SECONDS", 0.005)
    monkeypatch.setattr(client, "BACKOFF_SECONDS_MAX", 0.01)


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
        """Eight threads count to 40 together by compare-and-put: no count is lost."""
        direct.put(Zone.CATALOG, "key", b"0")

        def count(_: int) -> None:
            counted = 0
            while counted < 5:
                body, etag = direct.get_with_etag(Zone.CATALOG, "key")
                counted += direct.replace(Zone.CATALOG, "key", b"%d" % (int(body) + 1), etag) is not None

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(count, range(8)))
        assert direct.get(Zone.CATALOG, "key") == b"40"


class TestRead:
    def test_what_is_missing_is_named(self, direct: ObjectStore, tmp_path: Path) -> None:
        """Every reading verb raises NotFound, which is also a KeyError, with the key in its words."""
        reads: list[Callable[[], object]] = [
            lambda: direct.get(Zone.BRONZE, "no-such-key"),
            lambda: direct.get_range(Zone.BRONZE, "no-such-key", 0, 5),
            lambda: direct.fetch(Zone.BRONZE, "no-such-key", tmp_path / "fetched"),
        ]
        for read in reads:
            with pytest.raises(NotFound, match="bronze/no-such-key") as raised:
                read()
            assert isinstance(raised.value, KeyError)
        assert not direct.exists(Zone.BRONZE, "no-such-key")

    def test_a_range_is_that_range(self, direct: ObjectStore) -> None:
        """From start up to, not including, stop; what lies behind the end is not there."""
        direct.put(Zone.BRONZE, "key", b"0123456789")
        assert direct.get_range(Zone.BRONZE, "key", 2, 5) == b"234"
        assert direct.get_range(Zone.BRONZE, "key", 8, 100) == b"89"

    @pytest.mark.usefixtures("impatient")
    def test_a_body_cut_in_the_middle_is_read_again(
        self, proxy: Proxy, through: ObjectStore, direct: ObjectStore, tmp_path: Path
    ) -> None:
        """No reading verb takes a part of an object for the object."""
        body = bytes(range(256)) * 4000
        direct.put(Zone.BRONZE, "key", body)
        proxy.cut_reply("GET", "/key$", times=2, after_bytes=500_000)
        assert through.fetch(Zone.BRONZE, "key", tmp_path / "fetched") == hashlib.sha256(body).hexdigest()
        assert (tmp_path / "fetched").read_bytes() == body
        proxy.cut_reply("GET", "/key$", times=2, after_bytes=500_000)
        assert through.get(Zone.BRONZE, "key") == body
        proxy.cut_reply("GET", "/key$", times=2, after_bytes=10)
        assert through.get_range(Zone.BRONZE, "key", 100, 900) == body[100:900]

    def test_a_local_disk_that_fails_is_not_the_stores_fault(self, direct: ObjectStore, tmp_path: Path) -> None:
        """A missing folder or file is said at once, as what it is."""
        direct.put(Zone.BRONZE, "key", b"body")
        with pytest.raises(FileNotFoundError):
            direct.fetch(Zone.BRONZE, "key", tmp_path / "missing" / "fetched")
        with pytest.raises(FileNotFoundError):
            direct.put_file(Zone.BRONZE, "key", tmp_path / "missing")


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


class TestList:
    def test_more_than_a_page(self, direct: ObjectStore) -> None:
        """1,004 keys come in their order, also those after a given one; so do versions where a page ends in a key's."""

        def put(number: int) -> None:
            for body in (b"1", b"22", b"333") if number == 999 else (b"1",):
                direct.put(Zone.LANDING, f"many/{number:04}", body)

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(put, range(1004)))
        keys = [f"many/{number:04}" for number in range(1004)]
        assert [found.key for found in direct.list_objects(Zone.LANDING, "many/")] == keys
        assert [f.key for f in direct.list_objects(Zone.LANDING, "many/", start_after=keys[2])] == keys[3:]
        assert list(direct.list_objects(Zone.LANDING, "other/")) == []
        versions = [(found.key, found.size_bytes) for found in direct.list_versions(Zone.LANDING)]
        sizes = [(keys[999], 3), (keys[999], 2), (keys[999], 1)]
        assert versions == [*((key, 1) for key in keys[:999]), *sizes, *((key, 1) for key in keys[1000:])]

    def test_versions_and_markers_come_newest_first(self, direct: ObjectStore) -> None:
        """Put and deleted within one second, in an order that no time stamp tells."""
        for key in ("first", "second"):
            direct.put(Zone.LANDING, key, b"1")
            direct.delete(Zone.LANDING, key)
            direct.put(Zone.LANDING, key, b"22")
            direct.put(Zone.LANDING, key, b"333")
            direct.delete(Zone.LANDING, key)
        sizes = [None, 3, 2, None, 1]
        found = [(v.key, None if v.is_marker else v.size_bytes) for v in direct.list_versions(Zone.LANDING)]
        assert found == [(key, size) for key in ("first", "second") for size in sizes]

    def test_an_object_is_told_with_its_size_and_time(self, direct: ObjectStore) -> None:
        """What a listing says of an object is what a read of it says."""
        etag = direct.replace(Zone.BRONZE, "key", b"body", None)
        [found] = direct.list_objects(Zone.BRONZE)
        assert (found.key, found.size_bytes, found.etag) == ("key", 4, etag)
        assert abs((datetime.now(UTC) - found.modified).total_seconds()) < 60

    def test_odd_keys_go_through_every_verb(self, direct: ObjectStore) -> None:
        """A supplier's spaces, signs and umlauts are listed, read, copied and deleted as they are."""
        for key in ODD_KEYS:
            direct.put(Zone.LANDING, key, key.encode())
        assert {found.key for found in direct.list_objects(Zone.LANDING)} == set(ODD_KEYS)
        versions = list(direct.list_versions(Zone.LANDING))
        assert {version.key for version in versions} == set(ODD_KEYS)
        for version in versions:
            direct.copy_version(version, Zone.BRONZE, version.key)
            assert direct.get(Zone.BRONZE, version.key) == version.key.encode()
            direct.delete_version(Zone.LANDING, version.key, version.version_id)
        assert list(direct.list_versions(Zone.LANDING)) == []

    def test_folders_are_what_has_something_below_it(self, direct: ObjectStore) -> None:
        """The names directly under a prefix, each once, and no object that lies beside them."""
        for key in ("batches/flights/1", "batches/flights/2", "batches/größe & co/1", "batches/loose", "other/x/1"):
            direct.put(Zone.CATALOG, key, b"")
        assert sorted(direct.folders(Zone.CATALOG, "batches/")) == ["flights", "größe & co"]
        assert sorted(direct.folders(Zone.CATALOG)) == ["batches", "other"]

    def test_a_bucket_that_is_missing_is_named(self, endpoint: Endpoint) -> None:
        """Every verb says what is missing and which command makes it."""
        lost = ObjectStore(replace(endpoint, bucket_prefix="nobody-made-this-"))
        calls: list[Callable[[], object]] = [
            lambda: list(lost.list_objects(Zone.LANDING)),
            lambda: list(lost.list_versions(Zone.LANDING)),
            lambda: lost.create(Zone.CATALOG, "key", b""),
            lambda: lost.replace(Zone.CATALOG, "key", b"", None),
            lambda: lost.put(Zone.CATALOG, "key", b""),
            lambda: lost.is_versioned(Zone.LANDING),
        ]
        for call in calls:
            with pytest.raises(NotFound, match="lake up"):
                call()


class TestVersions:
    @pytest.mark.parametrize("in_parts", [False, True])
    def test_a_copy_is_of_exactly_that_version(
        self, in_parts: bool, direct: ObjectStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not of a newer one, and not of nothing under a marker; also where a copy takes several requests."""
        if in_parts:
            monkeypatch.setattr(store, "COPY_SIZE_BYTES_MAX", 0)
        for body in (b"old", b"newer"):
            direct.put(Zone.LANDING, "key", body)
        direct.delete(Zone.LANDING, "key")
        _, newer, old = direct.list_versions(Zone.LANDING)
        direct.copy_version(old, Zone.BRONZE, "copies/old")
        direct.copy_version(newer, Zone.BRONZE, "copies/newer")
        assert direct.get(Zone.BRONZE, "copies/old") == b"old"
        assert direct.get(Zone.BRONZE, "copies/newer") == b"newer"

    def test_a_version_that_is_gone_cannot_be_copied(self, direct: ObjectStore) -> None:
        """NotFound, and nothing under the copy's name, whether the key has other versions or none."""
        gone: list[VersionInfo] = []
        for key in ("alone", "with others"):
            direct.put(Zone.LANDING, key, b"old")
            gone += direct.list_versions(Zone.LANDING, key)
            direct.delete_version(Zone.LANDING, key, gone[-1].version_id)
        direct.put(Zone.LANDING, "with others", b"newer")
        for version in gone:
            with pytest.raises(NotFound):
                direct.copy_version(version, Zone.BRONZE, "copy")
        assert not direct.exists(Zone.BRONZE, "copy")

    def test_deleting_one_leaves_the_newer(self, direct: ObjectStore) -> None:
        """A file that arrives between copying and clearing survives the clearing, and a second clearing is no error."""
        direct.put(Zone.LANDING, "key", b"old")
        [old] = direct.list_versions(Zone.LANDING)
        direct.put(Zone.LANDING, "key", b"newer")
        for _ in range(2):
            direct.delete_version(Zone.LANDING, "key", old.version_id)
        assert direct.get(Zone.LANDING, "key") == b"newer"
        assert len(list(direct.list_versions(Zone.LANDING))) == 1

    @pytest.mark.usefixtures("impatient")
    def test_a_lost_reply_of_a_deletion_is_no_error(
        self, proxy: Proxy, through: ObjectStore, direct: ObjectStore
    ) -> None:
        """What the first try deleted, the second finds gone."""
        direct.put(Zone.LANDING, "key", b"old")
        [old] = direct.list_versions(Zone.LANDING)
        proxy.drop_reply("DELETE", "/key")
        through.delete_version(Zone.LANDING, "key", old.version_id)
        proxy.drop_reply("DELETE", "/other")
        through.delete(Zone.BRONZE, "other")
        assert list(direct.list_versions(Zone.LANDING)) == []


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


class TestSequence:
    def test_racing_writers_leave_no_gap(self, direct: ObjectStore) -> None:
        """Each number is made by one of eight writers, whose bytes stand under it."""

        def write(writer: int) -> list[tuple[int, bytes]]:
            mine = Sequence(direct, Zone.CATALOG, "numbers")
            made: list[tuple[int, bytes]] = []
            while len(made) < 4:
                number, body = mine.last() + 1, f"{writer}:{len(made)}".encode()
                if mine.create(number, body):
                    made.append((number, body))
            return made

        with ThreadPoolExecutor(8) as pool:
            made = sorted(pair for pairs in pool.map(write, range(8)) for pair in pairs)
        sequence = Sequence(direct, Zone.CATALOG, "numbers")
        assert [number for number, _ in made] == list(range(1, 33))
        assert [body for _, body in made] == [sequence.get(number) for number in range(1, 33)]
        assert sequence.last() == 32

    def test_starts_empty(self, direct: ObjectStore) -> None:
        """No number is 0, which no object stands for."""
        sequence = Sequence(direct, Zone.CATALOG, "numbers")
        assert sequence.last() == 0
        with pytest.raises(NotFound):
            sequence.get(0)

    @pytest.mark.parametrize("hint", [None, b'{"format": 1, "last": 1}', b'{"format": 1, "last": 3}'])
    def test_a_hint_that_lags_or_is_lost_changes_nothing(self, hint: bytes | None, direct: ObjectStore) -> None:
        """The hint saves time; the objects decide."""
        sequence = Sequence(direct, Zone.CATALOG, "numbers")
        for number in range(1, 6):
            assert sequence.create(number, b"%d" % number)
        direct.delete(Zone.CATALOG, "numbers.last")
        if hint is not None:
            direct.put(Zone.CATALOG, "numbers.last", hint)
        direct.put(Zone.CATALOG, "numbers/not-a-number.json", b"")
        assert sequence.last() == 5
        assert sequence.create(6, b"6")
        assert not sequence.create(6, b"other")
        assert sequence.last() == 6

    @pytest.mark.usefixtures("impatient")
    def test_a_number_that_is_made_is_made(self, proxy: Proxy, through: ObjectStore) -> None:
        """A store that goes away before the hint is moved does not make a failure of what was created."""
        proxy.answer(503, "*", r"/numbers\.last", times=None)
        assert Sequence(through, Zone.CATALOG, "numbers").create(1, b"1")
        proxy.clear()
        assert Sequence(through, Zone.CATALOG, "numbers").last() == 1

    def test_a_hint_never_leads(self, proxy: Proxy, through: ObjectStore) -> None:
        """It names a number only once the object of that number is there."""
        seen: list[bool] = []
        lock = threading.Lock()

        def look(request: Request) -> None:
            with lock:
                seen.append(through.exists(Zone.CATALOG, "numbers/00000000000000000001.json"))

        proxy.on_request(look, "PUT", r"/numbers\.last", times=None)
        Sequence(through, Zone.CATALOG, "numbers").create(1, b"1")
        assert seen == [True]


def assert_silent(error: LakeError, endpoint: Endpoint) -> None:
    """No key in the error's words, its repr, or the chain behind it."""
    chain: BaseException | None = error
    while chain is not None:
        told = f"{chain} {chain!r}"
        assert not re.search(f"{re.escape(endpoint.secret_key)}|{re.escape(endpoint.access_key)}", told)
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
