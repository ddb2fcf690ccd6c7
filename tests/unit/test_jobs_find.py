"""Jobs are found in a project's folder and checked against each other; a mistake names its file, line and way out."""

from pathlib import Path

import pytest

from catalog.errors import UsageError
from catalog.zones import TableName
from lake.promote.declare import Job
from lake.promote.find import find_jobs, select

HEAD = "from __future__ import annotations\nimport polars as pl\nfrom lake import Source, expect, job\n"
"""Three lines: what follows begins in line 4."""


def python(table: str, *sources: str, body: str = "return a0", options: str = "") -> str:
    parameters = ", ".join(f'a{i}: Source["{source}"]' for i, source in enumerate(sources))
    return f'@job("{table}"{options})\ndef {table.replace(".", "_")}({parameters}) -> pl.LazyFrame:\n    {body}\n'


def project(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        stem, _, suffix = name.replace("__", "/").rpartition("_")
        path = folder / "jobs" / f"{stem}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + text if suffix == "py" else text, encoding="utf-8")
    return folder


def found(folder: Path, *known: str) -> list[Job]:
    return find_jobs(folder, list(map(TableName.parse, known)))


def tables(jobs: list[Job]) -> list[str]:
    return [str(job.table) for job in jobs]


def refusal(folder: Path, *known: str) -> str:
    with pytest.raises(UsageError) as caught:
        found(folder, *known)
    return str(caught.value)


def test_a_project_without_jobs_has_none(tmp_path: Path) -> None:
    assert found(tmp_path) == []


def test_jobs_come_in_an_order_in_which_they_can_run(tmp_path: Path) -> None:
    project(
        tmp_path,
        a_py=python("silver.second", "silver.first") + python("silver.first", "bronze.rows"),
        gold__third_sql="-- description: all\nwith s as (select * from silver.second) select * from s",
    )
    assert tables(found(tmp_path)) == ["silver.first", "silver.second", "gold.third"]


def test_a_reference_orders_jobs_as_a_source_does(tmp_path: Path) -> None:
    refers = ', expect=[expect.references("x", "silver.z", "x")]'
    project(tmp_path, a_py=python("silver.a", "bronze.rows", options=refers) + python("silver.z", "bronze.rows"))
    assert tables(found(tmp_path)) == ["silver.z", "silver.a"]


def test_asking_for_a_table_brings_what_it_is_made_from(tmp_path: Path) -> None:
    project(
        tmp_path,
        a_py=python("silver.a", "bronze.rows") + python("silver.b", "silver.a") + python("silver.c", "bronze.rows"),
    )
    jobs = found(tmp_path)
    assert tables(select(jobs, ["silver.b"])) == ["silver.a", "silver.b"]
    with pytest.raises(UsageError, match=r"no job makes silver\.d\n  next: the nearest is silver"):
        select(jobs, ["silver.d"])


def test_a_file_of_jobs_can_share_code_with_another(tmp_path: Path) -> None:
    project(
        tmp_path,
        common_py="N = 3\n",
        silver_py="from .common import N\n" + python("silver.a", "bronze.rows", body="return a0.head(N)"),
    )
    (job,) = found(tmp_path)
    project(tmp_path, common_py="N = 4\n")
    assert found(tmp_path)[0].code != job.code


def test_reading_jobs_leaves_nothing_in_the_folder_and_sees_every_edit(tmp_path: Path) -> None:
    for table in ("silver.a", "silver.b"):  # of one length, within one second: a compiled file would be taken for new
        project(tmp_path, a_py=python(table, "bronze.rows"))
        assert tables(found(tmp_path)) == [table]
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["a.py"]


def test_a_dataset_whose_first_file_is_still_to_come_may_be_named(tmp_path: Path) -> None:
    project(tmp_path, a_py=python("silver.a", "bronze.sales_2025"))
    assert tables(found(tmp_path, "bronze.sales_2024", "bronze.orders")) == ["silver.a"]


def test_a_slip_in_the_name_of_a_dataset_is_refused(tmp_path: Path) -> None:
    project(tmp_path, a_py=python("silver.a", "bronze.fligths"))
    said = refusal(tmp_path, "bronze.flights")
    assert "a.py:4: silver.a reads bronze.fligths" in said
    assert "the nearest is bronze.flights" in said


def test_an_unknown_silver_table_is_refused_with_the_nearest(tmp_path: Path) -> None:
    project(tmp_path, a_py=python("silver.flights", "bronze.rows"), gold__b_sql="select * from silver.flihgts")
    said = refusal(tmp_path)
    assert "b.sql:1: gold.b reads silver.flihgts" in said
    assert "the nearest is silver.flights" in said


def test_a_published_table_without_a_job_can_be_read(tmp_path: Path) -> None:
    project(tmp_path, gold__b_sql="select * from silver.old")
    assert tables(found(tmp_path, "silver.old")) == ["gold.b"]


def test_two_jobs_for_one_table_are_refused(tmp_path: Path) -> None:
    project(tmp_path, a_py=python("gold.t", "bronze.rows"), gold__t_sql="select 1 as n from silver.x")
    said = refusal(tmp_path)
    assert "t.sql:1: gold.t has a job already, in" in said
    assert "a.py:4" in said


def test_two_jobs_for_one_table_are_seen_although_the_function_has_one_name(tmp_path: Path) -> None:
    project(tmp_path, a_py=python("silver.a", "bronze.rows") + python("silver.a", "bronze.rows"))
    assert "a.py:7: silver.a has a job already" in refusal(tmp_path)


def test_a_cycle_is_refused_and_drawn(tmp_path: Path) -> None:
    project(
        tmp_path, a_py=python("silver.a", "silver.c") + python("silver.b", "silver.a") + python("silver.c", "silver.b")
    )
    said = refusal(tmp_path)
    assert "a cycle: silver.a reads silver.c reads silver.b reads silver.a" in said
    assert "a.py:4" in said


def test_a_job_that_reads_itself_is_a_cycle(tmp_path: Path) -> None:
    project(tmp_path, a_py=python("silver.a", "silver.a"))
    assert "a cycle: silver.a reads silver.a" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n    pass\n", "a.py:4: invalid syntax"),
        ("\nimport no_such_module\n", "a.py:5: ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = 1 / 0\n", "a.py:4: ZeroDivisionError"),
        ("import sys\nsys.exit(3)\n", "a.py:5: SystemExit: 3"),
        ('@job("bronze.x")\ndef f(a: Source["bronze.y"]): ...\n', "a.py:4: a job cannot write bronze.x"),
        ('@job("silver.x")\ndef f(a: Source["bronz.y"]): ...\n', "a.py:4: not a table name: 'bronz.y'"),
        ('@job("silver.x")\ndef f(a: Sorce["bronze.y"]): ...\n', "a.py:4: the annotation Sorce"),
    ],
)
def test_a_file_that_is_no_python_of_jobs_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    project(tmp_path, a_py=text)
    assert message in refusal(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("select 1\nfrm silver.x where", "t.sql:2: not valid SQL"),
        ("select 'a", "t.sql:1: not valid SQL"),
        ("select * from silver.x; drop table silver.x", "t.sql:1: a job is one SELECT"),
        ("drop table silver.x", "t.sql:1: a job is one SELECT, and here is DROP"),
        ("-- nothing", "t.sql:1: a job is one SELECT, and here is none"),
        ("select *\nfrom flights", "t.sql:2: no table flights\n  next: write zone.name, as in silver.flights"),
        ("select * from read_csv('a.csv')", "t.sql:1: a job reads tables of the lake"),
        ("select * from 'a.csv'", "t.sql:1: a job reads tables of the lake"),
        ("select *\nfrom other.flights", "t.sql:2: not a table name: 'other.flights'"),
        ("select 1 as n", "t.sql:1: gold.t reads no table"),
        ("-- mode: replase\nselect * from silver.x", "t.sql:1: no mode 'replase'"),
        ("-- mode: upsert\nselect * from silver.x", "t.sql:1: gold.t is in mode upsert without a key"),
        ("-- moed: replace\nselect * from silver.x", "t.sql:1: no declaration 'moed'\n  next: write -- mode: replace"),
        ("-- key: n\n-- expect: notnull(n)\nselect * from silver.x", "t.sql:2: not an expectation"),
        ("-- expect: references(a, silver.b)\nselect * from silver.x", "t.sql:1: not an expectation"),
        ("-- expect: rule(positive, n >)\nselect * from silver.x", "t.sql:1: not an expectation"),
    ],
)
def test_a_file_that_is_no_query_over_tables_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    project(tmp_path, gold__t_sql=text)
    assert message in refusal(tmp_path, "silver.x")


