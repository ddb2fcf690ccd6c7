"""What becomes of the record that begins on a line: it is a row, or it is rejected, perhaps with lines below it.

A quote that opens and does not close where it should makes two readings possible: it is stray, and the lines below are
records; or it is meant, and they are the inside of a field. Where the lines themselves do not tell, all that could
belong to the record is rejected with it. They tell where five or more of them are records of the right width, where
the line on which the first reading fails is one, or where at the end of the file all of them are.

Where quotes were taken for text, and a line opens one at the edge of a field that one of the next few may close, the
same two readings are possible.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from ingestion.text.blocks import RECORD_BYTES_MAX
from ingestion.text.gate import width_reason
from ingestion.text.lines import Lines
from ingestion.text.tokens import MIDDLE, EdgeQuotes, Fault, Grammar, Record, Unclosed

_TELLING_LINES = 5
_DOUBTFUL_LINES_MAX = 50

_BOM = "\ufeff".encode()


@dataclass(frozen=True)
class Accepted:
    """A record of the right width, and how many lines it takes."""

    fields: list[bytes]
    lines: int


@dataclass(frozen=True)
class Rejected:
    """Lines that are set aside as one record, by which rule and why."""

    rule: str
    message: str
    lines: int
    raw: bytes


Verdict: TypeAlias = Accepted | Rejected


class Judge:
    """Reads and judges single records by the rules of one file.

    ``headers`` are records that may not come again, ``comment`` is how no record may begin, ``edges`` are quotes that
    were taken for text.
    """

    def __init__(
        self,
        grammar: Grammar,
        width: int,
        headers: Sequence[list[bytes]] = (),
        comment: bytes = b"",
        edges: EdgeQuotes | None = None,
    ) -> None:
        self.grammar = grammar
        self.width = width
        self.headers = headers
        self.comment = comment
        self.edges = edges

    def of_line(self, lines: Lines, at: int, number: int, last: bool) -> Verdict | None:
        """The verdict on the record that begins on a line, which has a number in its file.

        None where that depends on what comes behind these lines; there is nothing behind the ``last`` ones.
        """
        begin, end = lines.bounds[at]
        if begin == end:
            reason = f"line {number} is blank: in a table of one column, perhaps a missing value"
            return Rejected("blank", reason, 1, b"")
        if self.comment and lines.text.startswith(self.comment, begin):
            reason = f"line {number} begins like a comment, but holds the delimiter"
            return Rejected("comment", reason, 1, lines.raw(at, at + 1))
        behind = self._behind_pair(self.edges, lines, at, last) if self.edges is not None else at + 1
        if behind != at + 1:
            reason = f"line {number} opens a quote that a line below may close: it is one record or several"
            return None if behind is None else self._quote_fault(reason, lines, at, behind)
        token = self.grammar.record(lines.text, begin)
        if isinstance(token, Record) and token.end - begin <= RECORD_BYTES_MAX:
            return self._of_record(token, lines, at, number, last)
        if isinstance(token, Fault) and token.at - begin <= RECORD_BYTES_MAX:
            return self._of_fault(token, lines, at, number, last)
        return self._of_unclosed(lines, at, number, last)

    def of_patch(self, text: str, number: int, lines: int) -> Verdict:
        """The verdict on a text that stands for the record on a line, which takes so many lines."""
        raw = text.encode()
        token = self.grammar.record(raw, 0)
        said = f"the text given for line {number}"
        if not isinstance(token, Record):
            reason = token.reason if isinstance(token, Fault) else "a quote that never closes"
            return Rejected("quote", f"{said} has {reason}", lines, raw)
        if raw[token.end :]:
            return Rejected("patch", f"{said} is more than one record", lines, raw)
        return self._of_fields(token.fields, raw, lines, said)

    def _behind_pair(self, edges: EdgeQuotes, lines: Lines, at: int, last: bool) -> int | None:
        """The line behind those that quotes taken for text may make one record; the next line where there are none.

        None where that depends on what comes behind these lines.
        """
        behind = line = at + 1
        if not edges.opens(lines.raw(at, line)):
            return behind
        while line <= at + _DOUBTFUL_LINES_MAX and self._sound(lines, behind, line) < _TELLING_LINES:
            if line == len(lines):
                return behind if last else None
            text = lines.raw(line, line + 1)
            closed = edges.closes(text)
            line += 1
            if closed is not None:
                behind = line
                if not edges.opens(text, closed):
                    break
        return behind

    def _of_record(self, record: Record, lines: Lines, at: int, number: int, last: bool) -> Verdict | None:
        behind = lines.line_of(record.end - 1) + 1
        count, raw = behind - at, lines.raw(at, behind)
        within = self._sound(lines, at + 1, behind - 1) if count > 2 and self.width > 1 else 0
        if within:
            reason = f"line {number} opens a quote that takes in lines which are records themselves"
            behind = at + 1 if within >= _TELLING_LINES else behind
            return Rejected("quote", reason, behind - at, lines.raw(at, behind))
        shifted = self._behind_shifted(lines, at, behind, last) if count > 1 else behind
        if shifted != behind:
            reason = f"line {number} opens a quote that a line below closes or opens: it is one record or several"
            return None if shifted is None else self._quote_fault(reason, lines, at, shifted)
        return self._of_fields(record.fields, raw, count, f"line {number}")

    def _behind_shifted(self, lines: Lines, at: int, behind: int, last: bool) -> int | None:
        """The line behind a record that begins inside one of several lines, and ends inside what is no record below it.

        Then the one may have lost its closing quote, or the other its opening one. ``behind`` where there is none;
        None where that depends on what comes behind these lines.
        """
        for line in range(max(at + 1, behind - _DOUBTFUL_LINES_MAX), behind):
            token = self.grammar.record(lines.text, lines.bounds[line][0])
            if isinstance(token, Unclosed) and not last and not self._is_beyond(lines, line):
                return None
            if not isinstance(token, Record) or len(token.fields) != self.width:
                continue
            end = lines.line_of(token.end - 1) + 1
            if end <= behind:
                continue
            below = self.grammar.record(lines.text, lines.bounds[behind][0])
            if isinstance(below, Unclosed) and not last and not self._is_beyond(lines, behind):
                return None
            if not isinstance(below, Record) or len(below.fields) != self.width:
                return end
        return behind

    def _of_fields(self, fields: list[bytes], raw: bytes, lines: int, said: str) -> Verdict:
        if b"\0" in raw:
            return Rejected("nul", f"{said} holds a NUL byte", lines, raw)
        if len(fields) != self.width:
            return Rejected("width", width_reason(said, len(fields), self.width), lines, raw)
        if [fields[0].removeprefix(_BOM), *fields[1:]] in self.headers:
            return Rejected("header", f"{said} repeats the header", lines, raw)
        return Accepted(fields, lines)

    def _of_fault(self, fault: Fault, lines: Lines, at: int, number: int, last: bool) -> Verdict | None:
        place = lines.line_of(fault.at)
        reason = f"line {number + place - at} has {fault.reason}"
        if place == at:
            return self._of_faulty_line(reason, lines, at, last)
        reason = f"{reason} that line {number} opens" if place > at else reason
        few = place - at <= _DOUBTFUL_LINES_MAX and self._sound(lines, at + 1, place) < _TELLING_LINES
        behind = place + 1 if few and not self._sound(lines, place, place + 1) else at + 1
        return self._quote_fault(reason, lines, at, behind)

    def _of_faulty_line(self, reason: str, lines: Lines, at: int, last: bool) -> Verdict | None:
        """A line with a stray quote: alone, unless it may open a field that one of the next few lines may close."""
        behind: int | None = at + 1
        if self._may_open(lines.raw(at, at + 1)):
            behind = self._behind_closing(lines, at, last)
        return None if behind is None else self._quote_fault(reason, lines, at, behind)

    def _behind_closing(self, lines: Lines, at: int, last: bool) -> int | None:
        """The line behind one that closes a field which no record opens; the next line where there is none.

        None where that depends on what comes behind these lines.
        """
        line = at + 1
        while line <= at + _TELLING_LINES:
            if line == len(lines):
                return at + 1 if last else None
            token = self.grammar.record(lines.text, lines.bounds[line][0])
            if isinstance(token, Unclosed):
                return at + 1 if last or self._is_beyond(lines, line) else None
            if isinstance(token, Fault):
                return line + 1 if self._may_close(lines, line) else at + 1
            line = lines.line_of(token.end - 1) + 1
        return at + 1

    def _of_unclosed(self, lines: Lines, at: int, number: int, last: bool) -> Verdict | None:
        is_beyond = self._is_beyond(lines, at)
        if not is_beyond and not last:
            return None
        sound, below = self._sound(lines, at + 1, len(lines)), len(lines) - at - 1
        few = not is_beyond and below <= _DOUBTFUL_LINES_MAX and not sound == below > 1
        reason = f"a quote that opens in the record on line {number} never closes, or takes in the records below it"
        return self._quote_fault(reason, lines, at, len(lines) if few else at + 1)

    def _is_beyond(self, lines: Lines, at: int) -> bool:
        """Whether a record that these lines do not end is longer than any, or takes in so many that they tell."""
        is_long = lines.starts[-1] - lines.starts[at] > RECORD_BYTES_MAX
        return bool(is_long) or self._sound(lines, at + 1, len(lines)) >= _TELLING_LINES

    def _quote_fault(self, reason: str, lines: Lines, at: int, behind: int) -> Rejected:
        raw = lines.raw(at, behind)
        return Rejected("nul" if b"\0" in raw else "quote", reason, behind - at, raw)

    def _sound(self, lines: Lines, begin: int, end: int) -> int:
        """How many lines from one to before another are records by themselves, as far as that tells."""
        count = lines.sound_before[end] - lines.sound_before[begin]
        if count >= _TELLING_LINES or lines.apart_before[end] == lines.apart_before[begin]:
            return count
        for line in (np.flatnonzero(lines.is_apart[begin:end]) + begin).tolist():
            token = self.grammar.record(lines.raw(line, line + 1), 0)
            count += isinstance(token, Record) and len(token.fields) == self.width
            if count >= _TELLING_LINES:
                break
        return count

    def _may_open(self, line: bytes) -> bool:
        """Whether a line with a fault may leave a quoted field open, were its stray quotes meant as they stand."""
        token = self.grammar.record(line, 0)
        while isinstance(token, Fault) and token.reason == MIDDLE:
            following = line.find(self.grammar.delimiter, token.at) if self.grammar.delimiter else -1
            if following < 0:
                return False
            token = self.grammar.record(line, following + len(self.grammar.delimiter))
        return not isinstance(token, Record)

    def _may_close(self, lines: Lines, at: int) -> bool:
        """Whether a line that is no record by itself has a quote where a field may end."""
        if self._sound(lines, at, at + 1):
            return False
        return self._closing.search(lines.text, *lines.bounds[at]) is not None

    @cached_property
    def _closing(self) -> re.Pattern[bytes]:
        behind = rb"|".join([rb"\Z", *([re.escape(self.grammar.delimiter)] if self.grammar.delimiter else [])])
        return re.compile(re.escape(self.grammar.quote) + rb"(?=" + behind + rb")")
