"""The dialect step finds delimiter, quotes and escapes, or says in plain words why a file is no plain table."""

from pathlib import Path
from typing import Any

import pytest

from ingestion.columns import safe_names
from ingestion.found import Source
from ingestion.options import ReadOptions
from ingestion.refusal import FileRefused
from ingestion.text.dialect import Dialect, understand
from ingestion.text.encoding import as_utf8


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "landed"


def judged(path: Path, text: str | bytes, name: str = "table.csv", **pins: Any) -> Dialect:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    source = Source(path, name, path.parent, ReadOptions(**pins))
    return understand(as_utf8(source), source)


ROWS = [["year", "name", "share"], ["2013", "Ann Smith", "1.5"], ["2014", "Ben", "2.5"], ["2015", "Cid", "-3.5"]]

DELIMITERS = [",", ";", "\t", "|", "\x01", "\x1f", "^", "~"]
DELIMITERS += ["||", ";;", "::", "~~", "^^", "\t\t", ", ", " | ", "|~|", "~|~", "@@", "<>", "#|#"]


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_delimiter_is_found_with_any_line_end(file: Path, delimiter: str, end: str) -> None:
    dialect = judged(file, end.join(delimiter.join(row) for row in ROWS))
    assert (dialect.delimiter, dialect.header) == (delimiter, ("year", "name", "share"))
    assert (dialect.header_line, dialect.header_rows, dialect.first_line) == (1, 1, 2)
    assert bool(dialect.assumptions) is (len(delimiter) > 1)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "||", ", ", "\x01"])
@pytest.mark.parametrize("quote", ['"', "'", "`"])
@pytest.mark.parametrize("escape", ["double", "backslash"])
def test_each_quote_and_escape_is_found(file: Path, delimiter: str, quote: str, escape: str) -> None:
    def quoted(cell: str) -> str:
        return quote + cell.replace(quote, (quote if escape == "double" else "\\") + quote) + quote

    rows = [*ROWS, ["2016", f"{quote}D{quote}an{delimiter}", "4.5"], ["2017", f"two\nlines {quote}E{quote}", "5.5"]]
    text = "\n".join(delimiter.join(quoted(cell) for cell in row) for row in rows)
    dialect = judged(file, text)
    assert (dialect.delimiter, dialect.quote, dialect.escape) == (delimiter, quote, escape)
    assert dialect.header == ("year", "name", "share")


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("region;share;rate\nNorth;1,5;2,5\nSouth;2,5;3,5\n", ";"),
        ('name,age\n"Smith; Ann",5\n"Jones; Ben",6\n', ","),
        ("name, first;age\nSmith, Ann;5\nJones, Ben;6\n", ";"),
        ("when\tvalue\n2013-01-01 06:00:00\t1,000\n2013-01-02 06:00:00\t2,000\n", "\t"),
        ('id,code\n"1","A|B"\n"2","C|D"\n', ","),
        ("a,b\n", ","),
        ("a;b", ";"),
        ("k,v\n1\n", ","),
        ("k;v\n1\n", ";"),
        ("a b c\n1,5 2,5 3,5\n2,5 3,5 4,5\n3,5 1,5 2,5\n", " "),
        ("user:password:uid:home\nroot:x:0:/root\ndaemon:x:1:/usr/sbin\n", ":"),
        ("id;amount\n1;1 234,5\n2;12 345,6\n3;1 000 000,0\n", ";"),
        ("id;amount\n1;1\u00a0234,5\n2;12\u202f345,6\n3;1\u00a0000\u00a0000,0\n", ";"),
        ("id;amount\n1;1.234,5\n2;12.345,6\n", ";"),
        ("id\tamount\n1\t1,234.5\n2\t12,345.6\n3\t1,000,000.0\n", "\t"),
        ('id,amount\n1,"1,234.5"\n2,"12,345.6"\n', ","),
        ("sep=;\na;b\n1,5;2,5\n", ";"),
        ("sep=\t\na\tb\n1,5\t2,5\n", "\t"),
        ("time;place\n12:30;Ulm\n12:45;Bonn\n13:00;Köln\n", ";"),
        ("a,,c\n1,,3\n2,5,4\n", ","),
        ("id;text\n" + "1;Well, this is, as they say, long, but fine\n2;Yes, I see\n3;No\n" * 3, ";"),
        ("a|b|c\n1||3\n2||4\n3|x|5\n", "|"),
        ("a|b|c\n" + "1||3\n" * 9 + "3|x|5\n", "|"),
        ("1||3\n" * 9 + "3|x|5\n", "|"),
        ("id||id||id||id\nA|x|A||A||0\n" + "A||A||A||0\n" * 6, "||"),
        ("id||id||id\n" + "A||A||0\n" * 3 + "\nid||id||id||id\nA||C:\\a\\||C:\\a\\||0\n", "||"),
        ("id^share^year\n" + "^^1\n" * 9, "^"),
        ("T^^\n\nid^share^year\n" + "^^1\n" * 9, "^"),
        ("14.727,1\t\n" * 9 + "4.700,0\n5.181,3\t\tmore\n", "\t"),
        ("By region; in 1 000\n" * 2 + "a;b;c\n1;2;3\n4;5;6\n7;8;9\n\nd;e\n1;2\n", ";"),
        ("id,id,id,,id\n" + "0,,0,,0\n" * 4, ","),
        ('"By region; in 1 000",,,,\nid,,id,id,id\n' + "A,,A,,0\n" * 3, ","),
        ("id,id,id\nA000,,0\nA000,,0\nA000,,0\nA000,,0\n", ","),
        ("# do not edit; see the manual\n\nid;;id;;id\nA000;;A000;;0\nA000;;A000;;0\nA000;;A000;;0\n", ";;"),
        ('Total;;Total;;T\nid;;id;;id\nA000;;0;;plain\nA000;;0;;"a; b"\nA000;;0;;"a; b"\n', ";;"),
        ("id id id\n0 0 1/000,0\n0 0 1/000,0\n0 0 1/000,0\n", " "),
        ("id:id:id\nA000:A000:0\nA000:A000:0\nA000:A000:0\n", ":"),
        ("Population by region\n" * 3 + "id::id\nA000::0\nid::id\nA000::0\nA000::0\n", "::"),
        ("url\nhttp://a.org\nhttp://b.org\nhttp://c.org\n", ""),
    ],
)
def test_the_delimiter_is_the_one_that_makes_plausible_cells(file: Path, text: str, delimiter: str) -> None:
    assert judged(file, text).delimiter == delimiter


