"""Files whose columns are not their table's: every kind of difference under every policy."""

import json
from typing import Any, ClassVar

import polars as pl
import pytest

from ingestion.drift import compare, listed
from ingestion.refusal import FileRefused
from tests.support.parts import Written, found, write

TABLE = {"id": pl.Int64(), "name": pl.String()}
POLICIES = ("evolve", "rescue", "freeze", "quarantine")
LENIENT = ("evolve", "rescue", "quarantine")


def drop(columns: dict[str, Any], drift: str, table: dict[str, Any] | None = None) -> Written:
    """Write a file with these columns for `TABLE`, or another."""
    return write(found(pl.DataFrame(columns)), TABLE if table is None else table, drift)


def rejected(written: Written) -> list[tuple[int, str, str, dict[str, str]]]:
    """The rejects: line, rule, message and the record as JSON says it."""
    return [(line, rule, message, json.loads(record)) for line, rule, message, record in written.rejects.rows()]


@pytest.mark.parametrize("drift", POLICIES)
def test_the_same_columns(drift: str) -> None:
    """Pass as they are, without a word."""
    written = drop({"id": [1, None], "name": ["a", ""]}, drift)
    assert written.values.rows() == [(1, "a"), (None, "")]
    assert (written.rescued, written.part.notices, written.part.rejected) == ([None, None], (), 0)
    assert "drift" not in written.part.account


@pytest.mark.parametrize("drift", POLICIES)
def test_another_order(drift: str) -> None:
    """Is no difference: the table's order is kept."""
    written = drop({"name": ["a"], "id": [1]}, drift)
    assert written.part.schema == pl.Schema(TABLE)
    assert (written.values.rows(), written.part.notices) == ([(1, "a")], ())


@pytest.mark.parametrize("drift", POLICIES)
def test_a_name_in_another_case(drift: str) -> None:
    """Is the table's column, and the file's notices say so; the exact name comes first."""
    written = drop({"ID": [1], "name": ["a"]}, drift)
    assert written.part.schema == pl.Schema(TABLE)
    assert (written.values.rows(), written.part.notices) == ([(1, "a")], ("names in another case: 'ID'",))
    assert written.part.account["drift"] == {"other_case": {"id": "ID"}}


class TestAColumnLess:
    @pytest.mark.parametrize("drift", LENIENT)
    def test_is_missing_in_the_rows(self, drift: str) -> None:
        written = drop({"id": [1, 2]}, drift)
        assert written.values.rows() == [(1, None), (2, None)]
        assert written.part.notices == ("columns that the file lacks: 'name'",)
        assert (written.rescued, written.part.rejected) == ([None, None], 0)

    def test_is_refused_by_a_frozen_table(self) -> None:
        with pytest.raises(FileRefused, match="not those of the table: missing 'name'") as refused:
            drop({"id": [1]}, "freeze")
        assert refused.value.rule == "schema"


class TestAColumnMore:
    COLUMNS: ClassVar[dict[str, Any]] = {"id": [1, 2], "extra": ["x", None], "name": ["a", "b"], "more": [None, 2.5]}

    def test_evolves_the_table(self) -> None:
        """New columns stand behind the table's, with the types of the file."""
        written = drop(self.COLUMNS, "evolve")
        assert written.part.schema == pl.Schema(TABLE | {"extra": pl.String(), "more": pl.Float64()})
        assert written.values.rows() == [(1, "a", "x", None), (2, "b", None, 2.5)]
        assert written.part.notices == ("new columns of the table: 'extra', 'more'",)
        assert written.rescued == [None, None]

    def test_is_rescued(self) -> None:
        """Its values are kept beside the table's columns; a missing one is not among them."""
        written = drop(self.COLUMNS, "rescue")
        assert written.part.schema == pl.Schema(TABLE)
        assert written.values.rows() == [(1, "a"), (2, "b")]
        assert written.rescued == ['{"extra":"x"}', '{"more":"2.5"}']
        assert "rows with values in _rescued: 2" in written.part.notices
        assert written.part.account["drift"] == {"unknown": ["extra", "more"], "rescued": 2}

    def test_is_refused_by_a_frozen_table(self) -> None:
        with pytest.raises(FileRefused, match="not those of the table: unknown 'extra', 'more'"):
            drop(self.COLUMNS, "freeze")

    def test_sets_rows_aside(self) -> None:
        """Those that have a value there, whole; a row without passes."""
        columns = {"id": [1, 2, 3], "name": ["a", "b", None], "extra": [None, "x", ""]}
        written = drop(columns, "quarantine")
        assert (written.part.records, written.part.rows, written.part.rejected) == (3, 1, 2)
        assert written.values.rows() == [(1, "a")]
        said = "the table has no column 'extra'"
        assert rejected(written) == [
            (3, "schema", said, {"id": "2", "name": "b", "extra": "x"}),
            (4, "schema", said, {"id": "3", "extra": ""}),
        ]


