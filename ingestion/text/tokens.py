"""The strict tokeniser: one record at an offset, or why there is none. Nothing is repaired, nothing passed over.

A record is one or more fields, divided by the delimiter, up to a line end or the end of the text. A field that begins
with a quote ends with one, and only then may it hold delimiters and line ends; a quote anywhere else is a fault. Where
backslashes escape, one before a quote, a delimiter, a line end or a backslash stands for that alone; before anything
else it is itself, so that paths and ``\\N`` stay as they are.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from ingestion.text.cells import DELIMITERS
from ingestion.text.dialect import Dialect

LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class Record:
    """The fields of a record as they are meant, and the offset behind its line end."""

    fields: list[bytes]
    end: int


@dataclass(frozen=True)
class Fault:
    """Why there is no record: ``reason`` completes "line 7 has ..."; ``at`` is the offset where it was noticed."""

    reason: str
    at: int


@dataclass(frozen=True)
class Unclosed:
    """The text ends inside a quoted field, or behind an escaped line end."""


Token: TypeAlias = Record | Fault | Unclosed

_WIDTH_AT_ONCE_MAX = 100


class _Ended(Exception):
    """The text ends within a field."""


class _Malformed(Exception):
    """A field that breaks the rules at an offset."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.fault = Fault(reason, at)


MIDDLE = "a quote in the middle of a field"
AFTER = "text between a closing quote and the end of the field"


