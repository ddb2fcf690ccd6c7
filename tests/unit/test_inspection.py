"""Inspecting files: what is said is what an ingest would do, and the lines for lake.toml pin just that."""

import gzip
import tempfile
import zipfile
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from click.testing import CliRunner

import lake
from catalog.errors import UsageError
from lake.cli.inspect import inspect as command
from lake.settings import Settings

TITLED = "Preise in EUR\n\nRegion;Jahr;Wert\nTirol;2020;1,5\nWien;2021;2,5\nGraz;2022;3,5\n"


def write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_a_table_is_told_as_it_would_be_in_bronze(tmp_path: Path) -> None:
    """Its dataset, format, dialect, counts and first rows, values as found."""
    found = lake.inspect(write(tmp_path, "cpi 2026-01.csv", TITLED))
    (table,) = found.tables
    assert (found.dataset, found.format, table.part) == ("cpi", "csv", "")
    assert (table.records, table.rows, table.rejected) == (3, 3, 0)
    assert table.dialect["delimiter"] == ";"
    assert table.first_rows.drop("_line", strict=False).to_dicts()[0] == {
        "Region": "Tirol",
        "Jahr": "2020",
        "Wert": "1,5",
    }


@pytest.mark.parametrize(
    "text",
    [
        TITLED,
        "a,b\n1,2\n3,4\n",
        "a\tb\n1\t2\n3\t4\n",
        "1;2\n3;4\n5;6\n",
        "# a comment\na|b\n1|2\n3|4\n",
        "a,b\n'x, y',2\n'z',4\n",
    ],
)
def test_what_is_pinned_is_what_was_found(tmp_path: Path, text: str) -> None:
    """With its lines in lake.toml the same file is read the same."""
    path = write(tmp_path, "cpi.csv", text)
    found = lake.inspect(path)
    (tmp_path / "lake.toml").write_text(found.toml(), encoding="utf-8")
    again = lake.inspect(path, settings=Settings.load(tmp_path, {}))
    assert [table.first_rows.to_dicts() for table in again.tables] == [
        table.first_rows.to_dicts() for table in found.tables
    ]
    assert again.toml() == found.toml()


def test_of_a_compressed_file_what_it_holds_is_pinned(tmp_path: Path) -> None:
    path = tmp_path / "cpi.csv.gz"
    path.write_bytes(gzip.compress(TITLED.encode()))
    found = lake.inspect(path)
    assert found.format == "csv.gz"
    (tmp_path / "lake.toml").write_text(found.toml(), encoding="utf-8")
    again = lake.inspect(path, settings=Settings.load(tmp_path, {}))
    assert again.tables[0].first_rows.to_dicts() == found.tables[0].first_rows.to_dicts()
    assert 'delimiter = ";"' in again.toml()


@pytest.mark.parametrize("second", [["Region", "Wert"], ["Region", "Menge"]])
def test_what_is_pinned_of_a_workbook_leaves_its_tables_as_they_are(tmp_path: Path, second: list[str]) -> None:
    """Sheets that are chosen and have one header become one table: these are not pinned."""
    path = tmp_path / "prices.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for name, header in (("2023", ["Region", "Wert"]), ("2024", second)):
            sheet = book.add_worksheet(name)
            for row, cells in enumerate([header, ["Tirol", 1], ["Wien", 2]]):
                sheet.write_row(row, 0, cells)
    found = lake.inspect(path)
    (tmp_path / "lake.toml").write_text(found.toml())
    again = lake.inspect(path, settings=Settings.load(tmp_path))
    assert [table.part for table in found.tables] == [table.part for table in again.tables] == ["", "d2024"]


def test_the_settings_decide(tmp_path: Path) -> None:
    """A pattern says whose the file is, and that dataset's section how it is read."""
    path = write(tmp_path, "cpi_1.csv", "a,b;c\n1,2;3\n4,5;6\n")
    (tmp_path / "lake.toml").write_text("[datasets.prices]\nfiles = ['cpi_*']\ndelimiter = ';'\n")
    found = lake.inspect(path, settings=Settings.load(tmp_path, {}))
    assert found.dataset == "prices"
    assert found.tables[0].first_rows.columns == ["a_b", "c"]
    assert found.tables[0].labels == {"a_b": "a,b"}


