"""A reader's tables, read to the end, with their accounts closed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from ingestion.found import Found, Reader, Source
from ingestion.options import ReadOptions


@dataclass(frozen=True)
class Table:
    """What was found, with its rows (of which ``lines`` are those they begin on) and its rejects in memory."""

    found: Found
    rows: list[dict[str, Any]]
    lines: list[int]
    rejects: list[tuple[int, str, str, str]]

    @property
    def rules(self) -> list[tuple[int, str]]:
        """The line and the rule of each reject."""
        return [(line, rule) for line, rule, _, _ in self.rejects]


def tables(
    reader: Reader, data: bytes | str | Path, patches: Mapping[int, str] | None = None, **options: Any
) -> list[Table]:
    """All tables that a reader finds in these bytes; the rows and rejects of each must be its records."""
    with TemporaryDirectory() as folder:
        path = data if isinstance(data, Path) else Path(folder) / "landed"
        if not isinstance(data, Path):
            path.write_bytes(data.encode() if isinstance(data, str) else data)
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        apart = options.pop("patches_apart", {})
        source = Source(path, path.name, scratch, ReadOptions(**options), patches or {}, apart)
        return [_closed(found, scratch) for found in reader(source)]


def table(reader: Reader, data: bytes | str | Path, patches: Mapping[int, str] | None = None, **options: Any) -> Table:
    """The only table that a reader finds."""
    (found,) = tables(reader, data, patches, **options)
    return found


def _closed(found: Found, scratch: Path) -> Table:
    rows = found.rows.collect()
    out = scratch / "written.parquet"
    rows.write_parquet(out)
    if found.check is not None:
        found.check(out)
    rejects = pl.read_parquet(found.rejects) if found.rejects is not None else pl.DataFrame()
    assert found.records == rows.height + rejects.height, "records are rows or rejects"
    assert found.rejected == rejects.height
    assert len(found.header) == rows.width - 1
    assert set(rows.drop("_line").dtypes) <= {pl.String()}
    return Table(found, rows.drop("_line").to_dicts(), rows["_line"].to_list(), rejects.rows())
