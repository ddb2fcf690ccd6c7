"""The object store's reading verbs on both servers, and its versions: what is there is told as it is, and whole."""

import hashlib
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from catalog.errors import NotFound
from catalog.objects import Endpoint, ObjectStore, VersionInfo, download, store
from catalog.objects.client import connect
from catalog.zones import Zone
from tests.support.proxy import Proxy
from tests.support.stores import Stores, lake_on

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

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


def with_small_pages(endpoint: Endpoint) -> "S3Client":
    """A client whose listings come three at a time."""
    s3 = connect(endpoint)
    for verb in ("ListObjectsV2", "ListObjectVersions"):
        s3.meta.events.register(f"provide-client-params.s3.{verb}", lambda params, **_: params | {"MaxKeys": 3})
    return s3


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
        assert through.fetch_hashed(Zone.BRONZE, "key", tmp_path / "fetched") == hashlib.sha256(body).hexdigest()
        assert (tmp_path / "fetched").read_bytes() == body
        proxy.cut_reply("GET", "/key$", times=2, after_bytes=500_000)
        assert through.get(Zone.BRONZE, "key") == body
        proxy.cut_reply("GET", "/key$", times=2, after_bytes=10)
        assert through.get_range(Zone.BRONZE, "key", 100, 900) == body[100:900]

    @pytest.mark.usefixtures("impatient")
    @pytest.mark.parametrize("size_bytes", [0, 1, 999, 1000, 1001, 10_500])
    def test_a_large_object_comes_in_parts(
        self,
        proxy: Proxy,
        through: ObjectStore,
        direct: ObjectStore,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        size_bytes: int,
    ) -> None:
        """Each part that is cut or refused comes again by itself; the hash is that of the whole."""
        monkeypatch.setattr(download, "PART_BYTES", 1000)
        body = random.Random(size_bytes).randbytes(size_bytes)
        direct.put(Zone.BRONZE, "key", body)
        (tmp_path / "fetched").write_bytes(b"what was there before" * 1000)
        proxy.cut_reply("GET", "/key$", times=2, after_bytes=500)
        proxy.answer(503, "GET", "/key$", times=2)
        assert through.fetch_hashed(Zone.BRONZE, "key", tmp_path / "fetched") == hashlib.sha256(body).hexdigest()
        assert (tmp_path / "fetched").read_bytes() == body
        direct.fetch(Zone.BRONZE, "key", tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == body

    @pytest.mark.usefixtures("impatient")
    def test_an_object_that_is_replaced_meanwhile_is_fetched_anew(
        self, direct: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Parts of two objects make none: what is fetched is one of them, and its hash."""
        monkeypatch.setattr(download, "PART_BYTES", 1000)
        old, new = bytes(5000), b"new" * 2000
        direct.put(Zone.BRONZE, "key", old)
        real = download._get

        def replacing(*given: Any) -> Any:
            found = real(*given)
            if found.object_bytes == len(old):
                direct.put(Zone.BRONZE, "key", new)
            return found

        monkeypatch.setattr(download, "_get", replacing)
        assert direct.fetch_hashed(Zone.BRONZE, "key", tmp_path / "fetched") == hashlib.sha256(new).hexdigest()
        assert (tmp_path / "fetched").read_bytes() == new

    def test_a_local_disk_that_fails_is_not_the_stores_fault(self, direct: ObjectStore, tmp_path: Path) -> None:
        """A missing folder or file is said at once, as what it is."""
        direct.put(Zone.BRONZE, "key", b"body")
        with pytest.raises(FileNotFoundError):
            direct.fetch(Zone.BRONZE, "key", tmp_path / "missing" / "fetched")
        with pytest.raises(FileNotFoundError):
            direct.put_file(Zone.BRONZE, "key", tmp_path / "missing")


class TestDelete:
    def test_many_versions_go_and_others_stay(self, direct: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """Those that are named and no newer ones, whatever their keys look like; what is gone already is no error."""
        monkeypatch.setattr(store, "DELETED_AT_ONCE_MAX", 5)
        old = [(key, direct.put(Zone.LANDING, key, b"old") or "") for key in ODD_KEYS]
        new = {(key, direct.put(Zone.LANDING, key, b"new") or "") for key in ODD_KEYS}
        before = {(found.key, found.version_id) for found in direct.list_versions(Zone.LANDING)}
        direct.delete_versions(Zone.LANDING, [*old, ("gone", old[0][1]), *old[:2]])
        assert {(found.key, found.version_id) for found in direct.list_versions(Zone.LANDING)} == before - {*old}
        assert len(before - {*old}) == len(new)

    def test_many_versions_go_in_one_request(self, direct: ObjectStore, through: ObjectStore, proxy: Proxy) -> None:
        """Unless a key is one that XML cannot say: then each goes by itself."""
        plain = [(f"{n}.csv", direct.put(Zone.LANDING, f"{n}.csv", b"x") or "") for n in range(20)]
        through.delete_versions(Zone.LANDING, plain)
        assert (len(proxy.seen("POST", "delete")), proxy.seen("DELETE", "")) == (1, [])
        odd = [("a\x01b", direct.put(Zone.LANDING, "a\x01b", b"x") or ""), *plain[:1]]
        through.delete_versions(Zone.LANDING, odd)
        assert len(proxy.seen("DELETE", "")) == 2
        assert list(direct.list_versions(Zone.LANDING)) == []


class TestList:
    def test_more_than_a_page(self, stores: Stores) -> None:
        """1,004 keys come in their order, also those after a given one; so do versions where a page ends in a key's."""
        store = ObjectStore(lake_on(stores("seaweedfs")))

        def put(number: int) -> None:
            for body in (b"1", b"22", b"333") if number == 999 else (b"1",):
                store.put(Zone.LANDING, f"many/{number:04}", body)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, range(1004)))
        keys = [f"many/{number:04}" for number in range(1004)]
        assert [found.key for found in store.list_objects(Zone.LANDING, "many/")] == keys
        assert [f.key for f in store.list_objects(Zone.LANDING, "many/", start_after=keys[2])] == keys[3:]
        assert list(store.list_objects(Zone.LANDING, "other/")) == []
        versions = [(found.key, found.size_bytes) for found in store.list_versions(Zone.LANDING)]
        sizes = [(keys[999], 3), (keys[999], 2), (keys[999], 1)]
        assert versions == [*((key, 1) for key in keys[:999]), *sizes, *((key, 1) for key in keys[1000:])]

    def test_many_small_pages(self, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pages of three: nothing is lost or told twice where they end, of objects, versions, markers and folders."""
        monkeypatch.setattr(store, "connect", with_small_pages)
        paged = ObjectStore(proxy.endpoint)
        keys = [f"{folder}/key {number} & more" for folder in ("a", "b", "c", "d", "ö") for number in range(3)]
        for key in keys:
            paged.put(Zone.LANDING, key, b"1")
            paged.put(Zone.LANDING, key, b"22")
            paged.delete(Zone.LANDING, key)
            paged.put(Zone.BRONZE, key, b"1")
        assert sorted(found.key for found in paged.list_objects(Zone.BRONZE)) == keys
        assert sorted(paged.folders(Zone.BRONZE)) == ["a", "b", "c", "d", "ö"]
        found = [(v.key, None if v.is_marker else v.size_bytes) for v in paged.list_versions(Zone.LANDING)]
        assert len(proxy.seen("GET", "versions")) >= len(found) / 3
        assert sorted(found, key=lambda version: version[0]) == [(key, size) for key in keys for size in (None, 2, 1)]

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