def test_a_line_that_names_the_delimiter_is_no_row(file: Path) -> None:
    dialect = judged(file, "sep=;\r\na;b\r\n1;2\r\n")
    assert (dialect.header, dialect.header_line, dialect.first_line) == (("a", "b"), 2, 3)


def test_a_byte_order_mark_and_quotes_are_not_part_of_the_names(file: Path) -> None:
    dialect = judged(file, '\ufeff"year","a ""b"""\n1,2\n')
    assert (dialect.bom, dialect.header, dialect.columns) == (True, ("year", 'a "b"'), ("year", 'a_"b"'))


def test_titles_and_a_second_table_of_one_width_do_not_hide_the_first(file: Path) -> None:
    dialect = judged(file, "By region; in 1 000\n" * 2 + "a;b;c\n1;2;3\n4;5;6\n7;8;9\n\nd;e\n1;2\n")
    assert (dialect.header, dialect.first_line) == (("a", "b", "c"), 4)


def test_a_record_that_could_not_be_decoded_is_no_header(file: Path) -> None:
    rows = "".join(f"{number}.137,1;see\n" for number in range(10, 30))
    dialect = judged(file, "Größe;\n1".encode() + b"\xff\xfe.137,1;see\n" + ("ü" + rows).encode())
    assert (dialect.header, dialect.first_line) == (("Größe", ""), 2)


def test_the_encoding_is_that_of_the_landed_file(file: Path) -> None:
    dialect = judged(file, "Größe;Köln\n1;2\n".encode("utf-16"))
    assert (dialect.encoding, dialect.bom, dialect.header) == ("utf-16-le", True, ("Größe", "Köln"))
    dialect = judged(file, "Größe;Köln\n1;2\n".encode("cp1252"))
    assert (dialect.encoding, dialect.bom, dialect.header) == ("cp1252", False, ("Größe", "Köln"))
    assert dialect.assumptions == ("the file is not UTF-8: it is read in the code page cp1252, a guess",)


def test_quotes_astray_in_many_lines_belong_to_the_text(file: Path) -> None:
    rows = "".join(f'{number}\t{number}" pipe\tiron\n' for number in range(20))
    dialect = judged(file, "id\tname\tmaterial\n" + rows)
    assert (dialect.quote, dialect.escape) == ("", "none")
    assert dialect.assumptions == ("quotation marks are part of the text",)


def test_a_stray_quote_does_not_make_quotes_meaningless(file: Path) -> None:
    rows = "".join(f'{number},"text, {number}"\n' for number in range(40))
    assert judged(file, "id,name\n" + rows + '41,"no end\n' + rows).quote == '"'


