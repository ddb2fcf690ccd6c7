"""Where a table begins and what its columns are called; what cannot be decided is said, no record becomes a title."""

from pathlib import Path
from typing import Any

import pytest

from ingestion.found import Source
from ingestion.options import ReadOptions
from ingestion.text.dialect import Dialect, understand
from ingestion.text.encoding import as_utf8
from ingestion.text.header import is_footer

MADE_UP = ("column_1", "column_2", "column_3")


def judged(folder: Path, text: str, **pins: Any) -> Dialect:
    path = folder / "landed"
    path.write_bytes(text.encode())
    source = Source(path, "table.csv", folder, ReadOptions(**pins))
    return understand(as_utf8(source), source)


def case(text: str, header: str, lines: str, *said: str) -> Any:
    """``header`` names divided by commas; ``lines`` are header_line, header_rows and first_line."""
    return pytest.param(text, tuple(header.split(",")), tuple(map(int, lines.split())), said)


PLAIN = [
    case("year,name,value\n2020,Ulm,5\n2021,Bonn,6\n", "year,name,value", "1 1 2"),
    case("id,x,y\nA,NA,\nB,1,2\nC,3,4\n", "id,x,y", "1 1 2"),
    case(",value,x\n1,2,3\n2,3,4\n", ",value,x", "1 1 2"),
    case("id,,x\n1,2,3\n2,3,4\n", "id,,x", "1 1 2"),
    case('B1,plain,0,B1\nA0,"1,5",,A0\nA0,"1,5",,A0\n', "B1,plain,0,B1", "1 1 2", "'0' in it is no name"),
    case("a,a,b\n1,2,3\n2,3,4\n", "a,a,b", "1 1 2"),
    case("\n\na,b\n\n1,2\n", "a,b", "3 1 4"),
    case('"a\nb",c\n1,2\n3,4\n', "a\nb,c", "1 2 3"),
    case("id,date\n1,2020-01-05\n2,2020-02-05\n", "id,date", "1 1 2"),
    case("code,amount\nA,1.234,5\n".replace(".234,5", "5") + "B,25\n", "code,amount", "1 1 2"),
    case("value\n1\n\n2\n", "value", "1 1 2"),
    case("a,b\nx,\ny,1\nz,2\n", "a,b", "1 1 2"),
]

HEADINGS = [
    case(",39.7 b,15.5 :,\n,14.9 b,6,95\n,10 p,5,21\n,5 b,5,24\n", ",39.7 b,15.5 :,", "1 1 2", "though nothing"),
    case(
        "country,2019,2020\nDE,83.1,83.2\nFR,67.1,67.2\nIT,60,59\n",
        "country,2019,2020",
        "1 1 2",
        "line 1 is the header",
    ),
    case("country,2019\nDE,83.1\nFR,67.1\nIT,60\n", "country,2019", "1 1 2", "line 1 is the header"),
    case("c,2015,2018,2019\nDE,5,20,11\nFR,21,19,7\nIT,99,50,9\n", "c,2015,2018,2019", "1 1 2", "header"),
    case("id,pop,2019,2020\n1,5,6,7\n2,5,6,8\n3,1,2,3\n", "id,pop,2019,2020", "1 1 2", "header"),
    case("sex,0,1,2,3\nm,5,9,7,1\nf,5,1,8,2\n", "sex,0,1,2,3", "1 1 2", "header"),
    case("area,2020-Q1,2020-Q2\nA,5,6\nB,7,8\n", "area,2020-Q1,2020-Q2", "1 1 2", "header"),
    case("state,1/22/20,1/23/20\nA,5,6\nB,7,8\n", "state,1/22/20,1/23/20", "1 1 2", "header"),
    case("2018,2019,2020\n5.1,6.2,7\n7.1,8.2,9\n", "2018,2019,2020", "1 1 2", "header"),
]

