"""Files as programs, copying and people leave them."""

from tests.dirty.awkward import Awkward, lines

_COLUMNS = ("id", "name", "value")
_ROWS = lines(2, "1,Ann,10", "2,Bob,20", "3,Cid,30", "4,Dora,40", by=",")
_PLAIN = b"id,name,value\n1,Ann,10\n2,Bob,20\n3,Cid,30\n4,Dora,40\n"


def _but(line: int) -> dict[int, tuple[str, ...]]:
    """The plain rows without one of them."""
    return {number: row for number, row in _ROWS.items() if number != line}


ACCIDENTS = (
    Awkward(
        "Excel: the first line names the delimiter",
        b"sep=;\r\nid;name;value\r\n1;Ann;1,5\r\n2;Bob;2,5\r\n3;Cid;-0,5\r\n",
        _COLUMNS,
        lines(3, "1;Ann;1,5", "2;Bob;2,5", "3;Cid;-0,5", by=";"),
    ),
    Awkward(
        "Excel, Unicode text: UTF-16 with a mark, tabs",
        "id\tname\tvalue\r\n1\tŁódź\t1,5\r\n2\tΑθήνα\t2,5\r\n3\t東京\t3,5\r\n".encode("utf-16"),
        _COLUMNS,
        lines(2, "1|Łódź|1,5", "2|Αθήνα|2,5", "3|東京|3,5", by="|"),
    ),
    Awkward(
        "Excel on an old Mac: lines end with CR alone",
        b"id;name;value\r1;Ann;1,5\r2;Bob;2,5\r3;Cid;3,5\r",
        _COLUMNS,
        lines(2, "1;Ann;1,5", "2;Bob;2,5", "3;Cid;3,5", by=";"),
    ),
    Awkward(
        "Excel: line feeds inside cells, lines end with CR LF",
        b'id,name,value\r\n1,"Ann\nLee",10\r\n2,"two\n\nblank",20\r\n3,Cid,30\r\n4,Dora,40\r\n',
        _COLUMNS,
        {2: ("1", "Ann\nLee", "10"), 4: ("2", "two\n\nblank", "20"), 7: ("3", "Cid", "30"), 8: ("4", "Dora", "40")},
    ),
    Awkward(
        "Excel: a header with line feeds in its names",
        b'id,"name\nof person","value\r\n(EUR)"\r\n1,Ann,10\r\n2,Bob,20\r\n3,Cid,30\r\n',
        ("id", "name\nof person", "value\r\n(EUR)"),
        lines(4, "1,Ann,10", "2,Bob,20", "3,Cid,30", by=","),
    ),
    Awkward(
        "Excel: error cells and formulas as text",
        b"id,name,value\n1,=SUM(A1:A3),10\n2,#REF!,#DIV/0!\n3,#N/A,30\n4,+49 30,40\n",
        _COLUMNS,
        lines(2, "1,=SUM(A1:A3),10", "2,#REF!,#DIV/0!", "3,#N/A,30", "4,+49 30,40", by=","),
    ),
    Awkward(
        "written in text mode twice: lines end with CR CR LF",
        _PLAIN.replace(b"\n", b"\r\r\n"),
        _COLUMNS,
        {2 * line - 1: row for line, row in _ROWS.items()},
    ),
    Awkward(
        "mixed line ends",
        b"id,name,value\r\n1,Ann,10\n2,Bob,20\r3,Cid,30\r\n4,Dora,40",
        _COLUMNS,
        _ROWS,
    ),
    Awkward("no line end at the end", _PLAIN.rstrip(), _COLUMNS, _ROWS),
    Awkward(
        "blank lines at the end, and in the middle",
        _PLAIN.replace(b"3,", b"\n\n3,") + b"\n\n\n",
        _COLUMNS,
        {2: ("1", "Ann", "10"), 3: ("2", "Bob", "20"), 6: ("3", "Cid", "30"), 7: ("4", "Dora", "40")},
    ),
    Awkward(
        "rows of delimiters at the end, as Excel leaves them",
        _PLAIN + b",,\n,,\n",
        _COLUMNS,
        {**_ROWS, 6: ("", "", ""), 7: ("", "", "")},
    ),
    Awkward("the mark twice", b"\xef\xbb\xbf\xef\xbb\xbf" + _PLAIN, ("\ufeffid", "name", "value"), _ROWS),
    Awkward(
        "two files copied into one: a mark and the header again",
        b"\xef\xbb\xbf" + _PLAIN + b"\xef\xbb\xbf" + _PLAIN,
        _COLUMNS,
        {**_ROWS, **lines(7, "1,Ann,10", "2,Bob,20", "3,Cid,30", "4,Dora,40", by=",")},
        {6: "id,name,value"},
    ),
    Awkward(
        "a header that comes again with each page",
        _PLAIN + b"id,name,value\n5,Eve,50\n",
        _COLUMNS,
        {**_ROWS, 7: ("5", "Eve", "50")},
        {6: "id,name,value"},
    ),
    Awkward("the end of a file in DOS", _PLAIN + b"\x1a", _COLUMNS, _ROWS, {6: "\x1a"}),
    Awkward("the rest of a disk block: NULs below", _PLAIN + b"\0" * 40, _COLUMNS, _ROWS, {6: "\0"}),
    Awkward("a NUL in a name", _PLAIN.replace(b"Bob", b"B\0b"), _COLUMNS, _but(3), {3: "2,B"}),
    Awkward("a row cut short", _PLAIN.replace(b"2,Bob,20", b"2,Bob"), _COLUMNS, _but(3), {3: "2,Bob"}),
    Awkward("a comma without quotes", _PLAIN.replace(b"Bob", b"Bob, jr"), _COLUMNS, _but(3), {3: "2,Bob, jr,20"}),
    Awkward("a quote that never closes", _PLAIN.replace(b"Bob", b'"Bob'), _COLUMNS, _but(3), {3: '2,"Bob,20'}),
    Awkward("text behind a quote", _PLAIN.replace(b"Bob", b'"Bob" jr'), _COLUMNS, _but(3), {3: '2,"Bob" jr,20'}),
    Awkward(
        "a quote that closes two lines below",
        _PLAIN.replace(b"Ann", b'"Ann').replace(b"Cid", b'Cid"'),
        _COLUMNS,
        lines(5, "4,Dora,40", by=","),
        {2: '1,"Ann,10\n2,Bob,20\n3,Cid",30'},
    ),
    Awkward(
        "a line broken in two",
        _PLAIN.replace(b"2,Bob,20", b"2,Bo\nb,20"),
        _COLUMNS,
        {2: ("1", "Ann", "10"), 5: ("3", "Cid", "30"), 6: ("4", "Dora", "40")},
        {3: "2,Bo", 4: "b,20"},
    ),
    Awkward(
        "two lines run into one",
        _PLAIN.replace(b"20\n3", b"203"),
        _COLUMNS,
        {2: ("1", "Ann", "10"), 4: ("4", "Dora", "40")},
        {3: "2,Bob,203,Cid,30"},
    ),
    Awkward("the file ends in the middle of a row", _PLAIN[:-5], _COLUMNS, _but(5), {5: "4,Dor"}),
    Awkward(
        "one line in another delimiter", _PLAIN.replace(b"2,Bob,20", b"2;Bob;20"), _COLUMNS, _but(3), {3: "2;Bob;20"}
    ),
    Awkward(
        "UTF-8 with one line in another encoding",
        "id,name,value\n1,Jürgen,10\n2,François,20\n".encode()
        + "3,Zoë,30\n".encode("latin-1")
        + "4,Łukasz,40\n".encode(),
        _COLUMNS,
        lines(2, "1,Jürgen,10", "2,François,20", by=",") | {5: ("4", "Łukasz", "40")},
        {4: "3,Zo"},
    ),
    Awkward(
        "names that are double, and empty",
        b"id,value,,value,\n1,2,3,4,5\n6,7,8,9,0\n1,2,3,4,5\n",
        ("id", "value", "", "value", ""),
        lines(2, "1,2,3,4,5", "6,7,8,9,0", "1,2,3,4,5", by=","),
    ),
    Awkward(
        "no header",
        b"1,Ann,10\n2,Bob,20\n3,Cid,30\n4,Dora,40\n",
        ("column_1", "column_2", "column_3"),
        {line - 1: row for line, row in _ROWS.items()},
    ),
    Awkward("a header alone", b"id,name,value\n", _COLUMNS, {}),
    Awkward(
        "R, write.csv: the first column has no name",
        b'"","x","y"\n"1",1.5,"a"\n"2",2.5,"b"\n"3",NA,"c"\n',
        ("", "x", "y"),
        lines(2, "1,1.5,a", "2,2.5,b", "3,NA,c", by=","),
    ),
    Awkward(
        "pandas, to_csv with its index",
        b",a,b\n0,1.0,x\n1,,y\n2,3.0,z\n",
        ("", "a", "b"),
        lines(2, "0,1.0,x", "1,,y", "2,3.0,z", by=","),
    ),
    Awkward(
        "R, write.table: one name less than columns",
        b'"x" "y"\n"1" 1.5 20\n"2" 2.5 30\n"3" 3.5 40\n',
        None,
        lines(2, "1 1.5 20", "2 2.5 30", "3 3.5 40", by=" "),
        {},
    ),
    Awkward(
        "MySQL: backslashes, \\N for nothing",
        b"id\tname\tvalue\n1\tAnn\t10\n2\t\\N\t\\N\n3\tC:\\temp\t30\n4\tDora\t40\n",
        _COLUMNS,
        lines(2, "1|Ann|10", "2|\\N|\\N", "3|C:\\temp|30", "4|Dora|40", by="|"),
    ),
    Awkward(
        "quotes escaped by backslashes",
        b'"id","name","value"\n"1","Ann \\"A\\" Lee","10"\n'
        b'"2","Bob, \\"B\\"","20"\n"3","\\"C\\", Cid","30"\n"4","Dora","40"\n',
        _COLUMNS,
        lines(2, '1|Ann "A" Lee|10', '2|Bob, "B"|20', '3|"C", Cid|30', "4|Dora|40", by="|"),
    ),
    Awkward(
        "single quotes, an apostrophe doubled",
        b"'id','name','value'\n'1','O''Brien','10'\n'2','Smith, Bob','20'\n'3','Cid','30'\n",
        _COLUMNS,
        lines(2, "1|O'Brien|10", "2|Smith, Bob|20", "3|Cid|30", by="|"),
    ),
    Awkward(
        "a delimiter of two characters",
        b"id||name||value\n1||Ann||10\n2||||20\n3||C|d||30\n",
        _COLUMNS,
        {2: ("1", "Ann", "10"), 3: ("2", "", "20"), 4: ("3", "C|d", "30")},
    ),
    Awkward("control characters between fields", _PLAIN.replace(b",", b"\x1f"), _COLUMNS, _ROWS),
    Awkward(
        "comments above and between",
        b"# made by export.pl\n# 2024-05-01\n" + _PLAIN.replace(b"3,", b"# half\n3,"),
        _COLUMNS,
        {4: ("1", "Ann", "10"), 5: ("2", "Bob", "20"), 7: ("3", "Cid", "30"), 8: ("4", "Dora", "40")},
    ),
    Awkward(
        "codes that begin like comments",
        b"code,value\n#1,10\n#2,20\n#3,30\n#4,40\n",
        ("code", "value"),
        lines(2, "#1,10", "#2,20", "#3,30", "#4,40", by=","),
    ),
    Awkward("one column, no delimiter", b"value\n10\n20\n30\n", ("value",), {2: ("10",), 3: ("20",), 4: ("30",)}),
    Awkward(
        "separators that only Unicode takes for line ends",
        "id,name\n1,a\u2028b\n2,c\x85d\n3,e\x0bf\x0cg\x1ch\n".encode(),
        ("id", "name"),
        {2: ("1", "a\u2028b"), 3: ("2", "c\x85d"), 4: ("3", "e\x0bf\x0cg\x1ch")},
    ),
    Awkward(
        "inches",
        b'id;size;value\n1;3" pipe;10\n2;5" pipe;20\n3;12" pipe;30\n',
        ("id", "size", "value"),
        lines(2, '1;3" pipe;10', '2;5" pipe;20', '3;12" pipe;30', by=";"),
    ),
    Awkward(
        "spaces kept",
        b"id,name,value\n1, Ann ,10\n2,\tBob,20\n3,  ,30\n",
        _COLUMNS,
        lines(2, "1, Ann ,10", "2,\tBob,20", "3,  ,30", by=","),
    ),
    Awkward(
        "three ways to write a thousand, no-break spaces among them",
        "land;a;b;c;d\nA;1.234,5;1 234,5;1\u00a0234,5;1\u202f234,5\nB;2.234,5;2 234,5;2\u00a0234,5;2\u202f234,5\n"
        "C;-3.234,5;-3 234,5;-3\u00a0234,5;-3\u202f234,5\n".encode(),
        ("land", "a", "b", "c", "d"),
        lines(
            2,
            "A;1.234,5;1 234,5;1\u00a0234,5;1\u202f234,5",
            "B;2.234,5;2 234,5;2\u00a0234,5;2\u202f234,5",
            "C;-3.234,5;-3 234,5;-3\u00a0234,5;-3\u202f234,5",
            by=";",
        ),
    ),
    Awkward(
        "two tables one below the other",
        b"region;births;deaths\nNorth;10;20\nSouth;30;40\nEast;50;60\nWest;70;80\n\n"
        b"Table 2\nregion;area\nNorth;100\nSouth;200\n",
        ("region", "births", "deaths"),
        lines(2, "North;10;20", "South;30;40", "East;50;60", "West;70;80", by=";"),
        {7: "Table 2", 8: "region;area", 9: "North;100", 10: "South;200"},
    ),
    Awkward(
        "a header of two rows, the upper one filled where it changes",
        b"region;2021;;2022;\n;births;deaths;births;deaths\nNorth;10;20;11;21\nSouth;30;40;31;41\nEast;50;60;51;61\n",
        None,
        lines(3, "North;10;20;11;21", "South;30;40;31;41", "East;50;60;51;61", by=";"),
    ),
    Awkward(
        "units below the names",
        b"region;area;pop\n;km2;1000\nNorth;10,5;20\nSouth;30,5;40\nEast;50,5;60\n",
        None,
        lines(3, "North;10,5;20", "South;30,5;40", "East;50,5;60", by=";"),
        {},
    ),
    Awkward(
        "an account of totals: rows that are less full are rows",
        b"region;sex;value\nNorth;m;10\nNorth;f;20\nNorth;;30\n;;60\n",
        ("region", "sex", "value"),
        lines(2, "North;m;10", "North;f;20", "North;;30", ";;60", by=";"),
    ),
    Awkward(
        "UTF-16 without a mark",
        "id;name;value\r\n1;Ann;1,5\r\n2;Žofie;2,5\r\n3;Cid;3,5\r\n".encode("utf-16-be"),
        _COLUMNS,
        lines(2, "1;Ann;1,5", "2;Žofie;2,5", "3;Cid;3,5", by=";"),
    ),
    Awkward(
        "UTF-32 with a mark",
        "\ufeffid;name;value\n1;Ann;1,5\n2;Žofie;2,5\n3;Cid;3,5\n".encode("utf-32-le"),
        _COLUMNS,
        lines(2, "1;Ann;1,5", "2;Žofie;2,5", "3;Cid;3,5", by=";"),
    ),
    Awkward(
        "a colon beside every number: UTF-8 with surrogates of pairs above the basic plane",
        "id,name,value\n1,🌍,10\n2,𝔘nicode,20\n3,a\u0301,30\n".encode(),
        _COLUMNS,
        lines(2, "1,🌍,10", "2,𝔘nicode,20", "3,a\u0301,30", by=","),
    ),
)
