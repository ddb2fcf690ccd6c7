"""The way back: archived bytes are read again, once; wrong files are taken back, and may come again."""

from collections.abc import Sequence

import pytest

from catalog.errors import NotFound
from catalog.ledger import Fate
from catalog.objects import Endpoint
from catalog.quarantine import QUARANTINE
from ingestion.batch import Finished
from ingestion.retake import Replay, replay, retract
from tests.faults.bench import Bench
from tests.faults.checks import PICTURE, readable

GOOD = tuple(f"{i},note {i}" for i in range(30))


@pytest.fixture
def bench(fast_endpoint: Endpoint) -> Bench:
    """A lake on one server, where it does not matter which."""
    return Bench(fast_endpoint)


def dirty(*bad: str) -> bytes:
    """Thirty good records, and some bad ones among them, the first on line 5."""
    lines = ["id,note", *GOOD[:3], *bad, *GOOD[3:]]
    return "\n".join([*lines, ""]).encode()


def again(bench: Bench, delivery: str, patches: dict[str, dict[int, str]] | None = None) -> Sequence[Finished]:
    """Read a delivery again."""
    return replay(bench.tables, bench.policy, [Replay(delivery, patches or {})])


def waiting(bench: Bench) -> list[tuple[str, int | None]]:
    """What waits in the quarantine, by file and line."""
    return bench.quarantine().filter(status="waiting").select("file", "line").sort("file", "line").rows()


def test_a_mended_record_comes_in_with_its_origin_and_waits_no_more(bench: Bench) -> None:
    """The record's new text goes the same way as its file; the row has the file and the line that it had."""
    bench.drop("a/x.csv", dirty("short"))
    bench.ingest()
    assert (bench.bronze("a").rows, waiting(bench)) == (30, [("a/x.csv", 5)])
    [entry] = bench.ledger()
    again(bench, entry.delivery, {"a/x.csv": {5: "short,no more"}})
    rows = bench.rows("a")
    assert rows.height == 31
    assert rows.filter(id="short").select("note", "_file", "_line").rows() == [("no more", "a/x.csv", 5)]
    assert waiting(bench) == []
    assert bench.quarantine()["done_by"].to_list() == [bench.ledger()[-1].delivery]


def test_what_was_mended_stays_mended_when_more_is(bench: Bench) -> None:
    """A second correction goes on with the first one; nothing is there twice."""
    bench.drop("a/x.csv", dirty("short", "shorter"))
    bench.ingest()
    delivery = bench.ledger()[0].delivery
    again(bench, delivery, {"a/x.csv": {5: "short,1"}})
    assert waiting(bench) == [("a/x.csv", 6)]
    again(bench, delivery, {"a/x.csv": {6: "shorter,2"}})
    rows = bench.rows("a")
    assert rows.height == 32
    assert rows.filter(rows["id"].is_in(["short", "shorter"])).sort("id")["note"].to_list() == ["1", "2"]
    assert waiting(bench) == []


def test_nothing_is_replayed_twice(bench: Bench) -> None:
    """Read again and again, by whichever of its readings it is named: the rows are there once."""
    bench.drop("a/x.csv", dirty("short"))
    bench.ingest()
    for _ in range(3):
        again(bench, bench.ledger()[-1].delivery)
    assert bench.bronze("a").rows == 30
    assert waiting(bench) == [("a/x.csv", 5)]
    assert bench.quarantine().height == 4


def test_a_file_that_was_set_aside_whole_is_read_under_the_policy_of_today(bench: Bench) -> None:
    """What one policy refused comes in under another, and the file waits no more."""
    bench.drop("a/x.csv", b"id,note\n1,one\n2\n")
    bench.ingest()
    assert bench.quarantine().select("rule", "record", "status").rows() == [("tolerance", None, "waiting")]
    tolerant = Bench(bench.endpoint, bad_share_max=0.5)
    again(tolerant, bench.ledger()[0].delivery)
    assert bench.rows("a")["id"].to_list() == ["1"]
    assert bench.quarantine().filter(status="waiting").select("line", "record").rows() == [(3, "2")]