def test_what_would_be_set_aside_is_shown(tmp_path: Path) -> None:
    """With line, reason and the raw text; the command's exit code is 1."""
    rows = "".join(f'{{"n": {n}}}\n' for n in range(20))
    path = write(tmp_path, "n.ndjson", rows + "{broken}\n")
    (table,) = lake.inspect(path).tables
    assert (table.records, table.rows, table.rejected) == (21, 20, 1)
    assert table.first_rejects.row(0, named=True)["record"].strip() == "{broken}"
    told = CliRunner().invoke(command, [str(path)], obj=tmp_path.parent / "none", standalone_mode=False)
    assert isinstance(told.exception, UsageError)
    shown = CliRunner().invoke(command, [str(path)], standalone_mode=False)
    assert shown.return_value == 1
    assert "line 21" in shown.output
    assert "{broken}" in shown.output


def test_a_file_beyond_its_tolerance_shows_what_is_wrong_with_it(tmp_path: Path) -> None:
    """How many records of which rule, and an example of each; it would wait whole, and nothing is pinned."""
    bad = "".join(f"{n}\n" for n in range(8)) + 'x"y"z,"1\n'
    path = write(tmp_path, "a.csv", "a,b\n" + "".join(f"{n},x\n" for n in range(12)) + bad)
    found = lake.inspect(path)
    assert (found.tables, found.toml()) == ((), "")
    assert "tolerance" in found.refused[""]
    (table,) = found.intolerable
    assert sum(table.rejected_by.values()) == table.rejected == 9
    assert table.rejected_by["width"] == 8
    assert table.first_rejects.height == 5
    assert set(table.first_rejects["rule"]) == set(table.rejected_by)
    shown = CliRunner().invoke(command, [str(path)], standalone_mode=False)
    assert shown.return_value == 1
    for said in ("would be set aside whole", "8 by the rule width", "line 14: ", "delimiter  ,", "and 4 more"):
        assert said in shown.output


def test_members_beyond_their_tolerance_are_shown_and_the_others_stay_as_they_are(tmp_path: Path) -> None:
    """Of an archive each is judged alone."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.csv", "a,b\n1,2\n3,4\n")
        archive.writestr("bad.csv", "a,b\n1,2\n3\n4\n5,6\n")
    found = lake.inspect(path)
    assert [table.file for table in found.tables] == ["a.zip#good.csv"]
    assert [(table.file, dict(table.rejected_by)) for table in found.intolerable] == [("a.zip#bad.csv", {"width": 2})]


def test_what_is_no_table_is_kept(tmp_path: Path) -> None:
    """A PDF is no fault: nothing to pin, exit code 0."""
    path = write(tmp_path, "report.pdf", "%PDF-1.7\n")
    found = lake.inspect(path)
    assert (found.format, found.tables, found.kept, found.toml()) == ("raw", (), ("",), "")
    shown = CliRunner().invoke(command, [str(path)], standalone_mode=False)
    assert shown.return_value == 0
    assert "byte for byte" in shown.output


def test_a_file_that_is_refused_says_why(tmp_path: Path) -> None:
    """Pinned as what it is not."""
    path = write(tmp_path, "a.csv", "a,b\n1,2\n")
    (tmp_path / "lake.toml").write_text("[datasets.a]\nformat = 'parquet'\n")
    found = lake.inspect(path, settings=Settings.load(tmp_path, {}))
    assert found.tables == ()
    assert found.refused[""]


def test_typed_columns_keep_their_types(tmp_path: Path) -> None:
    """And the command names them."""
    path = tmp_path / "t.parquet"
    pl.DataFrame({"n": [1, 2], "day": ["x", "y"]}).write_parquet(path)
    assert lake.inspect(path).tables[0].first_rows.schema["n"] == pl.Int64
    assert "Int64" in CliRunner().invoke(command, [str(path)], standalone_mode=False).output


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the file held."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    for name, text in (("a.csv", "a,b\n1,2\n"), ("b.ndjson", "{broken}\n")):
        lake.inspect(write(tmp_path, name, text))
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """By name."""
    with pytest.raises(UsageError, match="is a folder"):
        lake.inspect(tmp_path)
    with pytest.raises(UsageError, match="is not there"):
        lake.inspect(tmp_path / "absent.csv")
