"""Fixed-width text: each field has its place in the line, which only a layout in ``lake.toml`` can say."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import polars as pl

from ingestion.columns import labels
from ingestion.formats.lines import BLANK, Batch, count_lines, line_batches
from ingestion.formats.rowfile import RowFile, stored_names
from ingestion.found import Found, Source
from ingestion.options import Column
from ingestion.refusal import FileRefused
from ingestion.text.encoding import Text, as_utf8
from ingestion.text.rejects import RejectFile

_PAD = " "
_ARROW = pl.CompatLevel.oldest()
_BLANK = BLANK.decode()


def read_fixed(source: Source) -> Iterator[Found]:
    """The table of a fixed-width file, by the layout ``fixed`` of its options, whose places count characters.

    A value is what stands in its field without the spaces around it, which are padding. The last field may be short or
    missing. A line that ends earlier, has text behind the last field, or between fields, is set aside. Raises
    `FileRefused` where there is no layout, or one that makes no sense.
    """
    layout = _layout(source.options.fixed)
    text = as_utf8(source)
    table = _Table(source, layout, text)
    for batch in line_batches(text.path, text.begin):
        table.take(batch)
    yield table.found()


@dataclass(frozen=True)
class _Layout:
    """The fields, and the places (begin from 0, and width) between them that belong to none.

    A line must reach to ``last_begin``; no text may stand after ``end``.
    """

    fields: tuple[Column, ...]
    gaps: tuple[tuple[int, int], ...]
    last_begin: int
    end: int


def _layout(fields: tuple[Column, ...]) -> _Layout:
    if not fields:
        reason = "a fixed-width file needs a layout: give each field's name, start and width as fixed in lake.toml"
        raise FileRefused("layout", reason)
    for column in fields:
        if not column.name or column.start < 1 or column.width < 1:
            reason = f"the field {column.name!r} of the layout in lake.toml needs a name, and a start and width from 1"
            raise FileRefused("layout", reason)
    spans = sorted((column.start - 1, column.start - 1 + column.width) for column in fields)
    ends = [0]
    for _, end in spans:
        ends.append(max(ends[-1], end))
    gaps = tuple((end, begin - end) for end, (begin, _) in zip(ends, spans, strict=False) if begin > end)
    return _Layout(fields, gaps, max(begin for begin, _ in spans), ends[-1])


class _Table:
    """Takes the lines of a file: each is a row, a reject, or one of those that are no record."""

    def __init__(self, source: Source, layout: _Layout, text: Text) -> None:
        self._source = source
        self._layout = layout
        self._text = text
        self._bad_lines = frozenset(text.bad_lines) - source.patches.keys()
        self._heading_lines = (source.options.skip_lines or 0) + (source.options.header_lines or 0)
        self._heading: list[str] = []
        self._comments = 0
        self._rows = RowFile(source.scratch)
        self._rows.write([], dict.fromkeys(range(len(layout.fields)), ()))
        self._rejects = RejectFile(source.scratch / "rejects.parquet")

    def take(self, batch: Batch) -> None:
        """Add the lines of a batch."""
        records = [(line, text) for line, text in self._texts(batch) if self._is_record(line, text)]
        bad_lines = list(self._bad_lines.intersection(batch.lines))
        frame = pl.DataFrame(records, schema={"line": pl.Int64(), "text": pl.String()}, orient="row")
        frame = frame.with_columns(_rule(self._layout, pl.col("line").is_in(bad_lines)).alias("rule"))
        for line, rule, text in frame.filter(pl.col("rule").is_not_null()).select("line", "rule", "text").iter_rows():
            self._rejects.add(line, rule, _message(rule, self._layout, text), text)
        good = frame.filter(pl.col("rule").is_null())
        columns = {
            number: _values(good["text"], column).to_arrow(compat_level=_ARROW)
            for number, column in enumerate(self._layout.fields)
        }
        self._rows.write(good["line"].to_list(), columns)

    def found(self) -> Found:
        """The table, once all lines were taken; its records are the lines that the bytes show, less those skipped."""
        lines, filled = count_lines(self._text.path, self._text.begin)
        heading = sum(bool(line.encode().strip(BLANK)) for line in self._heading)
        header = {number: column.name for number, column in enumerate(self._layout.fields)}
        stored = stored_names(header)
        rejects, _ = self._rejects.close()
        return Found(
            rows=self._rows.scan(stored),
            header=tuple(header.values()),
            records=filled - heading - self._comments,
            format="fixed",
            rejects=rejects,
            lines=lines,
            dialect={
                "encoding": self._text.encoding,
                "bom": self._text.bom,
                "layout": [vars(column) for column in self._layout.fields],
                "padding": "spaces around a value are padding and not kept",
                "heading": self._heading,
                "comments": self._comments,
                "blank_lines": lines - filled,
            },
            metadata=labels(header.values(), stored.values()),
            notices=self._text.notices,
            check=partial(self._rows.check, stored),
        )

    def _texts(self, batch: Batch) -> Iterator[tuple[int, str]]:
        for line, item in zip(batch.lines, batch.items, strict=True):
            yield line, self._source.patches[line] if line in self._source.patches else item.decode()

    def _is_record(self, line: int, text: str) -> bool:
        if line <= self._heading_lines:
            self._heading.append(text)
            return False
        comment = self._source.options.comment
        if comment and text.startswith(comment):
            self._comments += 1
            return False
        return bool(text.strip(_BLANK))


def _values(lines: pl.Series, column: Column) -> pl.Series:
    return lines.str.slice(column.start - 1, column.width).str.strip_chars(_PAD)


def _rule(layout: _Layout, is_bad: pl.Expr) -> pl.Expr:
    """Which check a line fails; null for none."""
    text = pl.col("text")
    has_text_between = pl.any_horizontal(
        pl.lit(False), *(text.str.slice(begin, width).str.strip_chars(_PAD) != "" for begin, width in layout.gaps)
    )
    return (
        pl.when(is_bad)
        .then(pl.lit("encoding"))
        .when(text.str.len_chars() < layout.last_begin)
        .then(pl.lit("short"))
        .when(text.str.slice(layout.end).str.strip_chars(_PAD) != "")
        .then(pl.lit("long"))
        .when(has_text_between)
        .then(pl.lit("gap"))
    )


def _message(rule: str, layout: _Layout, text: str) -> str:
    if rule == "short":
        return f"the line has {len(text)} characters, the last field begins after {layout.last_begin}"
    if rule == "long":
        return f"the line has text after its last field, which ends at character {layout.end}"
    if rule == "gap":
        return "the line has text between its fields, where the layout has none"
    return "the line has bytes that are not text in the file's encoding"
