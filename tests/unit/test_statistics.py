"""SPSS, Stata and SAS: codes stay codes; labels, missing values and dates are what the file says of them."""

import json
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pyreadstat
import pytest

from ingestion.formats import statistics, xport
from ingestion.formats.statclocks import clock
from ingestion.options import ReadOptions
from ingestion.refusal import FileRefused
from tests.support.found import DATA, Table, main_table, tables


def codes(folder: Path, name: str) -> list[tuple[object, ...]]:
    _, codelist = tables(folder, DATA / name, name.rpartition(".")[2].replace("zsav", "sav"))
    assert (codelist.found.part, codelist.found.fragment) == ("codelist", "codelist")
    return codelist.rows.drop("_line").rows()


def sav(folder: Path, values: dict[str, list[object]], **options: object) -> Table:
    pyreadstat.write_sav(pl.DataFrame(values, strict=False).to_pandas(), folder / "made.sav", **options)
    return tables(folder, folder / "made.sav", "sav")[0]


@pytest.mark.parametrize("name", ["pspp.sav", "pspp.zsav"])
def test_spss_of_pspp(tmp_path: Path, name: str) -> None:
    """User-missing codes are values; a time of SPSS may pass a day, so it stays a number of seconds."""
    table = main_table(tmp_path, name)
    assert table.values == [
        {
            "id": 1.0,
            "region": "Nord",
            "answer": 1.0,
            "weight": 1.5,
            "born": date(1980, 1, 1),
            "seen": datetime(2020, 1, 1, 12, 34, 56),
            "spent": 600.0,
        },
        {
            "id": 2.0,
            "region": "Süd",
            "answer": 2.0,
            "weight": None,
            "born": date(1600, 2, 29),
            "seen": datetime(1999, 12, 31, 23, 59, 59),
            "spent": 86_399.0,
        },
        {"id": 3.0, "region": "", "answer": 99.0, "weight": 0.125, "born": None, "seen": None, "spent": None},
        {
            "id": 4.0,
            "region": "Öst-West",
            "answer": -8.0,
            "weight": 1_000_000.0,
            "born": date(9999, 12, 31),
            "seen": datetime(1900, 1, 1),
            "spent": 108_000.0,
        },
    ]
    said = table.found.metadata
    assert said["id"] == {"label": "Identifier", "format": "F8.0"}
    assert said["spent"] == {"format": "TIME8", "unit": "s"}
    assert said["answer"]["label"] == "Do you agree?"
    assert json.loads(said["answer"]["missing"]) == [{"lo": None, "hi": -1}, {"lo": 99, "hi": 99}]
    assert json.loads(said["answer"]["codelist"]) == {"1": "Yes", "2": "No", "99": "Refused"}


@pytest.mark.parametrize("name", ["pspp.sav", "pspp.zsav"])
def test_the_codelist_of_spss(tmp_path: Path, name: str) -> None:
    assert codes(tmp_path, name) == [
        ("region", "Nord", "The north", False),
        ("answer", "1", "Yes", False),
        ("answer", "2", "No", False),
        ("answer", "99", "Refused", True),
        ("answer", "LO THRU -1", None, True),
    ]


def test_a_range_of_missing_values_without_labels_is_in_the_codelist(tmp_path: Path) -> None:
    """As SPSS writes it: nobody who joins the codelist takes these codes for answers unwarned."""
    options = {"missing_ranges": {"age": [{"lo": 97, "hi": 99}]}}
    pyreadstat.write_sav(pl.DataFrame({"age": [31.0, 98.0]}).to_pandas(), tmp_path / "made.sav", **options)
    _, codelist = tables(tmp_path, tmp_path / "made.sav", "sav")
    assert codelist.rows.drop("_line").rows() == [("age", "97 THRU 99", None, True)]


@pytest.mark.parametrize("name", ["pandas114.dta", "pandas118.dta"])
def test_stata_of_pandas(tmp_path: Path, name: str) -> None:
    """Stata's integers keep their width; a quarter is a number, which its format explains."""
    table = main_table(tmp_path, name)
    assert table.rows.drop("region", "_line").rows() == [
        (1, 1, 1.5, date(1980, 1, 1), datetime(2020, 1, 1, 12, 34, 56), 240.0),
        (2, 0, None, date(2000, 2, 29), datetime(1999, 12, 31, 23, 59, 59), 241.0),
        (3, 1, 0.125, date(1960, 1, 1), datetime(1960, 1, 1), 242.0),
    ]
    assert table.rows["region"].to_list() == ["Nord", "Süd", "x" * (2100 if name == "pandas118.dta" else 1)]
    assert table.rows.schema["id"] == pl.Int16
    assert table.rows.schema["weight"] == pl.Float32
    assert table.found.metadata["id"] == {"label": "Identifier", "format": "%8.0g"}
    assert table.found.metadata["quarter"] == {"format": "%tq"}
    assert codes(tmp_path, name) == [("sex", "0", "f", False), ("sex", "1", "m", False)]


