"""A file as blocks for numpy: whole lines where these are short, each with the neighbours that a rule may look at."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes: TypeAlias = npt.NDArray[np.uint8]
Offsets: TypeAlias = npt.NDArray[np.intp]
Flags: TypeAlias = npt.NDArray[np.bool_]

RECORD_BYTES_MAX = 16 << 20
"""A longer record is the sign of a quote or a bracket that never closes."""

LF, CR = 0x0A, 0x0D

_BEFORE, _AFTER = 2, 1
_CONTINUATION_BYTES_MAX = 3
_BLANK_BYTES_MAX = 1 << 16
_LINE_ENDS = re.compile(rb"(\r?\n)((?:\r?\n)*)")


@dataclass(frozen=True)
class Block:
    """The bytes that this block is to account for, and its neighbours: two bytes before, and one behind."""

    raw: bytes
    neighbours: tuple[bytes, bytes]

    @cached_property
    def body(self) -> Bytes:
        """The block as numbers."""
        return np.frombuffer(self.raw, np.uint8)

    @cached_property
    def padded(self) -> Bytes:
        """The block between its neighbours."""
        before, behind = self.neighbours
        return np.frombuffer(before + self.raw + behind, np.uint8)

    def before(self, at: Offsets, steps: int = 1) -> Bytes:
        """The bytes one or two steps before these offsets of the body."""
        return self.padded[at + (_BEFORE - steps)]

    def after(self, at: Offsets) -> Bytes:
        """The bytes that follow these offsets of the body."""
        return self.padded[at + (_BEFORE + 1)]

    def line_feeds_before(self, at: int) -> int:
        """How many line feeds the body has before an offset."""
        return self.raw.count(b"\n", 0, at)

    def crlf_ends(self, ends: Offsets) -> int:
        """How many of these line feeds follow a carriage return."""
        if b"\r" not in self.raw and self.padded[_BEFORE - 1] != CR:
            return 0
        return int(np.count_nonzero(self.before(ends) == CR))


class LineBeginnings:
    """Finds lines that begin with one of some marks, or that consist of one of some texts, across blocks."""

    def __init__(self, marks: Iterable[bytes], texts: Iterable[bytes]) -> None:
        self._marks = [b"\n" + mark for mark in marks if mark]
        self._texts = [b"\n" + text for text in texts]
        self._kept_bytes = max(map(len, [*self._marks, *self._texts]), default=0)
        self._before = b"\n"

    def find(self, block: Block) -> tuple[int | None, int | None]:
        """Where in the block the first such mark, and the first such text with its line end, is seen to be whole."""
        seam, shift = self._before + block.raw[: self._kept_bytes], len(self._before)
        found = self._found(seam)
        if found == (None, None):
            found, shift = self._found(block.raw), 0
        self._before = (self._before + block.raw[-self._kept_bytes :])[-self._kept_bytes :]
        mark, text = found
        return None if mark is None else mark - shift, None if text is None else text - shift

    def _found(self, data: bytes) -> tuple[int | None, int | None]:
        possible = [mark for mark in self._marks if mark.isascii()] if data.isascii() else self._marks
        marks = [at + len(mark) - 1 for mark in possible if (at := data.find(mark)) >= 0]
        texts = [end for text in self._texts if (end := _whole_line(data, text)) is not None]
        return min(marks, default=None), min(texts, default=None)


def _whole_line(data: bytes, text: bytes) -> int | None:
    """Where the line ends that consists of a text, which begins with the line end before it."""
    at = data.find(text)
    while at >= 0:
        end = at + len(text)
        if data[end : end + 1] in {b"\r", b"\n"}:
            return end
        at = data.find(text, at + 1)
    return None


def text_faults(block: Block) -> Iterator[tuple[int, str]]:
    """What must not be in any text: bytes that are not UTF-8, NUL, a carriage return without a line feed."""
    raw = block.raw
    if not raw.isascii():
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError as error:
            yield error.start, "encoding"
    nul = raw.find(b"\0")
    if nul >= 0:
        yield nul, "nul"
    if b"\r" in raw:
        at = np.flatnonzero(block.body == CR)
        lone = at[block.after(at) != LF]
        if lone.size:
            yield int(lone[0]), "line-end"


def is_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8; Arrow's validation is several times as fast as a decoder."""
    offsets = np.array([0, len(data)], np.int64)
    text = pa.LargeStringArray.from_buffers(1, pa.py_buffer(offsets.tobytes()), pa.py_buffer(data))
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def is_blank(block: Block, ends: Offsets) -> Flags:
    """Which of these line ends have nothing before them on their line."""
    left, second_left = block.before(ends), block.before(ends, 2)
    flags: Flags = (left == LF) | ((left == CR) & (second_left == LF))
    return flags


def blocks(file: BinaryIO, stop: int, delimiter: str, chunk_bytes: int) -> Iterator[Block]:
    """Cut a file into blocks of whole lines where lines are short enough, up to an offset.

    Beyond the file's ends stand line feeds before, and after it a delimiter.
    """
    data = b"\n\n"
    left = stop - file.tell()
    while chunk := file.read(min(chunk_bytes, left)):
        left -= len(chunk)
        data += chunk
        end = _cut(data)
        if end > _BEFORE:
            yield Block(data[_BEFORE:end], (data[:_BEFORE], data[end : end + _AFTER]))
            data = data[end - _BEFORE :]
    if len(data) > _BEFORE:
        yield Block(data[_BEFORE:], (data[:_BEFORE], delimiter.encode()))


def _cut(data: bytes) -> int:
    """Where to cut so that one byte is left to look at: behind a line, or at least not within a character.

    The first two bytes are those before the block.
    """
    cut = len(data) - _AFTER
    if line_end := data.rfind(b"\n", _BEFORE, cut) + 1:
        return line_end
    for back in range(min(_CONTINUATION_BYTES_MAX, cut - _BEFORE) + 1):
        if data[cut - back] & 0xC0 != 0x80:
            return cut - back
    return cut


def end_of_records(file: BinaryIO, begin: int) -> tuple[int, int]:
    """Where the last record ends, with its line end, and how many blank lines follow; more than 64 KB are not cut."""
    size = file.seek(0, os.SEEK_END)
    tail_begin = max(begin, size - _BLANK_BYTES_MAX)
    file.seek(tail_begin)
    tail = file.read()
    kept = tail.rstrip(b"\r\n")
    if not kept and tail_begin == begin:
        only_blank = _LINE_ENDS.fullmatch(tail)
        return (begin, tail.count(b"\n")) if only_blank is not None else (size, 0)
    ends = _LINE_ENDS.fullmatch(tail, len(kept))
    if not kept or ends is None:
        return size, 0
    return size - len(ends[2]), ends[2].count(b"\n")
