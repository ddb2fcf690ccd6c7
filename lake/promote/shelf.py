"""Rows written down in a folder while a job is worked on, in files such as its table is made of."""

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import polars as pl

from catalog.parquet import sinking


class Shelf:
    """Writes rows down, and knows which files hold the rows of a frame that it gave back.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     shelf = Shelf(Path(folder))
    ...     (kept,) = shelf.write([pl.LazyFrame({"n": [1, 2]})])
    ...     kept.collect().rows(), len(shelf.files(kept)), shelf.files(kept.filter(pl.col("n") > 1))
    ([(1,), (2,)], 1, [])
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: dict[int, tuple[pl.LazyFrame, list[Path]]] = {}

    def write(self, frames: Sequence[pl.LazyFrame]) -> list[pl.LazyFrame]:
        """Write rows down, and give back frames that read them.

        All frames run together: what they have in common (`LazyFrame.cache`) runs once.
        """
        sinks = [sinking(frame, str(self.folder), uuid4().hex) for frame in frames]
        pl.collect_all([sink.plan for sink in sinks], engine="streaming")
        return [
            self._read(frame, [self.folder / file.name for file in sink.files])
            for frame, sink in zip(frames, sinks, strict=True)
        ]

    def files(self, frame: pl.LazyFrame) -> list[Path]:
        """The files that hold the rows of a frame that was given back, as it is; none where there are no rows.

        None either where it is another frame.
        """
        return self._kept.get(id(frame), (frame, []))[1]

    def _read(self, frame: pl.LazyFrame, files: list[Path]) -> pl.LazyFrame:
        kept = pl.scan_parquet(files, glob=False) if files else pl.LazyFrame(schema=frame.collect_schema())
        # Kept with its frame, so that no other one comes to have its id.
        self._kept[id(kept)] = kept, files
        return kept