def test_quotes_that_a_header_needs_outweigh_a_few_stray_ones(file: Path) -> None:
    dialect = judged(file, 'id,"x \\"y\\""\n"A,0\n"A,0\n' + "A,0\n" * 9)
    assert (dialect.quote, dialect.escape, dialect.header) == ('"', "backslash", ("id", 'x "y"'))


def test_quotes_that_are_escaped_in_a_second_table_only_tell_the_escape(file: Path) -> None:
    dialect = judged(file, "id;n\n" + "1;x\n" * 9 + '\na;b;c\n1;"\\"";2\n1;x;2\n1;"\n";2\n')
    assert (dialect.escape, dialect.header) == ("backslash", ("id", "n"))


def test_a_few_stray_quotes_do_not_outweigh_quotes_that_are_needed(file: Path) -> None:
    rows = '"x";1\n"y"z;2\nq";3\nr;"4"5\n' + "s;6\n" * 9
    assert judged(file, "id;n\n" + rows).quote == ""
    assert judged(file, "id;n\n" + rows + '"a\nb";7\n').quote == '"'


def test_what_could_not_be_decoded_tells_nothing_of_the_delimiter(file: Path) -> None:
    rows = "".join(f";;20{number}-01-01\n" for number in range(10, 30)).encode()
    for delimiter, damaged in ((";;", b";\xff\xfe;2001-01-01\n"), (";", b";x;2001-01-01\n")):
        assert judged(file, "Größe in m²;;Länge\n".encode() + damaged + rows).delimiter == delimiter


def test_a_decimal_comma_between_apostrophes_divides_nothing(file: Path) -> None:
    text = "Table 12411-0001\n'a\nb'::'a, b'\n'4.589,7'\n"
    text += "".join(f"'{number}.589,7'::'10/10/2009'\n" for number in range(1, 8))
    text += "(c) Statistical Office\nSource: Survey\nEnd of file\n\n''::'x'::'a, b'::'y'\n'no'::'z'::'2009M10'::'1'"
    dialect = judged(file, text)
    assert (dialect.delimiter, dialect.quote, dialect.header) == ("::", "'", ("a\nb", "a, b"))


def test_apostrophes_are_no_quotes(file: Path) -> None:
    rows = "".join(f"{number},O'Neil's,'t Hooft\n" for number in range(9))
    assert judged(file, "id,name,other\n" + rows).quote == '"'


def test_a_path_that_ends_with_a_backslash_escapes_nothing(file: Path) -> None:
    rows = "".join(f'{number},"C:\\dir {number}\\",x\n' for number in range(9))
    assert judged(file, "id,path,z\n" + rows).escape == "double"


def test_a_path_in_a_record_with_a_field_too_many_escapes_nothing(file: Path) -> None:
    text = "n;path;place\n1;a;x\n2;C:\\data\\;y;more\n3;b;z\n"
    assert judged(file, text).escape == "double"


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("id|bbox|n\n" + 60 * "A1|50.1,19.1,50.2,19.2|1\n", "|"),
        ("user;roles;active\n" + "u1;read,write,admin,owner;yes\n" * 30, ";"),
    ],
)
def test_lists_in_a_column_do_not_make_the_table(file: Path, text: str, delimiter: str) -> None:
    assert judged(file, text).delimiter == delimiter


def test_quotes_that_are_all_escaped_are_unescaped(file: Path) -> None:
    assert judged(file, "id,said,n\n" + '1,say \\"hi\\" Bob,1\n' * 9).escape == "backslash"


def test_a_backslash_before_the_only_quote_escapes_nothing(file: Path) -> None:
    dialect = judged(file, 'id;path;n\n1;C:\\data\\";5\n2;D:\\x;6\n3;E:\\y;7\n')
    assert dialect.escape == "double"


def test_a_table_of_three_rows_outweighs_the_decimal_commas_in_it(file: Path) -> None:
    rows = ["39.7 b|A015|07/11/2028|A050|50|Łódź|8,4", "33.3 b|A080|19/03/2026|A090|-245|Kielce|2,5"]
    rows = ["Population, by region; in 1 000", *rows, "8.7 :|E339|06/02/2001|A360|136|Wałbrzych|40,0"]
    notes = ["* provisional", "1) excluding the islands", "* provisional", "", "B361|6.8%|yes|27.7 b"]
    assert judged(file, "\n".join([*rows, *notes])).delimiter == "|"


