"""Found tables on their way to Parquet: every value is in its column, rescued or in a reject."""

import json
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing.parametric import column, dataframes

from catalog.tables import difference
from ingestion.columns import LAKE_COLUMNS
from ingestion.drift import compare
from ingestion.found import REJECTS
from ingestion.refusal import FileRefused
from ingestion.values import as_text
from ingestion.write import write_part
from tests.support.parts import AT, Written, found, request, write

TWO = pl.DataFrame({"a": ["1", "2"]})

NAMES = ["b", "B", "price", "prices", 'q"', "x.y", "a*"]
DTYPES: list[pl.DataType] = [
    pl.Boolean(),
    pl.Int16(),
    pl.Int64(),
    pl.Float64(),
    pl.Decimal(12, 3),
    pl.String(),
    pl.Binary(),
    pl.Date(),
    pl.Datetime("us"),
    pl.Datetime("us", "UTC"),
    pl.List(pl.Int64()),
    pl.Struct({"s": pl.String(), "n": pl.Int32()}),
]
SCHEMAS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(DTYPES)), min_size=1, max_size=5).map(
    lambda columns: pl.Schema({name.lower(): (name, dtype) for name, dtype in columns}.values())
)
FRAMES = SCHEMAS.flatmap(lambda schema: dataframes([column(name, dtype) for name, dtype in schema.items()], max_size=6))


class TestNoValueIsLost:
    @settings(deadline=None)
    @given(frame=FRAMES, table=SCHEMAS, drift=st.sampled_from(["evolve", "rescue", "quarantine"]))
    def test_whatever_the_types(self, frame: pl.DataFrame, table: pl.Schema, drift: str) -> None:
        """Random values for a random table: each is in its column, equal; or its text is rescued, or in a reject."""
        if compare(frame.schema, table).is_foreign:
            with pytest.raises(FileRefused, match="look like another table's"):
                write(found(frame), dict(table), drift)
            return
        written = write(found(frame), dict(table), drift)
        there = dict(zip(written.rows["_line"], written.rows.to_dicts(), strict=True))
        aside = {} if written.rejects.is_empty() else dict(written.rejects.select("line", "record").rows())
        assert sorted([*there, *aside]) == list(range(2, frame.height + 2))
        texts = frame.select(as_text(pl.col(name), dtype).alias(name) for name, dtype in frame.schema.items())
        for line, (values, told) in enumerate(zip(frame.to_dicts(), texts.to_dicts(), strict=True), start=2):
            if line in aside:
                assert json.loads(aside[line] or "{}") == {
                    name: text for name, text in told.items() if text is not None
                }
            else:
                assert_kept(values, told, there[line], written)

    @settings(deadline=None)
    @given(frame=FRAMES)
    def test_in_a_new_table(self, frame: pl.DataFrame) -> None:
        """It takes what the file has, to the bit."""
        written = write(found(frame))
        assert written.values.equals(frame, null_equal=True)
        assert written.part.schema == frame.schema

    @settings(deadline=None)
    @given(frame=FRAMES, drift=st.sampled_from(["evolve", "rescue", "freeze", "quarantine"]))
    def test_in_a_table_of_the_same_columns(self, frame: pl.DataFrame, drift: str) -> None:
        """In any order: as in a new one, under every policy."""
        written = write(found(frame), dict(reversed(frame.schema.items())), drift)
        assert written.values.select(frame.columns).equals(frame, null_equal=True)
        assert written.part.rejected == 0


def same(kept: Any, value: Any) -> bool:
    """Whether a value of one type is that of another: numbers are equal, a day is its midnight."""
    if isinstance(kept, bytes) and isinstance(value, str):
        return kept == value.encode()
    if {type(kept), type(value)} == {date, datetime}:
        return all(each == datetime.combine(each, time()) for each in (kept, value) if isinstance(each, datetime)) and (
            kept.timetuple()[:3] == value.timetuple()[:3]
        )
    numbers = [Decimal(str(each)) for each in (kept, value) if not isinstance(each, bool)]
    return len(numbers) == 2 and (kept == value or numbers[0] == numbers[1])


def assert_kept(values: dict[str, Any], texts: dict[str, str | None], row: dict[str, Any], written: Written) -> None:
    """Each value of a record is in the column that takes it, as itself or as its text; else among the rescued."""
    stored = {name.lower(): name for name in written.part.schema}
    rescued = json.loads(row["_rescued"] or "{}")
    for name, value in values.items():
        target = stored.get(name.lower(), name)
        if target in rescued:
            assert rescued.pop(target) == texts[name]
            assert row.get(target) is None
        elif value is not None:
            assert row[target] is not None
            kept = pl.Series([row[target]], dtype=written.part.schema[target])
            told = kept.to_frame("v").select(as_text(pl.col("v"), kept.dtype)).item()
            assert told == texts[name] or same(row[target], value)
        else:
            assert row.get(target) is None
    assert rescued == {}