WITHOUT = [
    case(",x\n" + ",0\n" * 9, "column_1,column_2", "0 0 1", "does not look like names"),
    case("A,x\n" + "A,0\n" * 9, "column_1,column_2", "0 0 1", "'A' in the first line is also a value"),
    case("1950;1951\n1950;1950\n1950;1950\n", "column_1,column_2", "0 0 1", "no header row"),
    case("A,1950,1951\nB,1950,1950\nC,1950,1950\n", "column_1,column_2,column_3", "0 0 1", "no header row"),
    case("0,,\n" + "0,0,0\n" * 9, "column_1,column_2,column_3", "0 0 1", "no header row"),
    case(",,\n1,2,3\n4,5,6\n", "column_1,column_2,column_3", "0 0 1", "no header row"),
    case("1,2\n3,4\n", "column_1,column_2", "0 0 1", "there is no header row"),
    case("2013-01-01,x\n2013-01-02,y\n", "column_1,column_2", "0 0 1", "numbers or dates as the lines below"),
    case("DE,2019,2020\nFR,2020,2021\nIT,2018,2019\n", "column_1,column_2,column_3", "0 0 1", "no header row"),
    case("DE,2019,83.1\nFR,2019,67.1\nIT,2019,60.1\n", "column_1,column_2,column_3", "0 0 1", "no header row"),
    case("x,9 lives\nx,y\n", "column_1,column_2", "0 0 1", "'x' in the first line is also a value"),
    case("a,A\nx,y\n", "column_1,column_2", "0 0 1", "does not look like names"),
    case("m,yes\nf,no\nx,yes\nz,no\n", "column_1,column_2", "0 0 1", "'yes' in the first line"),
    case("A1,x\nB2,yy\nC3,z\nD4,w\nE5,v\nF6,u\n", "column_1,column_2", "0 0 1", "codes below it"),
    case("12\n13\n14\n", "column_1", "0 0 1", "the columns are named column_1"),
    case("\x000\n0\n0\n0\n", "column_1", "0 0 1", "no header row"),
    case("0\n0,A,A\n1,A,A\n2,A,A\n", "column_1,column_2,column_3", "0 0 1", "no header row"),
    case("1,2,3\n", "column_1,column_2,column_3", "0 0 1", "no header row"),
    case("The title\n1,2,3\n3,4,5\n", "column_1,column_2,column_3", "0 0 2", "line 1 is a title", "no header row"),
    case("1,2\n1,2,3\n3,4,5\n6,7,8\n", "column_1,column_2,column_3", "0 0 1", "no header row"),
    case('1,"x"y,2\n1,2,3\n3,4,5\n6,7,8\n', "column_1,column_2,column_3", "0 0 1", "set aside"),
]

TITLES = [
    case("Table 1\nyear,value,note\n1,2,x\n2,3,y\n", "year,value,note", "2 1 3", "line 1 is a title"),
    case("Table 1,,\nyear,value,note\n1,2,x\n2,3,y\n", "year,value,note", "2 1 3", "line 1 is a title"),
    case("Table 1\n\n,,\nyear,value,note\n1,2,x\n2,3,y\n", "year,value,note", "4 1 5", "lines 1 to 3 are titles"),
    case(
        'Statistical Office,\n\n"Title, by",\nid,value\nA0,1\nA1,2\nA2,3\n',
        "id,value",
        "4 1 5",
        "lines 1 to 3 are titles",
    ),
    case("Office\nStand: 1.1.2020\n\n\na;b;c\n1;2;3\n4;5;6\n", "a,b,c", "5 1 6", "lines 1 to 2 are titles"),
    case("Source: A, B\n\nyear,value\n2020,5\n2021,6\n", "year,value", "3 1 4", "line 1 is a title"),
    case("Source: A, B\nyear,value\n2020,5\n2021,6\n", "year,value", "2 1 3", "line 1 is a title"),
    case("All the figures\nvalue\n1\n2\n3\n", "value", "2 1 3", "line 1 is a title"),
    case("# made by hand\n# twice\na,b\n1,2\n3,4\n", "a,b", "3 1 4", "lines 1 to 2 are titles"),
    case("# made by hand\n#a,b\n1,2\n3,4\n", "#a,b", "2 1 3", "line 1 is a title"),
    case(
        "Table 1\nname,first,town\nSmith,Ann,Ulm\nJones,Ben,Bonn\n", "name,first,town", "2 1 3", "title", "first row is"
    ),
]