def test_stata_of_r(tmp_path: Path) -> None:
    table = main_table(tmp_path, "foreign.dta")
    assert table.rows.drop("_line").rows() == [(1, 2, 1.5), (2, 1, None), (3, 2, 3.0)]


def test_letters_of_stata_have_a_column_of_their_own(tmp_path: Path) -> None:
    """.a to .z say why a number is missing: the number is null, the letter stands beside it."""
    table = main_table(tmp_path, "haven14.dta")
    assert table.rows.select("answer", "answer_missing", "weight", "weight_missing").rows() == [
        (1.0, None, 1.5, None),
        (2.0, None, None, None),
        (None, "a", None, "b"),
        (None, "z", 0.125, None),
    ]
    assert table.found.metadata["answer_missing"]["label"] == "why answer is missing"
    assert codes(tmp_path, "haven14.dta") == [
        ("answer", "1", "Yes", False),
        ("answer", "2", "No", False),
        ("answer", "a", "Refused", True),
        ("answer", "z", None, True),
        ("weight", "b", None, True),
    ]


@pytest.mark.parametrize("name", ["haven5.xpt", "haven8.xpt", "haven.sas7bdat"])
def test_letters_of_sas_have_a_column_of_their_own(tmp_path: Path, name: str) -> None:
    """Of transport files the library tells no letters: they are read from the bytes."""
    table = main_table(tmp_path, name)
    assert table.rows.select("answer", "answer_missing", "weight", "weight_missing", "region").rows() == [
        (1.0, None, 1.5, None, "Nord"),
        (2.0, None, None, None, "Süd"),
        (None, "A", None, "B", ""),
        (None, "Z", 0.125, None, "Öst-West"),
    ]
    assert table.rows["born"].to_list() == [date(1980, 1, 1), None, date(1600, 2, 29), date(9999, 12, 31)]
    assert table.found.metadata["answer"]["label"] == "Do you agree?"


def test_sas_of_sas(tmp_path: Path) -> None:
    (table,) = tables(tmp_path, DATA / "iris.sas7bdat", "sas7bdat")
    assert table.rows.row(0) == (5.1, 3.5, 1.4, 0.2, "setosa", 1)
    assert table.rows.row(149) == (5.9, 3.0, 5.1, 1.8, "virgin", 150)
    assert table.found.dialect["encoding"] == "WINDOWS-1252"


def test_transport_of_python(tmp_path: Path) -> None:
    (table,) = tables(tmp_path, DATA / "xport.xpt", "xpt")
    assert table.rows.drop("_line").rows() == [(1.0, "Nord", 1.5), (2.0, "West", -0.125), (3.0, "", 1e10)]


def test_a_transport_file_of_several_tables_is_refused(tmp_path: Path) -> None:
    """The library reads the first one and says nothing of the others."""
    data = (DATA / "haven5.xpt").read_bytes()
    member = data.index(b"HEADER RECORD*******MEMBER")
    path = tmp_path / "two.xpt"
    path.write_bytes(data + data[member:])
    with pytest.raises(FileRefused, match="several tables"):
        tables(tmp_path, path, "xpt")


def test_the_rows_of_a_transport_file_are_counted_by_its_size(tmp_path: Path) -> None:
    """Blanks fill the last record up; rows that are shorter than it are not made of them."""
    for rows in range(1, 90):
        frame = pl.DataFrame({"a": ["x"] * rows, "n": [1.0] * rows}).to_pandas()
        pyreadstat.write_xport(frame, tmp_path / "made.xpt")
        assert xport.measure(tmp_path / "made.xpt").rows == rows


def test_dates_that_are_none_stay_numbers(tmp_path: Path) -> None:
    """Half a day under a date's format would be lost: the whole column stays as it is, and the file says so."""
    values = {"d": [13_797_216_000.0, 13_797_216_000.5], "t": [13_797_216_000.5, None]}
    table = sav(tmp_path, values, variable_format={"d": "DATE11", "t": "DATETIME22.1"})
    assert table.rows["d"].to_list() == values["d"]
    assert table.rows["t"].to_list() == [datetime(2020, 1, 1, microsecond=500_000), None]
    (notice,) = table.found.notices
    assert "'d' (DATE11)" in notice


