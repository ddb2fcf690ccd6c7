"""The gate: one streaming pass that says whether a CSV file is so regular that no reader can misread it.

It counts records, lines and bytes of value on its own, without the parser, so that the account of a file can be closed
against what the parser made of it. What it does not let pass may still be a good record: the careful path decides.

A file is seen in blocks, of whole lines where these are short, else of whole characters. A block comes with the two
bytes before it and the one after it, so that every rule looks at its neighbours in the same way wherever the cuts fall.
Every fault has the offset at which a reader that goes byte by byte would notice it; the first one is reported. So
neither counts nor faults depend on the size of the blocks. A block in which nothing can be at fault is told by
`ingestion.text.plain` at once; all rules are applied to the others.

Blank lines at the very end are no records; a parser must not see them. In a table of one column, where they could be
missing values, they are refused as everywhere else.
"""

import codecs
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ingestion.refusal import FileRefused, has_nul, lone_cr, not_utf8
from ingestion.text.blocks import (
    CR,
    LF,
    RECORD_BYTES_MAX,
    Block,
    Flags,
    LineBeginnings,
    Offsets,
    blocks,
    end_of_records,
    is_blank,
    text_faults,
)
from ingestion.text.dialect import Dialect
from ingestion.text.encoding import Text
from ingestion.text.head import Head
from ingestion.text.index import LineIndex
from ingestion.text.plain import Plain, PlainBlocks

CHUNK_BYTES = 1 << 19

NO_DELIMITER = "\x1f"
"""Stands for the delimiter of a table of one column: a file that holds it does not pass."""

_BOM = codecs.BOM_UTF8


Fault: TypeAlias = tuple[int, str]
"""The offset at which a reader would notice it, and the rule."""


@dataclass(frozen=True)
class Shape:
    """What the gate counted below the head. Lines are physical and 1-based; sizes are in bytes.

    ``lines`` are all of the file's, ``blank_lines`` those at the end that are no records. The last record begins on
    ``last_line`` and at ``last_offset``, which are 0 where there is none.
    """

    records: int
    lines: int
    blank_lines: int
    last_line: int
    last_offset: int
    multiline: bool
    value_bytes: int


@dataclass(frozen=True)
class _Marks:
    """The delimiters and line feeds of a block that stand outside quotes, and what was learnt on the way.

    ``ends`` are the line feeds among them, ``line_feeds`` are those in quotes, too.
    """

    at: Offsets
    ends: Offsets
    line_feeds: Offsets
    quotes: int = 0
    doubled: int = 0
    quoted_after: bool = False
    multiline: bool = False
    delimiters_within: int | None = None
    faults: tuple[Fault, ...] = ()


_LINE_FAULTS: dict[str, Callable[[int], FileRefused]] = {
    "nul": has_nul,
    "line-end": lone_cr,
    "blank": lambda line: FileRefused("blank", f"line {line} is blank", line=line),
    "quote-open": lambda line: FileRefused("quote", f"line {line} has a quote in the middle of a field", line=line),
    "quote-close": lambda line: FileRefused(
        "quote", f"line {line} has text between a closing quote and the end of the field", line=line
    ),
    "swallowed": lambda line: FileRefused(
        "quote", f"line {line} stands in quotes, with as many delimiters as a record has", line=line
    ),
    "mark": lambda line: FileRefused(
        "mark", f"line {line} begins like a comment, or with a byte order mark", line=line
    ),
    "header": lambda line: FileRefused("header", f"line {line} repeats the header", line=line),
}


