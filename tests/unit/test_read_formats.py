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
from ingestion.formats.signatures import BINARY_EXTENSIONS
from ingestion.options import DatasetPolicy, ReadOptions
from ingestion.protocol import Parsed, ParseRequest
from ingestion.read import read_file
from ingestion.refusal import FileRefused
from tests.support.formats import ROWS, SAMPLES

AT = datetime(2026, 11, 23, tzinfo=UTC)
DATA = Path(__file__).parents[1] / "data" / "formats"


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


REFUSED = {"password.ods": "password", "password.xls": "password", "password.xlsx": "password"}
REFUSED |= {"sheetjs.xlsb": "format", "frame.R.txt": "dialect"}


@pytest.mark.parametrize("path", sorted(DATA.iterdir()), ids=lambda path: path.name)
def test_a_file_that_another_program_made_is_read_or_says_why(tmp_path: Path, path: Path) -> None:
    """Every record of it is once in the rows or once among the rejects; no scratch file is left."""
    if path.name in REFUSED:
        with pytest.raises(FileRefused) as raised:
            read(tmp_path, path.read_bytes(), path.name)
        assert raised.value.rule == REFUSED[path.name]
        return
    parsed = read(tmp_path, path.read_bytes(), path.name)
    assert parsed.refused == ()
    assert parsed.parts or parsed.kept == ("",)
    for part in parsed.parts:
        rejected = 0 if part.rejects is None else pl.read_parquet(part.rejects).height
        assert part.records == pl.read_parquet(part.path).height + rejected
    assert not (tmp_path / "out" / "scratch").exists()


@pytest.mark.parametrize(
    "path", [path for path in sorted(DATA.iterdir()) if path.suffix in BINARY_EXTENSIONS], ids=lambda path: path.name
)
def test_a_binary_file_is_told_without_its_name(path: Path) -> None:
    """But a locked workbook, which looks like any locked document."""
    told = detect(path, "anything", None)
    assert told == BINARY_EXTENSIONS[path.suffix] or (told, path.stem) == ("raw", "password")
