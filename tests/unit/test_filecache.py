"""The cache of data files: bounded, whole files only, safe for any number of processes."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from catalog.errors import NotFound, StoreError
from catalog.objects import Endpoint
from catalog.tables import Snapshot
from lake import Lake
from lake.filecache import FileCache
from tests.support.projects import project_on, variables
from tests.support.published import commit
from tests.support.stores import ROOT

ROWS = 2_000


@pytest.fixture
def lake(fast_endpoint: Endpoint, tmp_path: Path) -> Lake:
    """An open lake without tables."""
    return project_on(fast_endpoint, tmp_path / "lake")


@pytest.fixture
def table(lake: Lake) -> Callable[[str], Snapshot]:
    """Makes a table of one file, as large as any other's."""
    return lambda name: commit(lake, name, pl.DataFrame({"n": range(ROWS)}))


def cached(cache: FileCache) -> set[Path]:
    """The files that the cache keeps."""
    return set(cache.folder.glob("*.parquet"))


def leases(cache: FileCache) -> list[Path]:
    """What there is of leases, live or left over."""
    return list((cache.folder / "leases").iterdir())


def drop_from_store(lake: Lake, snapshot: Snapshot) -> None:
    """Take the table's files off the store, so that only the cache can have them."""
    for file in snapshot.files:
        lake.objects.delete(snapshot.name.zone, f"{snapshot.name.path}/{file.path}")


def test_a_file_is_fetched_once(lake: Lake, table: Callable[[str], Snapshot], tmp_path: Path) -> None:
    """The second lease needs no store; files come in the order of the table's log."""
    cache, part = FileCache(tmp_path / "cache", 10**9), pl.DataFrame({"n": [1]})
    snapshot = commit(lake, "silver.parts", part, part + 1, part + 2)
    with cache.lease(lake.objects) as lease:
        first = [path.read_bytes() for path in lease.files(snapshot)]
    drop_from_store(lake, snapshot)
    with cache.lease(lake.objects) as lease:
        assert [path.read_bytes() for path in lease.files(snapshot)] == first
        assert lease.files(snapshot) == lease.files(snapshot)
        assert pl.read_parquet(lease.files(snapshot)).sort("n")["n"].to_list() == [1, 2, 3]
    assert leases(cache) == []