class TestAnotherName:
    @pytest.mark.parametrize("drift", LENIENT)
    def test_that_looks_alike_is_noticed(self, drift: str) -> None:
        written = drop({"id": [1], "full_name": ["x"]}, drift)
        assert "'full_name' is perhaps 'name', renamed" in written.part.notices
        assert written.part.account["drift"]["perhaps_renamed"] == {"name": "full_name"}

    def test_that_looks_alike_is_said_where_the_table_is_frozen(self) -> None:
        with pytest.raises(FileRefused, match="missing 'name'; unknown 'names'; 'names' is perhaps 'name', renamed"):
            drop({"id": [1], "names": ["a"]}, "freeze")

    def test_that_looks_different_is_no_guess(self) -> None:
        written = drop({"id": [1], "price": ["a"]}, "evolve")
        assert not any("perhaps" in notice for notice in written.part.notices)

    def test_stands_for_one_other(self) -> None:
        """Each name is in one guess, the likeliest."""
        table = pl.Schema({"price_2023": pl.Int64(), "price_2024": pl.Int64()})
        drift = compare(pl.Schema({"Price 2024": pl.Int64(), "Price 2025": pl.Int64()}), table)
        assert drift.renamed == {"price_2024": "Price 2024", "price_2023": "Price 2025"}


class TestAnotherTable:
    @pytest.mark.parametrize("drift", POLICIES)
    def test_is_not_mixed_with_this_one(self, drift: str) -> None:
        """A file that shares less than half of its columns is refused: it lay in the wrong folder."""
        with pytest.raises(FileRefused, match="missing 'id', 'name'; unknown 'x'"):
            drop({"x": [1]}, drift)

    @pytest.mark.parametrize(
        "columns", [{"id": [1]}, {"id": [1], "x": [1]}, {"id": [1], "name": ["a"], "x": [1], "y": [1]}]
    )
    def test_is_one_with_hardly_a_column_in_common(self, columns: dict[str, Any]) -> None:
        """Half of the smaller one's columns are enough."""
        assert drop(columns, "evolve").values["id"].to_list() == [1]


