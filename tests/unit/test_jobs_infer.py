"""Types that are found in texts: exact, of all values, and said why nothing stricter."""

import random
from datetime import UTC, date, datetime

import polars as pl
import pytest

from lake.promote.infer import Evidence, decide, survey
from lake.promote.memory import Room
from lake.promote.typed import typed
from tests.support.jobs import collected

ROOM = Room(0.5, collected)


def found(*values: str | None) -> tuple[pl.DataType, str, list[object]]:
    """The type of a column of these texts, why, and its values in an automatic table."""
    rows = _rows({"x": list(values)})
    columns = decide(rows.collect_schema(), survey(rows))
    made = typed(rows, pl.Schema({name: c.type for name, c in columns.items()}), ROOM).collect()
    return columns["x"].type, columns["x"].why, made["x"].to_list()


@pytest.mark.parametrize(
    ("values", "dtype", "made"),
    [
        (["1", "-7", None], pl.Int64(), [1, -7, None]),
        (["1", "2.5", ".5", "1e-05"], pl.Float64(), [1.0, 2.5, 0.5, 1e-05]),
        (["2026-01-02"], pl.Date(), [date(2026, 1, 2)]),
        (["2026-01-02T10:00", "2026-01-02 10:00:01.5"], pl.Datetime("us"), None),
        (["2026-01-02T10:00:00Z"], pl.Datetime("us", "UTC"), [datetime(2026, 1, 2, 10, tzinfo=UTC)]),
        (["true", "false"], pl.Boolean(), [True, False]),
        ([None, None], pl.String(), [None]),
        (["1", "", "2"], pl.Int64(), [1, None, 2]),
    ],
)
def test_a_type_is_taken_where_every_value_fits(values: list[str], dtype: pl.DataType, made: list[object]) -> None:
    type_, _, rows = found(*values)
    assert type_ == dtype
    assert made is None or rows == made


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["1", "2", "n/a"], "not Int64, Float64: 'n/a' on line 4 of sales.csv"),
        (["12", "0870"], "not Int64, Float64: '0870' (leading zero) on line 3 of sales.csv"),
        (["1", "9223372036854775808"], "not Int64, Float64: '9223372036854775808' (more digits than a number keeps)"),
        (["1.5", "0.33333333333333333333"], "not Float64: '0.33333333333333333333' (more digits"),
        (["1", "1E5"], "not Int64, Float64: '1E5' (exponent without a sign)"),
        (["1", "+43"], "not Int64, Float64: '+43' (plus sign)"),
        (["2026-01-02", "02.01.2026"], "not Date: '02.01.2026' on line 3"),
        (["2026-01-02", "2026-01-02T10:00"], "not Date: '2026-01-02T10:00' on line 3"),
        (["2026-01-02T10:00:00+02:00"], "text: '2026-01-02T10:00:00+02:00' on line 2"),
        (["2026-02-30"], "text: '2026-02-30'"),
        (["1", " 2"], "not Int64, Float64: ' 2'"),
        (["1", "NaN"], "not Int64, Float64: 'NaN'"),
        (["1", "-0"], "not Int64: '-0'"),
        (["1", "١"], "not Int64, Float64: '١'"),
        (["true", "TRUE"], "not Boolean: 'TRUE'"),
        ([""], "no value tells its type"),
    ],
)
def test_what_is_not_exact_stays_text_and_says_why(values: list[str], said: str) -> None:
    type_, why, rows = found(*values)
    if not said.startswith("not Int64: "):
        assert type_ == pl.String()
        assert rows == values
    assert said in why


def test_a_number_that_is_no_whole_one_says_so() -> None:
    assert found("1", "2.5")[1] == "all 2 values fit; not Int64: '2.5' on line 3 of sales.csv"
    assert found("1", "", "")[1] == "all 1 value fit, 2 empty texts are missing"


