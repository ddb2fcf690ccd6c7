"""JSON in every form that it comes in: values are as they were written, and each record is a row or is set aside."""

from pathlib import Path

import pytest

from ingestion.formats import lines
from ingestion.formats.jsonfile import read_json, read_ndjson
from ingestion.found import Reader
from ingestion.refusal import FileRefused
from tests.support.texttables import table, tables

FILES = Path(__file__).parents[1] / "data" / "formats"


@pytest.fixture(params=[16, 1 << 20], ids=["small blocks", "large blocks"])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in blocks that divide everything that can be divided, and in one block."""
    monkeypatch.setattr(lines, "BLOCK_BYTES", request.param)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('{"a": 1, "a": 2}', "duplicate-key"),
        ('{"a": {"b": 1, "b": 1}}', "duplicate-key"),
        ('{"a": [{"b": 1, "b": 2}]}', "duplicate-key"),
        ("[1]", "record"),
        ("null", "record"),
        ('"text"', "record"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"a": 01}', "json"),
        ('{"a": 1,}', "json"),
        ('{"a": "tab\there"}', "json"),
        ('{"a": 1', "json"),
        ('{"a": 1} {"a": ', "json"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", "depth"),
    ],
)
def test_what_is_no_record_is_set_aside_with_its_text(line: str, rule: str) -> None:
    found = table(read_ndjson, f'{{"a": 1}}\n{line}\n{{"a": 3}}\n')
    assert [row["a"] for row in found.rows] == ["1", "3"]
    assert [(at, which, text) for at, which, _, text in found.rejects] == [(2, rule, line)]


def test_neighbours_whose_brackets_match_are_not_joined() -> None:
    found = table(read_ndjson, '{"a": 1}\n{},{}\n{"a": [1\n2]}\n{"a": 4}\n{"b": {}\n"c": {}}\n{"a": 5}\n{"a": 6}')
    assert [row["a"] for row in found.rows] == ["1", "4", "5", "6"]
    assert [line for line, _ in found.rules] == [2, 3, 4, 6, 7]


def test_several_records_on_a_line_share_its_number() -> None:
    found = table(read_ndjson, '{"a": 1}{"a": 2} {"a": 3}\n{"a": 4}\n')
    assert ([row["a"] for row in found.rows], found.lines) == (["1", "2", "3", "4"], [1, 1, 1, 2])


def test_types_are_counted_so_that_text_and_numbers_are_told_apart() -> None:
    found = table(read_ndjson, '{"a": 1.10, "b": null}\n{"a": "1.10"}\n{"a": true, "b": [1, {"c": -0}]}\n')
    assert [row["a"] for row in found.rows] == ["1.10", "1.10", "true"]
    assert [row["b"] for row in found.rows] == [None, None, '[1,{"c":-0}]']
    assert found.found.dialect["types"] == {
        "a": {"number": 1, "string": 1, "boolean": 1},
        "b": {"null": 1, "array": 1, "absent": 1},
    }
    assert found.found.notices == (
        "columns with values of several JSON types, all kept as text: a (number 1, string 1, boolean 1)",
    )


@pytest.mark.usefixtures("blocks")
def test_a_field_that_appears_late_has_a_column() -> None:
    data = "\n".join(f'{{"a": {number}}}' for number in range(40)) + '\n{"b": "late", "a": 40}'
    found = table(read_ndjson, data)
    assert found.found.header == ("a", "b")
    assert [row["b"] for row in found.rows] == [None] * 40 + ["late"]
    assert [row["a"] for row in found.rows] == [str(number) for number in range(41)]


@pytest.mark.usefixtures("blocks")
def test_each_array_of_objects_is_a_table_and_the_longest_the_main_one() -> None:
    main, other = tables(
        read_json, '{"source": "x",\n"years": [{"y": 1}],\n"rows": [\n{"a": 1},\n{"a": 2}], "n": [1, 2]}'
    )
    assert (main.found.part, [row["a"] for row in main.rows], main.lines) == ("", ["1", "2"], [4, 5])
    assert (other.found.part, other.found.fragment, other.rows, other.lines) == ("years", "years", [{"y": "1"}], [2])
    assert main.found.dialect["beside"] == {"source": '"x"', "n": "[1, 2]"}
    assert main.found.notices == ("the document holds more than its records, which is in the account only: source, n",)


def test_records_are_named_by_their_key_or_by_a_path() -> None:
    data = '{"rows": [{"a": 1}, {"a": 2}], "in": {"z": 1, "few": [{"b": 1}]}}'
    assert table(read_json, data, records="in/few").rows == [{"b": "1"}]
    assert table(read_json, data, records="rows").rows == [{"a": "1"}, {"a": "2"}]
    with pytest.raises(FileRefused, match=r"'other'.*there are: rows") as refused:
        table(read_json, data, records="other")
    assert refused.value.rule == "records"
    with pytest.raises(FileRefused) as refused:
        table(read_json, '{"n": 0, "in": {"few": []}}', records="in/few")
    assert refused.value.rule == "empty"


def test_an_object_without_such_arrays_is_one_record() -> None:
    found = table(read_json, '{\n "id": 7,\n "address": {"street": "x", "no": 1.50},\n "tags": ["a", "b"]\n}\n')
    assert found.rows == [{"id": "7", "address": '{"street":"x","no":1.50}', "tags": '["a","b"]'}]


@pytest.mark.usefixtures("blocks")
def test_objects_one_after_another_are_records_where_they_span_lines() -> None:
    found = table(read_json, '{\n "a": 1\n}\n{\n "a": 2\n}{"a":\n3}\n')
    assert ([row["a"] for row in found.rows], found.lines) == (["1", "2", "3"], [1, 4, 6])


@pytest.mark.usefixtures("blocks")
def test_items_of_an_array_that_are_no_records_are_set_aside() -> None:
    found = table(read_json, '[{"a": 1},\n 3, {"a": },\n {"a": 1, "a": 2}, [{"a": 9}],\n{"a": 2},]')
    assert [row["a"] for row in found.rows] == ["1", "2"]
    assert found.rules == [(2, "record"), (2, "json"), (3, "duplicate-key"), (3, "record"), (4, "json")]


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ("", "empty"),
        ("[]", "empty"),
        ('{"data": [ ]}', "empty"),
        ("[1, 2]", "records"),
        ("[[1, 2], [3, 4]]", "records"),
        ('[{"a": 1}', "truncated"),
        ('[{"a": "x]', "truncated"),
        ('{"a": [{"b": 1}}', "truncated"),
        ('[{"a": 1}]]', "json"),
        ('[{"a": 1}] tail', "json"),
        ('callback([{"a": 1}]);', "json"),
        ('[{"a": 1}}', "json"),
        ('{"rows": [{"a": 1}], "rows": [{"a": 2}]}', "duplicate-key"),
        ('{"a" [{"b": 1}]}', "json"),
        ("[" * 100_000, "depth"),
        ("[" * 100_000 + "]" * 100_000, "depth"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "depth"),
    ],
    ids=lambda value: value[:30],
)
def test_a_document_that_is_damaged_or_no_table_is_refused(data: str, rule: str) -> None:
    with pytest.raises(FileRefused) as refused:
        tables(read_json, data)
    assert refused.value.rule == rule


def test_the_line_of_what_is_refused_is_said() -> None:
    with pytest.raises(FileRefused, match="line 3 closes a bracket") as refused:
        tables(read_json, '[\n{"a": 1}\n}]')
    assert refused.value.line == 3


def test_keys_that_are_data_are_refused() -> None:
    data = "\n".join(f'{{"key{number}": 1}}' for number in range(10_001))
    with pytest.raises(FileRefused, match="more than 10,000 different fields"):
        tables(read_ndjson, data)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("reader", [read_json, read_ndjson])
def test_any_unicode_encoding_is_read(encoding: str, reader: Reader) -> None:
    found = table(reader, '{"a": "Größe 🍺"}\n{"a": "x"}\n'.encode(encoding))
    assert [row["a"] for row in found.rows] == ["Größe 🍺", "x"]


@pytest.mark.parametrize("frame", ["%s\n%s\n%s\n%s", "[%s,\n%s,\n%s,\n%s]"])
def test_a_record_with_bytes_that_are_no_text_is_set_aside(frame: str) -> None:
    records = ['{"a": "é"}', '{"a": "ü"}', '{"a": "\udcff"}', '{"a": "ö"}']
    data = (frame % tuple(records)).encode("utf-8", "surrogateescape")
    found = table(read_json, data)
    assert [row["a"] for row in found.rows] == ["é", "ü", "ö"]
    assert found.rules == [(3, "encoding")]


def test_names_that_cannot_be_stored_are_labels() -> None:
    found = table(read_ndjson, '{"a b": 1, "A": 2, "a": 3, "": 4, "_file": 5}\n')
    assert found.found.header == ("a b", "A", "a", "", "_file")
    assert found.rows == [{"a_b": "1", "A": "2", "a_2": "3", "column_4": "4", "_file_2": "5"}]
    assert found.found.metadata["a_b"] == {"label": "a b"}


def test_a_line_is_mended_by_its_number() -> None:
    found = table(read_ndjson, '{"a": 1}\n{"a": \n{"a": 3}\n', {2: '{"a": 2}', 3: '{"a": "three"}'})
    assert [row["a"] for row in found.rows] == ["1", "2", "three"]


@pytest.mark.usefixtures("blocks")
def test_a_record_of_a_document_is_mended_where_its_line_says_which() -> None:
    apart = '[{"a": 1},\n{"a": 2},\n{"a": ?}]'
    assert [row["a"] for row in table(read_json, apart, {2: '{"a": "two"}', 3: '{"a": 3}'}).rows] == ["1", "two", "3"]
    together = '[{"a": 1}, {"a": ?}, {"a": 3}, {"a": ?}]'
    found = table(read_json, together, {1: '{"a": 2}'})
    assert [row["a"] for row in found.rows] == ["1", "2", "3"]
    assert found.rules == [(1, "json")]


def test_what_is_mended_in_one_array_is_not_mended_in_another() -> None:
    data = '{"rows": [{"a": 1}, {"a": ?}], "years": [{"y": ?}]}'
    main, years = tables(read_json, data, {1: '{"a": 2}'})
    assert ([row["a"] for row in main.rows], years.rules) == (["1", "2"], [(1, "json")])
    main, years = tables(read_json, data, patches_apart={"years": {1: '{"y": 2024}'}})
    assert (main.rules, years.rows) == ([(1, "json")], [{"y": "2024"}])


def test_jq() -> None:
    cities = [
        {"id": "001", "name": "Köln", "population": "1086", "capital": "false", "parts": '["Mitte",{"no":2}]'},
        {"id": "002", "name": 'Sankt "Peter", Ort', "population": "3842", "note": None},
        {"id": "003", "name": "München 🍺", "population": "1512", "late": "é\x01"},
    ]
    keys = dict.fromkeys(key for city in cities for key in city)
    rows = [{key: city.get(key) for key in keys} for city in cities]
    for reader, name in ((read_json, "cities.jq.json"), (read_ndjson, "cities.jq.ndjson")):
        assert table(reader, FILES / name).rows == rows
    main, years = tables(read_json, FILES / "cities.jq.object.json")
    assert (main.rows, years.rows, years.found.part) == (rows, [{"y": "2023"}, {"y": "2024"}], "years")
    assert table(read_json, FILES / "cities.jq.seq.json").rows == [
        {"id": "001", "price": "1.5", "tags": None},
        {"id": "002", "price": None, "tags": '["a","b"]'},
    ]


@pytest.mark.parametrize(("reader", "name"), [(read_json, "prices.duckdb.json"), (read_ndjson, "prices.duckdb.ndjson")])
def test_duckdb(reader: Reader, name: str) -> None:
    first, second = table(reader, FILES / name).rows
    assert first == {
        "id": "1",
        "name": "Köln",
        "price": "1.1",
        "big": "12345678901234567890",
        "day": "2024-01-31",
        "list": "[1.5,2.0]",
        "struct": '{"a":"x","b":null}',
        "flag": "true",
    }
    assert (second["name"], second["day"], second["list"]) == ('a "quoted"\nline', None, "[]")


def test_r() -> None:
    rows = [{"id": "001", "value": "1.5", "n": "1", "s": "Köln"}, {"id": "002", "value": None, "n": "2", "s": None}]
    assert table(read_json, FILES / "frame.R.json").rows == rows
    assert table(read_ndjson, FILES / "frame.R.ndjson").rows == rows
