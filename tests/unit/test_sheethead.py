"""Where a table begins: titles above it, a header of one or more rows, with and without word of merged cells."""

import pytest

from ingestion.formats.sheethead import Merged, Row, understand
from ingestion.options import ReadOptions


def head(*rows: Row, merged: tuple[Merged, ...] | None = ()) -> tuple[int, tuple[str, ...]]:
    found = understand(rows, merged, ReadOptions())
    return found.header_row, found.names


def test_the_first_row_as_wide_as_the_table_is_the_header() -> None:
    titles: list[Row] = [("Prices", "", ""), ("", "", ""), ("as of", "2020", "")]
    assert head(*titles, ("a", "b", "c"), ("x", 1.0, 2.0), ("y", 1.0, 2.0)) == (3, ("a", "b", "c"))


def test_a_merged_title_is_a_title() -> None:
    rows: list[Row] = [("Prices", "", ""), ("a", "b", "c"), ("x", 1.0, 2.0)]
    assert head(*rows, merged=(((0, 0), (0, 2)),)) == (1, ("a", "b", "c"))


@pytest.mark.parametrize("merged", [(((0, 1), (0, 2)), ((0, 0), (1, 0))), None])
def test_a_header_of_two_rows(merged: tuple[Merged, ...] | None) -> None:
    """Where the format does not tell of merged cells, a gap above a row of names is taken for one."""
    rows: list[Row] = [("Region", "Persons", ""), ("", "men", "women"), ("x", 1.0, 2.0), ("y", 1.0, 2.0)]
    assert head(*rows, merged=merged) == (0, ("Region", "Persons men", "Persons women"))


def test_a_table_of_text_has_a_header_of_one_row() -> None:
    assert head(("a", "b"), ("x", "y"), ("z", "w"), merged=None) == (0, ("a", "b"))


def test_one_column() -> None:
    assert head(("name",), ("x",), ("y",)) == (0, ("name",))


def test_numbers_are_no_names_unless_they_are_years() -> None:
    assert head(("a", 1.0), ("b", 2.0)) == (0, ())
    assert head(("region", 2019.0, 2020.0), ("x", 1.0, 2.0)) == (0, ("region", "2019", "2020"))


def test_merged_cells_of_the_data_do_not_deepen_the_header() -> None:
    rows: list[Row] = [("a", "b"), ("x", 1.0), ("", 2.0)]
    assert head(*rows, merged=(((1, 0), (2, 0)),)) == (0, ("a", "b"))
