"""Fixed-width text: every line is a row, is set aside, or is counted as none."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.formats import lines
from ingestion.formats.fixed import read_fixed
from ingestion.options import Column
from ingestion.refusal import FileRefused
from tests.support.texttables import table

FILES = Path(__file__).parents[1] / "data" / "formats"
LAYOUT = (Column("id", 1, 3), Column("name", 5, 5), Column("value", 10, 4))


def test_fields_have_their_places_and_spaces_around_values_are_padding() -> None:
    found = table(read_fixed, "001 Ann   1.5\n002 Éva B1234\r\n003      -2  \r004 Bob  \n", fixed=LAYOUT)
    assert found.rows == [
        {"id": "001", "name": "Ann", "value": "1.5"},
        {"id": "002", "name": "Éva B", "value": "1234"},
        {"id": "003", "name": "", "value": "-2"},
        {"id": "004", "name": "Bob", "value": ""},
    ]
    assert found.lines == [1, 2, 3, 4]
    assert found.found.dialect["padding"] == "spaces around a value are padding and not kept"


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("002 Bob", "short"),
        ("002 Bob  1234x", "long"),
        ("002xBob  1234", "gap"),
        ("002 Bob  1234   ", None),
        ("002 Bob  ", None),
        ("002\u00a0Bob  1234", "gap"),
    ],
)
def test_a_line_that_does_not_fit_the_layout_is_set_aside_with_its_text(line: str, rule: str | None) -> None:
    found = table(read_fixed, f"001 Ann   1.5\n{line}\n003 Cy    2.5\n", fixed=LAYOUT)
    assert [(at, which, text) for at, which, _, text in found.rejects] == ([(2, rule, line)] if rule else [])


def test_a_line_with_bytes_that_are_no_text_is_set_aside() -> None:
    data = "001 Éva   1.5\n002 Zoë   2.5\n".encode() + b"003 A\xff\xff   2.5\n" + "004 Ümit  3\n".encode()
    found = table(read_fixed, data, fixed=LAYOUT)
    assert ([row["id"] for row in found.rows], found.rules) == (["001", "002", "004"], [(3, "encoding")])


def test_lines_that_are_no_records_are_counted() -> None:
    data = "A report\nid  name value\n\n001 Ann   1.5\n# 3 checked\n   \n002 Bob   2.5\n"
    found = table(read_fixed, data, fixed=LAYOUT, skip_lines=1, header_lines=1, comment="#")
    assert found.lines == [4, 7]
    dialect = found.found.dialect
    assert dialect["heading"] == ["A report", "id  name value"]
    assert (dialect["comments"], dialect["blank_lines"], found.found.lines) == (1, 2, 7)


def test_a_line_is_mended_by_its_number() -> None:
    found = table(read_fixed, "001 Ann   1.5\n002xBob\n", {2: "002 Bob   2.5"}, fixed=LAYOUT)
    assert [row["name"] for row in found.rows] == ["Ann", "Bob"]


def test_an_empty_file_has_the_columns_of_its_layout() -> None:
    found = table(read_fixed, "", fixed=LAYOUT)
    assert (found.rows, found.found.rows.collect_schema().names()) == ([], ["id", "name", "value", "_line"])


@pytest.mark.parametrize("layout", [(), (Column("", 1, 2),), (Column("a", 0, 2),), (Column("a", 1, 0),)])
def test_a_layout_that_is_missing_or_senseless_is_refused(layout: tuple[Column, ...]) -> None:
    with pytest.raises(FileRefused, match=r"lake\.toml") as refused:
        table(read_fixed, "001", fixed=layout)
    assert refused.value.rule == "layout"


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=5)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([16, 1 << 20]),
)
def test_what_is_written_comes_back(rows: list[tuple[str, str, str]], end: str, block_bytes: int) -> None:
    layout = tuple(Column(name, 1 + 6 * number, 5) for number, name in enumerate("abc"))
    written = [f"{a:5} {b:>5} {c:5}" for a, b, c in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block_bytes)
        found = table(read_fixed, end.join(written).encode(), fixed=layout)
    kept = [row for row, text in zip(rows, written, strict=True) if text.strip(" ")]
    assert [tuple(row.values()) for row in found.rows] == [tuple(cell.strip(" ") for cell in row) for row in kept]


def test_r() -> None:
    layout = (Column("id", 1, 5), Column("name", 6, 12), Column("value", 18, 8))
    assert table(read_fixed, FILES / "frame.R.txt", fixed=layout).rows == [
        {"id": "001", "name": "Köln", "value": "1.50"},
        {"id": "002", "name": "Sankt Peter", "value": "-20.25"},
    ]