class TestAnotherType:
    TEXTS: ClassVar[dict[str, Any]] = {"id": ["7", "007", None, "x", ""], "name": ["a", "b", "c", "d", "e"]}

    @pytest.mark.parametrize("drift", ["evolve", "rescue"])
    def test_text_in_a_column_of_numbers(self, drift: str) -> None:
        """What is a number is one; what loses anything as a number is kept as it came."""
        written = drop(self.TEXTS, drift)
        assert written.part.schema == pl.Schema(TABLE)
        assert written.values["id"].to_list() == [7, None, None, None, None]
        assert written.rescued == [None, '{"id":"007"}', None, '{"id":"x"}', '{"id":""}']
        assert written.part.notices == (
            "'id' is String, not Int64: what does not fit is kept in _rescued",
            "rows with values in _rescued: 3",
        )

    def test_text_in_a_column_of_numbers_sets_rows_aside(self) -> None:
        written = drop(self.TEXTS, "quarantine")
        assert written.values.rows() == [(7, "a"), (None, "c")]
        assert written.rescued == [None, None]
        assert rejected(written)[0] == (3, "schema", "'id' does not fit Int64", {"id": "007", "name": "b"})
        assert written.part.rejected == 3

    @pytest.mark.parametrize("columns", [TEXTS, {"id": [1], "name": [1]}], ids=["text", "numbers"])
    def test_is_refused_by_a_frozen_table(self, columns: dict[str, Any]) -> None:
        with pytest.raises(FileRefused, match=r"'(id|name)' is (String|Int64), not (Int64|String)$"):
            drop(columns, "freeze")

    @pytest.mark.parametrize("drift", LENIENT)
    def test_anything_in_a_column_of_text(self, drift: str) -> None:
        """Is its text; nothing is rescued or set aside."""
        written = drop({"id": [1, 2, 3], "name": [1.5, float("nan"), None]}, drift)
        assert written.values["name"].to_list() == ["1.5", "NaN", None]
        assert (written.rescued, written.part.rejected) == ([None] * 3, 0)

    @pytest.mark.parametrize("drift", ["evolve", "rescue"])
    def test_numbers_in_a_column_of_other_numbers(self, drift: str) -> None:
        """A float that is whole is an integer; an integer that a float cannot hold is none."""
        table = {"n": pl.Int64(), "f": pl.Float64()}
        written = drop({"n": [1.0, 1.5], "f": [2**53 + 1, 7]}, drift, table)
        assert written.values.rows() == [(1, None), (None, 7.0)]
        assert written.rescued == ['{"f":"9007199254740993"}', '{"n":"1.5"}']

    def test_several_faults_of_one_row(self) -> None:
        """Are all said."""
        written = drop({"id": ["x"], "name": ["a"], "extra": [1]}, "quarantine")
        assert [message for _, _, message, _ in rejected(written)] == [
            "'id' does not fit Int64; the table has no column 'extra'"
        ]


class TestNested:
    TABLE: ClassVar[dict[str, Any]] = {"x": pl.Struct({"a": pl.Int64()}), "l": pl.List(pl.Int64())}
    COLUMNS: ClassVar[dict[str, Any]] = {"x": [{"a": 1, "b": "ü"}, None], "l": [[1.5, None], None]}

    @pytest.mark.parametrize("drift", ["evolve", "rescue"])
    def test_another_shape_is_rescued_whole(self, drift: str) -> None:
        """As JSON; a struct with a field more is not cut."""
        written = drop(self.COLUMNS, drift, self.TABLE)
        assert written.values.rows() == [(None, None), (None, None)]
        texts = json.loads(written.rescued[0] or "")
        assert {name: json.loads(text) for name, text in texts.items()} == {"x": {"a": 1, "b": "ü"}, "l": ["1.5", None]}
        assert written.rescued[1] is None

    def test_another_shape_sets_rows_aside(self) -> None:
        written = drop(self.COLUMNS, "quarantine", self.TABLE)
        assert [message for _, _, message, _ in rejected(written)] == [
            "'x' does not fit Struct({'a': Int64}); 'l' does not fit List(Int64)"
        ]

    def test_a_new_column_keeps_its_type(self) -> None:
        written = drop({"id": [1], "name": ["a"]} | {"x": [{"a": [1]}]}, "evolve")
        assert written.part.schema["x"] == pl.Struct({"a": pl.List(pl.Int64())})
        assert written.values["x"].to_list() == [{"a": [1]}]

    def test_becomes_json_in_a_column_of_text(self) -> None:
        written = drop({"id": [1], "name": [{"a": [1, None], "b": 'x"'}]}, "evolve")
        assert written.values["name"].to_list() == ['{"a":[1,null],"b":"x\\""}']


def test_a_table_without_rows_takes_any_columns() -> None:
    """Also where it is to be frozen: there is nothing to differ from."""
    written = write(found(pl.DataFrame({"a": [1]})), None, "freeze")
    assert written.part.schema == pl.Schema({"a": pl.Int64()})


def test_a_long_difference_is_cut() -> None:
    assert listed(map(str, range(23))).endswith("'19', and 3 more")
