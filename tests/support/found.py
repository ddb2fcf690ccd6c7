"""The tables that a reader finds in a file, read as the worker reads them: written, counted and checked."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from catalog.tables.schema import require_storable
from ingestion.found import REJECTS, Found, Source
from ingestion.options import ReadOptions
from ingestion.readers import reader_of

DATA = Path(__file__).parents[1] / "data" / "formats"


@dataclass(frozen=True)
class Table:
    """A table that was found, its rows and its rejects."""

    found: Found
    rows: pl.DataFrame
    rejects: pl.DataFrame

    @property
    def values(self) -> list[dict[str, object]]:
        return self.rows.drop("_line").to_dicts()


def tables(folder: Path, path: Path, format_: str, options: ReadOptions | None = None) -> list[Table]:
    """All tables of a file. Each can be stored in Delta, has as many rows as records, and closes its own account."""
    return [_table(folder, found) for found in reader_of(format_)(_source(folder, path, options))]


def main_table(folder: Path, name: str) -> Table:
    """The first table of a file of the test data."""
    return tables(folder, DATA / name, name.rpartition(".")[2].replace("arrows", "arrow").replace("zsav", "sav"))[0]


def _source(folder: Path, path: Path, options: ReadOptions | None) -> Source:
    return Source(path, path.name, folder, options or ReadOptions())


def _table(folder: Path, found: Found) -> Table:
    out = folder / f"found-{found.part}.parquet"
    found.rows.sink_parquet(out, engine="streaming", maintain_order=True)
    rows = pl.read_parquet(out)
    require_storable(rows.schema)
    assert rows.schema == found.rows.collect_schema()
    assert found.records == rows.height + found.rejected
    assert len(found.header) == rows.width - 1
    if found.check is not None:
        found.check(out)
    rejects = pl.DataFrame(schema=REJECTS) if found.rejects is None else pl.read_parquet(found.rejects)
    assert rejects.height == found.rejected
    return Table(found, rows, rejects)
