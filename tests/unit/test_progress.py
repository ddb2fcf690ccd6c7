"""How far an ingest is: counted in files, rows, bytes and their rate, and said now and then."""

from datetime import UTC, datetime

import pytest

from catalog.ledger import Entry, Fate
from ingestion.absorb import Read
from lake.cli import progress
from lake.cli.progress import Pace


def read(done: int, of: int, dataset: str = "prices") -> Read:
    """One of several files of a batch, each of 500 rows and half a megabyte, was read."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    entry = Entry(
        dataset,
        f"{dataset}/1",
        "d",
        "f.csv",
        "v",
        500_000,
        moment,
        moment,
        None,
        None,
        Fate.INGESTED,
        "replace",
        rows=500,
    )
    return Read(entry, done, of)


def test_the_pace_is_counted() -> None:
    """Two files of four in half a second."""
    pace = Pace(10.0)
    for done in (1, 2):
        pace.add(read(done, 4))
    assert pace.told(4, 10.5) == "2 of 4 files, 1,000 rows, 1.0 MB, 2.0 MB/s"


def test_without_a_terminal_a_line_is_said_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not for every file, and not for the last, whose batch has a line of its own."""
    monkeypatch.setattr(progress, "EVERY_SECONDS", 3600.0)
    with progress.progress() as told:
        told(read(1, 3))
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
        told(read(2, 3))
        assert capsys.readouterr().err.startswith("  prices: 2 of 3 files, 1,000 rows, 1.0 MB, ")
        told(read(3, 3))
        assert capsys.readouterr().err == ""
