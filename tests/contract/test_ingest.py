"""What an ingest promises, on both servers where the store has a part in it: every record of every file once."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from catalog import failpoints
from catalog.errors import UnsafeStore
from catalog.ledger import Fate
from catalog.objects import Endpoint, Sequence
from catalog.zones import Zone
from ingestion import landing
from ingestion.manifest import Manifest, encode, manifests, now
from ingestion.options import DatasetPolicy
from tests.faults.bench import Bench
from tests.faults.checks import UNREADABLE, check_once, readable
from tests.support.proxy import Proxy


@pytest.fixture
def bench(endpoint: Endpoint) -> Bench:
    """A lake on each of the servers."""
    return Bench(endpoint)


@pytest.fixture
def fast_bench(fast_endpoint: Endpoint) -> Bench:
    """A lake on one server, where it does not matter which."""
    return Bench(fast_endpoint)


@pytest.fixture
def failing() -> Iterator[None]:
    """Fail points that a test arms are disarmed after it."""
    yield
    failpoints.armed = None


def at(calls: dict[str, Callable[[], object]]) -> None:
    """Have each called once, in this process, when its point is reached for the first time."""

    def reach(name: str) -> None:
        call = calls.pop(name, None)
        if call is not None:
            call()

    failpoints.armed = reach


def test_a_file_goes_in_once_with_its_lines_and_leaves_landing(bench: Bench) -> None:
    """Every row says from which file, line and delivery it came, and when; the raw bytes are kept."""
    body = b'id,note\n1,plain\n2,"two\nlines"\n3,\n'
    bench.drop("people/2024/a.csv", body)
    [batch] = bench.ingest()

    rows = bench.rows("people")
    assert rows.select("id", "note", "_line").rows() == [("1", "plain", 2), ("2", "two\nlines", 3), ("3", "", 5)]
    assert rows["_file"].to_list() == ["people/2024/a.csv"] * 3
    assert rows["_rescued"].to_list() == [None] * 3
    [entry] = bench.ledger()
    assert rows["_batch"].unique().to_list() == [entry.delivery] == ["people/00000001/000000"]
    assert rows["_ingested_at"].unique().to_list() == [entry.ingested_at]
    assert (entry.fate, entry.records, entry.rows, entry.size_bytes) == (Fate.INGESTED, 3, 3, len(body))
    assert bench.archived(entry) == body
    assert batch.entries == (entry,)
    assert bench.landing() == []
    assert bench.ingest() == []


def test_the_same_file_again_is_known_by_its_name_and_noticed_under_another(fast_bench: Bench) -> None:
    """The same bytes under the same name add no rows; under another name they do, and the ledger says so."""
    fast_bench.drop("a/1.csv", readable(1, 2))
    fast_bench.ingest()
    fast_bench.drop("a/1.csv", readable(1, 2))
    fast_bench.drop("a/2.csv", readable(1, 2))
    fast_bench.ingest()
    assert fast_bench.fates("a") == [("1.csv", "ingested"), ("1.csv", "known"), ("2.csv", "ingested")]
    assert fast_bench.ledger("a")[-1].notice == "has the same bytes as a/1.csv"
    check_once(fast_bench)


@pytest.mark.parametrize("on_correction", ["replace", "append"])
def test_two_versions_of_a_name_before_an_ingest(fast_endpoint: Endpoint, on_correction: str) -> None:
    """Both are seen, in order: the newest stands where corrections replace, both stand where they are added."""
    bench = Bench(fast_endpoint, on_correction)
    for ids in ((1, 2), (1, 3), (1, 3), (4,)):
        bench.drop("a/1.csv", readable(*ids))
    bench.ingest()
    assert [fate for _, fate in bench.fates("a")] == ["ingested", "ingested", "known", "ingested"]
    expected = ["4"] if on_correction == "replace" else ["1", "1", "2", "3", "4"]
    assert sorted(bench.rows("a")["id"]) == expected
    check_once(bench)


def test_a_correction_replaces_the_rows_of_its_file_alone_in_one_commit(bench: Bench) -> None:
    """A data file that holds several deliveries is written again without the old rows; nobody sees both or neither."""
    for name in "abcd":
        bench.drop(f"a/{name}.csv", readable(f"{name}1", f"{name}2"))
    bench.ingest()
    before = bench.bronze("a")
    assert len(before.files) == 1
    bench.drop("a/b.csv", readable("b1", "corrected"))
    bench.drop("a/d.csv", b"id,note\n")
    bench.ingest()
    after = bench.bronze("a")
    assert after.version == before.version + 1
    assert sorted(after.scan().collect()["id"]) == ["a1", "a2", "b1", "c1", "c2", "corrected"]
    assert bench.ledger("a")[-2].notice == "takes the place of the earlier delivery of this name"
    check_once(bench)


def test_corrections_of_names_that_are_long_and_alike(fast_bench: Bench) -> None:
    """Statistics of a file's names lead to the files to write again, however long the names are."""
    names = [f"a/{'lång namn ' * 8}{letter}{'y' * length}.csv" for letter in "pqr" for length in (1, 50)]
    for number, name in enumerate(names):
        fast_bench.drop(name, readable(number))
        if number % 2:
            fast_bench.ingest()
    for number, name in enumerate(names):
        fast_bench.drop(name, readable(f"corrected {number}"))
    fast_bench.ingest()
    assert sorted(fast_bench.rows("a")["id"]) == [f"corrected {number}" for number in range(len(names))]
    check_once(fast_bench)