class _Gate:
    """The state between blocks: where the current record begins, and how much of it has been seen."""

    def __init__(self, dialect: Dialect, head: Head, index: LineIndex, record_bytes_max: int) -> None:
        self.index = index
        self.delimiter = ord(dialect.delimiter or NO_DELIMITER)
        self.quote = dialect.quote.encode()
        self.width = len(dialect.header)
        self.plain_blocks = PlainBlocks(self.delimiter, self.quote, self.width)
        self.record_bytes_max = record_bytes_max
        self.beginnings = LineBeginnings([dialect.comment.encode(), _BOM], [row.raw for row in head.rows])
        self.offset = head.offset
        self.line = head.lines + 1
        self.quoted = False
        self.delimiters = 0
        self.delimiters_within: int | None = None
        self.record_offset = self.begin = head.offset
        self.record_line = self.line
        self.records = 0
        self.last_line = 0
        self.last_offset = 0
        self.multiline = False
        self.structure_bytes = 0

    def take(self, block: Block) -> None:
        """Check one block and count it; raises `FileRefused` at the first fault."""
        beginnings = list(self._beginning_faults(block))
        # Where no record is open no quote is, and no delimiter has been seen.
        is_begin = self.offset == self.record_offset and block.body.size <= self.record_bytes_max
        if is_begin and not beginnings and (found := self.plain_blocks.plain(block)):
            self._count_plain(block, found)
            return
        marks = self._marks(block)
        faults = [
            *text_faults(block),
            *marks.faults,
            *beginnings,
            *self._size_faults(block, marks),
            *self._width_faults(block, marks),
        ]
        if faults:
            at, rule = min(faults, key=lambda fault: fault[0])
            raise self._refusal(block, marks, at, rule)
        self._count(block, marks)

    def finish(self, blank_lines: int) -> Shape:
        """Close the last record; raises `FileRefused` where it is not whole."""
        if self.quoted:
            reason = f"a quote that opens in the record on line {self.record_line} never closes"
            raise FileRefused("quote", reason, line=self.record_line)
        lines = self.line - 1
        if self.offset > self.record_offset:
            if self.delimiters != self.width - 1:
                raise self._too_few(self.record_line, self.delimiters + 1)
            lines = self.line
            self.records += 1
            self.index.add(np.array([self.record_line]))
            self.last_line, self.last_offset = self.record_line, self.record_offset
        return Shape(
            records=self.records,
            lines=lines + blank_lines,
            blank_lines=blank_lines,
            last_line=self.last_line,
            last_offset=self.last_offset,
            multiline=self.multiline,
            value_bytes=self.offset - self.begin - self.structure_bytes,
        )

    def _marks(self, block: Block) -> _Marks:
        body = block.body
        marked = body == LF
        marked |= body == self.delimiter
        if not self.quote or (not self.quoted and self.quote not in block.raw):
            at = np.flatnonzero(marked)
            ends = self._ends(block, at)
            return _Marks(at, ends, ends, delimiters_within=None if at.size else self.delimiters_within)
        marked |= body == self.quote[0]
        return self._marks_with_quotes(block, np.flatnonzero(marked))

    def _due(self, marks: Offsets) -> Offsets:
        """Those of the marks outside quotes that must be line feeds."""
        due: Offsets = marks[self.width - 1 - self.delimiters :: self.width]
        return due

    def _ends(self, block: Block, marks: Offsets) -> Offsets:
        """The line feeds among marks outside quotes: those that are due, where they are as many as there are."""
        due: Offsets = self._due(marks)
        if due.size == block.raw.count(b"\n") and (block.body[due] == LF).all():
            return due
        ends: Offsets = marks[block.body[marks] == LF]
        return ends

    def _marks_with_quotes(self, block: Block, at: Offsets) -> _Marks:
        """A mark is in quotes when the quotes before it are odd in number; a doubled quote closes and opens again."""
        kind = block.body[at]
        quote = self.quote[0]
        is_quote = kind == quote
        odd = ((np.cumsum(is_quote) + self.quoted) & 1).astype(np.bool_)
        quote_at, opens = at[is_quote], odd[is_quote]
        opening, closing = quote_at[opens], quote_at[~opens]
        left, right = block.before(opening), block.after(closing)
        doubled = right == quote
        bad_open = opening[(left != self.delimiter) & (left != LF) & (left != quote)]
        bad_close = closing[(right != self.delimiter) & (right != LF) & (right != CR) & ~doubled]
        bad = ((bad_open, "quote-open"), (bad_close, "quote-close"))
        faults = [(int(where[0]), rule) for where, rule in bad if where.size]
        outside = ~(is_quote | odd)
        feeds = np.flatnonzero(kind == LF)
        swallowed, within = self._swallowed(at, feeds, odd, is_quote)
        return _Marks(
            at=at[outside],
            ends=at[outside & (kind == LF)],
            line_feeds=at[feeds],
            quotes=quote_at.size,
            doubled=int(np.count_nonzero(doubled)),
            quoted_after=bool(odd[-1]) if odd.size else self.quoted,
            multiline=bool(odd[feeds].any()),
            delimiters_within=within,
            faults=(*faults, *swallowed),
        )

    def _swallowed(self, at: Offsets, feeds: Offsets, odd: Flags, is_quote: Flags) -> tuple[list[Fault], int | None]:
        """A line within one quoted field that has the delimiters of a record: it may be one.

        And how many delimiters follow the last line feed, where all of them, and it, are in quotes. In one column every
        line would be a record.
        """

        def within(begin: int, end: int, carried: int | None = 0) -> int | None:
            is_delimiter = ~is_quote[begin:end]
            count = int(np.count_nonzero(is_delimiter))
            is_inside = carried is not None and bool(odd[begin:end][is_delimiter].all())
            return carried + count if carried is not None and is_inside else None

        if not feeds.size:
            return [], within(0, at.size, self.delimiters_within)
        inside = odd[feeds]
        behind = within(int(feeds[-1]) + 1, at.size) if inside[-1] else None
        if self.width == 1:
            return [], behind
        if inside[0] and within(0, int(feeds[0]), self.delimiters_within) == self.width - 1:
            return [(int(at[feeds[0]]), "swallowed")], behind
        for line in np.flatnonzero(inside[1:] & inside[:-1] & (np.diff(feeds) >= self.width)).tolist():
            if within(int(feeds[line]) + 1, int(feeds[line + 1])) == self.width - 1:
                return [(int(at[feeds[line + 1]]), "swallowed")], behind
        return [], behind

    def _beginning_faults(self, block: Block) -> Iterator[Fault]:
        for at, rule in zip(self.beginnings.find(block), ("mark", "header"), strict=True):
            if at is not None:
                yield at, rule

    def _width_faults(self, block: Block, marks: _Marks) -> Iterator[Fault]:
        """Outside quotes, a line feed must be every width-th mark, and nothing else may be."""
        if self.width == 1:
            blank = marks.ends[is_blank(block, marks.ends)]
            if blank.size:
                yield int(blank[0]), "blank"
        if np.array_equal(marks.ends, self._due(marks.at)):
            return
        is_end = block.body[marks.at] == LF
        expected = np.zeros(is_end.size, np.bool_)
        expected[self.width - 1 - self.delimiters :: self.width] = True
        index = int(np.argmax(is_end != expected))
        at = marks.at[index : index + 1]
        if not is_end[index]:
            yield int(at[0]), "too-many"
        else:
            yield int(at[0]), "blank" if is_blank(block, at)[0] else "too-few"

    def _size_faults(self, block: Block, marks: _Marks) -> Iterator[Fault]:
        begin = self.record_offset - self.offset
        if block.body.size - begin <= self.record_bytes_max:
            return
        bounds = np.concatenate(([begin], marks.ends + 1, [block.body.size]))
        too_long = np.diff(bounds) > self.record_bytes_max
        if too_long.any():
            yield int(bounds[np.argmax(too_long)]) + self.record_bytes_max, "size"

    def _count(self, block: Block, marks: _Marks) -> None:
        ends = marks.ends
        self.structure_bytes += marks.at.size + block.crlf_ends(ends) + marks.quotes - marks.doubled
        self.delimiters += marks.at.size - ends.size
        if ends.size:
            self._close_records(ends, marks)
        self.line += marks.line_feeds.size
        self.offset += block.body.size
        self.quoted = marks.quoted_after
        self.delimiters_within = marks.delimiters_within
        self.multiline |= marks.multiline

    def _count_plain(self, block: Block, found: Plain) -> None:
        """Count a block of which each line is a record."""
        self.index.add_run(self.line, found.records)
        size = block.body.size
        self.last_line = self.line + found.records - 1
        self.last_offset = self.offset + block.raw.rfind(b"\n", 0, size - 1) + 1
        self.structure_bytes += found.delimiters + found.records + found.carriage_returns + found.quotes - found.doubled
        self.records += found.records
        self.record_line = self.line = self.line + found.records
        self.record_offset = self.offset = self.offset + size
        self.delimiters_within = None

    def _close_records(self, ends: Offsets, marks: _Marks) -> None:
        """Move on to the record that is open when the block ends; note where the last closed one began."""
        lines = self.line + np.searchsorted(marks.line_feeds, ends, "right")
        self.index.add(np.concatenate(([self.record_line], lines[:-1])))
        if ends.size > 1:
            self.last_line = int(lines[-2])
            self.last_offset = self.offset + int(ends[-2]) + 1
        else:
            self.last_line, self.last_offset = self.record_line, self.record_offset
        self.record_line = int(lines[-1])
        self.record_offset = self.offset + int(ends[-1]) + 1
        self.records += ends.size
        self.delimiters = marks.at.size - int(np.searchsorted(marks.at, ends[-1], "right"))

    def _line_after(self, end: np.intp, marks: _Marks) -> int:
        return self.line + int(np.searchsorted(marks.line_feeds, end, "right"))

    def _refusal(self, block: Block, marks: _Marks, at: int, rule: str) -> FileRefused:
        line = self.line + block.line_feeds_before(at)
        record_line, fields = self._record_at(marks, at)
        if rule == "encoding":
            return not_utf8(line, block.raw[at])
        if rule == "too-few":
            return self._too_few(record_line, fields)
        if rule == "too-many":
            reason = f"line {record_line} has more fields than the header, which has {self.width}"
            return FileRefused("width", reason, line=record_line)
        if rule == "header":
            line = record_line
        if rule == "size":
            longest = f"{self.record_bytes_max:,} bytes"
            reason = f"the record on line {record_line} is longer than {longest}: perhaps a quote that never closes"
            return FileRefused("record-size", reason, line=record_line)
        return _LINE_FAULTS[rule](line)

    def _record_at(self, marks: _Marks, at: int) -> tuple[int, int]:
        """The line on which the record around an offset begins, and how many fields it has up to there."""
        earlier = marks.at < at
        ends = marks.ends[marks.ends < at]
        if not ends.size:
            return self.record_line, self.delimiters + int(np.count_nonzero(earlier)) + 1
        return self._line_after(ends[-1], marks), int(np.count_nonzero(earlier & (marks.at > ends[-1]))) + 1

    def _too_few(self, line: int, fields: int) -> FileRefused:
        return FileRefused("width", width_reason(f"line {line}", fields, self.width), line=line)