@dataclass(frozen=True)
class Grammar:
    """The rules of a dialect in bytes of UTF-8; records of the usual ``width`` are found faster, others just as well.

    >>> Grammar(b",", b'"', "double").record(b'1,"a ""b""\\n",\\n2', 0)
    Record(fields=[b'1', b'a "b"\\n', b''], end=14)
    >>> Grammar(b",", b'"', "double").record(b'1,5" pipe', 0)
    Fault(reason='a quote in the middle of a field', at=3)
    >>> Grammar(b"||", b"", "backslash").record(b"a\\\\||b||c:\\\\temp", 0)
    Record(fields=[b'a||b', b'c:\\\\temp'], end=14)
    """

    delimiter: bytes
    quote: bytes
    escape: str
    width: int = 0

    @classmethod
    def of(cls, dialect: Dialect) -> "Grammar":
        """The rules of a dialect."""
        return cls(dialect.delimiter.encode(), dialect.quote.encode(), dialect.escape, len(dialect.header))

    @property
    def escapes(self) -> bool:
        """Whether a backslash may mean something else than itself."""
        return self.escape == "backslash"

    @cached_property
    def _escaped(self) -> re.Pattern[bytes]:
        """A backslash with what it escapes."""
        meant = [rb"\r\n|\n|\r|\\", *(re.escape(mark) for mark in (self.delimiter, self.quote) if mark)]
        return re.compile(rb"\\(" + b"|".join(meant) + rb")")

    @cached_property
    def _escape(self) -> bytes:
        """A pattern: a backslash with what may be escaped by it, or with anything else."""
        return rb"\\(?:\r\n|%b.)" % (re.escape(self.delimiter) + b"|" if self.delimiter else b"")

    @cached_property
    def _plain_end(self) -> re.Pattern[bytes]:
        """What ends an unquoted field: an escape that only seems to, a delimiter, a line end, or a stray quote."""
        ends = [rb"\r\n|\n|\r", *(re.escape(mark) for mark in (self.delimiter, self.quote) if mark)]
        return re.compile(b"|".join([*([self._escape] if self.escapes else []), *ends]), re.DOTALL)

    @cached_property
    def _quoted_end(self) -> re.Pattern[bytes]:
        """What may end a quoted field: an escape that only seems to, a doubled quote, or a quote."""
        quote = re.escape(self.quote)
        only_seems = {"backslash": rb"\\(?:\r\n|.)|", "double": quote * 2 + b"|", "none": b""}
        return re.compile(only_seems[self.escape] + quote, re.DOTALL)

    @cached_property
    def _value(self) -> bytes:
        """A pattern: a field, quoted (the first group) or plain (the second one)."""
        quote, delimiter = re.escape(self.quote), re.escape(self.delimiter)
        within = {"backslash": rb"(?:[^\\%b]++|\\.)*+", "double": b"(?:[^%b]++|%b%b)*+", "none": b"[^%b]*+"}[
            self.escape
        ]
        within = within.replace(b"%b", quote)
        quoted = b"%b(%b)%b" % (quote, within, quote) if quote else b"(?!)()"
        plain = rb"[^\r\n%b%b]" % (quote, rb"\\" if self.escapes else b"")
        plain = b"(?!%b)%b" % (delimiter, plain) if delimiter else plain
        plain = b"%b|%b" % (plain, self._escape) if self.escapes else plain
        return b"(?:%b|((?:%b)*+))" % (quoted, plain)

    @cached_property
    def _field(self) -> re.Pattern[bytes]:
        """A field with the delimiter or line end behind it, or the end of the text."""
        dividers = [rb"\r\n|\n|\r|\Z", *([re.escape(self.delimiter)] if self.delimiter else [])]
        return re.compile(b"%b(%b)" % (self._value, b"|".join(dividers)), re.DOTALL)

    @cached_property
    def _whole(self) -> re.Pattern[bytes]:
        """A record of the usual width with its line end, or the end of the text."""
        fields = re.escape(self.delimiter).join([self._value] * self.width)
        return re.compile(fields + rb"(?:\r\n|\n|\r|\Z)", re.DOTALL)

    def record(self, text: bytes, at: int) -> Token:
        """The record that begins at an offset of a text."""
        line_end = LINE_END.search(text, at)
        stop, end = line_end.span() if line_end is not None else (len(text), len(text))
        line = text[at:stop]
        if not (self.quote and self.quote in line) and not (self.escapes and b"\\" in line):
            return Record(line.split(self.delimiter) if self.delimiter else [line], end)
        return self._sound(text, at) or self._judged(text, at)

    def _sound(self, text: bytes, at: int) -> Record | None:
        """The record at an offset, if it is one beyond doubt: found in one go, or field by field."""
        if not (self.delimiter and 0 < self.width <= _WIDTH_AT_ONCE_MAX):
            return self._field_by_field(text, at)
        whole = self._whole.match(text, at)
        if whole is None or self._may_be_cut_off(text, whole.end()):
            return self._field_by_field(text, at)
        groups = whole.groups()
        return Record(list(map(self._field_value, groups[::2], groups[1::2])), whole.end())

    def _field_by_field(self, text: bytes, at: int) -> Record | None:
        fields = []
        while (found := self._field.match(text, at)) is not None:
            quoted, plain, divider = found.groups()
            fields.append(self._field_value(quoted, plain))
            at = found.end()
            if not divider or divider != self.delimiter:
                return None if self._may_be_cut_off(text, at) else Record(fields, at)
        return None

    def _field_value(self, quoted: bytes | None, plain: bytes | None) -> bytes:
        if quoted is None:
            return self._meant(plain or b"")
        return quoted.replace(self.quote * 2, self.quote) if self.escape == "double" else self._meant(quoted)

    def _may_be_cut_off(self, text: bytes, end: int) -> bool:
        """Whether a record may end with an escaped line end, behind which nothing comes."""
        return self.escapes and end == len(text) and text[-1:] in {b"\r", b"\n"}

    def _judged(self, text: bytes, at: int) -> Token:
        try:
            return self._record(text, at)
        except _Malformed as malformed:
            return malformed.fault
        except _Ended:
            return Unclosed()

    def _record(self, text: bytes, at: int) -> Record:
        fields = []
        while True:
            quoted = bool(self.quote) and text.startswith(self.quote, at)
            value, at = self._quoted(text, at + len(self.quote)) if quoted else self._plain(text, at)
            fields.append(value)
            if self.delimiter and text.startswith(self.delimiter, at):
                at += len(self.delimiter)
                continue
            line_end = LINE_END.match(text, at)
            if line_end is not None or at == len(text):
                return Record(fields, at if line_end is None else line_end.end())
            raise _Malformed(AFTER, at)

    def _plain(self, text: bytes, begin: int) -> tuple[bytes, int]:
        """An unquoted field and the offset behind it."""
        at = begin
        while True:
            found = self._plain_end.search(text, at)
            if found is None:
                return self._meant(text[begin:]), len(text)
            mark = found.group()
            if self.escapes and mark[:1] == b"\\":
                at = found.end()
                if at == len(text) and mark[-1:] in b"\r\n":
                    raise _Ended
            elif self.quote and mark == self.quote:
                raise _Malformed(MIDDLE, found.start())
            else:
                return self._meant(text[begin : found.start()]), found.start()

    def _quoted(self, text: bytes, begin: int) -> tuple[bytes, int]:
        """A field whose opening quote stands before an offset, and the offset behind its closing one."""
        at = begin
        while True:
            found = self._quoted_end.search(text, at)
            if found is None:
                raise _Ended
            if found.group() == self.quote:
                value = text[begin : found.start()]
                if self.escape == "double":
                    return value.replace(self.quote * 2, self.quote), found.end()
                return self._meant(value), found.end()
            at = found.end()

    def _meant(self, value: bytes) -> bytes:
        if not self.escapes or b"\\" not in value:
            return value
        return self._escaped.sub(rb"\1", value)


