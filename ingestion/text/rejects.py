"""The records that a reader sets aside, as one Parquet file, written in chunks of bounded size."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.found import REJECTS

_CHUNK_RECORDS_MAX = 20_000
_CHUNK_CHARACTERS_MAX = 4 << 20


class RejectFile:
    """Collects rejects and writes them to a new Parquet file at ``path``; there is no file where there are none.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     rejects = RejectFile(Path(folder) / "rejects.parquet")
    ...     rejects.add(3, "width", "line 3 has 1 field, the header has 2", "Total")
    ...     path, count = rejects.close()
    ...     count, pl.read_parquet(path).row(0)
    (1, (3, 'width', 'line 3 has 1 field, the header has 2', 'Total'))
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[tuple[int, str, str, str]] = []
        self._characters = 0
        self._writer: pq.ParquetWriter | None = None
        self.count = 0

    def add(self, line: int, rule: str, message: str, record: str) -> None:
        """Keep one record: the line on which it begins, which check refused it, why, and its raw text."""
        self._waiting.append((line, rule, message, record))
        self._characters += len(message) + len(record)
        self.count += 1
        if len(self._waiting) >= _CHUNK_RECORDS_MAX or self._characters >= _CHUNK_CHARACTERS_MAX:
            self._write()

    def close(self) -> tuple[Path | None, int]:
        """Finish the file; its path (None where nothing was rejected) and how many records it holds."""
        if self._waiting:
            self._write()
        if self._writer is None:
            return None, 0
        self._writer.close()
        return self._path, self.count

    def _write(self) -> None:
        table = _plain(pl.DataFrame(self._waiting, schema=REJECTS, orient="row").to_arrow())
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table)
        self._waiting, self._characters = [], 0


def _plain(table: pa.Table) -> pa.Table:
    """The table with plain strings, which every reader of Parquet takes, in place of string views."""
    fields = [field.with_type(pa.large_string()) if field.name != "line" else field for field in table.schema]
    return table.cast(pa.schema(fields))