def test_a_delivery_whose_place_another_took_is_not_read_again(bench: Bench) -> None:
    """The correction stands; what waited of the older delivery was settled by it."""
    bench.drop("a/x.csv", dirty("short"))
    bench.ingest()
    bench.drop("a/x.csv", readable(7))
    bench.ingest()
    assert waiting(bench) == []
    [batch] = again(bench, bench.ledger()[0].delivery)
    assert batch.entries[0].fate == Fate.KNOWN
    assert bench.rows("a")["id"].to_list() == ["7"]


def test_where_corrections_are_added_a_reading_replaces_its_own_rows_only(fast_endpoint: Endpoint) -> None:
    """Under append both deliveries of a name stand, and each can be read again."""
    bench = Bench(fast_endpoint, "append")
    bench.drop("a/x.csv", dirty("short"))
    bench.drop("a/x.csv", readable(7))
    bench.ingest()
    again(bench, bench.ledger()[0].delivery, {"a/x.csv": {5: "short,1"}})
    assert bench.bronze("a").rows == 32
    assert waiting(bench) == []


def test_a_bad_reading_does_not_take_the_place_of_a_good_one(bench: Bench) -> None:
    """Under a policy that refuses the file, its rows stay, and what waited waits."""
    bench.drop("a/x.csv", dirty("short"))
    bench.ingest()
    strict = Bench(bench.endpoint, bad_rows_max=0)
    [batch] = again(strict, bench.ledger()[0].delivery)
    assert batch.entries[0].fate == Fate.REJECTED
    assert bench.bronze("a").rows == 30
    assert waiting(bench) == [("a/x.csv", 5)]


def test_a_file_that_is_taken_back_leaves_its_bytes_and_may_come_again(bench: Bench) -> None:
    """Its rows go in one commit, those of others stay; dropped again, it is no known file."""
    bench.drop("a/x.csv", dirty("short"))
    bench.drop("a/y.csv", readable("y"))
    bench.ingest()
    before = bench.bronze("a").version
    retract(bench.tables, bench.policy, ["a/x.csv"])
    assert bench.bronze("a").version == before + 1
    assert bench.rows("a")["id"].to_list() == ["y"]
    assert waiting(bench) == []
    assert [entry.fate for entry in bench.ledger()] == [Fate.INGESTED, Fate.INGESTED, Fate.RETRACTED]
    assert bench.archived(bench.ledger()[0]) == dirty("short")
    assert retract(bench.tables, bench.policy, ["a/x.csv"]) == []
    bench.drop("a/x.csv", dirty("short"))
    bench.ingest()
    assert bench.bronze("a").rows == 31


def test_a_name_that_never_came_is_not_taken_back(bench: Bench) -> None:
    """A slip of the pen is told, with the nearest name, and nothing is done."""
    bench.drop("a/x.csv", readable(1))
    bench.ingest()
    with pytest.raises(NotFound, match=r"did you mean a/x\.csv"):
        retract(bench.tables, bench.policy, ["a/x.cvs"])
    assert bench.bronze("a").rows == 1


def test_a_file_that_is_no_table_is_kept_and_catalogued(bench: Bench) -> None:
    """Its bytes, size and hash are in the ledger; there is no table, nothing is set aside, and again it is known."""
    bench.drop("a/logo.png", PICTURE)
    bench.ingest()
    [entry] = bench.ledger()
    assert (entry.fate, entry.format, entry.rows, entry.size_bytes) == (Fate.KEPT, "raw", 0, len(PICTURE))
    assert bench.archived(entry) == PICTURE
    assert bench.landing() == []
    assert bench.quarantine().is_empty()
    bench.drop("a/logo.png", PICTURE)
    bench.ingest()
    assert bench.fates("a") == [("logo.png", "kept"), ("logo.png", "known")]


def test_the_quarantine_s_small_files_are_put_together(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch after batch sets something aside; the quarantine has few files, and every row once."""
    monkeypatch.setattr("catalog.derived.SMALL_FILES_MAX", 3)
    for number in range(7):
        bench.drop(f"a/{number}.csv", dirty("short"))
        bench.ingest()
    assert bench.quarantine()["file"].to_list() == [f"a/{number}.csv" for number in range(7)]
    quarantine = bench.tables.open(QUARANTINE)
    assert quarantine is not None
    assert len(quarantine.files) <= 3