@dataclass(frozen=True)
class EdgeQuotes:
    """Quotes at the edges of fields where quotes are taken for text: they may enclose line ends all the same.

    In doubt a field is not closed by a quote: behind a backslash, or where it may be one that is doubled.

    >>> edges = EdgeQuotes(b",", 2)
    >>> edges.opens(b'1,"a'), edges.opens(b'1,"a "b" c"'), edges.opens(b'1,3"')
    (True, False, False)
    >>> edges.closes(b'b",2'), edges.closes(b'"b",2'), edges.closes(b'b"c,2')
    (2, None, None)
    """

    delimiter: bytes
    width: int

    @cached_property
    def opening(self) -> re.Pattern[bytes]:
        """Where a line may leave a field open: a field begins with a quote, the last byte of what is found."""
        closed = rb'(?:[^\r\n]*?[^\\"\r\n])?(?:"")*"' + self._edge
        return re.compile(rb'(?:\A|[\r\n]|%b)"(?!%b)' % (self._dividing, closed))

    @property
    def _dividing(self) -> bytes:
        """A pattern: the delimiter; in one column any that is usual."""
        usual = "".join(sorted(DELIMITERS | {" ", ":"})).encode()
        return re.escape(self.delimiter) if self.delimiter else rb"[%b]" % re.escape(usual)

    @property
    def _edge(self) -> bytes:
        """A pattern: a field may end here."""
        return rb"(?=%b|[\r\n]|\Z)" % self._dividing

    @cached_property
    def _divider(self) -> re.Pattern[bytes]:
        return re.compile(self._dividing)

    @cached_property
    def _closing(self) -> re.Pattern[bytes]:
        """Quotes where a field may end, and whether a backslash is before them."""
        return re.compile(rb'(\\?)("+)' + self._edge)

    @cached_property
    def _strict(self) -> Grammar:
        return Grammar(self.delimiter, b'"', "double", self.width)

    def opens(self, line: bytes, at: int = 0) -> bool:
        """Whether a line leaves a field open that begins with a quote at or behind an offset."""
        while True:
            if line.startswith(b'"', at):
                end = self._end(line, at + 1)
                if end is None:
                    return True
                at = end
            divider = self._divider.search(line, at)
            if divider is None:
                return False
            at = divider.end()

    def closes(self, line: bytes) -> int | None:
        """The offset behind the first quote that may close a field of a line above; None in a line sound by itself."""
        edge = self._closing.search(line)
        if edge is None:
            return None
        token = self._strict.record(line, 0)
        is_sound = isinstance(token, Record) and len(token.fields) == self.width
        return None if is_sound else edge.end()

    def _end(self, line: bytes, at: int) -> int | None:
        """The offset behind the quote that closes a field for certain."""
        for edge in self._closing.finditer(line, at):
            escape, quotes = edge.groups()
            if not escape and len(quotes) % 2:
                return edge.end()
        return None