SEVERAL_ROWS = [
    case("a,b,c\nkg,m,s\n1,2,3\n4,5,6\n7,8,9\n1,1,1\n", "a kg,b m,c s", "1 2 3", "the header takes 2 rows from line 1"),
    case(
        "region,2023,,2024,\n,men,women,men,women\nA,1,2,3,4\nB,5,6,7,8\n",
        "region,2023 men,2023 women,2024 men,2024 women",
        "1 2 3",
        "takes 2 rows",
    ),
    case("region;area;pop\n;km2;1000\nN;1,5;2\nS;3,5;4\n", "region,area km2,pop 1000", "1 2 3", "2 rows", "line 2"),
    case(
        "Total,Year,Total\nname,year,share\nA,2020,\nB,2021,\n", "Total name,Year year,Total share", "1 2 3", "2 rows"
    ),
    case(
        "GEO_ID,NAME,B01,B02\nGeography,Area Name,Estimate,Margin\n"
        "04US01,Alabama,490,*\n04US02,Alaska,73,*\n04US04,Ohio,7,*\n",
        "GEO_ID Geography,NAME Area Name,B01 Estimate,B02 Margin",
        "1 2 3",
        "takes 2 rows",
    ),
    case(
        "Title,CPI,WEIGHT\nCDID,D7,CH\nPreUnit,,\nReleased,17-07-2024,17-07-2024\nNotes,,\n"
        + "".join(f"{year},{year / 100},{year - 900}\n" for year in range(1988, 1998)),
        "Title CDID PreUnit Released Notes,CPI D7 17-07-2024,WEIGHT CH 17-07-2024",
        "1 5 6",
        "takes 5 rows",
    ),
    case("region,weight\n,kg\nA,1\nB,5\n", "region,weight kg", "1 2 3", "takes 2 rows"),
    case("region,weight\ntext,[kg]\nA,1\nB,5\n", "region text,weight [kg]", "1 2 3", "takes 2 rows"),
    case("Table,,\na,b,c\nx,y,z\n1,2,3\n4,5,6\n", "a x,b y,c z", "2 2 4", "line 1 is a title", "takes 2 rows"),
    case("T,T,T\n\nid,id,id\nA,0,0\nB,0,0\nC,0,0\n", "T,T,T", "1 1 2", "line 3 is a row"),
    case("name,value\nTotal,secret\nA,1\nB,2\nC,3\n", "name,value", "1 1 2", "line 2 is a row"),
    case("id,id,id\n,0 p,\n,0 p,\n,2,0\n", "id,id,id", "1 1 2", "line 2 is a row"),
    case("name,v,w\nTotal,x,x\nA,1,2\nB,2,x\nC,3,4\n", "name,v,w", "1 1 2"),
    case("name,v,w\nTotal,n.v.,n.v.\nA,1,2\nB,2,3\nC,3,4\n", "name,v,w", "1 1 2", "line 2 is a row"),
]

