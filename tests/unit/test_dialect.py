"""The dialect step finds the delimiter and the header, or says in plain words why the file is no plain table."""

from pathlib import Path

import pytest

from ingestion.columns import safe_names
from ingestion.text.dialect import Dialect, refuse_footer, understand
from ingestion.refusal import FileRefused


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "landed"


def judged(path: Path, text: str | bytes, name: str = "table.csv", **options: int) -> Dialect:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return understand(path, name, **options)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_each_delimiter_is_found(file: Path, delimiter: str) -> None:
    rows = [["year", "name", "share"], ["2013", "Ann Smith", "1.5"], ["2014", "Ben", "2.5"]]
    dialect = judged(file, "\n".join(delimiter.join(row) for row in rows))
    assert (dialect.delimiter, dialect.header, dialect.assumptions) == (delimiter, ("year", "name", "share"), ())


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
    ],
)
def test_the_delimiter_is_the_one_that_makes_plausible_cells(file: Path, text: str, delimiter: str) -> None:
    assert judged(file, text).delimiter == delimiter


def test_a_byte_order_mark_and_quotes_are_not_part_of_the_names(file: Path) -> None:
    dialect = judged(file, '\ufeff"year","a ""b"""\n1,2\n')
    assert (dialect.bom, dialect.header, dialect.columns) == (True, ("year", 'a "b"'), ("year", 'a_"b"'))


def test_an_all_text_table_takes_its_first_row_as_header_and_says_so(file: Path) -> None:
    dialect = judged(file, "carrier,name\n9E,Endeavor Air Inc.\nAA,American Airlines Inc.\n")
    assert dialect.header == ("carrier", "name")
    assert dialect.assumptions == ("the first row is the header: no column holds numbers or dates that would tell",)


@pytest.mark.parametrize("name", ["a.csv", "a.TSV", "dir/a.txt"])
def test_one_column_is_taken_from_names_of_text_tables_only(file: Path, name: str) -> None:
    assert judged(file, "code\nA1\nB2\n", name).header == ("code",)
    with pytest.raises(FileRefused, match="no delimiter"):
        judged(file, "code\nA1\nB2\n", "a.dat")


@pytest.mark.parametrize("text", ['text\n"Hello, world"\n"One, two"\n', "text\nHello\n" + 4 * "world\n" + "One, two\n"])
def test_delimiters_that_are_quoted_or_rare_make_no_more_columns_of_one(file: Path, text: str) -> None:
    assert judged(file, text).header == ("text",)


def test_missing_values_in_the_first_record_do_not_make_it_a_header(file: Path) -> None:
    assert judged(file, "id,x,y\nA,NA,\nB,1,2\nC,3,4\n").header == ("id", "x", "y")


def test_unnamed_columns_are_allowed_above_numbers(file: Path) -> None:
    dialect = judged(file, ",value,x\n1,2,3\n2,3,4\n")
    assert dialect.columns == ("column_1", "value", "x")


@pytest.mark.parametrize(
    ("text", "rule", "line", "words"),
    [
        ("Table 1\nyear,value,note\n1,2,x\n2,3,y\n", "header", 1, "line 1 has 1 field, most lines have 3"),
        ("Table 1,,\nyear,value,note\n1,2,x\n2,3,y\n", "header", 1, "line 1 looks like a title above the table"),
        ("1,2\n3,4\n", "header", 1, "line 1 looks like data: '1' stands above a column of numbers"),
        ("2013-01-01,x\n2013-01-02,y\n", "header", 1, "files without a header row are not read yet"),
        ("a,b,c\nkg,m,s\n1,2,3\n4,5,6\n7,8,9\n1,1,1\n", "header", 1, "the header seems to take 2 rows"),
        ("a,\nx,y\n", "header", 1, "title above the table"),
        ("a,A\nx,y\n", "header", 1, "its names are not unique"),
        ("x,9 lives\nx,y\n", "header", 1, "'9 lives' does not look like a name"),
        ("k,v\n1\n2\n", "header", 1, "line 1 has 2 fields, most lines have 1: the header does not fit"),
        ("k\n1\n2\n4,5\n", "dialect", None, "reads as one column, though 25% of its lines"),
        ('"a,""b"",c"\n"1,""2"",3"\n', "dialect", None, "quoted fields stand beside delimiters"),
        ("a\x00,b\n", "nul", 1, "NUL"),
        ("a,b\n1,2\r3,4\n", "line-end", 2, "carriage return"),
        (b"a,b\n1,\xe9\n", "encoding", 2, "not UTF-8"),
    ],
)
def test_what_is_no_plain_table_is_refused_with_its_line(
    file: Path, text: str | bytes, rule: str, line: int | None, words: str
) -> None:
    with pytest.raises(FileRefused) as refused:
        judged(file, text)
    assert (refused.value.rule, refused.value.line) == (rule, line)
    assert words in refused.value.reason


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b" \r\n\n", b"\xef\xbb\xbf\n"])
@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_an_empty_file_is_refused_as_empty(file: Path, data: bytes, name: str) -> None:
    with pytest.raises(FileRefused, match=r"^the file is empty$"):
        judged(file, data, name)


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"PK\x03\x04....", "prices.xlsx", "an Excel workbook"),
        (b"PK\x03\x04....", "prices", "a zip archive or an office document"),
        (b"\x1f\x8b\x08\x00", "a.csv", "a gzip file"),
        (b"PAR1....", "a.csv", "a Parquet file"),
        (b'{"a": 1}', "a.csv", "a JSON file"),
        (b'[\n {"a": 1}]', "a.txt", "a JSON file"),
        (b"<?xml version='1.0'?>", "a.txt", "an XML or HTML file"),
        (b"$FL2@(#) IBM SPSS", "a", "an SPSS file"),
        (b"a,b\n", "a.sav", "an SPSS file"),
        ("a,b\n1,2\n".encode("utf-16"), "a.csv", "text in UTF-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), "a.csv", "text in UTF-16 without a byte order mark"),
        ("a,b\n1,2\n".encode("utf-16-be"), "a.csv", "text in UTF-16 without a byte order mark"),
        ("a,b\n1,2\n".encode("utf-32"), "a.csv", "text in UTF-32"),
    ],
)
def test_other_formats_are_named_and_kept(file: Path, data: bytes, name: str, words: str) -> None:
    with pytest.raises(FileRefused) as refused:
        judged(file, data, name)
    assert refused.value.reason == f"{words} is not read yet; it is kept byte for byte in the archive"


def test_only_the_beginning_of_a_large_file_is_looked_at(file: Path) -> None:
    rows = "".join(f"{number},é\n" for number in range(2000))
    for sample_bytes in range(200, 212):
        assert judged(file, "id,text\n" + rows, sample_bytes=sample_bytes).header == ("id", "text")
    with pytest.raises(FileRefused, match="the first record does not end within 200 bytes"):
        judged(file, "x" * 300, sample_bytes=200)


def test_a_note_below_the_table_is_refused_and_a_row_of_missing_values_is_not() -> None:
    refuse_footer(["Northern Ireland", "", ""], 9)
    refuse_footer(["2013", "", ""], 9)
    refuse_footer(["Source: survey", "1", ""], 9)
    with pytest.raises(FileRefused, match="line 9 looks like a note below the table"):
        refuse_footer(["Source: labour force survey", "", ""], 9)


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
