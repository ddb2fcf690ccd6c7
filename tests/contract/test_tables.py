"""A table's commit, on both servers: a compare-and-set that is made once, or not at all."""

import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from catalog.errors import Conflict, DataRefused, NotFound, SchemaRefused, UsageError
from catalog.objects import Endpoint, ObjectStore
from catalog.tables import Change, DataFile, Snapshot, Tables
from tests.support.delta import (
    NUMBERS,
    append,
    change,
    fresh_name,
    head,
    held,
    make,
    numbers,
    read_everywhere,
    replace_all,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tables(endpoint: Endpoint) -> Tables:
    return Tables(ObjectStore(endpoint))


@pytest.fixture
def fast(fast_endpoint: Endpoint) -> Tables:
    return Tables(ObjectStore(fast_endpoint))


class TestVersions:
    def test_a_table_begins_with_version_0(self, tables: Tables) -> None:
        """There is none before; the first commit makes version 0, which is a version like any other."""
        name = fresh_name()
        assert tables.open(name) is None
        assert tables.open(name, 0) is None
        first = make(tables, numbers(1, 2), name)
        append(tables, first, numbers(3))
        assert first.version == 0
        again = tables.open(name, 0)
        assert again is not None
        assert (again.version, again.rows, again.schema) == (0, 2, NUMBERS)
        assert held(tables, name) == [1, 2, 3]

    def test_a_version_that_is_not_there_is_named(self, tables: Tables) -> None:
        """Not the newest instead of it."""
        first = make(tables, numbers(1))
        with pytest.raises(NotFound, match=f"{first.name} has no version 7"):
            tables.open(first.name, 7)

    def test_a_snapshot_does_not_move(self, tables: Tables) -> None:
        """Whoever holds a version reads that version, whatever is committed meanwhile."""
        first = make(tables, numbers(1))
        second = replace_all(tables, first, numbers(2))
        assert [s.scan().collect()["n"].to_list() for s in (first, second)] == [[1], [2]]
        assert [s.rows for s in (first, second)] == [1, 1]

    def test_no_rows_are_a_table_too(self, tables: Tables) -> None:
        """A table of no rows has its columns; rows come and go, to none again; every reader reads each state."""
        empty = make(tables, numbers())
        assert (empty.version, empty.rows, empty.schema, empty.files) == (0, 0, NUMBERS, ())
        full = append(tables, empty, numbers(5))
        bare = replace_all(tables, full, numbers())
        for snapshot, rows in ((empty, []), (full, [5]), (bare, [])):
            for found in read_everywhere(snapshot).values():
                assert (found["n"].to_list(), found.schema) == (rows, NUMBERS)

    def test_what_a_commit_tells_of_itself_comes_back(self, tables: Tables) -> None:
        """Metadata is JSON of any shape, and belongs to the version that the commit made."""
        told = {"progress": {"bronze.x": 0, "none": None}, "texts": ["ü", "\U00020000", 'q"'], "yes": True, "f": 0.1}
        first = make(tables, numbers(1))
        second = tables.commit(change(tables, first.name, first, numbers(2), metadata=told))
        third = append(tables, second, numbers(3))
        assert {key: second.metadata[key] for key in told} == told
        assert set(third.metadata) & set(told) == set()
        again = tables.open(first.name, 1)
        assert again is not None
        assert again.metadata == second.metadata

    def test_files_come_and_go_in_one_version(self, tables: Tables) -> None:
        """One file of two is rewritten, the other stays as it is."""
        first = append(tables, make(tables, numbers(1, 2)), numbers(3, 4))
        gone = first.files[0]
        second = tables.commit(replace(change(tables, first.name, first, numbers(9)), remove=[gone]))
        assert second.version == first.version + 1
        assert second.rows == 3
        assert {file.path for file in first.files} - {file.path for file in second.files} == {gone.path}


class TestConflict:
    def test_a_stale_base_is_refused(self, tables: Tables) -> None:
        """A change on an older version than the newest is not made, and says who was first."""
        first = make(tables, numbers(1))
        append(tables, first, numbers(2))
        for replacing in (False, True):
            with pytest.raises(Conflict, match="another writer was first"):
                tables.commit(change(tables, first.name, first, numbers(3), replacing=replacing))
        assert held(tables, first.name) == [1, 2]

    def test_a_table_that_came_into_being_is_not_made_again(self, tables: Tables) -> None:
        """Of two who found no table one makes it."""
        first = make(tables, numbers(1))
        with pytest.raises(Conflict, match="came into being"):
            make(tables, numbers(2), first.name)
        assert held(tables, first.name) == [1]

    def test_of_racing_creators_one_makes_it(self, tables: Tables) -> None:
        """Six who all found no table: one version, with the rows of one of them."""
        name = fresh_name()

        def create(number: int) -> bool:
            try:
                make(Tables(tables.objects), numbers(number), name)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(6) as pool:
            won = list(pool.map(create, range(6)))
        assert sum(won) == 1
        assert held(tables, name) == [won.index(True)]
        assert head(tables, name).version == 0

    def test_two_writers_lose_nothing(self, tables: Tables) -> None:
        """Twenty rows by two writers who both start again when the other was first: all are there, once."""
        name = make(tables, numbers()).name

        def write(first: int) -> int:
            own, conflicts = Tables(tables.objects), 0
            for number in range(first, first + 10):
                while True:
                    try:
                        append(own, head(own, name), numbers(number))
                        break
                    except Conflict:
                        conflicts += 1
            return conflicts

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(write, (0, 10)))
        assert held(tables, name) == list(range(20))
        assert head(tables, name).version == 20

    def test_one_operation_is_made_once_on_one_base(self, tables: Tables) -> None:
        """The same change tried again is found, also when others have committed on top of it."""
        first = make(tables, numbers(1))
        intent = change(tables, first.name, first, numbers(2))
        second = tables.commit(intent)
        assert tables.commit(intent).version == second.version
        append(tables, second, numbers(3))
        assert tables.commit(intent).version == second.version
        assert held(tables, first.name) == [1, 2, 3]

    def test_an_operation_is_found_in_the_history(self, tables: Tables) -> None:
        """The version that it made, or none, counted from a version on."""
        first = make(tables, numbers(1))
        intent = change(tables, first.name, first, numbers(2), operation="batch 7")
        tables.commit(intent)
        newest = append(tables, head(tables, first.name), numbers(3))
        found = tables.find_operation(newest, "batch 7", after=0)
        assert found is not None
        assert found.version == 1
        assert tables.find_operation(newest, "batch 7", after=1) is None
        assert tables.find_operation(newest, "batch 8", after=-1) is None