def test_the_front_comment_declares_what_the_decorator_does(tmp_path: Path) -> None:
    text = """-- What airlines do: by carrier.
-- mode: upsert
-- key: carrier, month
-- expect: not_null(name) warn
-- expect: unique(carrier, month)
-- expect: in_set(month, 1, 2, 3)
-- expect: references(carrier, silver.airlines, carrier) warn
-- expect: rule(positive, n > 0 and n < 10) quarantine
-- owner: somebody
select * from silver.x, range(3) -- mode: not this one
"""
    project(tmp_path, gold__t_sql=text)
    (job,) = found(tmp_path, "silver.x", "silver.airlines")
    assert (job.mode, job.key, job.owner) == ("upsert", ("carrier", "month"), "somebody")
    assert [(rule.name, str(rule.action)) for rule in job.expect] == [
        ("not_null(name)", "warn"),
        ("unique(carrier, month)", "fail"),
        ("in_set(month)", "fail"),
        ("references(carrier, silver.airlines, carrier)", "warn"),
        ("positive", "quarantine"),
    ]


def test_every_job_of_the_example_project_is_read() -> None:
    jobs = find_jobs(Path(__file__).parents[2] / "examples" / "flights", [])
    assert sorted(tables(jobs)) == [
        "gold.delays_by_carrier",
        "gold.delays_by_day",
        "gold.delays_by_month",
        "gold.delays_by_weather",
        "silver.airlines",
        "silver.airports",
        "silver.cancellations",
        "silver.flights",
        "silver.operators",
        "silver.planes",
        "silver.routes",
        "silver.weather",
    ]
