"""A large file is read from landing while the server archives it, and counts only where the archive is the same."""

import hashlib
import zlib
from pathlib import Path

import pytest

from catalog.objects import Endpoint, ObjectStore, download, store
from catalog.objects.client import connect
from catalog.zones import Zone
from ingestion import fetch, landing
from ingestion.manifest import Manifest, now
from ingestion.options import DatasetPolicy
from tests.faults.bench import Bench
from tests.faults.checks import check_once
from tests.support.proxy import Proxy
from tests.support.stores import Stores, lake_on

FILE, OTHER = b"k,v\n1,here\n", b"k,v\n1,else\n"
LANDED, ARCHIVED = r"/x\.csv\?.*versionId", r"/raw/a/00000001/000000"


@pytest.fixture(autouse=True)
def no_file_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few bytes do."""
    monkeypatch.setattr(store, "CHECKED_BYTES_MIN", 0)


def names_itself_as_one_that_vouches(endpoint: Endpoint) -> bool:
    """MinIO finds the checksum of a copy, SeaweedFS carries over that of the upload."""
    server = connect(endpoint).head_bucket(Bucket=endpoint.bucket(Zone.BRONZE))
    return server["ResponseMetadata"]["HTTPHeaders"]["server"] == "MinIO"


@pytest.fixture
def minio(stores: Stores) -> Endpoint:
    """A lake on the server that computes the checksum of what it copies."""
    return lake_on(stores("minio"))


@pytest.mark.parametrize("upload", ["SHA256", "parts"])
def test_the_checksum_of_a_copy_is_of_its_bytes(endpoint: Endpoint, tmp_path: Path, upload: str) -> None:
    """Where a store vouches for it: the upload brought another one, or one of its parts."""
    bench = Bench(endpoint)
    body = bytes(range(256)) * 40_000
    if upload == "parts":
        (tmp_path / "file").write_bytes(body)
        bench.objects.put_file(Zone.LANDING, "a/x.csv", tmp_path / "file")
    else:
        bench.drop("a/x.csv", body)
    (version,) = bench.landing()
    assert bench.objects.vouches_for_copy(version) == names_itself_as_one_that_vouches(endpoint)
    bench.objects.copy_version(version, Zone.BRONZE, "copy")
    if names_itself_as_one_that_vouches(endpoint):
        assert bench.objects.crc32(Zone.BRONZE, "copy") == zlib.crc32(body)
    known = bench.objects.fetch_version(version, tmp_path / "fetched", lambda: None)
    assert (known.sha256, known.crc32) == (hashlib.sha256(body).hexdigest(), zlib.crc32(body))


def test_a_checksum_that_may_have_been_carried_over_proves_nothing(endpoint: Endpoint) -> None:
    """The upload brought a CRC-32 of all bytes: whether the copy's was found or carried over, nobody can tell."""
    bench = Bench(endpoint)
    bench.drop("a/x.csv", FILE, "CRC32")
    (version,) = bench.landing()
    assert not bench.objects.vouches_for_copy(version)


def test_each_file_is_read_once(endpoint: Endpoint) -> None:
    """From landing where the archive is known to be the same, else from the archive."""
    vouches = names_itself_as_one_that_vouches(endpoint)
    with Proxy(endpoint) as proxy:
        bench = Bench(proxy.endpoint)
        bench.drop("a/x.csv", FILE)
        bench.ingest()
        assert len(proxy.seen("GET", LANDED)) == int(vouches)
        assert len(proxy.seen("GET", ARCHIVED)) == int(not vouches)
        assert bench.ledger("a")[0].sha256 == hashlib.sha256(FILE).hexdigest()
        check_once(bench)


def test_what_counts_is_what_was_archived(minio: Endpoint) -> None:
    """A copy that is not what landed: its bytes are read, and its hash is in the ledger."""
    direct = ObjectStore(minio)
    with Proxy(minio) as proxy:
        bench = Bench(proxy.endpoint)
        bench.drop("a/x.csv", FILE)
        proxy.on_request(lambda seen: direct.put(Zone.BRONZE, "raw/a/00000001/000000", OTHER), "HEAD", ARCHIVED)
        bench.ingest()
        assert len(proxy.seen("GET", LANDED)) == 1
        assert bench.rows("a")["v"].to_list() == ["else"]
        assert bench.ledger("a")[0].sha256 == hashlib.sha256(OTHER).hexdigest()


def reads_where(minio: Endpoint, status: int, method: str, path: str) -> tuple[int, int]:
    """How often landing and the archive are read where one kind of request is answered so; each row comes once."""
    with Proxy(minio) as proxy:
        bench = Bench(proxy.endpoint)
        bench.drop("a/x.csv", FILE)
        proxy.answer(status, method, path, None)
        bench.ingest()
        found = len(proxy.seen("GET", LANDED)), len(proxy.seen("GET", ARCHIVED))
        check_once(bench)
    return found


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("status", [404, 403, 503])
def test_where_landing_cannot_be_read_the_archive_is(minio: Endpoint, status: int) -> None:
    """Nothing is said of it, and nothing is lost."""
    _, archived = reads_where(minio, status, "GET", LANDED)
    assert archived == 1


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("status", [404, 503])
def test_where_no_checksum_can_be_had_the_archive_is_read(minio: Endpoint, status: int) -> None:
    """The bytes that were read before do not count."""
    assert reads_where(minio, status, "HEAD", ARCHIVED) == (1, 1)


def test_a_file_that_is_withdrawn_while_it_is_read_brings_no_row(minio: Endpoint) -> None:
    """It is not archived, so what was read of it does not count."""
    direct = Bench(minio)
    dropped = direct.drop("a/x.csv", FILE)
    with Proxy(minio) as proxy:
        bench = Bench(proxy.endpoint)
        proxy.on_request(lambda seen: direct.remove(dropped), "PUT", ARCHIVED)
        bench.ingest()
        assert bench.fates("a") == [("x.csv", "withdrawn")]


def test_what_nobody_takes_does_not_stay(minio: Endpoint, tmp_path: Path) -> None:
    """Neither what was read for a batch before, nor what was read last."""
    with Proxy(minio) as proxy:
        bench = Bench(proxy.endpoint)
        bench.drop("a/x.csv", FILE)
        manifest = Manifest("a", 1, landing.find(bench.objects)["a"], {}, now(), DatasetPolicy())
        with fetch.Early(bench.objects, tmp_path) as early:
            early.begin(manifest)
            while not proxy.seen("GET", LANDED):
                pass
            early.begin(manifest)
    assert list(tmp_path.iterdir()) == []


def test_what_nobody_wants_is_not_read_to_its_end(
    minio: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever interrupts an ingest does not wait for a large file: its other parts are not asked for."""
    monkeypatch.setattr(download, "PART_BYTES", 1000)
    with Proxy(minio) as proxy:
        bench = Bench(proxy.endpoint)
        bench.drop("a/x.csv", bytes(200_000))
        manifest = Manifest("a", 1, landing.find(bench.objects)["a"], {}, now(), DatasetPolicy())
        proxy.delay(0.2, "GET", LANDED)
        with fetch.Early(bench.objects, tmp_path) as early:
            early.begin(manifest)
            while not proxy.seen("GET", LANDED):
                pass
        assert len(proxy.seen("GET", LANDED)) <= 2 * download.PARALLEL_PARTS
    assert list(tmp_path.iterdir()) == []