class TestWhatIsWritten:
    def test_the_lakes_columns(self, tmp_path: Path) -> None:
        """Behind the values: file and part, line, batch, time, and nothing rescued."""
        part = write_part(found(TWO, fragment="Sheet 1", part="Sheet 1"), request(tmp_path), 7, {})
        rows = pl.read_parquet(part.path)
        assert rows.schema == pl.Schema({"a": pl.String()} | dict(LAKE_COLUMNS))
        assert rows.row(1) == ("2", "d/a.csv#Sheet 1", 3, "d/00000001/000001", AT, None)
        assert (part.table, part.file, part.path) == ("sheet_1", "d/a.csv#Sheet 1", tmp_path / "7.parquet")
        assert (part.records, part.rows, part.rejected, part.rejects) == (2, 2, 0, None)

    def test_each_part_has_a_table(self, tmp_path: Path) -> None:
        """A part is held against its own table, and not the main one."""
        tables = {"": pl.Schema({"b": pl.Int64()}), "s": pl.Schema({"a": pl.Int64()})}
        assert write_part(found(TWO, part="S"), request(tmp_path), 1, tables).schema == tables["s"]
        assert write_part(found(TWO, part="T"), request(tmp_path), 2, tables).schema == TWO.schema

    def test_rows_keep_their_order(self) -> None:
        frame = pl.DataFrame({"a": pl.int_range(300_000, eager=True).cast(pl.String)})
        for table in (None, {"a": pl.Int64()}):
            written = write(found(frame), table)
            assert written.rows["_line"].is_sorted()
            assert written.values["a"].cast(pl.Int64).equals(pl.int_range(300_000, eager=True).alias("a"))

    def test_a_file_fits_its_table_as_delta_compares_it(self) -> None:
        """What is written has the schema that the part says."""
        written = write(found(pl.DataFrame({"a": ["1", "x"], "c": [1, 2]})), {"a": pl.Int64(), "b": pl.Date()})
        assert difference(pl.Schema(written.part.schema | LAKE_COLUMNS), written.rows.schema) == ""

    def test_the_account(self) -> None:
        """Is JSON: what was found out about the file."""
        given_ = found(TWO, lines=3, dialect={"delimiter": ";"}, header=("Ä",), notices=("cp1252",))
        part = write(given_, {"a": pl.Int64(), "b": pl.Int64()}).part
        assert json.loads(json.dumps(part.account)) == {
            "format": "csv",
            "dialect": {"delimiter": ";"},
            "header": ["Ä"],
            "lines": 3,
            "drift": {"missing": ["b"], "changed": {"a": "String, not Int64"}},
        }
        assert part.notices[0] == "cp1252"

    def test_names_as_found_are_labels(self) -> None:
        """Of columns that could not be stored under them; a label of the file's own stays, with the name beside it."""
        frame = pl.DataFrame({"a_b": [1], "c_d": [2], "e": [3], "X": [4], "f_": [5]})
        said = {"c_d": {"label": "C"}, "e": {"missing": "9"}, "f_": {"label": "f "}}
        given_ = found(frame, header=("a b", "c d", "e", "X", "f "), metadata=said)
        assert write(given_, {"x": pl.Int64()}).part.metadata == {
            "a_b": {"label": "a b"},
            "c_d": {"label": "C", "name": "c d"},
            "e": {"missing": "9"},
            "f_": {"label": "f "},
        }
        assert write(given_, {"x": pl.Int64()}, "rescue").part.metadata == {}


class TestTheAccountCloses:
    def rejects(self, folder: Path, lines: list[int]) -> Path:
        rows = {"line": lines, "rule": "width", "message": "too wide", "record": "1;2"}
        pl.DataFrame(rows, schema=REJECTS).write_parquet(folder / "reader.parquet")
        return folder / "reader.parquet"

    def test_with_the_readers_rejects(self, tmp_path: Path) -> None:
        """They come with the part, counted in their file."""
        written = write(found(TWO, records=4, rejects=self.rejects(tmp_path, [4, 5])))
        assert (written.part.rows, written.part.rejected) == (2, 2)
        assert written.rejects.schema == REJECTS
        assert written.rejects["line"].to_list() == [4, 5]

    def test_with_rows_that_do_not_fit_beside_them(self, tmp_path: Path) -> None:
        given_ = found(pl.DataFrame({"a": ["1", "x"]}), records=4, rejects=self.rejects(tmp_path, [4, 5]))
        written = write(given_, {"a": pl.Int64()}, "quarantine")
        assert written.rejects.select("line", "rule").rows() == [(4, "width"), (5, "width"), (3, "schema")]
        assert (written.part.rows, written.part.rejected) == (1, 3)

    @pytest.mark.parametrize("table", [None, {"a": pl.Int64()}])
    @pytest.mark.parametrize("records", [1, 3])
    def test_or_the_file_is_refused(self, records: int, table: dict[str, Any] | None, tmp_path: Path) -> None:
        """A record more or less than was counted; and no file is left."""
        with pytest.raises(FileRefused, match=f"does not close: {records} records were counted, 2 rows") as refused:
            write_part(
                found(TWO, records=records), request(tmp_path), 1, {} if table is None else {"": pl.Schema(table)}
            )
        assert refused.value.rule == "account"
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("table", [None, {"a": pl.Int64(), "b": pl.Int64()}, {"A": pl.String()}])
    def test_and_the_readers_own_check_sees_what_it_found(self, table: dict[str, Any] | None) -> None:
        """The values as text, whatever becomes of them; what it refuses is refused."""
        seen = []
        write(found(TWO, check=lambda path: seen.append(pl.read_parquet(path)["a"].to_list())), table)
        assert seen == [["1", "2"]]

        def refuse(_: Path) -> None:
            raise FileRefused("account", "a value is lost")

        with pytest.raises(FileRefused, match="a value is lost"):
            write(found(TWO, check=refuse), table)

    def test_twins_in_another_order_are_refused(self) -> None:
        """Names that differ in case only are numbered by their order: none may take the other's place."""
        frame = pl.DataFrame({"A": [1], "a_2": [2]})
        with pytest.raises(FileRefused, match="differ in case only"):
            write(found(frame, header=("A", "a")), {"a": pl.Int64(), "A_2": pl.Int64()})
        assert write(found(frame, header=("A", "a")), {"A": pl.Int64(), "a_2": pl.Int64()}).part.rows == 1
