"""The careful path: every line is once in rows, rejects or the account; rows are as the strict grammar reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from ingestion.columns import safe_names
from ingestion.refusal import FileRefused
from ingestion.text.account import LineAccount, close_account
from ingestion.text.careful import CarefulReader
from ingestion.text.clean import CleanFile
from ingestion.text.dialect import Dialect
from ingestion.text.encoding import Text
from ingestion.text.head import read_head
from ingestion.text.rejects import RejectFile
from ingestion.text.tokens import Grammar
from tests.unit.slow_reader import Rules, physical_lines, read_record


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("careful")


@dataclass(frozen=True)
class Outcome:
    """Rows and rejects as (line, ...), and the account of lines."""

    rows: list[tuple[object, ...]]
    rejects: list[tuple[int, str, str]]
    lines: LineAccount

    @property
    def rules(self) -> list[tuple[int, str]]:
        return [(line, rule) for line, rule, _ in self.rejects]


def dialect_of(rules: Rules, header: tuple[str, ...] = ("a", "b"), comment: str = "", above: int = 1) -> Dialect:
    return Dialect(
        rules.delimiter,
        header,
        safe_names(header),
        quote=rules.quote,
        escape=rules.escape,
        comment=comment,
        header_line=above,
        header_rows=1 if above else 0,
        first_line=above + 1,
    )


def read(
    folder: Path,
    data: bytes | str,
    dialect: Dialect | None = None,
    patches: Mapping[int, str] | None = None,
    *,
    bad_lines: tuple[int, ...] = (),
    piece_bytes: int = 1 << 20,
) -> Outcome:
    """Read a file as the careful path does, and close the account of its values, too."""
    dialect = dialect or dialect_of(Rules())
    path = folder / "landed"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    text = Text(path, bad_lines=bad_lines)
    head, rejects = read_head(text, dialect), RejectFile(folder / "rejects.parquet")
    with CleanFile(folder, Grammar.of(dialect), len(dialect.header)) as clean:
        lines = CarefulReader(text, dialect, head, (clean, rejects)).read(patches or {}, piece_bytes)
    out = folder / "out.parquet"
    clean.frame(dialect.columns).sink_parquet(out, maintain_order=True)
    close_account(clean.account, out, dialect.columns)
    rejected, count = rejects.close()
    aside = [] if rejected is None else pl.read_parquet(rejected).select("line", "rule", "record").rows()
    assert len(aside) == count
    rows = pl.read_parquet(out).select("_line", *dialect.columns).rows()
    return Outcome(rows, sorted(aside), lines)


@pytest.mark.parametrize(
    ("body", "rows", "rejects"),
    [
        ('1,"x"y\n2,3\n', [(3, "2", "3")], [(2, "quote", '1,"x"y')]),
        ('1,5" pipe\n2,3\n', [(3, "2", "3")], [(2, "quote", '1,5" pipe')]),
        ('1,x "y,z" w\n2,3\n', [(3, "2", "3")], [(2, "quote", '1,x "y,z" w')]),
        ("1\n1,2,3\n4,5\n", [(4, "4", "5")], [(2, "width", "1"), (3, "width", "1,2,3")]),
        ('1,"x\n\r\ny,"\n2,3\n', [(2, "1", "x\n\r\ny,"), (5, "2", "3")], []),
        ("1,\x002\n3,4\n", [(3, "3", "4")], [(2, "nul", "1,\x002")]),
        ('1,"x\n\x00"\n3,4\n', [(4, "3", "4")], [(2, "nul", '1,"x\n\x00"')]),
        ("1,2\r3,4\r", [(2, "1", "2"), (3, "3", "4")], []),
        ("1,2\r\n3,4\n5,6\r7,8", [(2, "1", "2"), (3, "3", "4"), (4, "5", "6"), (5, "7", "8")], []),
        ("1,2\r\r\n3,4\r\r\n", [(2, "1", "2"), (4, "3", "4")], []),
        ("1,2\na,b\n3,4\n", [(2, "1", "2"), (4, "3", "4")], [(3, "header", "a,b")]),
        ('1,2\n"a",b\n3,4\n', [(2, "1", "2"), (4, "3", "4")], [(3, "header", '"a",b')]),
        ("1,2\n\ufeffa,b\n3,4\n", [(2, "1", "2"), (4, "3", "4")], [(3, "header", "\ufeffa,b")]),
        ("1,2\n\n\n3,4\n\n", [(2, "1", "2"), (5, "3", "4")], []),
        ("1,2\n\nc,d,e\n5,6,7\n", [(2, "1", "2")], [(4, "width", "c,d,e"), (5, "width", "5,6,7")]),
        ("1,2\n\nc,d\n5,6\n", [(2, "1", "2"), (4, "c", "d"), (5, "5", "6")], []),
        ("1,2\nTotal 12 rows\n", [(2, "1", "2")], [(3, "footer", "Total 12 rows")]),
        ("1,2\n\n____\nSource: x\n", [(2, "1", "2")], [(4, "footer", "____"), (5, "footer", "Source: x")]),
        ("1,2\nNorth\n3,4\n", [(2, "1", "2"), (4, "3", "4")], [(3, "width", "North")]),
        ("North\nSouth\n", [], [(2, "width", "North"), (3, "width", "South")]),
        ('1,2\n3,"4', [(2, "1", "2")], [(3, "quote", '3,"4')]),
        ("\ufeff1,2\n", [(2, "\ufeff1", "2")], []),
        ("", [], []),
    ],
    ids=[
        "text behind a closing quote",
        "a quote in the middle",
        "quotes that open and close inside a field",
        "ragged records",
        "a field over several lines",
        "NUL",
        "NUL in a field over several lines",
        "CR only",
        "mixed line ends",
        "line ends written twice",
        "the header once more",
        "the header once more, quoted",
        "the header once more, with a byte order mark",
        "blank lines",
        "another table of another width",
        "another table of the same width",
        "a footer",
        "a footer of several lines",
        "a line between rows is no footer",
        "without rows there is nothing to stand below",
        "a field that never closes",
        "a mark at the beginning of the first value",
        "no record",
    ],
)
def test_known_damage(
    folder: Path, body: str, rows: list[tuple[object, ...]], rejects: list[tuple[int, str, str]]
) -> None:
    found = read(folder, "a,b\n" + body)
    assert (found.rows, found.rejects) == (rows, rejects)
    assert found.lines.lines == len(physical_lines("a,b\n" + body))


def test_a_field_that_takes_in_records_is_rejected_with_them(folder: Path) -> None:
    """The quotes on lines 2 and 4 may be stray, or lines 2 to 4 may be one record: nothing tells, nothing is lost."""
    found = read(folder, 'a,b\n1,"x\n2,3\n4"\n5,6\n')
    assert found.rejects == [(2, "quote", '1,"x\n2,3\n4"')]
    assert found.rows == [(5, "5", "6")]


@pytest.mark.parametrize("piece_bytes", [1, 1 << 20])
@pytest.mark.parametrize(
    "body",
    [
        '1,"x\n"\n","y"\n',
        '1,"x\n"a\nb","y"\n',
    ],
    ids=["the value begins with a line end", "the value goes over three lines"],
)
def test_a_lost_closing_quote_or_a_lost_opening_one_is_not_decided(folder: Path, body: str, piece_bytes: int) -> None:
    """The first record may end on its own line, and a field with a line end begin below it: either is one fault."""
    found = read(folder, f"a,b\n1,2\n{body}3,4\n", piece_bytes=piece_bytes)
    assert "\n".join(record for _, _, record in found.rejects) == body.removesuffix("\n")
    assert [row[1:] for row in found.rows] == [("1", "2"), ("3", "4")]


@pytest.mark.parametrize("piece_bytes", [1, 30, 1 << 20])
def test_a_record_below_that_is_not_there_as_a_whole_is_no_fault(folder: Path, piece_bytes: int) -> None:
    """Where a piece of the file ends changes no verdict."""
    found = read(folder, 'a,b\n"text\n",5\n",foo\nbaz",7\n3,x\n', piece_bytes=piece_bytes)
    assert found.rejects == []
    assert [row[1:] for row in found.rows] == [("text\n", "5"), (",foo\nbaz", "7"), ("3", "x")]


def test_a_field_over_several_lines_stands_beside_another_fault(folder: Path) -> None:
    """Where no record begins inside it, the fault below is another."""
    found = read(folder, 'a,b\n1,"x\ny"\n5" pipe,2\n3,4\n')
    assert (found.rows, found.rejects) == ([(2, "1", "x\ny"), (5, "3", "4")], [(4, "quote", '5" pipe,2')])


def test_a_field_that_takes_in_many_records_gives_them_back(folder: Path) -> None:
    many = "".join(f"{number},x\n" for number in range(5))
    found = read(folder, f'a,b\n1,"x\n{many}4"\n5,6\n')
    assert found.rejects == [(2, "quote", '1,"x'), (8, "quote", '4"')]
    assert [row[0] for row in found.rows] == [3, 4, 5, 6, 7, 9]


def test_a_malformed_field_gives_the_records_below_it_back(folder: Path) -> None:
    """The second quote opens a field of a sound record: so the first is stray."""
    found = read(folder, 'a,b\n1,"x\n2,y\n3,"z"\n4,w\n')
    assert found.rejects == [(2, "quote", '1,"x')]
    assert [row[0] for row in found.rows] == [3, 4, 5]


def test_a_quote_that_never_closes_gives_back_records_that_go_on_to_the_end(folder: Path) -> None:
    """Where they do not, or one alone does, they may be the inside of a field that was cut off."""
    found = read(folder, 'a,b\n1,"x\n2,3\n4,5\n')
    assert ([row[0] for row in found.rows], found.rejects) == ([3, 4], [(2, "quote", '1,"x')])
    for below in ("2,3\n", "2,3\n4,5\nx\n"):
        assert read(folder, 'a,b\n1,"x\n' + below).rejects == [(2, "quote", '1,"x\n' + below.removesuffix("\n"))]


def test_a_stray_quote_inside_a_field_over_several_lines_takes_no_row_out_of_it(folder: Path) -> None:
    """Line 3 has the width of a record and is none."""
    found = read(folder, 'a,b\n1,"x "y\nno,row\nz"\n2,3\n')
    assert found.rows == [(5, "2", "3")]
    assert "\n".join(record for _, _, record in found.rejects) == '1,"x "y\nno,row\nz"'


def test_a_ragged_record_over_several_lines_is_one_reject(folder: Path) -> None:
    found = read(folder, 'a,b\n1,"x\ny",3\n2,3\n')
    assert found.rejects == [(2, "width", '1,"x\ny",3')]


def test_footers_of_the_tables_width_are_rejected_at_the_end_only(folder: Path) -> None:
    dialect = dialect_of(Rules(), ("a", "b", "c"))
    body = "a,b,c\nNote: first,,\n1,2,3\nSource: survey,,\n\n* preliminary,,\n"
    found = read(folder, body, dialect)
    assert found.rows == [(2, "Note: first", "", ""), (3, "1", "2", "3")]
    assert found.rules == [(4, "footer"), (6, "footer")]


def test_comments_are_counted_unless_they_hold_the_delimiter(folder: Path) -> None:
    found = read(folder, 'a,b\n# said\n1,"x\n# text"\n#1,2\n#1,2,3\n3,4\n', dialect_of(Rules(), comment="#"))
    assert found.rows == [(3, "1", "x\n# text"), (7, "3", "4")]
    assert found.rejects == [(5, "comment", "#1,2"), (6, "comment", "#1,2,3")]
    assert found.lines.comments == 1


def test_a_blank_line_in_one_column_is_rejected_for_it_may_be_a_missing_value(folder: Path) -> None:
    found = read(folder, 'a\n1\n\n""\n2\n', dialect_of(Rules(""), ("a",)))
    assert found.rows == [(2, "1"), (4, ""), (5, "2")]
    assert found.rejects == [(3, "blank", "")]


def test_records_on_lines_with_undecodable_bytes_are_rejected(folder: Path) -> None:
    found = read(folder, 'a,b\n1,"x\n\\xE9"\n2,\\xE9\n3,4\n', bad_lines=(3, 4))
    assert found.rejects == [(2, "encoding", '1,"x\n\\xE9"'), (4, "encoding", "2,\\xE9")]
    assert found.rows == [(5, "3", "4")]


def test_title_lines_above_are_passed_over_whatever_their_line_ends(folder: Path) -> None:
    found = read(folder, "Title\r\r\na,b\n1,2\n", dialect_of(Rules(), above=3))
    assert found.rows == [(4, "1", "2")]
    assert found.lines.above == 3


def test_every_row_of_a_header_is_known_when_it_comes_again(folder: Path) -> None:
    dialect = Dialect(",", ("a x", "b y"), ("a_x", "b_y"), header_line=1, header_rows=2, first_line=3)
    found = read(folder, "a,b\nx,y\n1,2\na,b\nx,y\n3,4\n", dialect)
    assert found.rules == [(4, "header"), (5, "header")]
    assert [row[0] for row in found.rows] == [3, 6]


def test_a_mended_record_takes_the_place_of_its_lines(folder: Path) -> None:
    data = 'a,b\n1,"x\n2,3\n4"\n5\n6\n7,8\n'
    found = read(folder, data, patches={2: '1,"x\ny"', 5: "5,mended\n", 6: "6,x,y", 7: "7,nine", 9: "no,line"})
    assert found.rows == [(2, "1", "x\ny"), (5, "5", "mended"), (7, "7", "nine")]
    assert found.rejects == [(6, "width", "6,x,y")]


@pytest.mark.parametrize(
    ("patch", "rule"),
    [("1,2\n3,4", "patch"), ('1,"2', "quote"), ('1,2"', "quote"), ("a,b", "header"), ("1,\0", "nul"), ("", "width")],
)
def test_what_is_no_one_good_record_does_not_mend(folder: Path, patch: str, rule: str) -> None:
    found = read(folder, "a,b\n1\n2,3\n", patches={2: patch})
    assert (found.rules, found.rows) == ([(2, rule)], [(3, "2", "3")])


def test_a_line_without_end_refuses_the_file(folder: Path) -> None:
    with pytest.raises(FileRefused, match="line 2 is longer than 16,777,216 bytes") as refused:
        read(folder, b"a,b\n1," + b"x" * (17 << 20) + b"\n1,2\n")
    assert (refused.value.rule, refused.value.line) == ("record-size", 2)


def test_a_quote_that_never_closes_costs_its_line_only(folder: Path) -> None:
    """Though the file is larger than any record may be, so that its end is not looked for."""
    many = 600_000
    found = read(folder, b'a,b\n1,"x\n' + b"2,some text of thirty bytes...\n" * many)
    assert found.rejects == [(2, "quote", '1,"x')]
    assert len(found.rows) == many


def test_an_account_that_does_not_close_is_refused() -> None:
    account = LineAccount(above=1, rows=2, size_bytes=12)
    account.close(3, 12)
    for lines, size in ((4, 12), (3, 13)):
        with pytest.raises(FileRefused, match="the account does not close"):
            account.close(lines, size)


PIECES = [
    "a",
    "b",
    "a,b",
    "é",
    ",",
    ",",
    ";",
    "||",
    '"',
    '"',
    '""',
    "'",
    "\\",
    "#",
    "\n",
    "\n",
    "\r\n",
    "\r",
    "\0",
    "x",
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
CELLS = st.sampled_from(["", "x", "é", '"x"', '""', '"q""q"', '"x\ny"', '"1,2\n3,4"', '"\r\n"', "5"])
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=3).map(",".join), max_size=8).map("\n".join)
DAMAGED = st.builds(
    lambda table, piece, at: table[: at % (len(table) + 1)] + piece + table[at % (len(table) + 1) :],
    TABLES,
    st.sampled_from(PIECES),
    st.integers(0, 100),
)
RULES = st.builds(
    Rules,
    st.sampled_from([",", ",", "||", ";", ""]),
    st.sampled_from(['"', '"', "'", ""]),
    st.sampled_from(["double", "double", "backslash", "none"]),
)
HEADERS = st.sampled_from([("a", "b"), ("a", "b", "c"), ("a",)])


@settings(max_examples=300, deadline=None)
@given(text=TEXTS | TABLES | DAMAGED, rules=RULES, header=HEADERS, above=st.integers(0, 1))
def test_every_line_is_accounted_for_and_every_row_is_a_record_of_the_file(
    folder: Path, text: str, rules: Rules, header: tuple[str, ...], above: int
) -> None:
    header = header if rules.delimiter else ("a",)
    found = read(folder, text, dialect_of(rules, header, above=above))
    lines = physical_lines(text)
    offsets = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    what = dict.fromkeys(range(1, len(lines) + 1), "")
    for number in range(1, min(above, len(lines)) + 1):
        what[number] = "above"
    for line, *fields in found.rows:
        record = read_record(text, offsets[line - 1], rules)
        assert record is not None
        assert (record.fields, len(fields)) == (fields, len(header))
        assert "\0" not in text[offsets[line - 1] : record.end]
        taken(what, line, offsets.index(record.end) - line + 1, "row")
    for line, _, raw in found.rejects:
        count = len(physical_lines(raw + "."))
        whole = "".join(lines[line - 1 : line - 1 + count])
        assert whole.startswith(raw)
        assert whole[len(raw) :] in ("", "\n", "\r\n", "\r")
        taken(what, line, count, "reject")
    left = [number for number, became in what.items() if not became]
    assert all(lines[number - 1] in ("\n", "\r\n", "\r") and len(header) > 1 for number in left)
    assert (found.lines.above, found.lines.blank) == (min(above, len(lines)), len(left))
    event("rows and rejects" if found.rows and found.rejects else "rows" if found.rows else "other")


def taken(what: dict[int, str], line: int, count: int, became: str) -> None:
    for number in range(line, line + count):
        assert what[number] == ""
        what[number] = became


@settings(max_examples=200, deadline=None)
@given(text=TEXTS | TABLES | DAMAGED, rules=RULES, header=HEADERS, piece=st.integers(1, 9))
def test_the_outcome_does_not_depend_on_where_pieces_are_cut(
    folder: Path, text: str, rules: Rules, header: tuple[str, ...], piece: int
) -> None:
    dialect = dialect_of(rules, header if rules.delimiter else ("a",), comment="#")
    assert read(folder, text, dialect, piece_bytes=piece) == read(folder, text, dialect)


@settings(max_examples=200, deadline=None)
@given(
    cells=st.lists(st.tuples(*2 * [st.text(st.sampled_from("xé,\" \\\n\r|\x1e\x1f\0'#"), max_size=6)]), max_size=8),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    delimiter=st.sampled_from([",", "||", ", ", "\x1f", "é"]),
    quote=st.sampled_from(['"', "'", "`"]),
    style=st.sampled_from(["double", "backslash"]),
)
def test_a_quoted_table_comes_back_exactly_or_is_rejected_whole(
    folder: Path, cells: list[tuple[str, str]], end: str, delimiter: str, quote: str, style: str
) -> None:
    """Records are rejected where they hold NUL, or take in lines that would be records themselves."""
    text, records, rows = f"a{delimiter}b{end}", {}, {}
    for row in cells:
        line = len(physical_lines(text)) + 1
        records[line] = delimiter.join(quote + escaped(cell, quote, style) + quote for cell in row)
        rows[line] = (line, *row)
        text += records[line] + end
    found = read(folder, text, dialect_of(Rules(delimiter, quote, style)))
    rejected = {line for line, _ in found.rules}
    assert found.rows == [row for line, row in rows.items() if line not in rejected]
    assert {line for line, record in records.items() if "\0" in record} <= rejected
    for line, rule, raw in found.rejects:
        assert raw == records[line]
        assert (rule == "nul" and "\0" in raw) or (rule == "quote" and len(physical_lines(raw)) > 2)


def escaped(cell: str, quote: str, style: str) -> str:
    if style == "double":
        return cell.replace(quote, quote * 2)
    return cell.replace("\\", "\\\\").replace(quote, "\\" + quote)


@pytest.mark.parametrize(
    ("body", "rows", "rejects"),
    [
        ('1,"x\n2,y",z\n3,4\n', [(4, "3", "4")], ['1,"x\n2,y",z']),
        ('1,"x\ny"\n3,4\n', [(4, "3", "4")], ['1,"x\ny"']),
        ('"x\ny","z\n\nw"\n3,4\n', [(6, "3", "4")], ['"x\ny","z\n\nw"']),
        ('1,"x\\"\n2,y"\n3,4\n', [(4, "3", "4")], ['1,"x\\"\n2,y"']),
        ('1,"x\n3,4\n', [(2, "1", '"x'), (3, "3", "4")], []),
        ('1,3"\n2,4"\n3,4\n', [(2, "1", '3"'), (3, "2", '4"'), (4, "3", "4")], []),
        ('1,"a "b" c"\n2,"d" e\n', [(2, "1", '"a "b" c"'), (3, "2", '"d" e')], []),
        ('1,"a"\n2,"b"\n', [(2, "1", '"a"'), (3, "2", '"b"')], []),
        (
            '1,"x\n' + "2,3\n" * 5 + '4,y"\n',
            [(2, "1", '"x'), *((n, "2", "3") for n in range(3, 8)), (8, "4", 'y"')],
            [],
        ),
    ],
    ids=[
        "halves of the right width",
        "halves of another width",
        "two fields over several lines",
        "behind a backslash",
        "nothing closes it",
        "nothing opens it",
        "quotes within quotes",
        "quotes that close on their line",
        "records between them tell",
    ],
)
def test_where_quotes_are_text_lines_that_they_may_join_are_no_rows(
    folder: Path, body: str, rows: list[tuple[int, str, str]], rejects: list[str]
) -> None:
    dialect = dialect_of(Rules(",", "", "none"))
    for piece_bytes in (1, 1 << 20):
        found = read(folder, "a,b\n" + body, dialect, piece_bytes=piece_bytes)
        assert (found.rows, [raw for _, _, raw in found.rejects]) == (rows, rejects)
