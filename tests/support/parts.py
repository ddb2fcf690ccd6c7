"""A found table as a reader gives it, and what becomes of it: rows and rejects as frames."""

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from ingestion.found import Found
from ingestion.options import DatasetPolicy
from ingestion.protocol import ParseRequest, Part
from ingestion.write import write_part

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Written:
    """A part that was written, with its two files read back."""

    part: Part
    rows: pl.DataFrame
    rejects: pl.DataFrame

    @property
    def values(self) -> pl.DataFrame:
        """The value columns of the rows."""
        return self.rows.select(list(self.part.schema))

    @property
    def rescued(self) -> list[str | None]:
        """The texts of ``_rescued``."""
        return self.rows["_rescued"].to_list()


def found(frame: pl.DataFrame, **more: Any) -> Found:
    """A table with these values, on the lines from 2 on."""
    rows = frame.with_columns(_line=pl.int_range(2, pl.len() + 2, dtype=pl.Int64))
    said = {"header": tuple(frame.columns), "records": frame.height, "format": "csv"}
    return Found(rows=rows.lazy(), **(said | more))


def request(out: Path, **more: Any) -> ParseRequest:
    """A request to write below a folder."""
    return ParseRequest(out / "landed", "d/a.csv", out, "d/00000001/000001", AT, **more)


def write(given: Found, table: dict[str, Any] | None = None, drift: str = "evolve") -> Written:
    """Write a found table for the dataset's main table, which has these columns, or is new."""
    tables = {} if table is None else {"": pl.Schema(table)}
    with tempfile.TemporaryDirectory() as folder:
        part = write_part(given, request(Path(folder), policy=DatasetPolicy(drift=drift)), 1, tables)
        rejects = pl.DataFrame() if part.rejects is None else pl.read_parquet(part.rejects)
        wanted = {part.path.name} | ({part.rejects.name} if part.rejects else set())
        assert {path.name for path in Path(folder).iterdir()} == wanted
        return Written(part, pl.read_parquet(part.path), rejects)
