"""Expectations: which rows they let pass, set aside or refuse, and what they say; frames in, frames out."""
# ruff: noqa: F821 - Source["bronze.rows"] names a table, not a type

import json
from collections.abc import Mapping, Sequence

import polars as pl
import pytest

from catalog.errors import DataRefused, ExpectationFailed, JobFailed
from catalog.zones import TableName
from lake import Source, expect
from lake.promote import memory
from lake.promote.check import Verdict, judge
from lake.promote.declare import Job
from lake.promote.expect import Expectation
from lake.promote.memory import Room, Write
from tests.support import jobs

AIRPORTS = {TableName.parse("silver.airports"): pl.LazyFrame({"faa": ["EWR", "JFK", None], "alt": [18, 13, 0]})}


def declared(*rules: Expectation, key: Sequence[str] = (), types: Mapping[str, type[pl.DataType]] | None = None) -> Job:
    @jobs.declared("silver.t", key=key, types=types, expect=rules)
    def made(rows: Source["bronze.rows"]) -> pl.LazyFrame:
        return rows

    return made


def verdict(made: Job, rows: Mapping[str, Sequence[object]], write: Write = jobs.collected) -> Verdict:
    return judge(made, pl.LazyFrame(rows), AIRPORTS, Room(1.0, write))


def accepted(found: Verdict) -> list[tuple[object, ...]]:
    return found.accepted.collect().rows()


def rejected(found: Verdict) -> list[tuple[str, str, object]]:
    assert found.rejects is not None
    return [(row["rule"], row["message"], json.loads(row["record"])) for row in found.rejects.collect().to_dicts()]


def messages(found: Verdict) -> list[str]:
    return [finding.message for finding in found.findings if not finding.holds]


def failure(made: Job, rows: Mapping[str, Sequence[object]]) -> str:
    with pytest.raises(ExpectationFailed) as caught:
        verdict(made, rows)
    return caught.value.what


def test_rows_that_break_nothing_pass_in_silence() -> None:
    rules = (
        expect.not_null("a"),
        expect.unique("a"),
        expect.in_set("a", ["x", "y"]),
        expect.rule("short", pl.col("a").str.len_chars() < 3),
    )
    found = verdict(declared(*rules, key=["a"]), {"a": ["x", "y"]})
    assert (accepted(found), found.rejects, messages(found), found.rejected) == ([("x",), ("y",)], None, [], 0)
    assert all((finding.rows, finding.judged) == (0, 2) for finding in found.findings)


def test_a_warning_keeps_the_rows_and_names_the_values_and_how_many_rows_have_them() -> None:
    rule = expect.references("dest", "silver.airports", "faa", action="warn")
    found = verdict(declared(rule), {"dest": ["SJU", "EWR", "BQN", "SJU", None]})
    assert messages(found) == ["dest: 2 values are absent from silver.airports: BQN, SJU (3 rows)"]
    assert (len(accepted(found)), found.rejects, found.rejected) == (5, None, 0)


def test_at_most_ten_values_are_named() -> None:
    found = verdict(declared(expect.in_set("n", [0], action="warn")), {"n": list(range(1, 13))})
    assert messages(found) == ["n: 12 values not allowed: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, … (12 rows)"]


def test_quarantine_takes_the_rows_out_with_the_rule_and_the_row_itself() -> None:
    rule = expect.rule("positive", pl.col("n") > 0, action="quarantine")
    found = verdict(declared(rule), {"n": [1, -1, None], "s": ["a", 'b"', None]})
    assert accepted(found) == [(1, "a"), (None, None)]
    assert rejected(found) == [("positive", "positive does not hold", {"n": -1, "s": 'b"'})]
    assert (found.rejected, messages(found)) == (1, ["positive: does not hold in 1 row, as with n=-1"])


def test_a_row_is_set_aside_once_by_the_first_rule_that_it_breaks() -> None:
    rules = (
        expect.not_null("a", action="quarantine"),
        expect.references("b", "silver.airports", "faa", action="quarantine"),
        expect.unique("c", action="quarantine"),
    )
    rows = {"a": [None, "x", "y", "z"], "b": ["SJU", "SJU", "EWR", "JFK"], "c": [1, 1, 2, 3]}
    found = verdict(declared(*rules), rows)
    assert accepted(found) == [("y", "EWR", 2), ("z", "JFK", 3)]
    assert [rule for rule, _, _ in rejected(found)] == ["not_null(a)", "references(b, silver.airports, faa)"]
    assert found.rejected == 2