OTHER_WIDTH = [
    case("a,b\n1,2,\n3,4,\n5,6,\n", "a,b,", "1 1 2", "each row ends with a delimiter"),
    case("a,b,\n1,2,\n3,4,\n", "a,b,", "1 1 2"),
    case("a,b,\n1,2\n3,4\n5,6\n", "a,b", "1 1 2", "the header ends with a delimiter"),
    case("x,y\n1,2,3\n2,3,5\n3,3,5\n", ",x,y", "1 1 2", "the first column has no name"),
    case("x,y\nu,2,3\nu,3,5\nu,3,5\n", "column_1,column_2,column_3", "0 0 1", "line 1, perhaps the header"),
    case("a,b,c,d\n1,2,3\n2,3,5\n3,3,5\n", "column_1,column_2,column_3", "0 0 1", "line 1, perhaps the header"),
    case(
        "T\na,b,c,d\n1,2,3\n2,3,5\n3,3,5\n", "column_1,column_2,column_3", "0 0 2", "line 1 is a title", "line 2, per"
    ),
    case("A,B,0,\n" + "A,B,0\n" * 5, "column_1,column_2,column_3", "0 0 1", "line 1, perhaps"),
    case("A,B,0\n" + "A,B,0,\n" * 5, "column_1,column_2,column_3,column_4", "0 0 1", "line 1, perhaps"),
    case(
        "28,E2,37,yes\n" + "10,B3,12,yes,-5\n38,C1,16,no,7\n01,D4,9,no,3\n",
        "column_1,column_2,column_3,column_4,column_5",
        "0 0 1",
        "line 1, perhaps",
    ),
    case("n,f,t,x\nSmith,Ann,Ulm\nJones,Ben,Bonn\n", "column_1,column_2,column_3", "0 0 1", "line 1, perhaps"),
]

ASSUMED = "the first row is the header: no column holds numbers or dates that would tell"

ALL_TEXT = [
    case("carrier,name\n9E,Endeavor Air Inc.\nAA,American Airlines Inc.\n", "carrier,name", "1 1 2", ASSUMED),
    case("code\nA1\nB2\n", "code", "1 1 2", ASSUMED),
    case("a,b\n", "a,b", "1 1 2", ASSUMED),
    case(",b\nx,y\nz,w\n", ",b", "1 1 2", ASSUMED),
]


@pytest.mark.parametrize(
    ("text", "header", "lines", "said"),
    [*PLAIN, *HEADINGS, *WITHOUT, *TITLES, *SEVERAL_ROWS, *OTHER_WIDTH, *ALL_TEXT],
)
def test_the_header_is_found_and_assumptions_are_said(
    tmp_path: Path, text: str, header: tuple[str, ...], lines: tuple[int, ...], said: tuple[str, ...]
) -> None:
    dialect = judged(tmp_path, text)
    assert dialect.header == header
    assert (dialect.header_line, dialect.header_rows, dialect.first_line) == lines
    assert len(dialect.assumptions) == len(said), dialect.assumptions
    for words, assumption in zip(said, dialect.assumptions, strict=True):
        assert words in assumption