@pytest.mark.parametrize(
    ("program", "form", "number", "instant"),
    [
        ("spss", "ADATE10", 13_797_216_000.0, date(2020, 1, 1)),
        ("spss", "YMDHMS19", 13_797_216_001.25, datetime(2020, 1, 1, 0, 0, 1, 250_000)),
        ("stata", "%d", 0.0, date(1960, 1, 1)),
        ("stata", "%-tdD_m_Y", -1.0, date(1959, 12, 31)),
        ("stata", "%tcHH:MM", 1.0, datetime(1960, 1, 1, 0, 0, 0, 1_000)),
        ("sas", "YYMMDD10.", 21_915.0, date(2020, 1, 1)),
        ("sas", "E8601DA10.", 21_915.0, date(2020, 1, 1)),
        ("sas", "DATETIME22.3", 1_893_456_000.125, datetime(2020, 1, 1, 0, 0, 0, 125_000)),
    ],
)
def test_clocks(program: str, form: str, number: float, instant: date) -> None:
    found = clock(program, form)
    assert found is not None
    numbers = pl.Series([number])
    assert found.is_exact(numbers)
    assert found.convert(numbers).to_list() == [instant]


@pytest.mark.parametrize(
    ("program", "form"), [("spss", "F8.2"), ("spss", "TIME8"), ("stata", "%tq"), ("stata", "%tC"), ("sas", "BEST12.")]
)
def test_formats_that_are_no_clock(program: str, form: str) -> None:
    assert clock(program, form) is None


def test_years_beyond_the_calendar_are_not_exact() -> None:
    days = clock("stata", "%td")
    assert days is not None
    assert not days.is_exact(pl.Series([3_000_000.0]))
    assert not days.is_exact(pl.Series([1e300]))
    assert days.is_exact(pl.Series([None, 0.0]))


def test_many_pieces_come_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is read in pieces of so many values; here of ten."""
    monkeypatch.setattr(statistics, "_CELLS", 10)
    table = sav(tmp_path, {"n": list(range(1001)), "s": [str(number) for number in range(1001)]})
    assert table.rows["n"].to_list() == list(range(1001))
    assert table.rows["s"].to_list() == [str(number) for number in range(1001)]


def test_an_encoding_that_is_not_said_is_a_notice(tmp_path: Path) -> None:
    (notice,) = main_table(tmp_path, "pandas114.dta").found.notices
    assert "Windows-1252" in notice
    assert main_table(tmp_path, "pandas118.dta").found.notices == ()


def test_text_in_another_encoding_is_refused_by_its_rule(tmp_path: Path) -> None:
    data = (DATA / "haven5.xpt").read_bytes().replace("Süd ".encode(), b"S\xfcd  ")
    path = tmp_path / "latin.xpt"
    path.write_bytes(data)
    with pytest.raises(FileRefused) as refused:
        tables(tmp_path, path, "xpt")
    assert refused.value.rule == "encoding"
    table = tables(tmp_path, path, "xpt", ReadOptions(encoding="LATIN1"))[0]
    assert table.rows["region"].to_list()[:2] == ["Nord", "Süd"]


def test_a_pinned_encoding_is_used(tmp_path: Path) -> None:
    """Stata's files of before version 14 do not say theirs."""
    data = (DATA / "pandas114.dta").read_bytes().replace(b"S\xfcd\x00", "Süd".encode("cp437") + b"\x00")
    path = tmp_path / "old.dta"
    path.write_bytes(data)
    table = tables(tmp_path, path, "dta", ReadOptions(encoding="CP437"))[0]
    assert table.rows["region"].to_list() == ["Nord", "Süd", "x"]


def test_a_name_that_delta_cannot_hold_is_said_beside_the_label(tmp_path: Path) -> None:
    """Stata takes names that differ in case only."""
    pyreadstat.write_dta(
        pl.DataFrame({"a": [1], "A": [2]}).to_pandas(), tmp_path / "twins.dta", column_labels={"A": "capital"}
    )
    (table,) = tables(tmp_path, tmp_path / "twins.dta", "dta")
    assert table.values == [{"a": 1, "A_2": 2}]
    assert table.found.metadata["A_2"]["label"] == "capital"
    assert table.found.metadata["A_2"]["name"] == "A"
