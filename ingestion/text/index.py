"""The physical line on which each record of a text begins, kept on disk: one pair of numbers a jump."""

from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import polars as pl

LINE = "_line"

_ENTRY = np.dtype([("record", np.int64), ("line", np.int64)])


class LineIndex:
    """Takes the lines of records in order, and gives the line of a record by its number, which counts from 0.

    A context manager: leaving it ends the writing.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with LineIndex(Path(folder) / "index") as index:
    ...         index.add(np.array([2, 3, 7]))
    ...     pl.select(pl.int_range(3).alias("record")).select(index.line_of("record"))["record"].to_list()
    [2, 3, 7]
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("wb")
        self._ahead = -1
        self.records = 0
        self.last_line = 0

    def __enter__(self) -> "LineIndex":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, lines: npt.NDArray[np.int64]) -> None:
        """Take the lines on which the next records begin."""
        if not lines.size:
            return
        ahead = lines - np.arange(self.records, self.records + lines.size)
        jumps = np.flatnonzero(np.concatenate(([ahead[0] != self._ahead], ahead[1:] != ahead[:-1])))
        entries = np.empty(jumps.size, _ENTRY)
        entries["record"], entries["line"] = self.records + jumps, lines[jumps]
        self._file.write(entries.tobytes())
        self.records += lines.size
        self.last_line, self._ahead = int(lines[-1]), int(ahead[-1])

    def add_run(self, line: int, records: int) -> None:
        """Take so many records, at least one, that begin on lines one behind the other, the first on ``line``."""
        ahead = line - self.records
        if ahead != self._ahead:
            self._file.write(np.array([(self.records, line)], _ENTRY).tobytes())
        self.records += records
        self.last_line, self._ahead = line + records - 1, ahead

    def line_of(self, record: str) -> pl.Expr:
        """The line of each record of a column of numbers; to be called when all are written, and some were."""
        index = np.memmap(self._path, _ENTRY, "r")
        records, lines = index["record"], index["line"]

        def line_of(numbers: pl.Series) -> pl.Series:
            values = numbers.to_numpy().astype(np.int64)
            place = np.searchsorted(records, values, "right") - 1
            return pl.Series(lines[place] + (values - records[place]))

        return pl.col(record).map_batches(line_of, return_dtype=pl.Int64, is_elementwise=True)
