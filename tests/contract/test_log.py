"""The catalog's log on both servers: commits in order, without gaps, each seen whole by readers or not at all."""

import itertools
import json
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catalog.errors import Conflict, NotFound, StoreError, UsageError
from catalog.log import Commit, Log, Pin, Proposal
from catalog.objects import Endpoint, ObjectStore
from catalog.tables import Tables
from catalog.zones import TableName, Zone
from tests.support.delta import make, numbers, replace_all
from tests.support.proxy import Proxy

ROOT = Path(__file__).parents[2]
A, B, C = (TableName.parse(f"silver.{name}") for name in "abc")
BRONZE = TableName.parse("bronze.raw")
COMMIT = r"/commits/\d{20}\.json$"


@pytest.fixture
def log(endpoint: Endpoint) -> Log:
    return Log(ObjectStore(endpoint))


@pytest.fixture
def through(proxy: Proxy) -> Log:
    return Log(ObjectStore(proxy.endpoint))


def versions(commit: Commit) -> dict[str, int]:
    return {name: pin.version for name, pin in commit.tables.items()}


def numbers_of(log: Log) -> list[int]:
    """The commits that are there, by asking for each."""
    return [log.at(number).number for number in range(log.head().number + 1)]


class TestPublish:
    def test_an_empty_lake_is_commit_0(self, log: Log) -> None:
        """It has no tables, and can be read at."""
        assert log.head() == log.at(0) == Commit(0)
        assert log.head().version(A) is None

    def test_many_tables_in_one_commit(self, log: Log, endpoint: Endpoint) -> None:
        """All that a run wrote appears at once, with who, what and why; version 0 is a version."""
        said = {"author": "Ada", "message": "größe", "run": "r1", "revision": "abc"}
        made = log.publish(log.head(), Proposal("o1", {A: 0, B: 3}, {BRONZE: 0}, **said))
        read = Log(ObjectStore(endpoint)).head()
        assert read == made == log.at(1)
        assert read.tables == {
            "silver.a": Pin("tables/a", 0),
            "silver.b": Pin("tables/b", 3),
            "bronze.raw": Pin("tables/raw", 0),
        }
        assert (read.version(A), read.version(C)) == (0, None)
        assert {name: getattr(read, name) for name in said} == said
        assert (read.number, read.operation) == (1, "o1")
        assert read.at.endswith("+00:00")

    def test_old_commits_stay(self, log: Log) -> None:
        """What a commit says does not change; tables that a later one does not touch are carried on."""
        first = log.publish(log.head(), Proposal("o1", {A: 0}))
        second = log.publish(first, Proposal("o2", {B: 0}))
        third = log.publish(second, Proposal("o3", {A: 1}))
        assert [versions(log.at(n)) for n in range(4)] == [
            {},
            {"silver.a": 0},
            {"silver.a": 0, "silver.b": 0},
            {"silver.a": 1, "silver.b": 0},
        ]
        assert log.head() == third

    def test_a_commit_that_is_not_there_is_named(self, log: Log) -> None:
        """Neither the newest nor the empty lake stands for it."""
        log.publish(log.head(), Proposal("o1", {A: 0}))
        for number in (2, -1, 10**6):
            with pytest.raises(NotFound, match=f"no commit {number}"):
                log.at(number)

    def test_nothing_new_is_no_commit(self, log: Log) -> None:
        """The newest commit is the answer, and nothing is created."""
        first = log.publish(log.head(), Proposal("o1", {A: 0}, {BRONZE: 4}))
        assert log.publish(first, Proposal("o2", {A: 0}, {BRONZE: 4})) == first
        assert log.publish(first, Proposal("o3", {}, {BRONZE: 3})) == first
        assert log.publish(log.at(0), Proposal("o4")) == first
        assert log.head().number == 1

    def test_the_greater_version_of_a_head_wins(self, log: Log) -> None:
        """Of two who publish bronze, the one that saw less of it takes nothing back."""
        base = log.publish(log.head(), Proposal("o1", {}, {BRONZE: 1}))
        log.publish(base, Proposal("o2", {A: 0}, {BRONZE: 5}))
        last = log.publish(base, Proposal("o3", {B: 0}, {BRONZE: 2}))
        assert versions(last) == {"silver.a": 0, "silver.b": 0, "bronze.raw": 5}


