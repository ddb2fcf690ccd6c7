"""The beginning of a text table, and how it reads by a delimiter, a quote and an escape: as strictly as the tokeniser.

A record that is malformed has no cells here, and gives its later lines back. So does one that swallows lines which
would be records of the usual width.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from ingestion.refusal import FileRefused
from ingestion.text.encoding import Text

SAMPLE_BYTES = 1 << 20
SAMPLE_LINES = 1500

_RECORD_LINES_MAX = 100
_DIVIDED_SHARE = 0.4
_LINE_END = re.compile(r"(\r\n|\n|\r)")
_STAND_IN = "\ue000"


@dataclass(frozen=True)
class Sample:
    """The first physical lines of a file and what ends each of them; ``whole`` where there are no more.

    ``bad`` are the numbers of lines with bytes that could not be decoded.
    """

    lines: list[str]
    ends: list[str]
    whole: bool
    bad: frozenset[int] = frozenset()

    def head(self, count: int) -> "Sample":
        """The first lines only."""
        if len(self.lines) <= count:
            return self
        return replace(self, lines=self.lines[:count], ends=self.ends[:count], whole=False)

    def below(self, count: int) -> "Sample":
        """The sample with its first lines blank."""
        blank = [""] * min(count, len(self.lines))
        return replace(self, lines=blank + self.lines[count:]) if count else self

    def begins(self, line: int, mark: str) -> bool:
        """Whether a line (from 1) begins with a mark."""
        return self.lines[line - 1].startswith(mark)

    @cached_property
    def filled(self) -> list[str]:
        """The lines that are not blank."""
        return [line for line in self.lines if line.strip()]


class Style(NamedTuple):
    """How the fields of a record are divided; an empty delimiter or quote is none."""

    delimiter: str
    quote: str = '"'
    escape: str = "double"


class Record(NamedTuple):
    """A record from its first to its last physical line, with its cells as written; without any it is malformed."""

    line: int
    end: int
    cells: Sequence[str]


def read_sample(text: Text, sample_bytes: int = SAMPLE_BYTES) -> Sample:
    """The beginning of a text; raises `FileRefused` where it is blank, or where not one line ends in it."""
    with text.path.open("rb") as file:
        file.seek(text.begin)
        head = file.read(sample_bytes)
        whole = not file.read(1)
    content = head.decode("utf-8", "ignore")
    if not whole:
        content = content.removesuffix("\r")
    parts = _LINE_END.split(content)
    lines, ends = parts[::2], parts[1::2]
    last = lines.pop()
    if whole and last:
        lines.append(last)
    if whole and not content.strip("\ufeff \t\r\n"):
        raise FileRefused("empty", "the file is empty")
    if not lines:
        raise FileRefused("record-size", f"the first record does not end within {sample_bytes:,} bytes", line=1)
    return Sample(lines, ends, whole, frozenset(text.bad_lines[:SAMPLE_LINES])).head(SAMPLE_LINES)


class Splitter:
    """Divides lines into cells in one style, a delimiter of several characters having been made one."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.delimiter = style.delimiter if len(style.delimiter) <= 1 else _STAND_IN
        self._special = [mark for mark in (style.quote, "\\" if style.escape == "backslash" else "") if mark]
        delimiter, quote = re.escape(self.delimiter), re.escape(style.quote)
        marks = "".join(map(re.escape, [self.delimiter, *self._special]))
        plain = f"[^{marks}]*" if marks else ".*"
        field = rf"{plain}(?:\\.{plain})*" if style.escape == "backslash" else plain
        self._open: re.Pattern[str] | None = None
        if quote:
            inner = {
                "double": f"[^{quote}]*(?:{quote}{quote}[^{quote}]*)*",
                "backslash": rf"[^{quote}\\]*(?:\\.[^{quote}\\]*)*",
                "none": f"[^{quote}]*",
            }[style.escape]
            field = f"{quote}{inner}{quote}|{field}"
            before = f"(?:(?:{field}){delimiter})*+" if delimiter else ""
            self._open = re.compile(rf"{before}{quote}{inner}\\?\Z", re.DOTALL)
        begin, end = (f"(?:^|{delimiter})", rf"(?={delimiter}|\Z)") if delimiter else ("^", r"\Z")
        self._cell = re.compile(f"{begin}({field}){end}", re.DOTALL)

    def prepared(self, lines: list[str]) -> list[str]:
        """The lines with one character for each delimiter."""
        if self.delimiter == self.style.delimiter:
            return lines
        return [line.replace(self.style.delimiter, self.delimiter) for line in lines]

    def split(self, line: str) -> Sequence[str]:
        """The cells of a prepared line, or none where it is malformed."""
        if not any(mark in line for mark in self._special):
            return line.split(self.delimiter) if self.delimiter else [line]
        cells: list[str] = self._cell.findall(line)
        sound = sum(map(len, cells)) + len(cells) - 1 == len(line)
        return cells if sound else ()

    def is_open(self, text: str) -> bool:
        """Whether a text that is no record ends inside a quoted field."""
        return self._open is not None and self._open.match(text) is not None

    def needs_quotes(self, cell: str) -> bool:
        """Whether a cell is quoted for what it holds."""
        quote, marks = self.style.quote, (self.style.quote, self.delimiter, "\n", "\r")
        is_quoted = len(cell) > 1 and quote != "" and cell[0] == quote == cell[-1]
        return is_quoted and any(mark in cell[1:-1] for mark in marks if mark)

    def value(self, cell: str) -> str:
        """What a cell means: without its quotes and escapes."""
        style = self.style
        if style.quote and cell[:1] == style.quote:
            cell = cell[1:-1]
            if style.escape == "double":
                cell = cell.replace(style.quote * 2, style.quote)
        if style.escape == "backslash" and "\\" in cell:
            marks = "".join(map(re.escape, (style.quote, self.delimiter)))
            cell = re.sub(rf"\\(\r\n|[\\\n\r{marks}])", r"\1", cell)
        return cell.replace(self.delimiter, style.delimiter) if self.delimiter != style.delimiter else cell


