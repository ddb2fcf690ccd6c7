"""One file of each format goes through the same door: its rows come out, however it is named and packed."""

import gzip
import io
import resource
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from ingestion.columns import LAKE_COLUMNS
from ingestion.formats.detect import detect
from ingestion.options import DatasetPolicy, ReadOptions
from ingestion.protocol import Parsed, ParseRequest
from ingestion.read import read_file
from tests.support.formats import ROWS, SAMPLES

AT = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(autouse=True)
def limits_of_this_process() -> Iterator[None]:
    """A reader limits the files that its process may write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def read(folder: Path, data: bytes, name: str, options: ReadOptions | None = None) -> Parsed:
    path = folder / "landed"
    path.write_bytes(data)
    return read_file(
        ParseRequest(path, name, folder / "out", "b-1", AT, policy=DatasetPolicy(read=options or ReadOptions()))
    )


def values(path: Path) -> list[dict[str, object]]:
    """The rows as numbers and text: a format of text keeps text, SPSS and Stata keep numbers with a point."""
    frame = pl.read_parquet(path)
    assert set(LAKE_COLUMNS) <= set(frame.columns)
    return frame.select(pl.col("id").cast(pl.Float64).cast(pl.Int64), "name").to_dicts()


@pytest.mark.parametrize("format_", SAMPLES)
def test_a_file_is_read_by_what_it_is(tmp_path: Path, format_: str) -> None:
    """Its name says something else, and so do the letters of its suffix."""
    parsed = read(tmp_path, SAMPLES[format_], f"in/prices.{format_}")
    assert parsed.format == format_
    part = next(part for part in parsed.parts if part.table == "")
    assert (part.records, part.rows, part.rejected) == (2, 2, 0)
    assert values(part.path) == ROWS
    (tmp_path / "misnamed").write_bytes(SAMPLES[format_])
    assert detect(tmp_path / "misnamed", "prices.txt", None) == format_


@pytest.mark.parametrize("format_", SAMPLES)
def test_a_file_is_read_packed(tmp_path: Path, format_: str) -> None:
    parsed = read(tmp_path, gzip.compress(SAMPLES[format_]), f"in/prices.{format_}.gz")
    assert parsed.format == f"{format_}.gz"
    assert values(parsed.parts[0].path) == ROWS


def test_an_archive_of_all_formats_is_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for format_, data in SAMPLES.items():
            archive.writestr(f"{format_}.{format_}", data)
    parsed = read(tmp_path, buffer.getvalue(), "all.zip", ReadOptions(apart=True))
    assert parsed.refused == parsed.kept == ()
    by_file = {part.file: part for part in parsed.parts}
    for format_ in SAMPLES:
        part = next(part for file, part in by_file.items() if file.startswith(f"all.zip#{format_}.{format_}"))
        assert values(part.path) == ROWS