def test_the_last_row_of_many_counts() -> None:
    """What only a row beyond the sample rules out is found."""
    values = [str(number) for number in range(30_000)]
    assert found(*values)[0] == pl.Int64()
    type_, why, _ = found(*values, "x")
    assert (type_, why) == (pl.String(), "not Int64, Float64: 'x' on line 30002 of sales.csv")


def test_typed_columns_stay_and_those_of_the_lake_go() -> None:
    rows = _rows({"n": ["1"]}).with_columns(
        t=pl.lit(7, pl.Int16), _rescued=pl.lit(None, pl.String), _batch=pl.lit("b"), _ingested_at=pl.lit(1)
    )
    assert list(decide(rows.collect_schema(), survey(rows))) == ["n", "t"]
    filled = rows.with_columns(_rescued=pl.lit('{"a": "1"}'))
    columns = decide(filled.collect_schema(), survey(filled))
    assert (list(columns), columns["_rescued"].why) == (["n", "t", "_rescued"], "filled in 1 row")


def test_evidence_of_parts_is_that_of_the_whole() -> None:
    """Random columns, in random portions: the same types for the same reasons."""
    dice = random.Random(7)
    texts = ["1", "2", "-3", "0.5", "007", "true", "2026-01-02", "2026-01-02T10:00", "", None, "x"]
    for _ in range(40):
        values = dice.choices(dice.sample(texts, dice.randint(1, 4)), k=dice.randint(1, 12))
        rows = _rows({"x": values})
        cut = dice.randint(0, len(values))
        known = {name: Evidence.from_dict(each.to_dict()) for name, each in survey(rows.head(cut)).items()}
        parts = survey(rows.slice(cut), known, cut)
        whole = survey(rows)
        schema = rows.collect_schema()
        assert decide(schema, parts) == decide(schema, whole), values
        assert parts["x"].last == whole["x"].last


def test_rows_that_are_the_same_are_there_once() -> None:
    """Values decide, not where they came from; and 1.50 is not 1.5."""
    rows = _rows({"a": ["1.5", "1.50", "1.5", None, None], "b": ["x", "x", "x", "", ""]})
    made = typed(rows, pl.Schema({"a": pl.Float64(), "b": pl.String()}), ROOM).collect()
    assert sorted(made.rows(), key=repr) == [(1.5, "x"), (1.5, "x"), (None, "")]
    floats = pl.LazyFrame({"f": [0.0, -0.0, 0.0, float("nan"), float("nan")]})
    assert [str(v) for v in sorted(typed(floats, floats.collect_schema(), ROOM).collect()["f"].to_list(), key=str)] == [
        "-0.0",
        "0.0",
        "nan",
    ]


@pytest.mark.parametrize("gb", [0.5, 1e-6])
def test_little_memory_gives_the_same_rows(gb: float) -> None:
    dice = random.Random(1)
    rows = pl.LazyFrame({"a": [str(dice.randint(0, 400)) for _ in range(1_000)], "l": [[1]] * 1_000})
    room = Room(gb, collected)
    made = typed(rows, pl.Schema({"a": pl.Int64(), "l": pl.List(pl.Int64())}), room).collect()
    assert sorted(made["a"].to_list()) == sorted(rows.select(pl.col("a").cast(pl.Int64)).unique().collect()["a"])


def test_many_columns_are_looked_at() -> None:
    rows = _rows({f"c{number}": ["1", "x" if number % 2 else "2"] for number in range(300)})
    columns = decide(rows.collect_schema(), survey(rows))
    assert [columns[f"c{number}"].type for number in range(300)] == [pl.Int64(), pl.String()] * 150


def _rows(columns: dict[str, list[str | None]]) -> pl.LazyFrame:
    """Rows as bronze has them, below a header."""
    frame = pl.LazyFrame(columns, schema=dict.fromkeys(columns, pl.String)).with_row_index("_line", offset=2)
    return frame.with_columns(pl.col("_line").cast(pl.Int64), _file=pl.lit("sales.csv"))