def test_a_file_is_on_the_disk_before_it_has_its_name(
    lake: Lake, table: Callable[[str], Snapshot], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a crash of the machine could leave a file of the right size that is not what was fetched."""
    cache, snapshot = FileCache(tmp_path / "cache", 10**9), table("silver.a")
    synced: list[tuple[int, int, bool]] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        file = os.fstat(descriptor)
        synced.append((file.st_ino, file.st_size, any(cache.folder.rglob("*.parquet"))))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    with cache.lease(lake.objects) as lease:
        lease.files(snapshot)
    (kept,) = cached(cache)
    assert synced == [(kept.stat().st_ino, snapshot.files[0].size_bytes, False)]


def test_a_file_that_was_cut_in_the_cache_is_not_used(
    lake: Lake, table: Callable[[str], Snapshot], tmp_path: Path
) -> None:
    """A crash of the machine may leave a short file: it is fetched again."""
    cache, snapshot = FileCache(tmp_path / "cache", 10**9), table("silver.a")
    with cache.lease(lake.objects) as lease:
        lease.files(snapshot)
    (kept,) = cached(cache)
    kept.write_bytes(kept.read_bytes()[:100])
    with cache.lease(lake.objects) as lease:
        assert pl.read_parquet(lease.files(snapshot)).height == ROWS
    assert {path.stat().st_size for path in cached(cache)} == {snapshot.files[0].size_bytes}


def test_a_file_that_was_cut_on_the_store_is_refused(
    lake: Lake, table: Callable[[str], Snapshot], tmp_path: Path
) -> None:
    """Its size differs from the log's: an error that names it, and nothing of it in the cache."""
    cache, snapshot = FileCache(tmp_path / "cache", 10**9), table("silver.a")
    lake.objects.put("silver", f"tables/a/{snapshot.files[0].path}", b"PAR1 cut")
    with pytest.raises(StoreError, match=r"silver\.a: part-.* has 8 bytes"), cache.lease(lake.objects) as lease:
        lease.files(snapshot)
    assert cached(cache) == set()
    assert leases(cache) == []


def test_a_file_that_is_gone_is_an_error(lake: Lake, table: Callable[[str], Snapshot], tmp_path: Path) -> None:
    """Neither the cache nor the store has it."""
    cache, snapshot = FileCache(tmp_path / "cache", 10**9), table("silver.a")
    drop_from_store(lake, snapshot)
    with pytest.raises(NotFound, match="tables/a/part-"), cache.lease(lake.objects) as lease:
        lease.files(snapshot)


def test_the_least_recently_used_goes_first(lake: Lake, table: Callable[[str], Snapshot], tmp_path: Path) -> None:
    """With room for two, the third use evicts the one that was not used for longest."""
    a, b, c = map(table, ("silver.a", "silver.b", "silver.c"))
    cache = FileCache(tmp_path / "cache", a.size_bytes + b.size_bytes)
    for snapshot in (a, b, a, c):
        with cache.lease(lake.objects) as lease:
            lease.files(snapshot)
    for snapshot in (a, b, c):
        drop_from_store(lake, snapshot)
    for snapshot in (a, c):
        with cache.lease(lake.objects) as lease:
            assert pl.read_parquet(lease.files(snapshot)).height == ROWS
    with pytest.raises(NotFound), cache.lease(lake.objects) as lease:
        lease.files(b)


def test_one_query_may_need_more_than_the_bound(lake: Lake, table: Callable[[str], Snapshot], tmp_path: Path) -> None:
    """All of its files are there until the lease ends; then the bound holds, which may be nothing at all."""
    cache, snapshots = FileCache(tmp_path / "cache", 0), [table("silver.a"), table("silver.b")]
    with cache.lease(lake.objects) as lease:
        files = [path for snapshot in snapshots for path in lease.files(snapshot)]
        assert all(pl.read_parquet(path).height == ROWS for path in files)
    assert cached(cache) == set()


def test_an_evicted_file_stays_for_who_holds_it(lake: Lake, table: Callable[[str], Snapshot], tmp_path: Path) -> None:
    """Another user with a smaller bound empties the cache: the first one's files can still be opened."""
    snapshot = table("silver.a")
    with FileCache(tmp_path / "cache", 10**9).lease(lake.objects) as mine:
        (path,) = mine.files(snapshot)
        other = FileCache(tmp_path / "cache", 0)
        with other.lease(lake.objects) as lease:
            lease.files(snapshot)
        assert cached(other) == set()
        assert pl.read_parquet(path).height == ROWS


HOLDER = """
import sys
from pathlib import Path
from catalog.zones import TableName
from lake.filecache import FileCache
from lake.reading import open_lake
lake, folder, bound, times = open_lake(), Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
snapshot = lake.store.open(TableName.parse("silver.a"))
for _ in range(times):
    with FileCache(folder, bound).lease(lake.objects) as lease:
        sizes = [path.stat().st_size for path in lease.files(snapshot)]
        assert sizes == [file.size_bytes for file in snapshot.files], sizes
        if times == 1:
            print("holding", flush=True)
            sys.stdin.read()
"""


def holder(lake: Lake, endpoint: Endpoint, folder: Path, bound: int, times: int) -> subprocess.Popen[str]:
    """Another process that takes leases; with one, it says so and keeps it until its standard input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), str(bound), str(times)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=variables(endpoint) | {"LAKE_PROJECT": str(lake.settings.project), "PYTHONPATH": str(ROOT)},
    )


def test_what_a_killed_process_held_is_swept(
    lake: Lake, fast_endpoint: Endpoint, table: Callable[[str], Snapshot], tmp_path: Path
) -> None:
    """A live process's lease is left alone; when it is killed the next user removes what it left."""
    table("silver.a")
    cache = FileCache(tmp_path / "cache", 0)
    with holder(lake, fast_endpoint, cache.folder, 0, 1) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "holding\n"
        with cache.lease(lake.objects):
            pass
        (held,) = [path for path in leases(cache) if path.is_dir()]
        assert len(list(held.glob("*.parquet"))) == 1
        other.kill()
    assert held.exists()
    with cache.lease(lake.objects):
        assert not held.exists()
    assert leases(cache) == []


def test_processes_that_fetch_and_evict_at_once(
    lake: Lake, fast_endpoint: Endpoint, table: Callable[[str], Snapshot], tmp_path: Path
) -> None:
    """Three processes, of which two empty the cache after each use: each always has whole files."""
    table("silver.a")
    folder = tmp_path / "cache"
    others = [holder(lake, fast_endpoint, folder, bound, 40) for bound in (0, 0, 10**9)]
    assert [other.wait() for other in others] == [0, 0, 0]
    for other in others:
        other.communicate()
    assert leases(FileCache(folder, 0)) == []
