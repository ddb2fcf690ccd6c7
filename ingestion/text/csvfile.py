"""A text table as rows and rejects: through the gate straight to Polars, or on the careful path; its account closed."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import polars as pl

from ingestion.columns import labels
from ingestion.found import Found, Source
from ingestion.refusal import FileRefused
from ingestion.text.account import Account, LineAccount, close_account
from ingestion.text.blocks import RECORD_BYTES_MAX
from ingestion.text.careful import CarefulReader
from ingestion.text.clean import CleanFile
from ingestion.text.dialect import Dialect, understand
from ingestion.text.encoding import Text, as_utf8, presumed_utf8
from ingestion.text.gate import NO_DELIMITER, Shape, measure
from ingestion.text.head import Head, read_head
from ingestion.text.header import is_footer
from ingestion.text.index import LINE, LineIndex
from ingestion.text.rejects import RejectFile
from ingestion.text.tokens import Grammar, Record


def read_csv(source: Source) -> Iterator[Found]:
    """The one table of a text file; raises `FileRefused` where it is not understood or its account does not close."""
    presumed = presumed_utf8(source)
    found = None
    if presumed is not None:
        # What it is refused for is said of the text that was looked at as a whole.
        with suppress(FileRefused):
            found = _through_gate(presumed, *_understood(presumed, source), source)
    yield found or _judged(source)


def _judged(source: Source) -> Found:
    text = as_utf8(source)
    dialect, head = _understood(text, source)
    try:
        return _through_gate(text, dialect, head, source)
    except FileRefused as refused:
        return _careful(text, dialect, head, source, refused.reason)


def _understood(text: Text, source: Source) -> tuple[Dialect, Head]:
    dialect = understand(text, source)
    if not dialect.header:
        raise FileRefused("dialect", "no column can be told from its beginning: give its dialect in lake.toml")
    return dialect, read_head(text, dialect, source.options.skip_lines or 0)


def _through_gate(text: Text, dialect: Dialect, head: Head, source: Source) -> Found:
    """The table of a file that no reader can misread; raises `FileRefused` for any other."""
    doubt = _doubt(text, dialect, head, source)
    if doubt is not None:
        raise FileRefused("dialect", doubt)
    with LineIndex(source.scratch / "lines.index") as index:
        shape = measure(text, dialect, head, index)
    _refuse_last(text, dialect, head, shape)
    return _fast(text, dialect, head, (shape, index))


def _doubt(text: Text, dialect: Dialect, head: Head, source: Source) -> str | None:
    """Why a file is not for the gate, whatever its records are like."""
    if len(text.bad_lines) > 0:
        return f"{len(text.bad_lines):,} lines hold bytes that are not {text.encoding}"
    if source.patches:
        return "records are mended"
    if head.doubtful:
        return f"line {next(iter(head.doubtful))} is no title for certain"
    if len((dialect.delimiter or NO_DELIMITER).encode()) > 1:
        return "the delimiter has several characters"
    if dialect.escape == "backslash" or (dialect.quote and dialect.escape == "none"):
        return "quotes are not escaped by doubling them"
    is_guess = not dialect.quote and source.options.quote is None
    return "quotation marks are taken for text, though some may enclose fields" if is_guess else None


def _refuse_last(text: Text, dialect: Dialect, head: Head, shape: Shape) -> None:
    """Raise `FileRefused` where the last record is a note below the table, or the header once more."""
    if not shape.records:
        return
    with text.path.open("rb") as file:
        file.seek(shape.last_offset)
        record = Grammar.of(dialect).record(file.read(RECORD_BYTES_MAX + 2), 0)
    if not isinstance(record, Record):
        raise FileRefused("quote", f"line {shape.last_line} is no record by itself", line=shape.last_line)
    cells = record.fields
    if any(cells == row.cells for row in head.rows):
        raise FileRefused("header", f"line {shape.last_line} repeats the header", line=shape.last_line)
    if is_footer([cell.decode() for cell in cells]):
        reason = f"line {shape.last_line} looks like a note below the table"
        raise FileRefused("footer", reason, line=shape.last_line)


def _fast(text: Text, dialect: Dialect, head: Head, measured: tuple[Shape, LineIndex]) -> Found:
    """What passed the gate: Polars reads the file itself.

    Columns are read by position, so that no name matters before it is stored. Blank lines at the end would be read as
    rows of nulls: there the parser is told when to stop.
    """
    positions = {f"c{position}": name for position, name in enumerate(dialect.columns)}
    shape, index = measured
    values = [pl.col(position).alias(name) for position, name in positions.items()]
    if shape.records:
        frame = pl.scan_csv(
            text.path,
            has_header=False,
            skip_lines=head.lines,
            schema=dict.fromkeys(positions, pl.String),
            separator=dialect.delimiter or NO_DELIMITER,
            quote_char=dialect.quote or None,
            empty_string_is_null=False,
            n_rows=shape.records if shape.blank_lines else None,
            row_index_name="record",
            glob=False,
        )
        line = index.line_of("record") if shape.multiline else pl.col("record").cast(pl.Int64) + head.lines + 1
        rows = frame.select(*values, line.alias(LINE))
    else:
        rows = pl.LazyFrame(schema={**dict.fromkeys(dialect.columns, pl.String), LINE: pl.Int64})
    account = Account(shape.records, shape.records * len(dialect.header), shape.last_line, shape.value_bytes)
    lines = LineAccount(above=head.lines, blank=shape.blank_lines)
    lines.rows = shape.lines - head.lines - shape.blank_lines
    return _found(text, (dialect, head), rows, account, lines)


def _careful(text: Text, dialect: Dialect, head: Head, source: Source, doubt: str) -> Found:
    """What did not pass: copied record by record to a clean file, which Polars reads, or to the rejects."""
    rejects = RejectFile(source.scratch / "rejects.parquet")
    with CleanFile(source.scratch, Grammar.of(dialect), len(dialect.header)) as clean:
        certain = source.options.quote is not None
        reader = CarefulReader(text, dialect, head, (clean, rejects), certain=certain)
        lines = reader.read(source.patches)
    path, rejected = rejects.close()
    found = _found(text, (dialect, head), clean.frame(dialect.columns), clean.account, lines)
    comments = {str(line): comment for line, comment in reader.comments.items()}
    notices = [*found.notices, f"read record by record: {doubt}"]
    unused = len(source.patches) - reader.patches_used
    if unused:
        notices.append(f"{unused} of {len(source.patches)} mended records begin on lines where no record does")
    return replace(
        found,
        records=clean.records + rejected,
        rejects=path,
        dialect={**found.dialect, "comments": comments},
        notices=tuple(notices),
    )


def _found(text: Text, top: tuple[Dialect, Head], rows: pl.LazyFrame, account: Account, lines: LineAccount) -> Found:
    dialect, head = top

    def check(out: Path) -> None:
        close_account(account, out, dialect.columns)

    return Found(
        rows=rows,
        header=dialect.header,
        records=account.records,
        format="csv",
        lines=lines.lines,
        dialect={**dialect.as_dict(), "titles": list(head.titles), "lines": vars(lines)},
        metadata=labels(dialect.header, dialect.columns),
        notices=tuple(text.notices),
        check=check,
    )
