"""A number explained: its file, its delivery, its raw record; and the bytes that came, given back."""

import gzip
import hashlib
import zipfile
from pathlib import Path

import pytest

from catalog.errors import NotFound, StoreError, UsageError
from catalog.objects import Endpoint
from catalog.zones import Zone
from lake import Lake
from tests.support.projects import Command, commands_in, project_on

PRICES = 'Region;Month;Index\nNorth;2026-01;1,5\n"South\nWest";2026-01;2,5\n\nEast;2026-01\n' + "".join(
    f"R{n};2026-02;{n},0\n" for n in range(20)
)


@pytest.fixture
def lake(fast_endpoint: Endpoint, tmp_path: Path) -> Lake:
    """A project on a real store, with a file of which one record waits."""
    made = project_on(fast_endpoint, tmp_path / "lake")
    land(made, "a.csv", PRICES.encode("cp1252"))
    made.ingest()
    return made


@pytest.fixture
def run(fast_endpoint: Endpoint, lake: Lake) -> Command:
    """The real command in it."""
    return commands_in(fast_endpoint, lake.settings.project)


def land(lake: Lake, name: str, data: bytes, dataset: str = "prices") -> None:
    path = lake.settings.project / name
    path.write_bytes(data)
    lake.drop([path], dataset)


def text(lake: Lake, name: str, line: int) -> str | None:
    record = lake.provenance(name, line).record
    assert record is not None
    return record.text


def test_a_row_is_explained(lake: Lake, run: Command) -> None:
    """From its `_file` and `_line`: delivery, bytes, dialect, commit, the raw record and the row."""
    told = run("provenance", "prices/a.csv", "--line", "3")
    for fact in ("prices/00000001/000000: ingested; its rows are in bronze", "delimiter    ;", "commit       1, "):
        assert fact in told
    assert hashlib.sha256(PRICES.encode()).hexdigest() in told
    assert '  "South\n  West";2026-01;2,5\n' in told
    assert "in bronze.prices:" in told
    assert "raw/prices/00000001/000000" in told
    (reading,) = lake.provenance("prices/00000001/000000").readings
    assert reading.commit is not None
    assert (reading.commit.number, reading.is_standing, reading.entry["rows"]) == (1, True, 22)


def test_a_mended_record_shows_both_texts(lake: Lake, run: Command) -> None:
    """What came, what was written in its place, and since which commit; before that it waited."""
    identity = lake.quarantine().collect()["id"].item()
    lake.replay(records={identity: "East;2026-01;3,5"})
    found = lake.provenance("prices/a.csv", 6)
    record = found.record
    assert record is not None
    assert (record.text, record.mended) == ("East;2026-01", "East;2026-01;3,5")
    assert record.rows["bronze.prices"]["Index"].to_list() == ["3,5"]
    assert [(reading.is_standing, reading.commit and reading.commit.number) for reading in found.readings] == [
        (False, 1),
        (True, 2),
    ]
    told = run("provenance", "prices/a.csv", "--line", "6", "--at", "1")
    assert f"set aside, waiting: line 6 has 2 fields, the header has 3 (width)\n  {identity}" in told
    assert "mended" not in told
    assert "on line 6" in run("provenance", "prices/00000002/000000")


def test_lines_of_packed_and_encoded_files(lake: Lake) -> None:
    """A member of an archive, a compressed file, UTF-16, objects over several lines."""
    project = lake.settings.project
    with zipfile.ZipFile(project / "all.zip", "w") as archive:
        archive.writestr("north/a.csv", "x,y\n1,2\n3,4\n")
        archive.writestr("b.json", '[\n{"x": 5,\n "y": 6},\n{"x": 7, "y": 8}\n]\n')
    lake.drop([project / "all.zip"], "packed")
    land(lake, "c.csv.gz", gzip.compress("n;Gebiet\n1;Kärnten\n2;Österreich\n3;Überall\n".encode("cp1252")), "pressed")
    land(lake, "wide.csv", "n;Gebiet\n1;Kärnten\n2;Österreich\n3;Überall\n".encode("utf-16"), "wide")
    lake.ingest()
    assert text(lake, "packed/all.zip#north/a.csv", 3) == "3,4"
    assert text(lake, "packed/all.zip#b.json", 2) == '{"x": 5,\n "y": 6},'
    assert text(lake, "packed/all.zip#b.json", 4) == '{"x": 7, "y": 8}'
    assert text(lake, "pressed/c.csv.gz", 2) == text(lake, "wide/wide.csv", 2) == "1;Kärnten"
    with pytest.raises(UsageError, match="parts") as refused:
        lake.provenance("packed/all.zip", 2)
    assert "packed/all.zip#b.json" in refused.value.next
    record = lake.provenance("wide/wide.csv", 99).record
    assert record is not None
    assert (record.text, record.why) == (None, "the file ends before line 99")


def test_bytes_are_given_back(lake: Lake, run: Command, tmp_path: Path) -> None:
    """Of an older delivery too; to standard output or a new file, and no file is overwritten."""
    corrected = PRICES.replace("1,5", "9,5").encode() + b"\xff\x00"
    land(lake, "a.csv", corrected)
    lake.ingest()
    first, newest = tmp_path / "first.csv", tmp_path / "newest.csv"
    assert "SHA-256 as in the ledger" in run("raw", "prices/00000001/000000", "--out", str(first))
    lake.raw("landing/prices/a.csv", newest)
    assert (first.read_bytes(), newest.read_bytes()) == (PRICES.encode(), corrected)
    assert run("raw", "prices/00000001/000000") == PRICES
    assert "nothing is overwritten" in run("raw", "prices/a.csv", "--out", str(first), code=2)
    assert first.read_bytes() == PRICES.encode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.csv", "lake", "newest.csv"]
    assert [reading.is_standing for reading in lake.provenance("prices/a.csv").readings].count(True) <= 1


def test_bytes_that_changed_are_not_given(lake: Lake, tmp_path: Path) -> None:
    """The ledger's SHA-256 is the judge, before anything is written."""
    lake.objects.put(Zone.BRONZE, "raw/prices/00000001/000000", b"other bytes")
    with pytest.raises(StoreError, match="the ledger says"):
        lake.raw("prices/a.csv", tmp_path / "a.csv")
    assert not list(tmp_path.glob("*.csv"))


def test_names_that_never_came(lake: Lake, run: Command) -> None:
    """The nearest is said."""
    assert "did you mean prices/a.csv?" in run("provenance", "a.csv", code=2)
    assert "did you mean prices/a.csv?" in run("raw", "prices/b.csv", code=2)
    with pytest.raises(NotFound):
        lake.provenance("prices/00000009/000000")
