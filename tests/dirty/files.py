"""Files with more in them than a table: titles above, notes below, comments, blank lines, a second table."""

from collections.abc import Sequence

from hypothesis import assume
from hypothesis import strategies as st

from tests.dirty.tables import Table, tables
from tests.dirty.writers import Piece, Writing, Written, is_decidable, writings

TITLES = (
    "Population, by region; in 1 000",
    "Population by region",
    "Statistical Office",
    "Table 12411-0001",
    "Stand: 31.12.2023",
    "Last updated 2024-05-01 10:00",
)
NOTES = (
    "Source: Labour Force Survey",
    "* provisional",
    "__________",
    "1) excluding the islands",
    "(c) Statistical Office 2024 - all rights reserved",
    "End of file",
)
COMMENTS = ("# made by export.pl", "#", "# do not edit; see the manual")


def pieces_of(table: Table, writing: Writing) -> list[Piece]:
    """A table's header and records as pieces."""
    head = [Piece("header", writing.record(names), tuple(names)) for names in table.head]
    return [*head, *(Piece("record", writing.record(row), row) for row in table.rows)]


@st.composite
def plain_files(draw: st.DrawFn, rows_min: int = 3, rows_max: int = 25) -> Written:
    """A file with nothing but one table in it."""
    table = draw(tables(rows_min, rows_max))
    writing = draw(writings(table))
    table = writing.fitted(table)
    assume(is_decidable(table, writing))
    return Written(table, writing, tuple(pieces_of(table, writing)))


@st.composite
def files(draw: st.DrawFn, rows_min: int = 3) -> Written:
    """A table, and around it and in it some of what offices add."""
    written = draw(plain_files(rows_min))
    table, writing = written.table, written.writing
    pieces = list(written.pieces)
    if table.width > 1 and draw(st.booleans()):
        pieces = [*draw(_beside("title", TITLES, table, writing)), *pieces]
    if table.width > 1 and draw(st.booleans()):
        pieces = [*pieces, *draw(_beside("note", NOTES, table, writing))]
    if table.width > 1 and draw(st.sampled_from([False, False, False, True])):
        pieces = [*pieces, *draw(_second_tables(table, writing))]
    pieces = draw(_strewn(pieces, len(table.head), table, writing))
    return Written(table, writing, tuple(pieces))


@st.composite
def _beside(draw: st.DrawFn, kind: str, texts: Sequence[str], table: Table, writing: Writing) -> list[Piece]:
    """Lines of text above or below a table: bare, or padded with delimiters as a spreadsheet does."""
    chosen = draw(st.lists(st.sampled_from(texts), min_size=1, max_size=3))
    padded = draw(st.booleans())
    texts = [writing.fit(text) for text in chosen]
    if padded:
        rows = [(text, *[""] * (table.width - 1)) for text in texts]
        pieces = [Piece(kind, writing.record(row), row) for row in rows]
    else:
        pieces = [Piece(kind, text) for text in texts if text.count(writing.delimiter) + 1 != table.width]
    blank = [Piece("blank", "")] if draw(st.booleans()) else []
    return [*pieces, *blank] if kind == "title" else [*blank, *pieces]


@st.composite
def _second_tables(draw: st.DrawFn, table: Table, writing: Writing) -> list[Piece]:
    """A smaller table of another width below the first."""
    other = writing.fitted(draw(tables(1, max(1, len(table.rows) // 2 - 1))))
    assume(1 < other.width != table.width and is_decidable(other, writing))
    pieces = pieces_of(other, writing)
    return [Piece("blank", ""), *(Piece("other", piece.text, piece.cells) for piece in pieces)]


@st.composite
def _strewn(draw: st.DrawFn, pieces: list[Piece], head: int, table: Table, writing: Writing) -> list[Piece]:
    """Blank lines, comments and repeated headers among the pieces."""
    strewn = draw(st.lists(st.sampled_from(["blank", "comment", "again"]), max_size=3))
    pieces = list(pieces)
    for kind in strewn:
        at = draw(st.integers(0, len(pieces)))
        if kind == "blank":
            pieces.insert(at, Piece("blank", ""))
        elif kind == "comment" and table.width > 1:
            text = writing.fit(draw(st.sampled_from(COMMENTS)))
            if text.count(writing.delimiter) + 1 != table.width:
                pieces.insert(at, Piece("comment", text))
        elif kind == "again" and head == 1:
            first = next((n for n, piece in enumerate(pieces) if piece.kind == "record"), None)
            header = next((piece for piece in pieces if piece.kind == "header"), None)
            if first is not None and header is not None and at > first:
                pieces.insert(at, Piece("again", header.text, header.cells))
    return pieces
