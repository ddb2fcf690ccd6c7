"""XML: what repeats is a row, what stands around it is told, and nothing of it can be used against the reader."""

from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.formats.xmlfile import read_xml
from ingestion.refusal import FileRefused
from tests.support.texttables import table, tables

FILES = Path(__file__).parents[1] / "data" / "formats"

CITY = '<city id="{0}"><name>n{0}</name><pos><lat>1.10</lat><lon u="deg">2</lon></pos></city>'


def test_attributes_and_children_are_columns_and_nested_ones_have_paths() -> None:
    found = table(read_xml, f"<r>\n{CITY.format(1)}\n\n{CITY.format(2)}</r>")
    assert found.rows[0] == {"@id": "1", "name": "n1", "pos/lat": "1.10", "pos/lon": "2", "pos/lon/@u": "deg"}
    assert (found.lines, found.found.lines) == ([2, 4], 4)


def test_a_child_that_repeats_anywhere_is_an_array_everywhere() -> None:
    first = '<o id="1"><tag>a</tag><item n="1"/><item n="2"><x>é</x></item></o>'
    found = table(read_xml, f'<r>{first}<o id="2"><tag>a</tag><tag>"b"</tag></o></r>')
    assert found.rows == [
        {"@id": "1", "tag": '["a"]', "item": '[{"@n":"1"},{"@n":"2","x":"é"}]'},
        {"@id": "2", "tag": '["a","\\"b\\""]', "item": None},
    ]


def test_empty_and_absent_are_told_apart() -> None:
    found = table(read_xml, "<r><o><a/><b>1</b></o><o><b> x\n </b></o><o><a></a><b><![CDATA[<&>]]></b></o></r>")
    assert found.rows == [{"a": "", "b": "1"}, {"a": None, "b": " x\n "}, {"a": "", "b": "<&>"}]


def test_what_stands_around_the_records_is_told() -> None:
    head = '<doc date="2024-01-31"><from>registry</from><note><by/></note>'
    found = table(read_xml, f"{head}<list>{CITY.format(1)}{CITY.format(2)}</list></doc>")
    assert found.found.dialect["around"] == {"doc/from": "registry", "doc/@date": "2024-01-31"}
    assert found.found.notices == (
        "the document holds more than its records, which is in the account only: doc (1), doc/from (1), doc/note (1)",
    )


def test_frames_with_attributes_only_are_columns_of_the_records_in_them() -> None:
    data = '<set><series f="A"><obs t="1"/><obs t="2"/></series><series f="B"><obs t="1"/></series></set>'
    assert table(read_xml, data).rows == [
        {"series/@f": "A", "@t": "1"},
        {"series/@f": "A", "@t": "2"},
        {"series/@f": "B", "@t": "1"},
    ]


def test_a_frame_that_says_more_or_is_empty_is_itself_the_record() -> None:
    says_more = '<set><s f="A"><n>x</n><o t="1"/><o t="2"/></s><s f="B"><n>y</n><o t="1"/></s></set>'
    assert [row["o"] for row in table(read_xml, says_more).rows] == ['[{"@t":"1"},{"@t":"2"}]', '[{"@t":"1"}]']
    empty = '<set><s f="A"><o t="1"/><o t="2"/></s><s f="B"/></set>'
    assert [row["@f"] for row in table(read_xml, empty).rows] == ["A", "B"]


def test_elements_that_repeat_in_several_places_are_tables() -> None:
    data = '<db><c><x a="1"/><x a="2"/></c><d><y n="1"/><y n="2"/><y n="3"/></d><e><x b="1"/><x b="2"/></e></db>'
    found = tables(read_xml, data)
    assert [(one.found.part, len(one.rows)) for one in found] == [("", 3), ("db/c/x", 2), ("db/e/x", 2)]


def test_records_are_named_by_their_tag_or_path() -> None:
    data = '<r><a><x n="1"/></a><b><x n="2"/><x n="3"/></b></r>'
    assert [row["@n"] for row in table(read_xml, data, records="x").rows] == ["1", "2", "3"]
    assert [row["@n"] for row in table(read_xml, data, records="a/x").rows] == ["1"]
    with pytest.raises(FileRefused, match=r"'y'.*elements that repeat: x"):
        table(read_xml, data, records="y")


def test_a_single_record_is_found_where_it_would_repeat() -> None:
    found = table(read_xml, f"<r><list>{CITY.format(1)}</list></r>")
    assert (found.rows[0]["name"], found.found.dialect["records"]) == ("n1", "r/list/city")
    assert found.found.notices == ("no element repeats: r/list/city is taken for the record",)


def test_prefixes_go_where_the_names_stay_unique() -> None:
    data = '<p:r xmlns:p="u" xmlns:q="v"><p:o q:id="1"><p:n>1</p:n><q:n>2</q:n><q:m>3</q:m></p:o><p:o q:id="2"/></p:r>'
    found = table(read_xml, data)
    assert found.found.header == ("@id", "p:n", "q:n", "m")
    assert found.found.dialect["namespaces"] == {"xmlns:p": "u", "xmlns:q": "v"}


