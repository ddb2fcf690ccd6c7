"""What is written as JSON comes back as it was written, from any form, and damage costs no more than its record."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.formats import lines
from ingestion.formats.jsonfile import read_json, read_ndjson
from ingestion.refusal import FileRefused
from tests.support.texttables import table


@dataclass(frozen=True)
class Literal:
    """A number as it is written."""

    digits: str


LITERALS = st.one_of(
    st.integers().map(lambda number: Literal(str(number))),
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True).map(Literal),
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ['"', "\\", "{", "}],[{", "\\u0041", "1", "null"]
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), LITERALS, TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["a", "b", "Größe", "late", "x y", ""]) | st.text(st.characters(codec="utf-8"), max_size=3)
RECORDS = st.lists(st.dictionaries(KEYS, VALUES, max_size=4), min_size=1, max_size=6)


def written(value: object, escaped: bool, blank: str = "") -> str:
    """A value as JSON, with blanks around its marks where there should be some."""
    if isinstance(value, Literal):
        return value.digits
    if isinstance(value, list):
        return f"[{blank}{f'{blank},'.join(written(item, escaped, blank) for item in value)}{blank}]"
    if isinstance(value, dict):
        members = [f"{written(key, escaped)}{blank}:{written(item, escaped, blank)}" for key, item in value.items()]
        return f"{{{blank}{f'{blank},'.join(members)}{blank}}}"
    return json.dumps(value, ensure_ascii=escaped)


def as_text(value: object) -> str | None:
    """What a value becomes in a column: its own text, or compact JSON."""
    if value is None or isinstance(value, str):
        return value
    return written(value, escaped=False)


def expected(records: list[dict[str, object]]) -> list[list[str | None]]:
    """The rows of records, their columns in the order in which they were first seen."""
    header = list(dict.fromkeys(key for record in records for key in record))
    return [[as_text(record.get(key)) for key in header] for record in records]


def cells(rows: list[dict[str, str | None]]) -> list[list[str | None]]:
    return [list(row.values()) for row in rows]


@settings(max_examples=80, deadline=None)
@given(RECORDS, st.booleans(), st.sampled_from(["\n", "\r\n", "\r", "\n\n"]), st.sampled_from([16, 100, 1 << 20]))
def test_lines_come_back_as_they_were_written(
    records: list[dict[str, object]], escaped: bool, end: str, block_bytes: int
) -> None:
    data = end.join(written(record, escaped) for record in records)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block_bytes)
        found = table(read_ndjson, data)
    assert found.found.header == tuple(dict.fromkeys(key for record in records for key in record))
    assert cells(found.rows) == expected(records) if found.found.header else len(found.lines) == len(records)
    assert found.lines == [1 + number * (2 if end == "\n\n" else 1) for number in range(len(records))]
    assert not found.rejects


@settings(max_examples=80, deadline=None)
@given(
    RECORDS,
    st.booleans(),
    st.sampled_from(["", " ", "\n", "\r\n\t"]),
    st.sampled_from(["[%s]", '{"n": 1, "data": [%s], "b": "]"}', '{"x": {"y": [%s]}}']),
    st.sampled_from([16, 100, 1 << 20]),
)
def test_documents_come_back_as_they_were_written(
    records: list[dict[str, object]], escaped: bool, blank: str, frame: str, block_bytes: int
) -> None:
    data = frame.replace("%s", f"{blank},{blank}".join(written(record, escaped, blank) for record in records))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block_bytes)
        found = table(read_json, data)
    assert found.found.header == tuple(dict.fromkeys(key for record in records for key in record))
    assert cells(found.rows) == expected(records) if found.found.header else len(found.lines) == len(records)
    assert not found.rejects


@settings(max_examples=80, deadline=None)
@given(RECORDS, st.data())
def test_a_damaged_line_costs_itself_only(records: list[dict[str, object]], data: st.DataObject) -> None:
    texts = [written(record, escaped=False) for record in records]
    damaged = list(texts)
    for number in data.draw(st.sets(st.integers(0, len(texts) - 1))):
        text = texts[number]
        at = data.draw(st.integers(0, len(text) - 1))
        junk = data.draw(st.sampled_from(["", '"', "{", "}", "[", "]", ",", "\\", "\x00", '{"z":1}', "  "]))
        damaged[number] = text[:at] + junk + text[at + data.draw(st.integers(0, 3)) :]
    sound = ['{"sound": 1}'] * (len(texts) + 1)
    found = table(read_ndjson, "\n".join([*damaged, *sound]))
    seen = dict(zip(found.lines, found.rows, strict=True))
    for line, (text, before, record) in enumerate(zip(damaged, texts, records, strict=True), start=1):
        if text == before and record:
            row = dict(zip(found.found.header, seen[line].values(), strict=True))
            assert {key: row[key] for key in record} == {key: as_text(value) for key, value in record.items()}
        if line not in seen and text.strip(" \t"):
            assert (line, text) in [(rejected, raw) for rejected, _, _, raw in found.rejects]


@settings(max_examples=80, deadline=None)
@given(RECORDS.filter(all), st.data())
def test_a_damaged_document_is_refused_or_loses_nothing(records: list[dict[str, object]], data: st.DataObject) -> None:
    texts = [written(record, escaped=False) for record in records]
    number = data.draw(st.integers(0, len(texts) - 1))
    at = data.draw(st.integers(0, len(texts[number]) - 1))
    junk = data.draw(st.sampled_from(["", '"', '""', "{", "}", "[]", "},{", ",", "\\", ":", '"x":1,']))
    damaged = [*texts, '{"sound":1}']
    damaged[number] = texts[number][:at] + junk + texts[number][at + data.draw(st.integers(0, 3)) :]
    try:
        found = table(read_json, '[{"sound":1},\n' + ",\n".join(damaged) + "]")
    except FileRefused:
        return
    rows = dict(zip(found.lines, found.rows, strict=True))
    for line, (text, record) in enumerate(zip(texts, records, strict=True), start=2):
        if line - 2 != number and not any(text in raw for _, _, _, raw in found.rejects):
            row = dict(zip(found.found.header, rows[line].values(), strict=True))
            values = {key: as_text(value) for key, value in record.items()}
            assert {key: value for key, value in row.items() if value is not None or key in values} == values
