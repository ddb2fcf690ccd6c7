"""Where a table begins, and what its columns are called: title lines, the rows of the header, or none.

A header is known by contrast to the rows below it. Where there is none, what is assumed is said. A row that could be a
record is never taken for a title: a header that does not fit is left to the reader, which rejects it with its line.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingestion.options import ReadOptions
from ingestion.refusal import FileRefused
from ingestion.text.cells import is_name, is_note, is_null, is_number_or_date
from ingestion.text.contrast import HEADER_ROWS_MAX, Body, Verdict, are_names
from ingestion.text.names import are_distinct, joined, made_up
from ingestion.text.sample import Reading, Record
from ingestion.text.top import (
    TITLE_WORDS_MIN,
    WIDTH_WITH_TITLES_MIN,
    Row,
    Top,
    filled,
    is_title,
    is_title_line,
    top_of,
)

_WORD_LETTERS_MIN = 4
_UNITS = ("[", "(", "%")


@dataclass(frozen=True)
class Header:
    """The names of a table's columns; the header's physical line and how many it takes, both 0 where there is none.

    Data may begin on ``first_line``.
    """

    names: tuple[str, ...]
    line: int
    rows: int
    first_line: int
    assumptions: tuple[str, ...] = ()


def find_header(reading: Reading, records: Sequence[Record], options: ReadOptions) -> Header:
    """The header of a table, which options may pin; raises `FileRefused` where a pin does not fit.

    ``records`` are those of the reading, without comments.
    """
    skipped = options.skip_lines or 0
    top = top_of(reading, [record for record in records if record.line > skipped])
    if not top.usual:
        if options.names:
            raise FileRefused("header", f"lake.toml pins {top.width} names, but no line has {top.width} fields")
        raise FileRefused("header", f"no table stands below line {skipped}: check skip_lines")
    if options.names or options.header_lines == 0:
        return _pinned_names(top, options)
    if options.header_lines is not None:
        return _pinned_lines(top, options.header_lines, 0 if options.skip_lines is not None else top.start)
    leading, why = _leading(top)
    return _headed(top, leading, why) if leading else _headless(top, why)


def is_footer(row: Sequence[str]) -> bool:
    """Whether the last record of a table reads like a note below it.

    >>> is_footer(["Source: labour force survey", "", ""]), is_footer(["Northern Ireland", "", ""])
    (True, False)
    """
    return len(row) >= WIDTH_WITH_TITLES_MIN and is_note(row[0]) and not any(cell.strip() for cell in row[1:])


def _pinned_names(top: Top, options: ReadOptions) -> Header:
    names = options.names or made_up(top.width)
    if options.skip_lines is not None:
        return Header(names, 0, 0, options.skip_lines + 1)
    return Header(names, 0, 0, _first_line(top, top.start))


def _pinned_lines(top: Top, lines: int, start: int) -> Header:
    """A header of a pinned number of physical lines."""
    begin = top.records[start].line
    chosen = [place for place in range(start, len(top.rows)) if top.records[place].line < begin + lines]
    behind = max(begin + lines, top.records[chosen[-1]].end + 1)
    odd = [len(top.rows[place]) for place in chosen if place not in top.usual]
    if odd:
        reason = f"the pinned header on line {begin} has {odd[0]} fields, most lines have {top.width}"
        raise FileRefused("header", f"{reason}: check header_lines, skip_lines and delimiter", line=begin)
    return Header(joined([top.rows[place] for place in chosen]), begin, behind - begin, behind)


def _leading(top: Top) -> tuple[list[int], str]:
    """The rows that make the header (none: there is no header), and what was assumed for it."""
    start, body = top.start, top.body
    block = _named(top, start) if body.typed else []
    if not block and body.verdict(top.rows[start]) is Verdict.OPEN:
        return _leading_by_names(top, start)
    if not block:
        return [], "the first line has numbers or dates as the lines below it"
    named, block = block, _bottom(top, block)
    rows = [top.rows[place] for place in block]
    recurring = body.recurring(rows[0])
    if recurring is not None:
        return [], f"{recurring[:40]!r} in the first line is also a value further down"
    count = next((count for count in range(1, len(rows)) if not _goes_on(top, block[: count + 1])), len(rows))
    said = []
    below = [place for place in named if place > block[count - 1]]
    if below:
        line = top.records[below[0]].line
        said.append(f"line {line} is a row, though it has text in a column of numbers or dates")
    if body.has_headings(rows[count - 1]):
        line = top.records[block[count - 1]].line
        said.append(f"line {line} is the header: its numbers or dates are names of columns")
    elif not any(is_name(cell) for row in rows[:count] for cell in row):
        said.append(f"line {top.records[block[0]].line} is the header, though nothing in it looks like a name")
    elif count == 1 and (number := next((cell for cell in rows[0] if is_number_or_date(cell)), "")):
        said.append(f"line {top.records[block[0]].line} is the header, though {number[:40]!r} in it is no name")
    elif body.is_small and any(cell.strip() and is_null(cell) for cell in rows[0]):
        said.append(f"line {top.records[block[0]].line} is the header, judged by a few rows below it")
    return block[:count], "; ".join(said)


def _named(top: Top, start: int) -> list[int]:
    """The usual rows from a place that have names above typed columns; the first, or titles, may have nothing there.

    Below the first one a row that could not be decoded is a damaged record.
    """
    block: list[int] = []
    last = Verdict.OPEN
    for place in top.usual:
        if place < start:
            continue
        verdict = top.body.verdict(top.rows[place], is_first=not block)
        goes_on = verdict is Verdict.NAMES or (verdict is Verdict.MOSTLY_NAMES and not block)
        opens = verdict is last is Verdict.OPEN and (not block or _has_words_alone(top.rows[block[-1]]))
        if (not goes_on and not opens) or (block and place in top.bad):
            break
        block.append(place)
        last = verdict
    return [] if last is Verdict.OPEN else block


def _has_words_alone(row: Row) -> bool:
    return filled(row) == 1 and len(row[0].split()) > 1


def _bottom(top: Top, block: list[int]) -> list[int]:
    """The part of leading rows that can be a header: rows that stand together, below titles and notes.

    Of two columns the last such part is taken, as "name, value" is often written above a table. A row that comes again
    among the records is the header, whatever words stand above it.
    """
    again = next((place for place in block if top.comes_again(place)), None)
    above = [] if again is None else block[: block.index(again)]
    if top.width > 1 and all(filled(top.rows[place]) < 2 for place in above):
        block = block[len(above) :]
    parts: list[list[int]] = []
    for place in block:
        if not parts or top.is_apart(place):
            parts.append([])
        parts[-1].append(place)
    parts = [_below_titles(top, part) for part in parts]
    part = parts[0]
    if top.width < WIDTH_WITH_TITLES_MIN and block[0] != again:
        named = [part for part in parts if are_names(top.rows[part[0]])]
        full = [part for part in parts if filled(top.rows[part[0]]) == top.width]
        part = named[-1] if named else (full or parts)[0]
    part = next(earlier for earlier in parts if top.rows[earlier[0]] == top.rows[part[0]])
    return part if len(part) <= HEADER_ROWS_MAX else part[:1]


def _below_titles(top: Top, part: list[int]) -> list[int]:
    while len(part) > 1 and _is_title_above(top.rows[part[0]], [top.rows[place] for place in part[1:]]):
        part = part[1:]
    return part


def _is_title_above(row: Row, below: list[Row]) -> bool:
    """Whether the first of several leading rows is a title or a note, and no part of a header."""
    if len(row) == 1:
        return len(row[0].split()) >= TITLE_WORDS_MIN > len(below[0][0].split())
    is_alone = filled(row) == 1 and any(filled(lower) == len(lower) for lower in below)
    return is_alone or is_title(row) or is_note(row[0])


def _goes_on(top: Top, places: list[int]) -> bool:
    """Whether the last of some leading rows is a part of the header: what comes more often than the first is none."""
    *above, row = [top.rows[place] for place in places]
    return top.times(places[-1]) <= top.times(places[0]) and _continues(above, row, top.body)


def _continues(above: list[Row], row: Row, body: Body) -> bool:
    """Whether a row of text goes on with a header, rather than being a record with text in place of numbers."""
    if body.recurring(row) is not None:
        return False
    if any(cell.strip() and not any(upper[column].strip() for upper in above) for column, cell in enumerate(row)):
        return True
    cells = [row[column].strip() for column in body.typed if not is_null(row[column])]
    if not cells:
        return False
    words = all(len(cell.strip()) >= _WORD_LETTERS_MIN for cell in row)
    return (
        (bool(body.untyped) and not any(row[column].strip() for column in body.untyped))
        or all(cell.startswith(_UNITS) for cell in cells)
        or (words and len(row) >= WIDTH_WITH_TITLES_MIN and body.has_shape_of(row) is False)
        or (len(above) > 1 and body.typed[0] == 0 and not is_number_or_date(row[0]))
        or len(set(cells)) == len(body.typed) > 1
        or (all(map(is_name, row)) and not are_distinct(joined(above)) and are_distinct(joined([*above, row])))
    )


def _leading_by_names(top: Top, start: int) -> tuple[list[int], str]:
    """The first row, where nothing speaks against its being the header: no numbers stand below that would tell."""
    row, body = top.rows[start], top.body
    recurring = body.recurring(row)
    if recurring is not None:
        return [], f"{recurring[:40]!r} in the first line is also a value further down"
    named = [cell for cell in row if cell.strip()]
    if not are_names(named) or (len(named) < len(row) and not body.is_filled_below(row)):
        return [], "the first line does not look like names of columns"
    if body.has_shape_of(row):
        return [], "the first line looks like the codes below it"
    if _is_ragged_header(top, start - 1):
        return [], "the line above the first one of the usual width looks like the header"
    return [start], "the first row is the header: no column holds numbers or dates that would tell"


def _headed(top: Top, leading: list[int], why: str) -> Header:
    first, last = top.records[leading[0]], top.records[leading[-1]]
    rows = last.end + 1 - first.line
    said = _said_of_titles(top.records[: leading[0]])
    if len(leading) > 1:
        said += (f"the header takes {len(leading)} rows from line {first.line}; their names are joined",)
    names = joined([top.rows[place] for place in leading])
    return Header(names, first.line, rows, last.end + 1, said + ((why,) if why else ()))


def _headless(top: Top, why: str) -> Header:
    """Made-up names; or a header that is one field shorter or longer than the rows, where this can be explained."""
    start = top.start
    above = start - 1
    if _is_ragged_header(top, above):
        explained = _explained(top, above)
        if explained is not None:
            return explained
        line = top.records[above].line
        said = f"line {line}, perhaps the header, has not the {top.width} fields of the rows and is set aside"
        names = f"the columns are named column_1 to column_{top.width}"
        return Header(made_up(top.width), 0, 0, line, (*_said_of_titles(top.records[:above]), f"{said}: {names}"))
    first_line = _first_line(top, start)
    said_above = _said_of_titles([record for record in top.records if record.line < first_line])
    names = "column_1" if top.width == 1 else f"column_1 to column_{top.width}"
    said = f"there is no header row ({why}): the columns are named {names}"
    return Header(made_up(top.width), 0, 0, first_line, (*said_above, said))


def _explained(top: Top, above: int) -> Header | None:
    """The header above rows that have one field more or less than it, for a reason that is often seen.

    A malformed record is none, not even of one column.
    """
    row, width, body = top.rows[above], top.width, top.body
    names: Sequence[str]
    if not row:
        return None
    if len(row) == width - 1 and body.is_empty(width - 1):
        names, why = [*row, ""], "each row ends with a delimiter that the header lacks: the last column is empty"
    elif len(row) == width - 1 and body.is_distinct(0):
        names, why = ["", *row], "the header has one name less than the rows have fields: the first column has no name"
    elif len(row) == width + 1 and not row[-1].strip():
        names, why = row[:-1], "the header ends with a delimiter that the rows lack"
    else:
        return None
    is_record = Verdict.VALUES in {body.verdict(names), body.verdict([*row, ""][:width])}
    if is_record or body.has_shape_of(names) or body.recurring(names) is not None:
        return None
    header = _headed(replace(top, usual=[above, *top.usual]), [above], why)
    return replace(header, names=tuple(names))


def _is_ragged_header(top: Top, place: int) -> bool:
    """Whether a record of another width looks like names of columns, or is malformed: then nobody knows."""
    if place < 0 or place in top.usual:
        return False
    row = top.rows[place]
    named = [cell for cell in row if cell.strip()]
    if not row:
        return True
    return (
        len(named) > 1 and any(map(is_name, named)) and all(is_name(cell) or is_number_or_date(cell) for cell in named)
    )


def _first_line(top: Top, start: int) -> int:
    """Where records begin above a usual row: lines that a delimiter divides, or quotes spoil, are no titles."""
    place = start
    while place > 0 and not is_title_line(top.rows[place - 1], top.width):
        place -= 1
    return top.records[place].line


def _said_of_titles(above: Sequence[Record]) -> tuple[str, ...]:
    if not above:
        return ()
    first, last = above[0].line, above[-1].end
    return (f"line {first} is a title" if first == last else f"lines {first} to {last} are titles",)
