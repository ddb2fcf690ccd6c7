"""What a batch keeps to, whoever finishes it: its order, its policy, its format, its size."""

import json
from collections.abc import Iterator

import pytest

from catalog import failpoints
from catalog.errors import UsageError
from catalog.objects import Endpoint, Sequence
from catalog.zones import TableName, Zone
from ingestion import landing
from ingestion.manifest import Manifest, encode, manifests, now
from ingestion.options import DatasetPolicy
from ingestion.retake import Replay, replay
from lake.heads import read_heads
from tests.faults.bench import Bench
from tests.faults.checks import check_once
from tests.support.proxy import Proxy

OLD, NEW = b"k,v\n1,old\n", b"k,v\n1,new\n"


@pytest.fixture
def bench(fast_endpoint: Endpoint) -> Bench:
    """A lake on one server, where it does not matter which."""
    return Bench(fast_endpoint)


@pytest.fixture
def disarmed() -> Iterator[None]:
    """Fail points that a test arms are disarmed after it."""
    yield
    failpoints.armed = None


class Died(Exception):
    """The process is to be taken for dead."""


def die_at(point: str) -> None:
    """Stop everything at the first reach of this point."""

    def reached(name: str) -> None:
        if name == point:
            raise Died(name)

    failpoints.armed = reached


def test_a_newer_version_waits_for_an_older_one_that_hides(bench: Bench) -> None:
    """The store lists a version and does not give it: the newer one of its name waits, and stands in the end."""
    bench.drop("a/x.csv", OLD)
    bench.drop("a/x.csv", NEW)
    bench.drop("a/y.csv", OLD)
    with Proxy(bench.endpoint) as proxy:
        proxy.answer(404, "PUT", r"/raw/a/00000001/000000", None)
        Bench(proxy.endpoint).ingest("a")
    assert bench.fates("a") == [("y.csv", "ingested")]
    assert len(bench.landing()) == 2
    bench.ingest()
    rows = bench.rows("a")
    assert rows.filter(rows["_file"] == "a/x.csv")["v"].to_list() == ["new"]
    assert bench.landing() == []


def test_whoever_finishes_a_batch_keeps_to_the_policy_that_it_was_begun_with(bench: Bench) -> None:
    """Begun where corrections are added, a batch adds, although it is finished where they replace."""
    bench.drop("a/x.csv", OLD)
    bench.ingest()
    bench.drop("a/x.csv", NEW)
    policy = DatasetPolicy(on_correction="append")
    plan = Manifest("a", 2, landing.find(bench.objects)["a"], {"a": 0}, now(), policy, begun_by="elsewhere:1")
    assert Sequence(bench.objects, Zone.CATALOG, manifests("a")).create(2, encode(plan))
    assert bench.on_correction == "replace"
    bench.ingest()
    assert bench.rows("a")["v"].sort().to_list() == ["new", "old"]
    assert [entry.on_correction for entry in bench.ledger("a")] == ["replace", "append"]


@pytest.mark.usefixtures("disarmed")
@pytest.mark.parametrize("name", ["outcome.json", "account.json"])
def test_a_batch_of_a_newer_format_is_left_alone(bench: Bench, name: str) -> None:
    """An ingester that is too old for a batch says so, and changes nothing of it."""
    bench.drop("a/x.csv", OLD)
    die_at("outcome.created" if name == "outcome.json" else "account.created")
    with pytest.raises(Died):
        bench.ingest()
    failpoints.armed = None
    (found,) = [o for o in bench.objects.list_objects(Zone.CATALOG, "batches/a/00000001/") if name in o.key]
    body = json.loads(bench.objects.get(Zone.CATALOG, found.key))
    bench.objects.put(Zone.CATALOG, found.key, json.dumps(body | {"format": 4}).encode())
    with pytest.raises(UsageError, match="format 4"):
        bench.ingest()
    assert len(bench.landing()) == 1
    bench.objects.put(Zone.CATALOG, found.key, json.dumps(body).encode())
    bench.ingest()
    check_once(bench)


@pytest.mark.usefixtures("disarmed")
def test_bronze_is_published_at_what_the_ledger_holds(bench: Bench) -> None:
    """A batch that is committed and not in the ledger yet is not among the heads that a run reads and publishes."""
    bench.drop("a/x.csv", OLD)
    bench.ingest()
    before = read_heads(bench.tables)
    bench.drop("a/y.csv", NEW)
    die_at("bronze.committed")
    with pytest.raises(Died):
        bench.ingest()
    failpoints.armed = None
    assert bench.bronze("a").version == before.bronze[TableName(Zone.BRONZE, "a")].version + 1
    assert read_heads(bench.tables).versions == before.versions
    bench.ingest()
    after = read_heads(bench.tables)
    assert after.bronze[TableName(Zone.BRONZE, "a")].rows == 2


