"""The oracle lets the truth pass, and notices every lie: else a campaign that finds nothing says nothing."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.dirty.cells import is_told
from tests.dirty.damage import damaged_files
from tests.dirty.files import files, pieces_of, plain_files
from tests.dirty.oracle import judge
from tests.dirty.outcome import Broken, Read, Refused, Reject
from tests.dirty.tables import Table
from tests.dirty.writers import Piece, Writing, Written

FIXED = settings(max_examples=100, deadline=None, derandomize=True, database=None)


def truth(written: Written) -> Read:
    """What a reader gives who was there when the file was written."""
    rows, rejects = [], []
    for placed in written.placed():
        piece = placed.piece
        if piece.kind == "record" and not piece.damage and piece.cells is not None:
            rows.append((placed.first, piece.cells))
        elif piece.kind in {"record", "other", "again", "note"} and piece.text:
            rejects.append(Reject(placed.first, "rule", "a reason", piece.text))
    names = written.table.names if written.table.head else tuple(map(str, range(written.table.width)))
    beside = [(placed.first, placed.piece) for placed in written.placed() if placed.piece.kind in {"title", "comment"}]
    dialect = {
        "encoding": written.writing.encoding,
        "delimiter": written.writing.delimiter,
        "titles": [piece.text for _, piece in beside if piece.kind == "title"],
        "comments": {str(line): piece.text for line, piece in beside if piece.kind == "comment"},
    }
    return Read(names, tuple(rows), tuple(rejects), len(rows) + len(rejects), written.lines, dialect, ())


@FIXED
@given(files() | damaged_files())
def test_the_truth_is_exact(written: Written) -> None:
    assert judge(written, truth(written)) == "exact"


@FIXED
@given(files(), st.data())
def test_a_changed_cell_is_noticed(written: Written, data: st.DataObject) -> None:
    told = truth(written)
    line, cells = told.rows[0]
    column = data.draw(st.integers(0, len(cells) - 1))
    changed = (*cells[:column], cells[column] + data.draw(st.sampled_from(["0", " "])), *cells[column + 1 :])
    with pytest.raises(Broken, match="became"):
        judge(written, replace(told, rows=((line, changed), *told.rows[1:])))


@FIXED
@given(files())
def test_a_lost_row_is_noticed(written: Written) -> None:
    told = truth(written)
    with pytest.raises(Broken, match="is lost"):
        judge(written, replace(told, rows=told.rows[:-1]))


@FIXED
@given(files())
def test_a_row_twice_is_noticed(written: Written) -> None:
    told = truth(written)
    with pytest.raises(Broken, match="several rows"):
        judge(written, replace(told, rows=(*told.rows, told.rows[-1])))
    line, cells = told.rows[-1]
    rejected = Reject(line, "rule", "a reason", written.writing.record(cells))
    with pytest.raises(Broken, match="and in the rejects"):
        judge(written, replace(told, rejects=(*told.rejects, rejected)))


@FIXED
@given(files())
def test_a_wrong_line_is_noticed(written: Written) -> None:
    told = truth(written)
    (line, cells), *others = told.rows[::-1]
    with pytest.raises(Broken):
        judge(written, replace(told, rows=(*others[::-1], (line + 1, cells))))


@FIXED
@given(damaged_files())
def test_a_reject_that_is_lost_altered_or_without_a_reason_is_noticed(written: Written) -> None:
    told = truth(written)
    assume(told.rejects)
    reject = told.rejects[0]
    with pytest.raises(Broken, match="lost"):
        judge(written, replace(told, rejects=told.rejects[1:]))
    with pytest.raises(Broken, match="without a reason"):
        judge(written, replace(told, rejects=(replace(reject, message=""), *told.rejects[1:])))


@FIXED
@given(files())
def test_a_lost_title_or_comment_is_noticed(written: Written) -> None:
    told = truth(written)
    assume(told.dialect["titles"] or told.dialect["comments"])
    with pytest.raises(Broken, match="lost"):
        judge(written, replace(told, dialect={**told.dialect, "titles": [], "comments": {}}))


@FIXED
@given(files())
def test_a_wrong_header_is_noticed(written: Written) -> None:
    assume(written.table.head)
    told = replace(truth(written), header=tuple(f"column_{number}" for number in range(written.table.width)))
    with pytest.raises(Broken, match=r"the header is|is lost"):
        judge(written, told)


@FIXED
@given(plain_files(20))
def test_a_repeated_header_among_the_rows_is_noticed(written: Written) -> None:
    header = written.pieces[0]
    again = replace(written, pieces=(*written.pieces, replace(header, kind="again")))
    assume(len(written.table.head) == 1 and is_told(again))
    told, line = truth(again), list(again.placed())[-1].first
    rows = (*told.rows, (line, header.cells or ()))
    rejects = tuple(reject for reject in told.rejects if reject.line != line)
    for seen in (rows, ((1, header.cells or ()), *rows)):
        with pytest.raises(Broken, match="repeated"):
            judge(again, replace(told, rows=seen, rejects=rejects, said=("something",)))


@FIXED
@given(files())
def test_a_name_that_is_lost_is_noticed_also_where_quotes_are_text(written: Written) -> None:
    told = truth(written)
    assume(len(written.table.head) == 1 and any(map(str.strip, told.header)))
    literal = replace(told, dialect={**told.dialect, "quote": ""}, said=("quotes are text",))
    with pytest.raises(Broken, match="is lost"):
        judge(written, replace(literal, header=tuple("" for _ in told.header)))


@FIXED
@given(files())
def test_another_number_of_lines_is_noticed(written: Written) -> None:
    told = truth(written)
    with pytest.raises(Broken, match="lines were counted"):
        judge(written, replace(told, lines=told.lines + 1))


def test_a_refusal_is_counted_by_its_rule() -> None:
    assert judge(None, Refused("dialect", "no delimiter")) == "refused: dialect"  # type: ignore[arg-type]


@FIXED
@given(damaged_files(), st.data())
def test_a_damaged_record_that_is_altered_cut_or_doubled_is_noticed(written: Written, data: st.DataObject) -> None:
    told = truth(written)
    assume(written.table.width > 1 and told.rejects)
    hurt = [placed for placed in written.placed() if placed.piece.damage and placed.first == placed.last]
    rejected = {reject.line: reject for reject in told.rejects}
    assume(any(placed.first in rejected for placed in hurt))
    placed = next(placed for placed in hurt if placed.first in rejected)
    delimiters = {written.writing.delimiter, written.writing.delimiter.rstrip()} - {""}
    for delimiter in sorted(delimiters):
        seen = replace(told, dialect={**told.dialect, "delimiter": delimiter})
        row = tuple(placed.piece.text.split(delimiter))
        judge(written, _with_row(seen, placed.first, row))
        place = data.draw(st.integers(0, len(row) - 1))
        for other in ((*row[:place], row[place] + "0", *row[place + 1 :]), row[:place] + row[place + 1 :], (*row, "")):
            with pytest.raises(Broken):
                judge(written, _with_row(seen, placed.first, other))
        with pytest.raises(Broken):
            judge(written, replace(_with_row(seen, placed.first, row), rejects=told.rejects))


def _with_row(told: Read, line: int, row: tuple[str, ...]) -> Read:
    """What was told, a line being a row instead of a reject."""
    rows = tuple(sorted([*told.rows, (line, row)]))
    return replace(told, rows=rows, rejects=tuple(reject for reject in told.rejects if reject.line != line))


SMALL = Table((("Доля", "год"),), (("1", "2001"), ("2", "2002"), ("3", "2003")), 2, "russian", 2)


def _small(*above: Piece, writing: Writing, below: tuple[Piece, ...] = (), headed: bool = True) -> Written:
    """A table of two columns with other pieces around it."""
    table = SMALL if headed else replace(SMALL, head=())
    return Written(table, writing, (*above, *pieces_of(table, writing), *below))


def test_a_part_of_a_title_of_two_lines_that_is_lost_is_noticed() -> None:
    written = _small(Piece("title", "two\nlines"), writing=Writing())
    told = truth(written)
    both = replace(told, dialect={**told.dialect, "titles": ["two", "lines"]})
    assert judge(written, both) == "exact"
    for kept in (["two"], ["lines"], []):
        with pytest.raises(Broken, match="is lost"):
            judge(written, replace(both, dialect={**told.dialect, "titles": kept}))


def test_a_part_of_a_title_among_the_names_that_is_lost_is_noticed() -> None:
    written = _small(Piece("title", "By region, 2020"), writing=Writing(), headed=False)
    told = replace(truth(written), dialect={**truth(written).dialect, "titles": []})
    assert judge(written, replace(told, header=("By region", " 2020"))) == "exact"
    for header in (("By region", " 202"), ("By region", "2020"), ("By region", ""), (" 2020", "By region")):
        with pytest.raises(Broken, match="is lost"):
            judge(written, replace(told, header=header))


def test_a_repeated_header_among_the_rows_is_noticed_also_in_another_code_page() -> None:
    """It may be a row only where the first header is one, too."""
    writing = Writing(encoding="cp1251")
    written = _small(writing=writing, below=(Piece("again", "Доля,год", ("Доля", "год")),))
    told = truth(written)
    head = tuple(name.encode("cp1251").decode("cp866") for name in SMALL.head[0])
    again = replace(
        told,
        header=head,
        rows=(*told.rows, (5, head)),
        rejects=(),
        said=("a guess",),
        dialect={"encoding": "cp866", "delimiter": ","},
    )
    with pytest.raises(Broken, match="repeated"):
        judge(written, again)
    names = ("column_1", "column_2")
    assert judge(written, replace(again, header=names, rows=((1, head), *again.rows))) == "header as row"
    with pytest.raises(Broken, match="became another"):
        judge(written, replace(again, header=names, rows=((1, head), *told.rows, (5, (head[0], "")))))


def test_a_row_in_quotes_that_were_left_is_told_from_another() -> None:
    hurt = Piece("record", '4,"x, y', None, "short")
    rest = '"a, ""b""",5'
    written = _small(writing=Writing(), below=(replace(hurt, text=f"4\n{rest}"),))
    told = truth(written)
    first = Reject(5, "width", "a reason", "4")
    seen = replace(told, rejects=(first,), rows=(*told.rows, (6, ('a, "b"', "5"))))
    judge(written, seen)
    for row in (("a, b", "5"), ('"a', ' ""b"""'), ('a, "b"', ""), ('a, ""b""', "5")):
        with pytest.raises(Broken, match="altered"):
            judge(written, replace(seen, rows=(*told.rows, (6, row))))
    with pytest.raises(Broken, match="lost"):
        judge(written, replace(seen, rows=told.rows))
