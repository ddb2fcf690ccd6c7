"""Records that were found good, as a text that no reader can misread, and the line on which each of them begins.

The text has one-byte delimiters and quotes and a line feed behind each record; beside it stands an index of lines.
"""

import codecs
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import polars as pl

from ingestion.text.account import Account
from ingestion.text.blocks import Flags, Offsets
from ingestion.text.index import LINE, LineIndex
from ingestion.text.lines import Lines
from ingestion.text.tokens import Grammar

_BEGIN = codecs.BOM_UTF8
"""Polars passes over a byte order mark at the start: over this one, and not over one that a value begins with."""

_SEPARATORS = (b"\x1f", b"\x1e")


class CleanFile:
    """Takes good records, in order, and gives them back as a frame. A context manager: leaving it ends the writing."""

    def __init__(self, folder: Path, grammar: Grammar, width: int) -> None:
        self._path = folder / "clean.csv"
        self._grammar = grammar
        self._width = width
        self.delimiter = grammar.delimiter if len(grammar.delimiter) == 1 else _SEPARATORS[0]
        self.quote = grammar.quote or next(mark for mark in _SEPARATORS if mark != self.delimiter)
        self._file: BinaryIO = self._path.open("wb", buffering=1 << 20)
        self._index = LineIndex(folder / "clean.index")
        self._file.write(_BEGIN)
        self.value_bytes = 0

    def __enter__(self) -> "CleanFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._index.__exit__(kind, error, trace)

    @property
    def marks(self) -> bytes:
        """Bytes that mean something here and not in the original: lines that hold them cannot be copied."""
        delimiter = self.delimiter if self.delimiter != self._grammar.delimiter else b""
        return delimiter + (self.quote if self.quote != self._grammar.quote else b"")

    @property
    def records(self) -> int:
        """How many records were written."""
        return self._index.records

    @property
    def account(self) -> Account:
        """What was written, counted without a parser."""
        return Account(self.records, self.records * self._width, self._index.last_line, self.value_bytes)

    def add(self, fields: Sequence[bytes], line: int) -> None:
        """Write one record that begins on a line."""
        self._file.write(self._written(fields))
        self.value_bytes += sum(map(len, fields))
        self._index.add(np.array([line]))

    def take(self, lines: Lines, kept: Flags, records: Mapping[int, Sequence[bytes]], number: int) -> None:
        """Write the records of some lines: lines that are kept as they stand, and others by the line they begin on.

        The first of the lines has the number ``number``.
        """
        which = np.flatnonzero(kept)
        written = [self._written(fields) for fields in records.values()]
        self._file.write(
            self._woven(self._copied(lines, which), lines, which, dict(zip(records, written, strict=True)))
        )
        structure = (self._width - 1) * len(self._grammar.delimiter) * which.size
        structure += int(lines.quotes[which].sum() - lines.doubled[which].sum())
        self.value_bytes += int((lines.ends[which] - lines.starts[which]).sum()) - structure
        self.value_bytes += sum(len(field) for fields in records.values() for field in fields)
        begins = np.concatenate((which, np.fromiter(records, np.intp, len(records))))
        begins.sort()
        self._index.add(begins + number)

    def frame(self, columns: Sequence[str]) -> pl.LazyFrame:
        """The records as text columns of these names, with the line of each; to be called when all are written."""
        positions = {f"c{position}": name for position, name in enumerate(columns)}
        if self.records == 0:
            return pl.LazyFrame(schema={**dict.fromkeys(columns, pl.String), LINE: pl.Int64})
        frame = pl.scan_csv(
            self._path,
            has_header=False,
            schema=dict.fromkeys(positions, pl.String),
            separator=self.delimiter.decode(),
            quote_char=self.quote.decode(),
            empty_string_is_null=False,
            glob=False,
        )
        values = [pl.col(position).alias(name) for position, name in positions.items()]
        return frame.with_row_index("record").select(*values, self._index.line_of("record").alias(LINE))

    def _written(self, fields: Sequence[bytes]) -> bytes:
        quote = self.quote
        divider = quote + self.delimiter + quote
        return quote + divider.join([field.replace(quote, quote * 2) for field in fields]) + quote + b"\n"

    def _woven(self, copied: bytes, lines: Lines, which: Offsets, written: Mapping[int, bytes]) -> bytes:
        """The text of copied lines with other records at their places among them."""
        if not written:
            return copied
        shortened = (self._width - 1) * (len(self._grammar.delimiter) - len(self.delimiter))
        sizes = lines.ends[which] - lines.starts[which] + 1 - shortened
        offsets = np.concatenate(([0], np.cumsum(sizes)))
        cuts = offsets[np.searchsorted(which, np.fromiter(written, np.intp, len(written)))].tolist()
        parts = [copied[: cuts[0]]]
        for record, begin, end in zip(written.values(), cuts, [*cuts[1:], len(copied)], strict=True):
            parts += (record, copied[begin:end])
        return b"".join(parts)

    def _copied(self, lines: Lines, which: Offsets) -> bytes:
        """The text of lines with this file's delimiter and line ends."""
        if not which.size:
            return b""
        begin, end = int(lines.starts[which[0]]), int(lines.starts[which[-1] + 1])
        is_run = which[-1] + 1 - which[0] == which.size
        if is_run and len(self._grammar.delimiter) <= 1:
            text = lines.text[begin:end]
        else:
            text = self._picked(lines, which, begin, end)
        return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text

    def _picked(self, lines: Lines, which: Offsets, begin: int, end: int) -> bytes:
        """The bytes of lines that do not all follow each other, a delimiter of several bytes made one."""
        first, behind = which[0], which[-1] + 1
        chosen = np.zeros(behind - first, np.bool_)
        chosen[which - first] = True
        kept = np.repeat(chosen, np.diff(lines.starts[first : behind + 1]))
        body, size = lines.body[begin:end], len(self._grammar.delimiter)
        if size > 1:
            low, high = np.searchsorted(lines.delimiters, [begin, end])
            at = lines.delimiters[low:high] - begin
            body = body.copy()
            body[at] = self.delimiter[0]
            for step in range(1, size):
                kept[at + step] = False
        picked: bytes = body[kept].tobytes()
        return picked