def test_decimal_commas_do_not_outweigh_a_delimiter_of_two_characters(file: Path) -> None:
    rows = ["26,3", "21,9::2010-05-21", "15,9::2012-01-25", "34,8::2027-04-24", "7,4::2006-01-21"]
    assert judged(file, "\n".join(rows)).delimiter == "::"


def test_a_backslash_escapes_a_delimiter_outside_quotes(file: Path) -> None:
    rows = "".join(f"{number},Smith\\, Ann,x\n{number},Ben,y\n" for number in range(9))
    dialect = judged(file, "id,name,z\n" + rows)
    assert (dialect.escape, dialect.header) == ("backslash", ("id", "name", "z"))


@pytest.mark.parametrize("name", ["a.csv", "a.TSV", "dir/a.txt", "a.dat", "a.psv"])
def test_one_column_is_taken_from_names_of_text_tables_only(file: Path, name: str) -> None:
    dialect = judged(file, "code\nA1\n\nB2\n", name)
    assert (dialect.delimiter, dialect.header, dialect.first_line) == ("", ("code",), 2)
    with pytest.raises(FileRefused, match="no delimiter"):
        judged(file, "code\nA1\nB2\n", "a.py")
    with pytest.raises(FileRefused, match="no delimiter"):
        judged(file, "code\nA1\nB2\n", "code")


@pytest.mark.parametrize("text", ['text\n"Hello, world"\n"One, two"\n', "text\nHello\n" + 4 * "world\n" + "One, two\n"])
def test_delimiters_that_are_quoted_or_rare_make_no_more_columns_of_one(file: Path, text: str) -> None:
    assert judged(file, text).header == ("text",)


@pytest.mark.parametrize("values", ["12:30\n12:45\n", "06:00:00\n07:00:00\n", "1,5\n2,5\n3\n4\n5\n6\n7\n8\n9\n10\n"])
def test_one_column_of_numbers_or_times_stays_one(file: Path, values: str) -> None:
    dialect = judged(file, "value\n" + values)
    assert (dialect.delimiter, dialect.header) == ("", ("value",))


