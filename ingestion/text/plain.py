"""Blocks of whole lines in which each line is a record and nothing is odd: most blocks of most files.

What a byte is stands in masks of one bit a byte, in words of 64, and rules are arithmetic on words: which bytes are in
quotes is a prefix sum without carry (Langdale and Lemire, "Parsing Gigabytes of JSON per Second", VLDB Journal 2019,
section 3.1), how many delimiters come before a line end is a rank by popcount (Jacobson, "Space-efficient static trees
and graphs", FOCS 1989). No array over all delimiters is made, and arrays of a block's size are kept from block to
block: the system gives such memory page by page, which takes longer than to fill it.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ingestion.text.blocks import CR, LF, Block, Bytes, is_utf8

Words: TypeAlias = npt.NDArray[np.uint64]

_WORD_BITS = 64
_ONE = np.uint64(1)
_TOP = np.uint64(_WORD_BITS - 1)
_NONE: Words = np.zeros(1, np.uint64)
"""Stands for words of any number in which no bit is set."""


@dataclass(frozen=True)
class Plain:
    """How many there are in a block, of each kind; ``doubled`` are pairs of quotes that stand for one in a value."""

    records: int
    delimiters: int
    quotes: int
    doubled: int
    carriage_returns: int


class PlainBlocks:
    """Tells plain blocks of records that have ``width`` fields; ``quote`` is one byte, or none."""

    def __init__(self, delimiter: int, quote: bytes, width: int) -> None:
        self._delimiter, self._quote, self._width = delimiter, quote, width
        self._mask = np.zeros(0, np.bool_)

    def plain(self, block: Block) -> Plain | None:
        """What is in a block that begins with a record, where each of its lines is one, in UTF-8.

        None where that cannot be shown, whatever the reason; then the block may still be good.
        """
        raw = block.raw
        if not raw.endswith(b"\n") or b"\0" in raw or not (raw.isascii() or is_utf8(raw)):
            return None
        feeds, delimiters = self._words(block.body, LF), self._words(block.body, self._delimiter)
        returns = self._words(block.body, CR) if b"\r" in raw else _NONE
        quotes = self._words(block.body, self._quote[0]) if self._quote and self._quote in raw else _NONE
        inside = _inside(quotes)
        if self._breaks_a_rule(feeds, delimiters, quotes, returns, inside):
            return None
        if not _have_equal_width(feeds, delimiters & ~inside, self._width - 1):
            return None
        records, doubled = _count(feeds), _count(quotes & ~inside & _next(quotes))
        return Plain(records, records * (self._width - 1), _count(quotes), doubled, _count(returns))

    def _breaks_a_rule(self, feeds: Words, delimiters: Words, quotes: Words, returns: Words, inside: Words) -> bool:
        """Whether a line is blank, or its end within quotes, or quotes do not enclose a field, or a CR ends no line."""
        broken = _NONE
        if returns is not _NONE:
            broken = returns & ~_next(feeds)
        if quotes is not _NONE:
            marks = feeds | delimiters | quotes
            broken = broken | feeds & inside
            broken |= quotes & inside & ~_previous(marks)
            broken |= quotes & ~inside & ~_next(marks | returns)
        if self._width == 1:
            broken = broken | (feeds | returns) & _previous(feeds)
        return bool(broken.any())

    def _words(self, body: Bytes, byte: int) -> Words:
        """Where a byte is, as words; the bits behind the block's last byte are not set."""
        size = -(-body.size // _WORD_BITS) * _WORD_BITS
        if self._mask.size < size:
            self._mask = np.zeros(size, np.bool_)
        mask = self._mask[:size]
        np.equal(body, byte, out=mask[: body.size])
        mask[body.size :] = False
        return np.packbits(mask, bitorder="little").view(np.uint64)


def _count(words: Words) -> int:
    return int(np.bitwise_count(words).sum(dtype=np.int64))


def _previous(words: Words) -> Words:
    """Of each byte, whether the one before it is marked; that before a record is."""
    moved: Words = words << _ONE
    moved[1:] |= words[:-1] >> _TOP
    moved[0] |= _ONE
    return moved


def _next(words: Words) -> Words:
    """Of each byte, whether the one behind it is marked."""
    moved: Words = words >> _ONE
    moved[:-1] |= words[1:] << _TOP
    return moved


def _inside(quotes: Words) -> Words:
    """The bytes before which, or on which, an odd number of quotes stands."""
    inside = quotes.copy()
    for bits in (1, 2, 4, 8, 16, 32):
        inside ^= inside << np.uint64(bits)
    odd = np.bitwise_xor.accumulate(inside >> _TOP)
    inside[1:] ^= np.uint64(0) - odd[:-1]
    return inside


def _have_equal_width(feeds: Words, delimiters: Words, each: int) -> bool:
    """Whether every line has so many delimiters: all line feeds are looked at, the first of every word at a time."""
    lines, marks = np.bitwise_count(feeds), np.bitwise_count(delimiters)
    due = np.cumsum(lines, dtype=np.int64) - lines
    found = np.cumsum(marks, dtype=np.int64) - marks
    while (places := np.flatnonzero(feeds != 0)).size:
        feeds, delimiters, due, found = feeds[places], delimiters[places], due[places] + 1, found[places]
        rest = feeds - _ONE
        if (found + np.bitwise_count(delimiters & rest & ~feeds) != due * each).any():
            return False
        feeds = feeds & rest
    return True