def test_a_table_without_rows_takes_the_columns_of_the_next_good_file(bench: Bench) -> None:
    """A header that came first, without a record, does not bind the dataset for ever."""
    bench.drop("a/empty.csv", b"wrong,columns\n")
    bench.ingest()
    assert bench.bronze("a").rows == 0
    bench.drop("a/x.csv", OLD)
    bench.ingest()
    assert bench.rows("a")["v"].to_list() == ["old"]
    assert "wrong" not in bench.bronze("a").schema


def test_a_batch_has_an_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many files a batch takes so many, and one ingest takes all; versions of one name stay in order."""
    monkeypatch.setattr(landing, "BATCH_FILES_MAX", 3)
    for number in range(5):
        bench.drop(f"a/{number}.csv", OLD)
    bench.drop("a/2.csv", NEW)
    finished = bench.ingest()
    assert [len(batch.entries) for batch in finished] == [3, 3]
    assert bench.rows("a").filter(bench.rows("a")["_file"] == "a/2.csv")["v"].to_list() == ["new"]
    check_once(bench)


@pytest.mark.usefixtures("disarmed")
def test_what_an_older_lake_committed_is_what_it_read(bench: Bench) -> None:
    """A batch of format 1 that died after its commit: today's reading would differ, and its own account counts."""
    dirty = b"k,v\n" + b"1,good\n" * 30 + b"short\n"
    strict = Bench(bench.endpoint, bad_rows_max=0)
    bench.drop("a/wait.csv", dirty)
    strict.ingest()
    bench.drop("a/wait.csv", OLD)
    bench.drop("a/y.csv", dirty)
    die_at("bronze.committed")
    with pytest.raises(Died):
        strict.ingest()
    failpoints.armed = None
    make_format_1(bench, 2, {"a": 0})
    bench.ingest()
    assert bench.fates("a") == [("wait.csv", "rejected"), ("wait.csv", "ingested"), ("y.csv", "rejected")]
    assert bench.rows("a").select("_file", "v").rows() == [("a/wait.csv", "old")]
    assert bench.quarantine().select("file", "status").rows() == [("a/wait.csv", "done"), ("a/y.csv", "waiting")]
    assert bench.landing() == []
    replay(bench.tables, bench.policy, [Replay(bench.ledger("a")[-1].delivery)])
    assert bench.rows("a").height == 31


def make_format_1(bench: Bench, number: int, versions: dict[str, int]) -> None:
    """Write a batch that died after its commit as an older lake did: each attempt's account, named by the commit."""
    key, batch = f"manifests/a/{number:020d}.json", f"batches/a/{number:08d}"
    manifest = json.loads(bench.objects.get(Zone.CATALOG, key))
    kept = {name: manifest[name] for name in ("dataset", "number", "begun_at", "begun_by", "deliveries")}
    policy = {"bronze_version": versions["a"], "on_correction": manifest["policy"]["on_correction"]}
    put_json(bench, Zone.CATALOG, key, kept | policy | {"format": 1})
    outcome = json.loads(bench.objects.get(Zone.CATALOG, f"{batch}/outcome.json"))
    put_json(bench, Zone.CATALOG, f"{batch}/outcome.json", {**outcome, "format": 1})
    account = json.loads(bench.objects.get(Zone.CATALOG, f"{batch}/account.json"))
    put_json(bench, Zone.CATALOG, f"{batch}/account-1.json", {"format": 1, "entries": account["entries"]})
    bench.objects.delete(Zone.CATALOG, f"{batch}/account.json")
    commit = f"tables/a/_delta_log/{versions['a'] + 1:020d}.json"
    actions = [json.loads(line) for line in bench.objects.get(Zone.BRONZE, commit).splitlines()]
    [info] = [action["commitInfo"] for action in actions if "commitInfo" in action]
    info["lake.details"] |= {"format": 1, "account": f"{batch}/account-1.json"}
    bench.objects.put(Zone.BRONZE, commit, "\n".join(map(json.dumps, actions)).encode())


def put_json(bench: Bench, zone: Zone, key: str, value: dict[str, object]) -> None:
    """Write an object over."""
    bench.objects.put(zone, key, json.dumps(value).encode())