def test_footers_and_repeated_headers_do_not_hide_the_header(tmp_path: Path) -> None:
    rows = "".join(f"{number},x,{number}\n" for number in range(8))
    dialect = judged(tmp_path, f"id,name,n\n{rows}id,name,n\n{rows}\nSource: survey,,\nNote\n")
    assert (dialect.header, dialect.first_line) == (("id", "name", "n"), 2)


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("id,name,value\n1,Ann,10\n2,Bob,20\n3,Cid,30\n4,Dora,40\nid,name,value\n5,E,5\n", ("id", "name", "value")),
        ("id,name,value\n1,Ann,10\n2,Bob,20\n\ufeffid,name,value\n1,Ann,10\n2,Bob,20\n", ("id", "name", "value")),
        ("id,id,id\nA000,A000,0\nid,id,id\nA000,A000,0\nA000,A000,0\n", ("id", "id", "id")),
        ("id,id,id,id,id\n,,,,0\nid,id,id,id,id\n,,,,0\n,,,,0\n", ("id",) * 5),
        ("Statistical Office,\n\nid,id\nA000,0\nid,id\nA000,0\nA000,0\n", ("id", "id")),
        ('id,id,id\n"A000"x,A000,0\nid,id,id\nA000,A000,0\n' + "A000,A000,0\n" * 8, ("id", "id", "id")),
        ("id,id,id\n0,A,A\nid,id,id\n" + "0,A,A\n" * 5 + "__________,,\n", ("id", "id", "id")),
        ('Office of X,\n"By region; in 1 000",\nid,id\nA0,0\nid,id\nA0,0\nA0,0\n', ("id", "id")),
        ("id,id,id,\nA,A,0,x\nA,A,0,0\nA,x,0,0\n", ("id", "id", "id", "")),
        ("id,id\n,x\n,0\n,0\n", ("id", "id")),
        ("id,id\n0\nx,A\n0,A\n0,A\n", ("id", "id")),
        ("id,id,id\nA,0,A\nid,id,id\n" + "A,0,A\n" * 4 + "A,x,A\n", ("id", "id", "id")),
        ("\n\nid,id\n0,A\nid,id\n" + "0,A\n" * 5 + "__________,\n", ("id", "id")),
        ("libellé,\n0,0\nlibellé,\n" + "0,0\n" * 5 + "* provisional,\n", ("libellé", "")),
        ("Statistical Office,\nid,id\nA000,0\nid,id\nA000,0\nA000,0\n", ("id", "id")),
        ("Statistical Office,\nname,\n0,0\nname,\n0,0\n0,0\n", ("name", "")),
        ('\nOffice of X,\n"By region; in 1 000",\n,name\nA0,0\n,name\nA0,0\nA0,0\n', ("", "name")),
        ('"a\nb",,,\n0,A,0,0\n"a\nb",,,\n0,A,0,0\n0,A,0,0\n', ("a\nb", "", "", "")),
    ],
)
def test_a_repeated_header_is_one(tmp_path: Path, text: str, header: tuple[str, ...]) -> None:
    assert judged(tmp_path, text).header == header


def test_the_first_of_several_tables_names_the_columns(tmp_path: Path) -> None:
    rows = "".join(f"{number},x,{number}\n" for number in range(8))
    dialect = judged(tmp_path, f"id,name,n\n{rows}\nTable 2\na,b\n1,2\n3,4\n")
    assert (dialect.header, dialect.first_line) == (("id", "name", "n"), 2)


def test_a_note_below_a_table_is_told_from_a_row_of_missing_values() -> None:
    assert is_footer(["Source: labour force survey", "", ""])
    assert not is_footer(["Northern Ireland", "", ""])
    assert not is_footer(["2013", "", ""])
    assert not is_footer(["Source: survey", "1", ""])


def test_a_malformed_first_record_is_no_header_even_of_one_column(tmp_path: Path) -> None:
    dialect = judged(tmp_path, '"1.5"x\n' + "".join(f"{number}.5\n" for number in range(2, 9)))
    assert (dialect.header, dialect.header_line, dialect.first_line) == (("column_1",), 0, 1)


def test_marks_in_place_of_numbers_make_no_names_of_a_number_beside_them(tmp_path: Path) -> None:
    rows = "".join(f"{number},{number},{number}.5,A\n" for number in range(2, 9))
    assert judged(tmp_path, "x,10,x,B\n" + rows).header_line == 0
    assert judged(tmp_path, "id,10,name,B\n" + rows).header_line == 1


def test_one_number_among_a_few_texts_makes_no_column_of_numbers(tmp_path: Path) -> None:
    dialect = judged(tmp_path, "a/1,n/a,10.0 p\nb/2,n/a,20.3 :\nc/3,d/7,35.3 b\ne/6,f/4,30.9 b\ng/4,h/2,29.0\n")
    assert (dialect.header_line, dialect.first_line) == (0, 1)


def test_a_first_row_that_is_no_name_above_a_few_rows_is_said_to_be_the_header(tmp_path: Path) -> None:
    dialect = judged(tmp_path, '-\t"A400"\t"19.2 p"\n200\t"A015"\t27.9 :\n255\t"D173"\t10.2\n-\t"A400"\t"19.2 p"')
    assert dialect.header_line == 1
    assert dialect.assumptions == ("line 1 is the header, judged by a few rows below it",)