def test_every_row_of_a_value_that_comes_twice_is_set_aside() -> None:
    found = verdict(declared(expect.unique("k", action="quarantine")), {"k": [1, 1, 2, None, None]})
    assert accepted(found) == [(2,), (None,), (None,)]
    assert found.rejected == 2


def test_a_failing_rule_refuses_the_table_with_counts_and_examples() -> None:
    rules = (expect.not_null("a"), expect.in_set("b", ["x"]))
    said = failure(declared(*rules), {"a": [1, None], "b": ["q", "x"]})
    assert said == "silver.t: a: null in 1 row; b: 1 value not allowed: q (1 row)"


def test_a_condition_may_name_a_column_twice() -> None:
    rule = expect.rule("few", (pl.col("n") > 0) & (pl.col("n") < 5), action="warn")
    assert messages(verdict(declared(rule), {"n": [1, 7]})) == ["few: does not hold in 1 row, as with n=7"]


def test_a_text_matches_from_end_to_end_or_breaks_the_rule() -> None:
    texts = {"t": ["N1", "xN1", "N1x", "N1\n", "M2", None, "xN1"]}
    for action in ("warn", "quarantine"):
        found = verdict(declared(expect.matches("t", r"N\d|M\d", action=action)), texts)
        assert messages(found) == [r"t: 3 values do not match N\d|M\d: N1\n, N1x, xN1 (4 rows)"]
        kept = texts["t"] if action == "warn" else ["N1", "M2", None]
        assert accepted(found) == [(text,) for text in kept]


def test_how_many_rows_each_rule_judged_is_known() -> None:
    rules = [expect.not_null("b"), expect.in_set("b", ["x"], action="quarantine"), expect.unique("b", action="warn")]
    found = verdict(declared(*rules, types={"a": pl.Int64}), {"a": ["1", "2", "x"], "b": ["x", "y", "x"]})
    assert [(each.rule, each.rows, each.judged) for each in found.findings] == [
        ("type:a", 1, 3),
        ("in_set(b)", 1, 2),
        ("not_null(b)", 0, 1),
        ("unique(b)", 0, 1),
    ]


def test_rows_in_quarantine_do_not_fail_the_table() -> None:
    rules = (expect.not_null("a"), expect.rule("there", pl.col("a").is_not_null(), action="quarantine"))
    assert accepted(verdict(declared(*rules), {"a": [1, None]})) == [(1,)]


@pytest.mark.parametrize(
    "rule",
    [
        expect.rule("positive", pl.col("n") > 0),
        expect.in_set("n", [1]),
        expect.unique("n"),
        expect.references("n", "silver.airports", "alt"),
    ],
)
def test_an_absent_value_breaks_no_rule_but_not_null(rule: Expectation) -> None:
    found = verdict(declared(rule), {"n": pl.Series([None, None], dtype=pl.Int64)})
    assert messages(found) == []


def test_a_key_may_not_come_twice_or_be_absent() -> None:
    made = declared(key=["a", "b"])
    assert (
        failure(made, {"a": [1, 1, 2], "b": ["x", "x", "y"]})
        == "silver.t: key a, b: 1 value comes more than once: (1, x) (2 rows)"
    )
    assert failure(made, {"a": [1, None], "b": ["x", "y"]}) == "silver.t: a: null in 1 row"


def test_keys_are_counted_the_same_in_several_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"k": [*range(500), *range(100, 130)]}
    whole = failure(declared(key=["k"]), rows)
    monkeypatch.setattr(memory, "CELLS_PER_GB", 60)
    assert failure(declared(key=["k"]), rows).partition(":")[0] == whole.partition(":")[0]
    assert "30 values come more than once" in failure(declared(key=["k"]), rows)
    assert "(60 rows)" in failure(declared(key=["k"]), rows)


