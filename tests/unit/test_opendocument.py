"""ODS: what stands for many cells is unfolded, what is no value is left out, and no entity is read."""

import zipfile
from pathlib import Path

import pytest

from ingestion.refusal import FileRefused
from tests.support.found import Table, tables

HEAD = (
    '<office:document-content xmlns:office="urn:o" xmlns:table="urn:t" xmlns:text="urn:x">'
    '<office:body><office:spreadsheet><table:table table:name="S">'
)
TAIL = "</table:table></office:spreadsheet></office:body></office:document-content>"
NAMES = (
    '<table:table-row><table:table-cell office:value-type="string"><text:p>a</text:p></table:table-cell>'
    '<table:table-cell office:value-type="string"><text:p>b</text:p></table:table-cell></table:table-row>'
)


def cell(kind: str, value: str, extra: str = "") -> str:
    return f'<table:table-cell office:value-type="{kind}" office:{value} {extra}/>'


def row(*cells: str, extra: str = "") -> str:
    return f"<table:table-row {extra}>{''.join(cells)}</table:table-row>"


def ods(folder: Path, *rows: str, head: str = HEAD) -> Table:
    path = folder / "made.ods"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("content.xml", head + NAMES + "".join(rows) + TAIL)
    return tables(folder, path, "ods")[0]


def test_repeated_rows_and_cells_are_unfolded(tmp_path: Path) -> None:
    """Blank rows at the end, a million of them in any file of LibreOffice, are none."""
    two = cell("float", 'value="1"', 'table:number-columns-repeated="2"')
    blank = row("<table:table-cell/>", extra='table:number-rows-repeated="1000000"')
    table = ods(tmp_path, row(two, extra='table:number-rows-repeated="3"'), blank)
    assert table.rows.rows() == [(1, 1, 2), (1, 1, 3), (1, 1, 4)]


def test_white_space_and_comments(tmp_path: Path) -> None:
    """Spaces, tabs and line ends are elements; a comment belongs to a cell, not to its value."""
    text = (
        '<table:table-cell office:value-type="string"><office:annotation><text:p>why?</text:p></office:annotation>'
        '<text:p>x<text:s text:c="2"/>y<text:tab/><text:span>z</text:span></text:p><text:p>second</text:p>'
        "</table:table-cell>"
    )
    assert ods(tmp_path, row(text, cell("float", 'value="1"'))).rows.row(0) == ("x  y\tz\nsecond", 1, 2)


def test_values_of_each_kind(tmp_path: Path) -> None:
    table = ods(
        tmp_path,
        row(cell("percentage", 'value="0.5"'), cell("time", 'time-value="PT01H02M03.25S"')),
        row(cell("currency", 'value="1.25"'), cell("time", 'time-value="-PT30H"')),
    )
    assert table.rows.rows() == [(0.5, "01:02:03.250000", 2), (1.25, "-30:00:00", 3)]


def test_a_date_that_python_has_not_stays_text(tmp_path: Path) -> None:
    table = ods(tmp_path, row(cell("date", 'date-value="12020-01-01"'), cell("date", 'date-value="2020-01-01"')))
    assert table.rows.drop("_line").rows()[0][0] == "12020-01-01"


def test_entities_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused) as refused:
        ods(tmp_path, head='<!DOCTYPE x [<!ENTITY a "aaaa">]>' + HEAD)
    assert refused.value.rule == "xml-entities"


@pytest.mark.parametrize(
    "bomb",
    [
        row(cell("float", 'value="1"'), extra='table:number-rows-repeated="2000000000"'),
        row(cell("float", 'value="1"', 'table:number-columns-repeated="2000000000"')),
    ],
)
def test_a_sheet_larger_than_a_spreadsheet_is_refused(tmp_path: Path, bomb: str) -> None:
    """A few bytes would come to billions of cells."""
    with pytest.raises(FileRefused) as refused:
        ods(tmp_path, bomb)
    assert refused.value.rule == "too-large"
