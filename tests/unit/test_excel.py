"""Workbooks: each sheet a table, its header found, its cells counted twice, errors and dates kept."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
import xlsxwriter

from ingestion.formats import sheettable
from ingestion.options import ReadOptions
from ingestion.refusal import FileRefused
from tests.support.found import DATA, Table, main_table, tables

POPULATION = [
    ("Nord", 1, 2, date(2020, 1, 1), datetime(2020, 1, 1, 12, 34, 56), True, "0.5", "30:00:00", 6),
    ("Süd", 3, None, date(1999, 12, 31), datetime(1999, 12, 31), False, "#N/A", "00:01:00", 7),
    ("Öst & <West>", -4, 5, None, datetime(2000, 2, 29, 0, 0, 1), None, "#DIV/0!", None, 8),
    ("Total", 0, 7, None, None, None, None, None, 10),
]
WRITTEN = [
    "xlsxwriter.xlsx",
    "xlsxwriter1904.xlsx",
    "libreoffice.xlsx",
    "libreoffice.xls",
    "libreoffice.ods",
    "gnumeric.xls",
    "gnumeric.ods",
]


def workbook(folder: Path, rows: list[list[Any]], merged: tuple[str, ...] = ()) -> Path:
    """A workbook of one sheet, by openpyxl."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    for place in merged:
        sheet.merge_cells(place)
    book.save(folder / "made.xlsx")
    return folder / "made.xlsx"


def sheet(folder: Path, rows: list[list[Any]], merged: tuple[str, ...] = (), **options: Any) -> Table:
    return tables(folder, workbook(folder, rows, merged), "xlsx", ReadOptions(**options))[0]


@pytest.mark.parametrize("name", WRITTEN)
def test_a_sheet_by_many_programs(tmp_path: Path, name: str) -> None:
    """Titles, a merged header of two rows, errors, dates of both systems, spans beyond a day, a blank row."""
    table = main_table(tmp_path, name)
    assert table.found.header == ("Region", "Persons men", "Persons women", "Counted", "At", "Final", "Rate", "Spent")
    assert table.rows.rows() == POPULATION
    assert table.rows.schema["Persons_men"] == pl.Int64
    assert table.found.metadata["Persons_men"] == {"label": "Persons men"}
    assert table.found.format == name.rpartition(".")[2]
    assert table.found.dialect["titles"] == ["Population by region", "Statistics office, 2020"]
    assert (table.found.dialect["header_line"], table.found.dialect["header_rows"]) == (4, 2)


@pytest.mark.parametrize("name", WRITTEN)
def test_notes_below_the_table_wait_in_quarantine(tmp_path: Path, name: str) -> None:
    rejects = main_table(tmp_path, name).rejects
    assert rejects.select("line", "rule", "record").rows() == [
        (12, "footer", "Note: counted by hand"),
        (13, "footer", "Source: the office"),
    ]


@pytest.mark.parametrize("name", WRITTEN)
def test_sheets_are_tables_and_hidden_ones_are_said(tmp_path: Path, name: str) -> None:
    main, codes = tables(tmp_path, DATA / name, name.rpartition(".")[2])
    assert (main.found.part, main.found.fragment) == ("", "Data")
    assert (codes.found.part, codes.found.fragment) == ("Codes", "Codes")
    assert codes.rows.rows() == [("007", "seven", 2), ("8", "eight", 3)]
    assert any("'Hidden'" in notice and "hidden" in notice for notice in main.found.notices)
    assert any("Population by region" in notice for notice in main.found.notices)


def test_a_chosen_sheet_is_read_though_it_is_hidden(tmp_path: Path) -> None:
    (hidden,) = tables(tmp_path, DATA / "xlsxwriter.xlsx", "xlsx", ReadOptions(sheets=("Hid*",)))
    assert hidden.found.part == ""
    assert hidden.rows.rows() == [("x", 1, 2)]


def test_chosen_sheets_of_one_header_are_one_table(tmp_path: Path) -> None:
    """A sheet a year: the types are those that hold all of them."""
    years = tables(tmp_path, DATA / "years.xlsx", "xlsx", ReadOptions(sheets=("20*",)))
    assert [(year.found.part, year.found.fragment) for year in years] == [("", "2019"), ("", "2020")]
    assert [year.rows.rows() for year in years] == [[("Nord", 1.0, 2)], [("Nord", 1.5, 2)]]
    assert years[0].rows.schema == years[1].rows.schema


