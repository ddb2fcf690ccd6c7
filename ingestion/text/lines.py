"""A piece of text as physical lines, judged all at once: which of them are records by themselves, which are blank.

Each line is judged as if a record began on it. Lines that are records of the right width by the strict rules, and hold
nothing that needs a closer look, can be copied in bulk; all others are for the tokeniser.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ingestion.text.blocks import CR, LF, Bytes, Flags, Offsets
from ingestion.text.tokens import EdgeQuotes, Grammar

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LineRules:
    """What makes a line a record by itself: grammar and width.

    Lines with a byte of ``apart`` are for the tokeniser, and those that may leave a field open by its ``edges``.
    """

    grammar: Grammar
    width: int
    comment: bytes
    apart: bytes
    edges: EdgeQuotes | None = None


class Lines:
    """The lines of a text that ends with a line end; ``starts`` has the text's end behind the last one."""

    def __init__(self, text: bytes, rules: LineRules) -> None:
        self.text = text
        self.body: Bytes = np.frombuffer(text, np.uint8)
        self._rules = rules
        self._is_end = self._line_ends()
        self.starts: Offsets = np.concatenate(([0], np.flatnonzero(self._is_end) + 1))
        self._judge()

    def __len__(self) -> int:
        return self.starts.size - 1

    @cached_property
    def bounds(self) -> list[tuple[int, int]]:
        """Where each line starts and its text ends, as plain numbers, for one line at a time."""
        return list(zip(self.starts.tolist(), self.ends.tolist(), strict=False))

    @cached_property
    def sound_before(self) -> list[int]:
        """How many lines before each, and before the end, are sound and need no closer look."""
        return [0, *np.cumsum(self.is_sound & ~self.is_apart).tolist()]

    @cached_property
    def apart_before(self) -> list[int]:
        """How many lines before each, and before the end, need a closer look."""
        return [0, *np.cumsum(self.is_apart).tolist()]

    @cached_property
    def ends(self) -> Offsets:
        """Where each line's text ends and its line end begins."""
        ends: Offsets = self.starts[1:] - 1
        if self._has_cr:
            before = np.maximum(ends - 1, 0)
            ends -= (self.body[ends] == LF) & (self.body[before] == CR) & (ends > self.starts[:-1])
        return ends

    @cached_property
    def is_blank(self) -> Flags:
        """Which lines have no text."""
        flags: Flags = self.ends == self.starts[:-1]
        return flags

    @cached_property
    def is_comment(self) -> Flags:
        """Which lines begin as comments do."""
        comment = self._rules.comment
        if not comment or comment not in self.text:
            return np.zeros(len(self), np.bool_)
        begins = self.ends - self.starts[:-1] >= len(comment)
        for step, byte in enumerate(comment):
            at = np.minimum(self.starts[:-1] + step, self.body.size - 1)
            begins &= self.body[at] == byte
        return begins

    @cached_property
    def is_divided(self) -> Flags:
        """Which lines hold the delimiter, in quotes or not."""
        before = np.concatenate(([0], np.cumsum(self.is_delimiter)))
        flags: Flags = before[self.ends] > before[self.starts[:-1]]
        return flags

    def holding(self, mark: bytes) -> Offsets:
        """The lines that hold one of the bytes of ``mark``, each once."""
        at = [np.flatnonzero(self.body == byte) for byte in mark if byte in self.text]
        if not at:
            return np.zeros(0, np.intp)
        return np.unique(self.at(np.concatenate(at)))

    def at(self, offsets: Offsets) -> Offsets:
        """The lines in which these offsets stand."""
        found: Offsets = np.searchsorted(self.starts, offsets, "right") - 1
        return found

    def line_of(self, offset: int) -> int:
        """The line in which an offset stands."""
        return bisect_right(self.bounds, (offset, self.body.size)) - 1

    def raw(self, begin: int, end: int) -> bytes:
        """The text of the lines from one to before another, without the last line end."""
        return self.text[self.bounds[begin][0] : self.bounds[end - 1][1]]

    def equal_to(self, line: bytes) -> Offsets:
        """The lines whose text is this one: compared byte by byte, the most telling ones first."""
        found = np.flatnonzero(self.ends - self.starts[:-1] == len(line))
        for step in (len(line) // 2, len(line) - 1, 0, *range(len(line))):
            if not found.size or not line:
                break
            found = found[self.body[self.starts[found] + step] == line[step]]
        return found

    def quoted_like(self, cells: Sequence[bytes]) -> Offsets:
        """The lines with quotes that may be a record of these cells, by their length and their first and last bytes."""
        delimiter, values = self._rules.grammar.delimiter, b"".join(cells)
        size = len(values) + (len(cells) - 1) * len(delimiter)
        is_long = self.ends - self.starts[:-1] - self.quotes + self.doubled == size
        found = np.flatnonzero(is_long & (self.quotes > 0))
        if found.size and cells[0] and cells[-1]:
            first, last = self.starts[found], self.ends[found] - 1
            first += self.body[first] == self._rules.grammar.quote[0]
            last -= self.body[last] == self._rules.grammar.quote[0]
            found = found[(self.body[first] == cells[0][0]) & (self.body[last] == cells[-1][-1])]
        return found

    def _line_ends(self) -> Flags:
        is_end: Flags = self.body == LF
        self._has_cr = b"\r" in self.text
        if self._has_cr:
            lone = self.body == CR
            lone[:-1] &= ~is_end[1:]
            is_end |= lone
        return is_end

    def _judge(self) -> None:
        """Count delimiters outside quotes and quotes, line by line, and find quotes that stand where none may."""
        rules, count = self._rules, len(self)
        self.is_delimiter = _occurrences(self.body, rules.grammar.delimiter)
        is_quote = _occurrences(self.body, rules.grammar.quote)
        if rules.grammar.quote not in self.text or not rules.grammar.quote:
            self.delimiters: Offsets = np.flatnonzero(self.is_delimiter)
            marks = np.flatnonzero(self._is_end | self.is_delimiter)
            found: Offsets = np.diff(np.flatnonzero(self._is_end[marks]), prepend=-1) - 1
            self.quotes = self.doubled = np.zeros(count, np.int64)
            fault = np.zeros(count, np.bool_)
        else:
            found, fault = self._judge_quotes(is_quote)
        self.fields: Counts = np.add(found, 1, dtype=np.int64)
        self.is_sound: Flags = ~fault & (self.fields == rules.width) & ~self.is_blank
        if len(rules.grammar.delimiter) > 1:
            close = np.diff(np.flatnonzero(self.is_delimiter)) < len(rules.grammar.delimiter)
            self.is_sound[self.at(np.flatnonzero(self.is_delimiter)[:-1][close])] = False
        self.is_apart: Flags = np.zeros(count, np.bool_)
        self.is_apart[self.holding(rules.apart)] = True
        if rules.edges is not None:
            opened = [found.end() - 1 for found in rules.edges.opening.finditer(self.text)]
            self.is_apart[self.at(np.array(opened, np.intp))] = True

    def _judge_quotes(self, is_quote: Flags) -> tuple[Offsets, Flags]:
        """Delimiters outside quotes by line, and the lines with a fault. Within a line, every second quote closes."""
        marks = np.flatnonzero(self._is_end | self.is_delimiter | is_quote)
        end, quote = self._is_end[marks], is_quote[marks]
        line: Offsets = np.cumsum(end) - end
        quotes_before = np.cumsum(quote)
        quotes_to_line = np.concatenate(([0], quotes_before[end]))
        odd = (quotes_before - quotes_to_line[line]).astype(np.int64) % 2 == 1
        self.quotes = np.diff(quotes_to_line)
        outside = ~(quote | end | odd)
        self.delimiters = marks[outside]
        fault: Flags = self.quotes % 2 == 1
        opens, closes = quote & odd, quote & ~odd
        fault[line[opens][~self._may_open(marks[opens], line[opens], is_quote)]] = True
        doubled = is_quote[np.minimum(marks[closes] + 1, self.body.size - 1)]
        fault[line[closes][~(doubled | self._may_close(marks[closes], line[closes]))]] = True
        self.doubled = np.bincount(line[closes][doubled], minlength=len(self))
        if self._rules.grammar.escape != "double":
            fault |= self.doubled > 0
        return np.bincount(line[outside], minlength=len(self)), fault

    def _may_open(self, at: Offsets, line: Offsets, is_quote: Flags) -> Flags:
        """At the start of the line, behind a delimiter, or behind the quote that it doubles."""
        size = max(1, len(self._rules.grammar.delimiter))
        allowed: Flags = at == self.starts[line]
        allowed |= self.is_delimiter[np.maximum(at - size, 0)] & (at >= size)
        allowed |= is_quote[np.maximum(at - 1, 0)] & (at > 0)
        return allowed

    def _may_close(self, at: Offsets, line: Offsets) -> Flags:
        """Before a delimiter or the line's end."""
        allowed: Flags = (at + 1 == self.ends[line]) | self.is_delimiter[np.minimum(at + 1, self.body.size - 1)]
        return allowed


def _occurrences(body: Bytes, mark: bytes) -> Flags:
    """Where a mark begins, overlaps included; nowhere where it is empty."""
    if not mark:
        return np.zeros(body.size, np.bool_)
    flags: Flags = body == mark[0]
    for step, byte in enumerate(mark[1:], start=1):
        flags[:-step] &= body[step:] == byte
        flags[-step:] = False
    return flags


def numbered(numbers: Sequence[int], first: int, count: int) -> Offsets:
    """Which of ``count`` lines, the first of which has the number ``first``, are among these ascending numbers."""
    low, high = np.searchsorted(numbers, [first, first + count])
    return np.asarray(numbers[low:high], np.intp) - first