def test_corrections_are_added_where_the_policy_says_so(fast_endpoint: Endpoint) -> None:
    """Under append a changed file adds its rows; bytes that its name brought at any time are known."""
    bench = Bench(fast_endpoint, "append")
    for ids in ((1,), (2,), (1,)):
        bench.drop("a/1.csv", readable(*ids))
        bench.ingest()
    assert bench.fates("a") == [("1.csv", "ingested"), ("1.csv", "ingested"), ("1.csv", "known")]
    assert bench.ledger("a")[1].notice == "added to this name's rows"
    check_once(bench)


def test_an_old_state_of_a_file_that_comes_again_stands_again(fast_bench: Bench) -> None:
    """A, then B, then A once more: the last word counts, though its bytes came before."""
    for ids in ((1, 2), (3,), (1, 2)):
        fast_bench.drop("a/1.csv", readable(*ids))
        fast_bench.ingest()
    assert fast_bench.rows("a")["id"].to_list() == ["1", "2"]
    assert fast_bench.bronze("a").rows == 2
    check_once(fast_bench)


def test_a_rejected_correction_displaces_nothing_and_may_be_sent_again(fast_bench: Bench) -> None:
    """A good delivery stands until a readable one takes its place; what was rejected is looked at anew each time."""
    bench = fast_bench
    bench.drop("a/1.csv", readable(1))
    bench.ingest()
    for _ in range(2):
        bench.drop("a/1.csv", UNREADABLE[0])
        bench.ingest()
    assert bench.rows("a")["id"].to_list() == ["1"]
    bench.drop("a/1.csv", readable(2))
    bench.drop("a/1.csv", UNREADABLE[0])
    bench.ingest()
    assert bench.rows("a")["id"].to_list() == ["2"]
    assert [fate for _, fate in bench.fates("a")] == ["ingested", "rejected", "rejected", "ingested", "rejected"]
    check_once(bench)


def test_a_file_deleted_before_the_ingest_is_withdrawn(bench: Bench) -> None:
    """A delete withdraws the versions before it, and those alone; neither it nor they stay in landing."""
    bench.drop("a/gone.csv", readable(1))
    bench.drop("a/gone.csv", readable(2))
    bench.delete("a/gone.csv")
    bench.drop("a/back.csv", readable(3))
    bench.delete("a/back.csv")
    bench.drop("a/back.csv", readable(4))
    bench.drop("a/gone.csv.csv", readable(5))
    only_marker = bench.drop("b/1.csv", readable(6))
    bench.delete("b/1.csv")
    bench.remove(only_marker)
    bench.drops.remove(only_marker)
    bench.ingest()
    back = [("back.csv", "withdrawn"), ("back.csv", "ingested")]
    gone = [("gone.csv", "withdrawn"), ("gone.csv", "withdrawn")]
    assert bench.fates("a") == [*back, *gone, ("gone.csv.csv", "ingested")]
    assert sorted(bench.rows("a")["id"]) == ["4", "5"]
    check_once(bench)