class Reading:
    """A sample in one style: its records without blank lines, and the width that most of them have."""

    def __init__(self, sample: Sample, style: Style, width: int | None = None) -> None:
        self.style = style
        self._splitter = Splitter(style)
        self._lines = self._splitter.prepared(sample.lines)
        self._sample = sample
        records = self._read()
        self.width = _modal(records) if width is None else width
        self.records = self._given_back(records)

    @cached_property
    def malformed(self) -> int:
        """How many records have no cells."""
        return sum(not record.cells for record in self.records)

    @cached_property
    def usual(self) -> list[Sequence[str]]:
        """The cells of the records of the usual width, damaged bytes aside where that leaves some."""
        usual = [record for record in self.records if len(record.cells) == self.width]
        legible = [record.cells for record in usual if self.is_legible(record)]
        return legible or [record.cells for record in usual]

    @property
    def quoting(self) -> int:
        """How many records of the usual width need quotes: around a delimiter, a line end, or a quote."""
        return sum(any(map(self._splitter.needs_quotes, cells)) for cells in self.usual)

    def is_legible(self, record: Record) -> bool:
        """Whether all bytes of a record could be decoded."""
        return self._sample.bad.isdisjoint(range(record.line, record.end + 1))

    def values(self, record: Record) -> list[str]:
        """The cells of a record as they are meant."""
        return [self._splitter.value(cell) for cell in record.cells]

    def _read(self) -> list[Record]:
        records, at = [], 0
        blank = self.style.delimiter if self.style.delimiter.isspace() else ""
        while at < len(self._lines):
            line = self._lines[at]
            if line and (blank or line.strip()):
                record = self._record(at)
                if record is None:
                    break
                records.append(record)
                at = record.end
            else:
                at += 1
        return records

    def _record(self, at: int) -> Record | None:
        """The record that begins on a line; None where the sample ends within it and the file may not."""
        text = self._lines[at]
        cells = self._splitter.split(text)
        if cells or not self._splitter.is_open(text):
            return Record(at + 1, at + 1, cells)
        stop = min(len(self._lines), at + _RECORD_LINES_MAX)
        for end in range(at + 1, stop):
            text += self._sample.ends[end - 1] + self._lines[end]
            if self.style.quote not in self._lines[end]:
                continue
            cells = self._splitter.split(text)
            if cells:
                return Record(at + 1, end + 1, cells)
            if not self._splitter.is_open(text):
                return Record(at + 1, at + 1, ())
        if stop == len(self._lines) and not self._sample.whole:
            return None
        return Record(at + 1, at + 1, ())

    def _given_back(self, records: list[Record]) -> list[Record]:
        """The records, those taken apart that swallow lines of the usual width."""
        if self.width < 2 or all(record.line == record.end for record in records):
            return records
        kept: list[Record] = []
        for record in records:
            inner = [
                Record(line, line, self._splitter.split(self._lines[line - 1]))
                for line in range(record.line + 1, record.end + 1)
                if self._lines[line - 1]
            ]
            if any(len(line.cells) == self.width for line in inner):
                kept += [Record(record.line, record.line, ()), *inner]
            else:
                kept.append(record)
        return kept


def _modal(records: list[Record]) -> int:
    """The width that most records have; of several such widths, that of the longest run of these records, or the first.

    Where a good part of them is divided the others may be lines around a table, and do not count.
    """
    widths = Counter(len(record.cells) for record in records if record.cells)
    divided = Counter({width: count for width, count in widths.items() if width > 1})
    if divided.total() >= _DIVIDED_SHARE * len(records):
        widths = divided
    runs: dict[int, int] = {}
    for width, run in groupby(len(record.cells) for record in records):
        runs[width] = max(runs.get(width, 0), sum(1 for _ in run))
    return max(widths, key=lambda width: (widths[width], runs[width]), default=0)
