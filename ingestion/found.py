"""What a reader is given, and what it gives back: the tables that it found in a file."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import polars as pl
import pyarrow.parquet as pq

from ingestion.options import ReadOptions

REJECTS = pl.Schema({"line": pl.Int64(), "rule": pl.String(), "message": pl.String(), "record": pl.String()})
"""Records that a reader sets aside: the physical line (or row number) from 1, which check, why, and the raw record."""


@dataclass(frozen=True)
class Source:
    """A local file to read. ``name`` is its landing key, of which only the extension says anything.

    ``scratch`` is a folder for files in work, which is gone after the file. ``patches`` give records another text than
    the file's, by the line (or row number) on which they begin: what a person mended in the quarantine; those of its
    parts, such as a sheet, are ``patches_apart``, by fragment.
    """

    path: Path
    name: str
    scratch: Path
    options: ReadOptions = field(default_factory=ReadOptions)
    patches: Mapping[int, str] = field(default_factory=dict)
    patches_apart: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    def patches_of(self, fragment: str) -> Mapping[int, str]:
        """What a person mended of a part of the file."""
        return self.patches_apart.get(fragment, self.patches)


@dataclass(frozen=True)
class Found:
    """One table of a file.

    ``rows`` has the columns' stored names (of `ingestion.columns.safe_names`) and ``_line`` (Int64, from 1); ``header``
    has the names as found, in the same order. ``records`` were counted by other means than the rows, those in
    ``rejects`` (Parquet, columns as `REJECTS`; None where there are none) included. ``part`` is empty for the file's
    main table, else what tells it from the others, such as a sheet's name, as found; ``fragment`` is what the file's
    name is given in ``_file`` after a ``#``: a sheet, a member of an archive. ``metadata`` is what the file says of
    columns, by stored name: ``label``, ``missing``, ``codelist``; a name that could not be stored as found is its
    column's label. ``check`` closes the account of values: it is given the Parquet file of the rows as they were found.
    """

    rows: pl.LazyFrame
    header: tuple[str, ...]
    records: int
    format: str
    rejects: Path | None = None
    lines: int = 0
    part: str = ""
    fragment: str = ""
    dialect: Mapping[str, object] = field(default_factory=dict)
    metadata: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    check: Callable[[Path], None] | None = None

    @property
    def rejected(self) -> int:
        """How many records are in ``rejects``, by its footer."""
        return 0 if self.rejects is None else int(pq.read_metadata(self.rejects).num_rows)


Reader: TypeAlias = Callable[[Source], Iterator[Found]]
"""Yields the tables of a file one at a time: each is written before the next is asked for.

Raises `FileRefused` where the file cannot be read; then nothing of it is taken.
"""