class TestConflict:
    def test_a_table_that_was_published_meanwhile(self, log: Log) -> None:
        """Who wrote it on an older commit is refused, told which table and which commits, and nothing is published."""
        base = log.publish(log.head(), Proposal("o1", {A: 0, B: 0}))
        log.publish(base, Proposal("o2", {A: 1}))
        with pytest.raises(Conflict, match=r"silver\.a .*commit 2.*commit 1"):
            log.publish(base, Proposal("o3", {A: 2, B: 1}))
        assert versions(log.head()) == {"silver.a": 1, "silver.b": 0}
        assert log.head().number == 2

    def test_a_table_that_two_made(self, log: Log) -> None:
        """It was not there when either began."""
        base = log.head()
        log.publish(base, Proposal("o1", {A: 0}))
        with pytest.raises(Conflict, match=r"silver\.a"):
            log.publish(base, Proposal("o2", {A: 0, B: 0}))

    def test_tables_that_were_only_read_may_move(self, log: Log) -> None:
        """A publication of other tables in between is carried on, not undone."""
        base = log.publish(log.head(), Proposal("o1", {A: 0, B: 0}))
        log.publish(base, Proposal("o2", {A: 7}))
        assert versions(log.publish(base, Proposal("o3", {B: 1}))) == {"silver.a": 7, "silver.b": 1}

    def test_a_table_moves_forward_only(self, log: Log) -> None:
        """An older version than the published one is refused."""
        base = log.publish(log.head(), Proposal("o1", {A: 3}))
        with pytest.raises(Conflict, match="cannot go back from version 3 to 2"):
            log.publish(base, Proposal("o2", {A: 2}))


class TestRaces:
    def test_publishers_end_up_in_order(self, log: Log, endpoint: Endpoint) -> None:
        """Four threads with four publications each: sixteen commits without a gap, each on top of the one before."""

        def publish(publisher: int) -> None:
            own, table = Log(ObjectStore(endpoint)), TableName.parse(f"silver.of_{publisher}")
            for version in range(4):
                own.publish(own.head(), Proposal(f"{publisher}:{version}", {table: version}))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(publish, range(4)))
        assert numbers_of(log) == list(range(17))
        states = [versions(log.at(number)) for number in range(17)]
        for before, after in itertools.pairwise(states):
            [(table, version)] = after.items() - before.items()
            assert version == before.get(table, -1) + 1
        assert len({log.at(number).operation for number in range(1, 17)}) == 16

    def test_of_publishers_of_one_table_one_is_in(self, log: Log) -> None:
        """Six who wrote the same table on the same commit: one commit, five conflicts."""
        base = log.publish(log.head(), Proposal("o1", {A: 0}))

        def publish(publisher: int) -> bool:
            try:
                log.publish(base, Proposal(f"p{publisher}", {A: 1, B: publisher}))
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(6) as pool:
            won = list(pool.map(publish, range(6)))
        assert sum(won) == 1
        assert versions(log.head()) == {"silver.a": 1, "silver.b": won.index(True)}
        assert log.head().number == 2

    def test_processes_end_up_in_order(self, fast_endpoint: Endpoint) -> None:
        """Two processes that know nothing of each other: both are in, and no number is missing."""
        script = textwrap.dedent("""
            import sys
            from catalog.log import Log, Proposal
            from catalog.objects import Endpoint, ObjectStore
            from catalog.zones import TableName

            log = Log(ObjectStore(Endpoint(*sys.stdin.read().split("|"))))
            for version in range(4):
                log.publish(log.head(), Proposal(f"{sys.argv[1]}:{version}", {TableName.parse(sys.argv[1]): version}))
        """)
        to = fast_endpoint
        keys = "|".join((to.url, to.access_key, to.secret_key, to.region, to.bucket_prefix))
        started = [
            subprocess.Popen([sys.executable, "-c", script, f"gold.{n}"], stdin=subprocess.PIPE, text=True, cwd=ROOT)
            for n in "ab"
        ]
        for process in started:
            assert process.stdin is not None
            process.stdin.write(keys)
            process.stdin.close()
        assert [process.wait() for process in started] == [0, 0]
        log = Log(ObjectStore(to))
        assert numbers_of(log) == list(range(9))
        assert versions(log.head()) == {"gold.a": 3, "gold.b": 3}

    def test_a_reader_sees_all_of_a_publication_or_nothing(self, fast_endpoint: Endpoint) -> None:
        """Two tables that always change together are never seen apart, and a commit once read stays what it was."""
        objects = ObjectStore(fast_endpoint)
        tables, log = Tables(objects), Log(objects)
        pair = [make(tables, numbers(0)), make(tables, numbers(0))]
        log.publish(log.head(), Proposal("first", {each.name: each.version for each in pair}))
        over = threading.Event()

        def read() -> list[int]:
            own_log, own_tables, seen = Log(ObjectStore(fast_endpoint)), Tables(ObjectStore(fast_endpoint)), list[int]()
            while True:
                was_over = over.is_set()
                commit = own_log.head()
                found = set()
                for each in pair:
                    snapshot = own_tables.open(each.name, commit.version(each.name))
                    assert snapshot is not None
                    found.add(snapshot.scan().collect()["n"].item())
                [number] = found
                seen.append(number)
                if was_over:
                    return seen

        with ThreadPoolExecutor(1) as pool:
            reader = pool.submit(read)
            for number in range(1, 7):
                pair = [replace_all(tables, each, numbers(number)) for each in pair]
                log.publish(log.head(), Proposal(f"o{number}", {each.name: each.version for each in pair}))
            over.set()
            seen = reader.result()
        assert seen == sorted(seen)
        assert seen[-1] == 6