PROSE = """Dear colleagues,

please find attached the figures for the first quarter of the year, as
we agreed upon in our last meeting. Some of them are preliminary and may
be revised when the final accounts of the regions have been received by us.

Kind regards
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("k\n1\n2\n4,5\n", "reads as one column, though 25% of its lines"),
        ("k,v\n1\n2\n", "reads as one column, though 33% of its lines"),
        ('"a,""b"",c"\n"1,""2"",3"\n', "quoted fields stand beside delimiters"),
        (PROSE, "reads like prose"),
        ("region      men   women\nNorth        12      13\nSouth-East  120     130\n", "aligned with spaces"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(file: Path, text: str, words: str) -> None:
    with pytest.raises(FileRefused) as refused:
        judged(file, text, "a.txt")
    assert refused.value.rule == "dialect"
    assert words in refused.value.reason
    assert "lake.toml" in refused.value.reason


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b" \r\n\n", b"\xef\xbb\xbf\n", "\r\n".encode("utf-16")])
@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_an_empty_file_is_refused_as_empty(file: Path, data: bytes, name: str) -> None:
    with pytest.raises(FileRefused, match=r"^the file is empty$"):
        judged(file, data, name)


def test_only_the_beginning_of_a_large_file_is_looked_at(file: Path) -> None:
    rows = "".join(f"{number},é\n" for number in range(2000))
    file.write_bytes(("id,text\n" + rows + "x" * 300).encode())
    source = Source(file, "a.csv", file.parent)
    for sample_bytes in range(200, 212):
        assert understand(as_utf8(source), source, sample_bytes=sample_bytes).header == ("id", "text")
    file.write_bytes(b"x" * 300)
    with pytest.raises(FileRefused, match="the first record does not end within 200 bytes"):
        understand(as_utf8(source), source, sample_bytes=200)


def test_nuls_and_bad_bytes_do_not_keep_a_table_from_being_understood(file: Path) -> None:
    assert judged(file, b"a,b\n1,\x00\n2,3\n").header == ("a", "b")
    assert judged(file, "ä,b\n1,ö\n".encode() + b"2,\xff\n").header == ("ä", "b")


@pytest.mark.parametrize(
    ("text", "pins", "expected"),
    [
        ("a;b,c\n1;2,3\n", {"delimiter": ","}, {"delimiter": ",", "header": ("a;b", "c")}),
        ("a,b\n1,2\n", {"delimiter": ""}, {"delimiter": "", "header": ("a,b",)}),
        ('a,b\n"1",2\n', {"quote": ""}, {"quote": "", "escape": "none"}),
        ("a,b\n'1',2\n", {"quote": "'"}, {"quote": "'", "escape": "double"}),
        ('a,b\n"1",2\n', {"escape": "backslash"}, {"quote": '"', "escape": "backslash"}),
        ("a,b\n!x\n1,2\n", {"comment": "!"}, {"comment": "!"}),
        ("a,b\n#x\n1,2\n#y\n", {"comment": ""}, {"comment": ""}),
        ("x,y\na,b\n1,2\n", {"skip_lines": 1}, {"header": ("a", "b"), "header_line": 2, "first_line": 3}),
        ("x,y\na,b\n1,2\n", {"skip_lines": 2, "header_lines": 0}, {"header_line": 0, "first_line": 3}),
        ("a,b\nx,y\n1,2\n", {"header_lines": 2}, {"header": ("a x", "b y"), "header_rows": 2, "first_line": 3}),
        ("Title\n\na,b\nx,y\n", {"header_lines": 1}, {"header": ("a", "b"), "header_line": 3}),
        ("a,b\nx,y\n", {"header_lines": 0}, {"header": ("column_1", "column_2"), "first_line": 1}),
        ("1,2\n3,4\n", {"names": ("p", "q")}, {"header": ("p", "q"), "header_line": 0, "first_line": 1}),
        ("1,2\n3,4,5\n6,7,8\n", {"names": ("p", "q")}, {"header": ("p", "q"), "first_line": 1}),
    ],
)
def test_pins_are_followed(file: Path, text: str, pins: dict[str, Any], expected: dict[str, Any]) -> None:
    dialect = judged(file, text, **pins)
    assert {name: getattr(dialect, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "pins", "words"),
    [
        ("x\na,b\n1,2\n3,4\n", {"header_lines": 1, "skip_lines": 0}, "the pinned header on line 1 has 1 field"),
        ("a,b\n1,2\n", {"skip_lines": 9}, "check skip_lines"),
        ("a,b\n1,2\n", {"names": ("p", "q", "r")}, "lake.toml pins 3 names, but no line has 3 fields"),
    ],
)
def test_pins_that_do_not_fit_are_refused(file: Path, text: str, pins: dict[str, Any], words: str) -> None:
    with pytest.raises(FileRefused) as refused:
        judged(file, text, **pins)
    assert (refused.value.rule, words in refused.value.reason) == ("header", True), refused.value.reason


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        ("a,b\n1,2\n# a remark\n3,4\n", "#"),
        ("a,b\n1,2\n// a remark\n3,4\n", "//"),
        ("a;b\n1;2\n% a remark\n3;4\n", "%"),
        ("a,b\n1,2\n#3,4\n5,6\n", ""),
        ("value\n1\n# a remark\n2\n", "#"),
        ("# made by hand\na,b\n1,2\n3,4\n", ""),
        ("colour,n\n#ff0000,1\n#00ff00,2\nred,3\n", ""),
        ("tag\n#one\ntwo\n#three\n", ""),
        ("a,b\n1,2\n3,4\n", ""),
    ],
)
def test_comments_are_lines_that_are_no_records(file: Path, text: str, comment: str) -> None:
    dialect = judged(file, text)
    assert dialect.comment == comment
    assert bool(dialect.assumptions and "comments" in dialect.assumptions[0]) is bool(comment)


def test_a_dialect_is_json_for_the_ledger(file: Path) -> None:
    values = judged(file, "a,b\n1,2\n").as_dict()
    assert values["header"] == ["a", "b"]
    assert values["delimiter"] == ","
    assert values["assumptions"] == []


@pytest.mark.parametrize(
    ("found", "stored"),
    [
        (["carrier", "Größe", "a.b", "a*", "^x"], ["carrier", "Größe", "a.b", "a*", "^x"]),
        (["*", "^x$", "^ ^\n$", "_"], ["__2", "_x$", "__^_$", "_"]),
        ([" \ufeffyear ", "a b", "p(x)=1", "t\tu\nv", "x;{}"], ["year", "a_b", "p_x__1", "t_u_v", "x___"]),
        (["", " ", "column_1"], ["column_1_2", "column_2", "column_1"]),
        (["a", "A", "a", "a_2"], ["a", "A_3", "a_4", "a_2"]),
        (["a b", "a_b"], ["a_b_2", "a_b"]),
        (["_file", "_Line", "_batch", "_other"], ["_file_2", "_Line_2", "_batch_2", "_other"]),
    ],
)
def test_names_are_kept_where_delta_takes_them_and_else_made_safe_and_unique(
    found: list[str], stored: list[str]
) -> None:
    assert list(safe_names(found)) == stored