def test_chosen_sheets_of_other_headers_are_tables_of_their_own(tmp_path: Path) -> None:
    found = tables(tmp_path, DATA / "years.xlsx", "xlsx", ReadOptions(sheets=("2019", "Notes")))
    assert [table.found.part for table in found] == ["", "Notes"]


def test_a_sheet_that_is_not_there_is_told_by_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="'2019', '2020', 'Notes'"):
        tables(tmp_path, DATA / "years.xlsx", "xlsx", ReadOptions(sheets=("2021",)))


@pytest.mark.parametrize("name", ["excel.xlsb", "excel.xls"])
def test_excel_itself(tmp_path: Path, name: str) -> None:
    (table,) = tables(tmp_path, DATA / name, name.rpartition(".")[2])
    assert table.rows.rows() == [(1, 2, 1), (3, 4, 2), (5, 6, 3)]
    said = " ".join(table.found.notices)
    assert "'VeryHidden'" in said
    assert "'Chart' was not read: it is no table" in said


def test_types_of_xlsb(tmp_path: Path) -> None:
    row = main_table(tmp_path, "excel-types.xlsb").rows.row(0)
    assert row == (
        "String",
        1,
        1.1,
        True,
        False,
        date(2010, 10, 10),
        datetime(2010, 10, 10, 10, 10, 10),
        "10:10:10",
        "10:10:10.100000",
        "255:10:10",
        2,
    )


def test_cells_that_the_reader_passes_over_refuse_the_file(tmp_path: Path) -> None:
    """SheetJS leaves out the column of a cell that follows another; both readers of .xlsb lose it in silence."""
    with pytest.raises(FileRefused, match=r"save it as \.xlsx"):
        tables(tmp_path, DATA / "sheetjs.xlsb", "xlsb")
    assert main_table(tmp_path, "sheetjs.xlsx").rows.row(0) == ("Nord", 1, "2.5", date(2020, 1, 1), 5)


def test_xlwt(tmp_path: Path) -> None:
    table = main_table(tmp_path, "xlwt.xls")
    assert table.rows.rows() == [("Nord", 1, "2.5", date(2020, 1, 1), 3), ("Süd", 3, "#N/A", date(1999, 12, 31), 4)]


@pytest.mark.parametrize("name", ["password.xlsx", "password.xls", "password.ods"])
def test_a_password_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileRefused) as refused:
        tables(tmp_path, DATA / name, name.rpartition(".")[2])
    assert refused.value.rule == "password"


def test_a_column_whose_cells_disagree_is_text(tmp_path: Path) -> None:
    """Numbers in it are in their shortest form: 1, not 1.0."""
    table = sheet(tmp_path, [["a", "b"], [1, 1], [1.5, "x"], ["n/a", True], [2**60, date(2020, 1, 1)]])
    assert table.rows["a"].to_list() == ["1", "1.5", "n/a", str(2**60)]
    assert table.rows["b"].to_list() == ["1", "x", "TRUE", "2020-01-01"]


def test_whole_numbers_beyond_what_a_cell_counts_exactly_are_no_integers(tmp_path: Path) -> None:
    assert sheet(tmp_path, [["a"], [2**53]]).rows.schema["a"] == pl.Int64
    assert sheet(tmp_path, [["a"], [2.0**70]]).rows.schema["a"] == pl.Float64


def test_no_header(tmp_path: Path) -> None:
    table = sheet(tmp_path, [[1, "x"], [2, "y"]])
    assert table.found.header == ("column_1", "column_2")
    assert table.rows.rows() == [(1, "x", 1), (2, "y", 2)]
    assert any("no header" in notice for notice in table.found.notices)


def test_years_may_be_names(tmp_path: Path) -> None:
    table = sheet(tmp_path, [["region", 2019, 2020], ["Nord", 1, 2]])
    assert table.found.header == ("region", "2019", "2020")
    assert table.rows.rows() == [("Nord", 1, 2, 2)]


def test_a_pinned_header(tmp_path: Path) -> None:
    rows = [["a", "b"], ["c", "d"], ["e", "f"]]
    assert sheet(tmp_path, rows, skip_lines=1).found.header == ("c", "d")
    assert sheet(tmp_path, rows, header_lines=2).found.header == ("a c", "b d")
    pinned = sheet(tmp_path, rows, names=("x", "y"))
    assert pinned.found.header == ("x", "y")
    assert pinned.rows.height == 3