def width_reason(said: str, fields: int, width: int) -> str:
    """What is wrong with a record of another width than the header's.

    >>> width_reason("line 3", 1, 2)
    'line 3 has 1 field, the header has 2'
    """
    return f"{said} has {fields} {'field' if fields == 1 else 'fields'}, the header has {width}"


def measure(
    text: Text,
    dialect: Dialect,
    head: Head,
    index: LineIndex,
    *,
    chunk_bytes: int = CHUNK_BYTES,
    record_bytes_max: int = RECORD_BYTES_MAX,
) -> Shape:
    """Pass a file through the gate and count it; raises `FileRefused` at the first thing that a reader could misread.

    Every record must have as many fields as the header. ``index`` takes the line of each. Memory depends on
    ``chunk_bytes`` only.
    """
    if head.has_lone_cr:
        raise lone_cr(1)
    gate = _Gate(dialect, head, index, record_bytes_max)
    with text.path.open("rb") as file:
        file.seek(head.offset)
        if file.read(len(_BOM)) == _BOM:
            raise FileRefused("encoding", f"line {head.lines + 1} begins with a byte order mark", line=head.lines + 1)
        stop, blank_lines = end_of_records(file, head.offset) if gate.width > 1 else (file.seek(0, os.SEEK_END), 0)
        file.seek(head.offset)
        for block in blocks(file, stop, chr(gate.delimiter), chunk_bytes):
            gate.take(block)
    return gate.finish(blank_lines)
