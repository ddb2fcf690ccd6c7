"""Physical lines of text in UTF-8: where they end, which number they have, and the file as batches of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingestion.refusal import FileRefused
from ingestion.text.blocks import CR, LF, RECORD_BYTES_MAX, Offsets

BLOCK_BYTES = 2 << 20

BLANK = b" \t\r\n\x1e"
"""What may stand around a record and says nothing: JSON text sequences have a record separator before each."""

_IS_FILLED = np.ones(256, np.bool_)
_IS_FILLED[list(BLANK)] = False


@dataclass(frozen=True)
class Batch:
    """Records as they stand in the file, and the physical line on which each begins."""

    items: list[bytes]
    lines: list[int]


def read_blocks(path: Path, begin: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """A stretch of a file in blocks with their offsets; none divides a carriage return from its line feed."""
    end = path.stat().st_size if end is None else end
    with path.open("rb") as file:
        file.seek(begin)
        while begin < end and (raw := file.read(min(BLOCK_BYTES, end - begin))):
            if raw.endswith(b"\r") and begin + len(raw) < end:
                raw += b"\n" if file.read(1) == b"\n" else b""
                file.seek(begin + len(raw))
            yield begin, raw
            begin += len(raw)


def line_ends(raw: bytes) -> Offsets:
    """Where lines end: at a line feed, or at a carriage return before anything else.

    >>> line_ends(b"a\\r\\nb\\rc\\n").tolist()
    [2, 4, 6]
    """
    body = np.frombuffer(raw, np.uint8)
    if b"\r" not in raw:
        return np.flatnonzero(body == LF)
    followed = np.append(body[1:] == LF, False)
    return np.flatnonzero((body == LF) | ((body == CR) & ~followed))


def line_at(path: Path, offset: int) -> int:
    """The physical line of an offset, from 1."""
    return 1 + sum(line_ends(raw).size for _, raw in read_blocks(path, 0, offset))


def count_lines(path: Path, begin: int = 0) -> tuple[int, int]:
    """How many lines a file has, and how many of them are not blank, by its bytes."""
    lines = filled = 0
    is_begun = is_filled = False
    for _, raw in read_blocks(path, begin):
        ends = line_ends(raw)
        signs = np.cumsum(_IS_FILLED[np.frombuffer(raw, np.uint8)])
        per_line = np.diff(signs[ends], prepend=0)
        if ends.size:
            filled += int(np.count_nonzero(per_line[1:])) + int(is_filled or per_line[0] > 0)
            is_filled = False
        lines += ends.size
        is_begun = not raw.endswith((b"\n", b"\r"))
        is_filled = is_filled or bool(signs[-1] > (signs[ends[-1]] if ends.size else 0))
    return lines + is_begun, filled + is_filled


def line_batches(path: Path, begin: int = 0) -> Iterator[Batch]:
    """A file's lines, without what ends them; raises FileRefused where one is longer than a record may be."""
    pending, line = b"", 1
    for _, block in read_blocks(path, begin):
        raw = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in block else block
        whole, end, rest = raw.rpartition(b"\n")
        if not end:
            pending += raw
        else:
            items = (pending + whole).split(b"\n")
            yield Batch(items, list(range(line, line + len(items))))
            line, pending = line + len(items), rest
        refuse_long(pending, line)
    if pending:
        yield Batch([pending], [line])


def refuse_long(pending: bytes, line: int) -> None:
    """Raise FileRefused for a record that has not ended after more bytes than are kept in memory."""
    if len(pending) > RECORD_BYTES_MAX:
        reason = f"the record on line {line} is longer than {RECORD_BYTES_MAX:,} bytes"
        raise FileRefused("record-size", f"{reason}: perhaps the file is no table of records", line=line)