def test_text_around_children_is_kept() -> None:
    assert table(read_xml, "<r><p>Hello <b>x</b>, you</p><p>y</p></r>").rows == [
        {"#text": "Hello , you", "b": "x"},
        {"#text": "y", "b": None},
    ]


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("utf-8", "utf-8"),
        ("UTF-8", "utf-8-sig"),
        ("ISO-8859-1", "latin-1"),
        ("windows-1252", "cp1252"),
        ("windows-1250", "cp1250"),
        ("utf-16", "utf-16"),
        ("utf-16", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("Shift_JIS", "shift_jis"),
        ("utf-16", "utf-8"),
    ],
)
def test_the_encoding_is_the_declared_one_unless_the_bytes_say_another(declared: str, codec: str) -> None:
    letters = "日本" if codec == "shift_jis" else "Köln"
    data = f'<?xml version="1.0" encoding="{declared}"?><r><o n="{letters}"/><o n="x"/></r>'.encode(codec)
    assert table(read_xml, data).rows == [{"@n": letters}, {"@n": "x"}]


def test_an_encoding_can_be_pinned() -> None:
    assert table(read_xml, '<r><o n="Köln"/><o n="x"/></r>'.encode("cp1252"), encoding="cp1252").rows[0] == {
        "@n": "Köln"
    }


BILLION_LAUGHS = (
    "<!DOCTYPE r [<!ENTITY a0 'ha'>"
    + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 30))
    + "]><r><o>&a29;</o></r>"
)


@pytest.mark.parametrize(
    ("data", "rule", "line"),
    [
        (BILLION_LAUGHS, "xml-entities", 1),
        ('<!DOCTYPE r [\n<!ENTITY x SYSTEM "file:///etc/passwd">]><r><o>&x;</o></r>', "xml-entities", 2),
        ('<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]><r/>', "xml-entities", 1),
        ('<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd">\n<r><o>&x;</o></r>', "xml-entities", 2),
        ('<r>\n<o n="1"></p></r>', "xml", 2),
        ("<r>\n<o/>", "xml", 2),
        ("<r><o n='1' n='2'/></r>", "xml", 1),
        ("<r/>\n<r/>", "xml", 2),
        ("<r>\n<o>&nbsp;</o></r>", "xml", 2),
        ("", "xml", 1),
        ("<a>" * 100_000, "depth", 1),
        ("<r/>", "empty", None),
        ("<r>text</r>", "empty", None),
        ('<?xml version="1.0" encoding="klingon"?><r/>', "encoding", None),
        (b'<r>\n<o n="\xe9"/></r>', "xml", 2),
        (b'<?xml version="1.0" encoding="cp1252"?>\n<r>\x81</r>', "encoding", None),
        ("<r>" + "".join(f"<k{n}/>" for n in range(10_001)) + "</r>", "columns", 1),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_malformed_or_hostile_is_refused(data: str | bytes, rule: str, line: int | None) -> None:
    with pytest.raises(FileRefused) as refused:
        tables(read_xml, data)
    assert refused.value.rule == rule
    assert line is None or refused.value.line == line


def test_a_dtd_elsewhere_is_not_fetched() -> None:
    data = '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><r><o n="1"/><o n="2"/></r>'
    assert len(table(read_xml, data).rows) == 2


NAMES = st.sampled_from(["a", "b", "Größe", "x.y", "_z"])
LETTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
TEXTS = st.text(LETTERS, max_size=8) | st.sampled_from(["<", "&amp;", "]]>", '"', "'", " ", "é"])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.dictionaries(NAMES, TEXTS), st.dictionaries(NAMES, TEXTS)), min_size=2, max_size=6),
    st.sampled_from(["utf-8", "utf-16", "utf-32"]),
)
def test_what_is_written_comes_back(records: list[tuple[dict[str, str], dict[str, str]]], codec: str) -> None:
    elements = []
    for attributes, children in records:
        said = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
        held = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in children.items())
        elements.append(f'<row key="1"{said}>{held}</row>')
    document = "\n".join(elements)
    found = table(read_xml, f"<rows>{document}</rows>".encode(codec))
    for row, (attributes, children) in zip(found.rows, records, strict=True):
        expected = {**{f"@{name}": value for name, value in attributes.items()}, **children}
        assert {name: value for name, value in row.items() if value is not None and name != "@key"} == expected
    assert found.lines == list(range(1, len(records) + 1))


# Files of other programs


@pytest.mark.parametrize("name", ["cities.xmlstarlet.xml", "cities.xmlstarlet.utf16.xml"])
def test_libxml2(name: str) -> None:
    found = table(read_xml, FILES / name)
    assert found.rows == [
        {"@id": "001", "name": "Köln & Umland", "tag": '["a","b"]', "pos/lat": None},
        {"@id": "002", "name": "x < y", "tag": None, "pos/lat": "1.10"},
    ]
    assert found.found.dialect["around"] == {"r/meta/by": "registry"}


def test_r() -> None:
    found = table(read_xml, FILES / "frame.R.xml")
    assert found.rows[0] == {"@id": "001", "value": "1.5", "name": 'Köln & "Umland" <x>'}
    assert found.found.dialect["encoding"] == "iso8859-1"


def test_gdal() -> None:
    found = table(read_xml, FILES / "cities.ogr.gml", records="src")
    assert [row["name"] for row in found.rows] == ["Köln", 'Sankt "Peter", Ort', "München 🍺"]
    assert found.rows[0]["geometryProperty/Point/pos"] == "50.94 6.95"
    assert found.found.metadata == {}
