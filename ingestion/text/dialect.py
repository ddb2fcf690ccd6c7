"""How a text table is written, understood from its beginning; a dataset may pin any part of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from ingestion.columns import safe_names
from ingestion.found import Source
from ingestion.options import ReadOptions
from ingestion.text.column import refuse_unless_column
from ingestion.text.comments import comment_mark
from ingestion.text.encoding import Text
from ingestion.text.header import find_header
from ingestion.text.sample import SAMPLE_BYTES, Style, read_sample
from ingestion.text.scoring import best_reading, hinted_delimiter


@dataclass(frozen=True)
class Dialect:
    """How a file is written, and what was assumed where the file alone does not say.

    ``delimiter`` is one or more characters, empty where there is one column. ``header`` has the names as found (of
    several rows joined by a space, made up where there is none), ``columns`` the names under which they are stored.
    ``encoding`` and ``bom`` are of the file as it landed. ``quote`` is one character, or empty: quotes mean nothing.
    ``escape`` is ``double``, ``backslash`` (it also escapes delimiters outside quotes) or ``none``. Lines that begin
    with ``comment`` are comments, where it is not empty.

    Lines are physical, from 1: the header begins on ``header_line`` and takes ``header_rows`` of them (both are 0 where
    there is none), data may begin on ``first_line``; what stands above both is preamble.
    """

    delimiter: str
    header: tuple[str, ...]
    columns: tuple[str, ...]
    encoding: str = "utf-8"
    bom: bool = False
    quote: str = '"'
    escape: str = "double"
    comment: str = ""
    header_line: int = 1
    header_rows: int = 1
    first_line: int = 2
    assumptions: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The dialect as JSON values, as the ledger keeps it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


def understand(text: Text, source: Source, *, sample_bytes: int = SAMPLE_BYTES) -> Dialect:
    """How a text is written, judged from its beginning where the source's options do not pin it.

    Raises `FileRefused` where it is empty or no table (rule ``dialect``), or where a pin does not fit it.
    """
    options = source.options
    sample = read_sample(text, sample_bytes)
    hint = hinted_delimiter(sample)
    skipped = options.skip_lines if options.skip_lines is not None else int(hint is not None)
    sample = sample.below(skipped)
    reading = best_reading(sample, options, hint)
    if reading.width == 1 and options.delimiter is None:
        refuse_unless_column(sample, source.name, options)
    comment = comment_mark(sample, reading) if options.comment is None else options.comment
    records = [record for record in reading.records if not comment or not sample.begins(record.line, comment)]
    header = find_header(reading, records, options)
    style = reading.style if reading.width > 1 else reading.style._replace(delimiter="")
    return Dialect(
        delimiter=style.delimiter,
        header=header.names,
        columns=safe_names(header.names),
        encoding=text.encoding,
        bom=text.bom,
        quote=style.quote,
        escape=style.escape,
        comment=comment,
        header_line=header.line,
        header_rows=header.rows,
        first_line=header.first_line,
        assumptions=(*text.notices, *_assumed(reading.style, comment, options), *header.assumptions),
    )


def _assumed(style: Style, comment: str, options: ReadOptions) -> Iterator[str]:
    """What is unusual in a style, and was not pinned."""
    if options.quote is None and style.quote != '"':
        yield f"fields are enclosed in {style.quote}" if style.quote else "quotation marks are part of the text"
    if options.escape is None and style.escape == "backslash":
        yield "a backslash takes away the meaning of the delimiter, quotation mark or line end after it"
    if options.delimiter is None and (style.delimiter in (" ", ":") or len(style.delimiter) > 1):
        yield f"fields are divided by {style.delimiter!r}"
    if options.comment is None and comment:
        yield f"lines that begin with {comment} are comments"