def test_a_file_deleted_half_way_is_taken_or_withdrawn_but_never_half(bench: Bench, failing: None) -> None:
    """A delete after the plan was made leaves the version, which goes in; one that removes the version withdraws it."""
    marked = bench.drop("a/marked.csv", readable(1))
    removed = bench.drop("a/removed.csv", readable(2))

    def delete() -> None:
        bench.delete(marked.key)
        bench.remove(removed)

    at({"manifest.created": delete})
    bench.ingest()
    assert bench.rows("a")["id"].to_list() == ["1"]
    assert bench.fates("a") == [("marked.csv", "ingested"), ("removed.csv", "withdrawn")]
    check_once(bench)


def test_newer_versions_that_come_during_an_ingest_survive_it(bench: Bench, failing: None) -> None:
    """What lands after the plan was made is not cleared with it: it comes with the next batch of the same ingest."""
    bench.drop("a/1.csv", readable(1))
    at({point: partial(bench.drop, "a/1.csv", readable(point)) for point in ("manifest.created", "bronze.committed")})
    assert len(bench.ingest()) == 2
    assert bench.rows("a")["id"].to_list() == ["bronze.committed"]
    check_once(bench)


def test_many_versions_and_deletes_of_one_name(bench: Bench) -> None:
    """Twenty versions of one name, deletes among them, all leave landing, and the last one stands."""
    for number in range(20):
        bench.drop("a/1.csv", readable(number))
        if number % 3 == 0:
            bench.delete("a/1.csv")
    bench.ingest()
    assert bench.rows("a")["id"].to_list() == ["19"]
    check_once(bench)


def test_landing_without_versions_is_refused(bench: Bench) -> None:
    """Clearing could lose a newer file, so nothing is taken from a landing bucket whose versions are switched off."""
    bench.drop("a/1.csv", readable(1))
    suspend(bench)
    with pytest.raises(UnsafeStore, match="keeps no versions"):
        bench.ingest()
    assert bench.objects.folders(Zone.CATALOG, "manifests/") == []


def test_a_version_without_an_id_is_refused(bench: Bench) -> None:
    """A file that came while versions were off has the id `null`, which newer files of its name share."""
    suspend(bench)
    bench.objects.put(Zone.LANDING, "a/old.csv", readable(1))
    bench.objects.ensure_buckets()
    with pytest.raises(UnsafeStore, match=r"a/old\.csv .* no version id"):
        bench.ingest()
    bench.drop("a/old.csv", readable(1))
    bench.objects.delete_version(Zone.LANDING, "a/old.csv", "null")
    bench.ingest()
    check_once(bench)


def suspend(bench: Bench) -> None:
    """Switch versions off, as whoever owns the bucket may."""
    bucket = bench.endpoint.bucket(Zone.LANDING)
    bench.objects._s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def test_what_another_ingester_did_not_plan_is_taken_all_the_same(fast_bench: Bench) -> None:
    """Another one's plan, made on an older listing, is finished; what it lacks comes in the same ingest."""
    bench = fast_bench
    bench.drop("a/1.csv", readable(1))
    older = landing.find(bench.objects)["a"]
    bench.drop("a/2.csv", readable(2))
    sequence = Sequence(bench.objects, Zone.CATALOG, manifests("a"))

    with Proxy(bench.endpoint) as proxy:
        rival = Manifest("a", 1, older, {}, now(), DatasetPolicy(), begun_by="elsewhere:1")
        proxy.on_request(lambda _: sequence.create(1, encode(rival)), "PUT", r"/manifests/a/")
        Bench(proxy.endpoint).ingest()
    assert bench.fates("a") == [("1.csv", "ingested"), ("2.csv", "ingested")]
    check_once(bench)