def test_names_that_are_double_or_missing(tmp_path: Path) -> None:
    table = sheet(tmp_path, [["a", "A", None, "b c"], [1, 2, 3, 4]])
    assert table.found.header == ("a", "A", "column_3", "b c")
    assert table.values == [{"a": 1, "A_2": 2, "column_3": 3, "b_c": 4}]


def test_a_header_of_three_rows(tmp_path: Path) -> None:
    rows = [
        ["Region", "Persons", None, None],
        [None, "adults", None, "children"],
        [None, "men", "women", None],
        ["Nord", 1, 2, 3],
    ]
    table = sheet(tmp_path, rows, ("A1:A3", "B1:D1", "B2:C2", "D2:D3"))
    assert table.found.header == ("Region", "Persons adults men", "Persons adults women", "Persons children")
    assert table.rows.rows() == [("Nord", 1, 2, 3, 4)]


def test_merged_cells_of_the_data_are_said_not_filled(tmp_path: Path) -> None:
    """Whether a value belongs to all rows of a range or to the first is not for a reader to say."""
    table = sheet(tmp_path, [["a", "b"], ["x", 1], [None, 2]], ("A2:A3",))
    assert table.rows.rows() == [("x", 1, 2), (None, 2, 3)]
    assert any("1 merged" in notice for notice in table.found.notices)


def test_an_empty_row_and_column_between_are_counted(tmp_path: Path) -> None:
    table = sheet(tmp_path, [["a", None, "b"], [1, None, 2], [], [3, None, 4]])
    assert table.rows.rows() == [(1, 2, 2), (3, 4, 4)]
    assert (table.found.dialect["blank_rows"], table.found.dialect["empty_columns"]) == (1, 1)


def test_a_single_cell_between_rows_is_a_row(tmp_path: Path) -> None:
    """Only what stands at the end may be a note."""
    table = sheet(tmp_path, [["a", "b"], ["Note: x"], ["y", 1], ["Total"]])
    assert [row[0] for row in table.rows.rows()] == ["Note: x", "y", "Total"]


def test_a_mended_note_is_a_row(tmp_path: Path) -> None:
    """What a person gives a rejected row is read in its place, a tab between cells."""
    from ingestion.found import Source
    from ingestion.readers import reader_of

    path = workbook(tmp_path, [["a", "b"], ["x", 1], ["Note: y = 2"]])
    (found,) = reader_of("xlsx")(Source(path, "x.xlsx", tmp_path, patches={3: "y\t2"}))
    assert (found.records, found.rejected) == (2, 0)
    assert found.rows.collect().rows() == [("x", 1, 2), ("y", 2, 3)]


def test_many_rows_come_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheettable, "_FRAME_ROWS", 100)
    table = sheet(tmp_path, [["n", "s"], *[[number, f"s{number}"] for number in range(2500)]])
    assert table.rows["n"].to_list() == list(range(2500))
    assert table.rows["_line"].to_list() == list(range(2, 2502))


def test_a_type_is_found_on_the_last_row(tmp_path: Path) -> None:
    """No sample: the whole column is looked at."""
    table = sheet(tmp_path, [["n", "m"], *[[number, 1] for number in range(3000)], ["?", 1]])
    assert table.rows["n"].to_list()[-2:] == ["2999", "?"]


def test_formulas_without_a_result_are_said(tmp_path: Path) -> None:
    """openpyxl calculates nothing: Excel would show 3, the file holds no value. XlsxWriter writes one."""
    table = sheet(tmp_path, [["a", "b", "c"], [1, 2, "=A2+B2"], [3, 4, '=A3&"<f>"'], [5, 6, 7]])
    assert table.rows["c"].to_list() == [None, None, 7]
    assert any("2 formulas have no result" in notice for notice in table.found.notices)
    with xlsxwriter.Workbook(tmp_path / "calculated.xlsx") as book:
        made = book.add_worksheet()
        made.write_row(0, 0, ["a", "b"])
        made.write_row(1, 0, [1, "=A2*2"])
        made.write_formula(2, 1, "=A2*3", None, 3)
    table = tables(tmp_path, tmp_path / "calculated.xlsx", "xlsx")[0]
    assert table.rows["b"].to_list() == [0, 3]
    assert table.found.notices == ()


def test_a_workbook_without_cells_is_refused(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "empty.xlsx") as book:
        book.add_worksheet("one")
    with pytest.raises(FileRefused, match="'one' was not read: it is empty"):
        tables(tmp_path, tmp_path / "empty.xlsx", "xlsx")
