"""How rows become Parquet files such as the lake's tables are made of."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

import polars as pl

FILE_MEMORY_BYTES = 512 * 1024**2
"""A data file holds rows of about this much memory, which an upsert rewrites at once: a fifth or less as Parquet."""

COMPRESSION: Literal["zstd"] = "zstd"
LEVEL = 1
"""Level 3 makes files 3 to 4% smaller and takes 15% more of the processor's time: ADR 2."""


@dataclass(frozen=True)
class Written:
    """One file that was written: its name, its size in bytes and its rows."""

    name: str
    size_bytes: int
    rows: int


@dataclass(frozen=True)
class Sink:
    """A plan that writes files when it runs, in the streaming engine."""

    plan: pl.LazyFrame
    _written: list[Written]

    @property
    def files(self) -> list[Written]:
        """The files with rows, in the order of the rows, once the plan has run."""
        return sorted(self._written, key=attrgetter("name"))


def sinking(
    frame: pl.LazyFrame, folder: str, stem: str, apart: Sequence[str] = (), options: Mapping[str, Any] | None = None
) -> Sink:
    """A plan that writes a frame's rows, in their order, to files in a folder whose names begin with ``stem``.

    Rows that differ in a column of ``apart`` are in different files. ``options`` are the store's.
    """
    written: list[Written] = []
    numbers = itertools.count()
    target = pl.PartitionBy(
        folder,
        key=list(apart) or None,
        include_key=True if apart else None,
        approximate_bytes_per_file=FILE_MEMORY_BYTES,
        file_path_provider=lambda _: f"{stem}-{next(numbers):05d}.parquet",
    )
    plan = frame.sink_parquet(
        target,
        compression=COMPRESSION,
        compression_level=LEVEL,
        storage_options=None if options is None else dict(options),
        credential_provider=None,
        lazy=True,
        sinked_paths_callback=lambda sunk: written.extend(
            Written(str(path.path).rpartition("/")[2], path.num_bytes, path.num_rows)
            for path in sunk.paths
            if path.num_rows
        ),
    )
    return Sink(plan, written)
