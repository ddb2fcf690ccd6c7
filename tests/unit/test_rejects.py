"""Rejects reach their file in order, however many there are, without being held until the end."""

import tracemalloc
from pathlib import Path

import polars as pl

from ingestion.found import REJECTS
from ingestion.text.rejects import RejectFile


def test_many_rejects_are_written_in_order_and_in_bounded_memory(tmp_path: Path) -> None:
    rejects = RejectFile(tmp_path / "rejects.parquet")
    tracemalloc.start()
    for line in range(1, 50_001):
        rejects.add(line, "width", f"line {line} has 1 field", f"{line} " + "é\n\0" * 300)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    path, count = rejects.close()
    assert path is not None
    frame = pl.read_parquet(path)
    assert frame.schema == REJECTS
    assert (count, frame.height) == (50_000, 50_000)
    assert frame["line"].to_list() == list(range(1, 50_001))
    assert frame["record"][49_999] == "50000 " + "é\n\0" * 300
    assert peak < 32 << 20


def test_where_nothing_is_rejected_there_is_no_file(tmp_path: Path) -> None:
    rejects = RejectFile(tmp_path / "rejects.parquet")
    assert rejects.close() == (None, 0)
    assert list(tmp_path.iterdir()) == []