class TestFiles:
    def test_a_file_of_another_schema_is_refused(self, fast: Tables) -> None:
        """Its footer decides, before anything is committed: delta-rs itself would take it."""
        first = make(fast, numbers(1))
        frames = {
            "'n' is String, not Int64": pl.LazyFrame({"n": ["1"]}),
            "missing 'n'; unknown 'm'": pl.LazyFrame({"m": [1]}),
            "unknown 'm'": pl.LazyFrame({"n": [1], "m": [1]}),
            "'n' is Int32, not Int64": numbers(1).cast(pl.Int32),
        }
        for said, frame in frames.items():
            with pytest.raises(SchemaRefused, match=said):
                fast.commit(replace(change(fast, first.name, first, frame), schema=NUMBERS))
        assert head(fast, first.name).version == 0

    def test_a_file_that_is_missing_or_none_of_ours_is_refused(self, fast: Tables) -> None:
        """Nothing is committed that no reader could read."""
        first = make(fast, numbers(1))
        fast.objects.put("silver", f"{first.name.path}/text.parquet", b"not a Parquet file at all")
        fast.objects.put("silver", f"{first.name.path}/empty.parquet", b"")
        for file, error in (
            (DataFile("missing.parquet", 100, 1, "{}"), NotFound),
            (DataFile("text.parquet", 25, 1, "{}"), DataRefused),
            (DataFile("empty.parquet", 0, 0, "{}"), DataRefused),
        ):
            with pytest.raises(error, match=file.path):
                fast.commit(Change(first.name, "operation", first, NUMBERS, add=[file]))
        assert head(fast, first.name).version == 0

    def test_a_file_that_the_base_does_not_hold_cannot_be_removed(self, fast: Tables) -> None:
        """Nor one that it no longer holds."""
        first = make(fast, numbers(1))
        second = replace_all(fast, first, numbers(2))
        for stranger in (DataFile("missing.parquet", 100, 1, "{}"), first.files[0]):
            with pytest.raises(Conflict, match=stranger.path):
                fast.commit(Change(first.name, "operation", second, NUMBERS, remove=[stranger]))
        assert head(fast, first.name).version == 1

    def test_a_file_can_come_only_once(self, fast: Tables) -> None:
        """Not twice in one change, and not when it is there."""
        first = make(fast, numbers(1))
        [more] = fast.sink(first.name, numbers(2))
        for twice in ([more, more], [first.files[0]]):
            with pytest.raises(ValueError, match=r"come only once|in the table already"):
                fast.commit(Change(first.name, "operation", first, NUMBERS, add=twice))
        assert held(fast, first.name) == [1]

    def test_files_of_an_older_version_come_back(self, fast: Tables) -> None:
        """What was removed is read again as it was."""
        first = make(fast, numbers(1, 2))
        second = replace_all(fast, first, numbers(3))
        back = fast.commit(Change(first.name, "back", second, NUMBERS, add=first.files, remove=second.files))
        assert {name: sorted(found["n"]) for name, found in read_everywhere(back).items()} == {
            "ours": [1, 2],
            "polars": [1, 2],
            "delta-rs": [1, 2],
        }

    def test_rows_are_written_in_several_files(self, fast: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
        """A long frame is cut into files, none of which is large; together they hold its rows."""
        monkeypatch.setattr("catalog.parquet.FILE_MEMORY_BYTES", 400_000)
        snapshot = make(fast, pl.LazyFrame({"n": pl.int_range(300_000, eager=True)}))
        assert len(snapshot.files) > 2
        assert held(fast, snapshot.name) == list(range(300_000))

    def test_a_wide_table(self, fast: Tables) -> None:
        """A file whose footer is longer than the tail that is read first is described all the same."""
        wide = pl.DataFrame({f"a column with quite a long name, number {number}": [number] for number in range(1500)})
        snapshot = make(fast, wide.lazy())
        assert snapshot.rows == 1
        assert snapshot.scan().collect().equals(wide)

    def test_a_local_file_is_taken_in(self, fast: Tables, tmp_path: Path) -> None:
        """An upload is a file of the table once a commit names it."""
        numbers(1, 2).collect().write_parquet(tmp_path / "file")
        name = fresh_name()
        taken = fast.upload(name, tmp_path / "file")
        assert fast.open(name) is None
        fast.commit(Change(name, "operation", None, NUMBERS, add=[taken]))
        assert held(fast, name) == [1, 2]


def test_a_death_between_file_and_commit_leaves_the_table(fast: Tables) -> None:
    """kill -9 after the file is written: the table is as it was, and the next commit works."""
    first = make(fast, numbers(1))
    script = textwrap.dedent("""
        import os, signal, sys
        from catalog import failpoints
        from catalog.objects import Endpoint, ObjectStore
        from catalog.tables import Tables
        from catalog.zones import TableName
        from tests.support.delta import append, head, numbers

        failpoints.armed = lambda point: os.kill(os.getpid(), signal.SIGKILL) if point == "table.sunk" else None
        tables = Tables(ObjectStore(Endpoint(*sys.stdin.read().split("|"))))
        append(tables, head(tables, TableName.parse(sys.argv[1])), numbers(2))
    """)
    to = fast.endpoint
    died = subprocess.run(
        [sys.executable, "-c", script, str(first.name)],
        input="|".join((to.url, to.access_key, to.secret_key, to.region, to.bucket_prefix)),
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    there = {found.key.rpartition("/")[2] for found in fast.objects.list_objects("silver", f"{first.name.path}/part-")}
    assert len(there) == 2
    assert head(fast, first.name).version == 0
    append(fast, head(fast, first.name), numbers(3))
    assert held(fast, first.name) == [1, 3]


class TestSnapshot:
    def test_shows_no_key(self, tables: Tables) -> None:
        """Not in a repr, and not in a plan."""
        snapshot = make(tables, numbers(1))
        shown = [repr(tables), repr(snapshot), repr(snapshot.handle), repr(snapshot.files), str(snapshot.scan())]
        shown += [snapshot.scan().explain(), snapshot.scan().explain(optimized=False), *snapshot.uris()]
        for key in (tables.endpoint.access_key, tables.endpoint.secret_key):
            assert [text for text in shown if key in text] == []

    def test_scans_some_of_its_files(self, fast: Tables) -> None:
        """In the table's schema; what an older file lacks is missing in its rows; no files are no rows."""
        snapshot = append(fast, make(fast, numbers(1)), numbers(2))
        wide = pl.Schema({"n": pl.Int64(), "later": pl.String()})
        found = fast.scan_files(snapshot.name, snapshot.files[:1], wide).collect()
        assert (found.height, found.schema, found["later"].to_list()) == (1, wide, [None])
        assert fast.scan_files(snapshot.name, [], wide).collect().schema == wide

    def test_equals_itself_read_again(self, fast: Tables) -> None:
        """A snapshot is a value."""
        made = make(fast, numbers(1))
        assert isinstance(made, Snapshot)
        assert made == fast.open(made.name, 0)


def test_a_table_that_may_lose_its_log_is_refused(fast: Tables) -> None:
    """One that somebody else made with Delta's defaults: the catalog could not keep what it pins."""
    first = make(fast, numbers(1))
    first.handle.alter.set_table_properties({"delta.enableExpiredLogCleanup": "true"})
    with pytest.raises(UsageError, match=r"delta\.enableExpiredLogCleanup"):
        fast.open(first.name)