def test_a_text_that_does_not_fit_its_type_takes_its_row_to_quarantine() -> None:
    made = declared(types={"n": pl.Int32, "d": pl.Date})
    found = verdict(
        made,
        {
            "n": ["1", "x", None, "y"],
            "d": ["2020-01-01", "2020-01-01", None, "z"],
            "_file": ["f"] * 4,
            "_line": [1, 2, 3, 4],
        },
    )
    assert [(n, str(d)) for n, d, *_ in accepted(found)] == [(1, "2020-01-01"), (None, "None")]
    assert [(rule, record["n"]) for rule, _, record in rejected(found)] == [("type:n", "x"), ("type:n", "y")]  # type: ignore[index]
    assert messages(found) == ["n: 2 texts are not Int32: 'x', 'y'"]
    assert found.rejects is not None
    assert found.rejects.collect().select("file", "line").rows() == [("f", 2), ("f", 4)]
    assert found.rejected == 2


def test_rows_in_are_rows_out_and_rows_set_aside() -> None:
    rules = (expect.unique("k", action="quarantine"), expect.rule("odd", pl.col("n") % 2 == 1, action="quarantine"))
    rows = {"k": [i % 70 for i in range(100)], "n": [str(i) if i % 9 else "x" for i in range(100)]}
    found = verdict(declared(*rules, types={"n": pl.Int32}), rows)
    assert len(accepted(found)) + len(rejected(found)) == 100
    assert found.rejected == len(rejected(found))


@pytest.mark.parametrize("lost", range(6))
def test_a_row_that_is_lost_on_the_way_opens_the_account(lost: int) -> None:
    """Scratch that gives back a row less than it was given, whichever of the times that rows are written down."""
    rules = (expect.unique("k", action="quarantine"), expect.rule("small", pl.col("n") < 9, action="quarantine"))
    rows = {"k": [0, 1, 1, *range(2, 11)], "n": [str(i) if i else "x" for i in range(12)]}
    kept: list[int] = []

    def write(frames: Sequence[pl.LazyFrame]) -> list[pl.LazyFrame]:
        given_back = []
        for whole in pl.collect_all(frames):
            kept.append(whole.height)
            given_back.append(whole.head(whole.height - (len(kept) == lost)).lazy())
        return given_back

    made = declared(*rules, types={"n": pl.Int32})
    if lost == 0:
        assert rejected(verdict(made, rows, write)) != []
        assert len(kept) == 5, "what fits, what does not, the count of both; values that come twice, marked rows"
    else:
        with pytest.raises(DataRefused, match=r"silver\.t: the account of its rows is open"):
            verdict(made, rows, write)


def test_a_number_that_json_lacks_is_kept_as_text() -> None:
    made = declared(expect.rule("n is 1", pl.col("n") == 1, action="quarantine"))
    rows = {"n": [1, 2, 3, 4], "x": [0.5, float("nan"), 2.5, None], "y": [1.5, 2.5, float("-inf"), 3.5]}
    assert [record for _, _, record in rejected(verdict(made, rows))] == [
        {"n": 2, "x": "NaN", "y": "2.5"},
        {"n": 3, "x": "2.5", "y": "-inf"},
        {"n": 4, "x": None, "y": 3.5},
    ]


def test_a_row_with_bytes_can_be_set_aside() -> None:
    rule = expect.rule("positive", pl.col("n") > 0, action="quarantine")
    found = verdict(declared(rule), {"n": [-1], "b": [b"\xff"], "l": [[b"a"]]})
    assert rejected(found)[0][2] == {"n": -1, "b": "/w==", "l": "(bytes)"}


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (expect.rule("sum", pl.col("n") + 1), "sum is Int64, not true or false"),
        (expect.matches("n", "x"), "asks for text, and n is Int64"),
        (expect.references("n", "silver.airports", "faa"), "compares Int64 with String"),
        (expect.references("n", "silver.airports", "aalt"), "has no column 'aalt'"),
    ],
)
def test_a_rule_that_cannot_be_asked_is_the_job_s_fault(rule: Expectation, message: str) -> None:
    with pytest.raises(JobFailed, match=message):
        verdict(declared(rule), {"n": [1]})