@pytest.mark.usefixtures("impatient")
class TestFaults:
    @pytest.mark.parametrize("times", [1, 3])
    def test_a_lost_reply_is_known_as_ones_own(self, times: int, proxy: Proxy, through: Log, log: Log) -> None:
        """One commit, whose number the publisher is told."""
        proxy.drop_reply("PUT", COMMIT, times=times)
        assert through.publish(through.head(), Proposal("o1", {A: 0})).number == 1
        assert log.head().operation == "o1"

    def test_a_lost_request_while_a_rival_was_first(self, proxy: Proxy, through: Log, log: Log) -> None:
        """The rival has its number, and the publisher the next."""
        base = through.head()
        proxy.on_request(lambda _: log.publish(base, Proposal("rival", {B: 0})), "PUT", COMMIT)
        proxy.drop_request("PUT", COMMIT)
        assert through.publish(base, Proposal("o1", {A: 0})).number == 2
        assert [log.at(number).operation for number in (1, 2)] == ["rival", "o1"]

    def test_a_publication_tried_again(self, proxy: Proxy, through: Log, log: Log) -> None:
        """After an error whose commit was made, under a rival's by now, the earlier commit is the answer."""
        base, mine = through.head(), Proposal("o1", {A: 0})
        proxy.on_request(lambda _: proxy.drop_request("*", "", times=None), "PUT", COMMIT)
        proxy.drop_reply("PUT", COMMIT)
        with pytest.raises(StoreError):
            through.publish(base, mine)
        proxy.clear()
        log.publish(log.head(), Proposal("rival", {B: 0}))
        assert through.publish(base, mine).number == 1
        assert log.head().number == 2

    def test_a_store_that_fails_before_the_commit(self, proxy: Proxy, through: Log, log: Log) -> None:
        """Nothing is published, and the same proposal is published later."""
        base, mine = through.head(), Proposal("o1", {A: 0, B: 0})
        proxy.answer(503, "PUT", COMMIT, times=None)
        with pytest.raises(StoreError, match="next: "):
            through.publish(base, mine)
        assert log.head() == Commit(0)
        proxy.clear()
        assert through.publish(base, mine).number == 1

    def test_a_head_that_cannot_be_read_is_not_the_empty_lake(self, proxy: Proxy, through: Log) -> None:
        """A store that does not answer is an error to every reader."""
        through.publish(through.head(), Proposal("o1", {A: 0}))
        proxy.answer(503, "GET", "", times=None)
        with pytest.raises(StoreError):
            through.head()

    def test_a_commit_that_the_store_denies_is_not_the_empty_lake(self, proxy: Proxy, through: Log) -> None:
        """A 404 for what is listed is an error, and nothing is published beside it."""
        base = through.publish(through.head(), Proposal("o1", {A: 0}))
        proxy.answer(404, "GET", COMMIT, times=None)
        with pytest.raises(NotFound):
            through.head()
        with pytest.raises((NotFound, StoreError)):
            through.publish(base, Proposal("o2", {A: 1}))
        proxy.clear()
        assert through.head() == base


def test_a_commit_of_a_newer_format(endpoint: Endpoint, log: Log) -> None:
    """A lake that a later version wrote says so, instead of being half understood."""
    made = log.publish(log.head(), Proposal("o1", {A: 0}))
    objects = ObjectStore(endpoint)
    key = "commits/00000000000000000001.json"
    later = json.loads(objects.get(Zone.CATALOG, key)) | {"format": 2, "something": "new"}
    objects.put(Zone.CATALOG, key, json.dumps(later).encode())
    for attempt in (log.head, lambda: log.publish(made, Proposal("o2", {A: 1}))):
        with pytest.raises(UsageError, match="update the lake"):
            attempt()
    assert [found.key for found in objects.list_objects(Zone.CATALOG, "commits/")] == [key]
