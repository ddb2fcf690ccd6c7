"""SQL over published tables: exact, bounded, and with access to nothing but these tables."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from catalog.errors import NotFound, UsageError
from catalog.objects import Endpoint
from lake import Lake
from lake.query import save_query, stream_query
from lake.session import IDLE_MAX
from tests.support.projects import project_on, variables
from tests.support.published import commit, publish
from tests.support.stores import ROOT, Stores, lake_on

FLIGHTS = pl.DataFrame(
    {"carrier": ["UA", "AA", "UA", None], "miles": [100, 250, 300, 7], "at": [datetime(2013, 1, 1, 5, tzinfo=UTC)] * 4}
)
AIRLINES = pl.DataFrame({"carrier": ["UA", "AA"], "name": ["United", "American"]})
RAW = pl.DataFrame({"code": ["007", "1e5", "NA", "", None, "2013-01-01"]})
EMPTY = pl.DataFrame(schema={"n": pl.Int64, "at": pl.Datetime("us", "UTC"), "price": pl.Decimal(9, 2)})


@pytest.fixture(scope="module")
def lake(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with a few published tables, which the tests of this file only read."""
    made = project_on(lake_on(stores("minio")), tmp_path_factory.mktemp("query") / "lake")
    publish(
        made,
        silver__flights=FLIGHTS,
        silver__airlines=AIRLINES,
        bronze__flights=RAW,
        bronze__codes=RAW,
        gold__nothing=EMPTY,
    )
    return made


def rows(lake: Lake, sql: str) -> list[tuple[Any, ...]]:
    """The result's rows."""
    return lake.query(sql).collect().rows()


def cached(lake: Lake) -> set[Path]:
    """The data files that the project keeps on the local disk."""
    return set((lake.settings.state / "cache").glob("*.parquet"))


def test_a_query_reads_what_is_published(endpoint: Endpoint, tmp_path: Path) -> None:
    """On each store: a join over two tables, then the same as of an earlier commit, whatever is published meanwhile."""
    lake = project_on(endpoint, tmp_path / "lake")
    first = publish(lake, silver__flights=FLIGHTS, silver__airlines=AIRLINES)
    sql = "select name, sum(miles) from silver.flights join silver.airlines using (carrier) group by 1 order by 1"
    assert rows(lake, sql) == [("American", 250), ("United", 400)]
    publish(lake, silver__flights=FLIGHTS.head(1))
    assert rows(lake, sql) == [("United", 100)]
    assert lake.at(first.number).query(sql).collect().rows() == [("American", 250), ("United", 400)]


def test_what_is_committed_but_not_published_is_not_read(fast_endpoint: Endpoint, tmp_path: Path) -> None:
    """The version that the catalog pins is read, though the table has a newer one."""
    lake = project_on(fast_endpoint, tmp_path / "lake")
    publish(lake, silver__airlines=AIRLINES)
    commit(lake, "silver.airlines", AIRLINES.head(1))
    assert rows(lake, "select count(*) from silver.airlines") == [(2,)]


def test_only_the_tables_that_are_named_are_fetched(fast_endpoint: Endpoint, tmp_path: Path) -> None:
    """A name in a comment, a text or a WITH is no table; a table that is named twice is fetched once."""
    lake = project_on(fast_endpoint, tmp_path / "lake")
    publish(lake, silver__a=AIRLINES, silver__b=AIRLINES, silver__c=AIRLINES)
    sql = "with b as (from silver.a) select 'silver.b' /* silver.c */ from b, silver.a -- silver.c"
    assert len(rows(lake, sql)) == 4
    assert len(cached(lake)) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) from silver.flights",
        'select count(*) from "silver"."flights"',
        "select count(*) from Silver.FLIGHTS as bronze",
        "select count(*) from silver /* here */ . flights",
        "with flights as (select * from silver.flights) select count(*) from flights",
        "select (select count(*) from silver.flights)",
        "select miles // 25 from (pivot silver.flights on carrier using count(*)) where miles = 100",
        "from silver.flights select count(*);",
        "from (values (4))",
    ],
)
def test_a_table_is_found_however_it_is_written(lake: Lake, sql: str) -> None:
    """Case, quotes, comments, FROM first, subqueries, WITH, PIVOT."""
    assert rows(lake, sql)[0][-1] in {4, 1}


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("describe silver.flights", ["column_name", "column_type", "null", "key", "default", "extra"]),
        ("explain select * from silver.flights", ["explain_key", "explain_value"]),
        ("explain analyze select * from silver.flights", ["explain_key", "explain_value"]),
        ("explain (analyze, format json) select * from silver.flights", ["explain_key", "explain_value"]),
        ("pivot silver.airlines on carrier using count(*)", ["name", "AA", "UA"]),
    ],
)
def test_statements_that_tell_of_tables(lake: Lake, sql: str, columns: list[str]) -> None:
    """DESCRIBE, EXPLAIN in its forms, and a PIVOT whose columns come from the data."""
    assert lake.query(sql).collect().columns == columns
    assert "min" in lake.query("summarize silver.flights").collect().columns


def test_text_stays_text(lake: Lake) -> None:
    """Nothing is guessed: leading zeros, exponents, NA and the empty text come back as they are."""
    assert_frame_equal(lake.query("from bronze.codes").collect(), RAW)


def test_an_empty_table_has_its_types(lake: Lake) -> None:
    """A table without files is a table: no rows, the same schema, and sums over nothing."""
    assert_frame_equal(lake.query("from gold.nothing").collect(), EMPTY)
    assert rows(lake, 'select count(*), sum(n), max("at") from gold.nothing') == [(0, None, None)]


def test_every_type_of_a_table_comes_back(fast_endpoint: Endpoint, tmp_path: Path) -> None:
    """What Delta holds is read by SQL in the types in which Polars reads it."""
    lake = project_on(fast_endpoint, tmp_path / "lake")
    frame = pl.DataFrame(
        {
            "boolean": [True, None],
            "i8": pl.Series([-128, None], dtype=pl.Int8),
            "i16": pl.Series([-(2**15), None], dtype=pl.Int16),
            "i32": pl.Series([2**31 - 1, None], dtype=pl.Int32),
            "i64": [2**63 - 1, None],
            "f32": pl.Series([0.1, float("nan")], dtype=pl.Float32),
            "f64": [1e300, float("-inf")],
            "text": ["é'\"\x00\n", ""],
            "bytes": [b"\xff\x00", b""],
            "day": [date(1, 1, 1), date(9999, 12, 31)],
            "local": [datetime(1900, 1, 1, 0, 0, 0, 1), None],
            "utc": [datetime(2100, 1, 1, tzinfo=UTC), None],
            "decimal": pl.Series([Decimal("12345678901234567890.123456789012345678"), None], dtype=pl.Decimal(38, 18)),
            "list": [[1, None], []],
            "struct": [{"a": "x", "b": [date(2020, 1, 1)]}, None],
            'odd "name"': ["a", "b"],
        }
    )
    publish(lake, silver__hard=frame)
    assert_frame_equal(lake.query("from silver.hard").collect(), frame)
    assert_frame_equal(lake.read("silver.hard").collect(), frame)


def test_files_are_read_as_one_table(fast_endpoint: Endpoint, tmp_path: Path) -> None:
    """Several files of one version, in any number."""
    lake = project_on(fast_endpoint, tmp_path / "lake")
    first = publish(lake, silver__n=pl.DataFrame({"n": [0]}))
    parts = commit(lake, "silver.n", *(pl.DataFrame({"n": [n]}) for n in range(12)))
    assert first.number == 1
    assert len(parts.files) == 12
    assert rows(lake, "select count(*), sum(n) from silver.n") == [(1, 0)]
    publish(lake, silver__n=pl.DataFrame({"n": range(50)}))
    assert rows(lake, "select count(*), sum(n) from silver.n") == [(50, 1225)]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_sums_of_integers_are_exact(lake: Lake, numbers: list[int]) -> None:
    """Never floats: Int64 where the sum fits, else a decimal that has all digits; the same in a saved file."""
    values = ", ".join(f"('{n}'::bigint)" for n in numbers)
    sql = f"select sum(n) as total from (values {values}) t(n)"
    total = lake.query(sql).collect()["total"]
    assert int(total.item()) == sum(numbers)
    assert total.dtype == (pl.Int64() if -(2**63) <= sum(numbers) < 2**63 else pl.Decimal(38, 0))
    saved = lake.settings.state / "sum.parquet"
    assert save_query(lake.at(), lake.settings, sql, saved) == 1
    assert_frame_equal(pl.read_parquet(saved), total.to_frame())


@pytest.mark.parametrize(
    ("sql", "dtype", "value"),
    [
        ("1.10::decimal(9,2)", pl.Decimal(9, 2), Decimal("1.10")),
        ("99999999999999999999::hugeint", pl.Decimal(38, 0), Decimal("99999999999999999999")),
        ("18446744073709551615::ubigint", pl.UInt64(), 2**64 - 1),
        ("timestamptz '2020-06-01 02:00+02'", pl.Datetime("us", "UTC"), datetime(2020, 6, 1, tzinfo=UTC)),
        ("timestamp '2020-06-01'", pl.Datetime("us"), datetime(2020, 6, 1)),
        ("time '10:20:30'", pl.Time(), time(10, 20, 30)),
        ("interval 1 month", pl.String(), "1 month"),
        ("'a'::enum('a', 'b')", pl.String(), "a"),
        ("'101'::bit", pl.String(), "101"),
        (
            "123456789012345678901234567890123456789012345::bignum",
            pl.String(),
            "123456789012345678901234567890123456789012345",
        ),
        ("'5e0b4a4e-9f0e-4b6e-8b0a-6a1b1f1e1d1c'::uuid", pl.String(), "5e0b4a4e-9f0e-4b6e-8b0a-6a1b1f1e1d1c"),
        ("'{\"a\": 1}'::json", pl.String(), '{"a": 1}'),
        ("[1::hugeint, null]", pl.List(pl.Decimal(38, 0)), [Decimal(1), None]),
        ("{'every': interval 2 days}", pl.Struct({"every": pl.String()}), {"every": "2 days"}),
        ("null", pl.Int32(), None),
    ],
)
def test_results_are_exact(lake: Lake, sql: str, dtype: pl.DataType, value: object) -> None:
    """Each type of DuckDB's has one of Polars' that holds its values, or is text."""
    made = lake.query(f"select {sql} as x").collect()["x"]
    assert made.dtype == dtype
    assert made.to_list() == [value]


def test_a_value_that_polars_lacks_is_refused(lake: Lake) -> None:
    """24:00:00 would come as missing: it is an error that says how to have it."""
    with pytest.raises(UsageError, match="column 't' holds a value that Time does not have"):
        lake.query("select time '24:00:00' as t")
    with pytest.raises(UsageError, match="DECIMAL"):
        lake.query("select 170141183460469231731687303715884105727::hugeint as n")


def test_columns_of_one_name_are_told_apart(lake: Lake) -> None:
    """A join of two tables that share a column gives both."""
    made = lake.query("select f.carrier, a.carrier, 1 as carrier_1 from silver.flights f, silver.airlines a limit 1")
    assert made.collect_schema().names() == ["carrier", "carrier_1", "carrier_1_1"]


def test_order_is_kept(lake: Lake) -> None:
    """More rows than a batch has come in the order that was asked for."""
    made = lake.query("select i from range(200000) t(i) order by hash(i)").collect()
    assert made.height == 200_000
    assert made.equals(lake.query("select i from (select i, hash(i) h from range(200000) t(i)) order by h").collect())


@pytest.mark.parametrize(
    "sql",
    [
        "insert into silver.flights values (1)",
        "with x as (select 1) insert into silver.flights from x",
        "update silver.flights set miles = 0",
        "delete from silver.flights",
        "drop view silver.flights",
        "create table x as select 1",
        "create table x as pivot silver.airlines on carrier using count(*)",
        "copy silver.flights to 'x.csv'",
        "copy (pivot silver.airlines on carrier using count(*)) to 'x.csv'",
        "explain analyze copy silver.flights to 'x.csv'",
        "explain (analyze, format json) copy silver.flights to 'x.csv'",
        "export database 'x'",
        "attach 'x.db'",
        "install httpfs",
        "load httpfs",
        "set memory_limit = '100GB'",
        "pragma database_list",
        "call pragma_version()",
        "begin",
        "truncate silver.flights",
    ],
)
def test_a_query_only_reads(lake: Lake, sql: str) -> None:
    """Everything that would write, or change the session, is refused, and the tables are as they were."""
    with pytest.raises(UsageError, match="the lake is read-only here: tables are written by jobs"):
        lake.query(sql)
    assert rows(lake, "select count(*) from silver.flights") == [(4,)]


@pytest.mark.parametrize("sql", ["", "-- nothing", "select 1; select 2", "select 1; drop view silver.flights"])
def test_one_statement_at_a_time(lake: Lake, sql: str) -> None:
    """Nothing, or more than one, is refused."""
    with pytest.raises(UsageError, match="one query is needed"):
        lake.query(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "from read_csv('{}')",
        "from read_text('{}')",
        "from read_parquet('{}')",
        "from sniff_csv('{}')",
        "from glob('{}')",
        "from '{}'",
        "from read_text('https://127.0.0.1:9/{}')",
        "from read_parquet('s3://bucket{}')",
        "select * from parquet_metadata('{}')",
        "select getenv('HOME')",
        "from duckdb_secrets()",
    ],
)
def test_a_query_reaches_nothing_but_the_tables(lake: Lake, sql: str, tmp_path: Path) -> None:
    """No file of this machine, no address, no variable of the environment."""
    secret = tmp_path / "secret.csv"
    secret.write_text("a\nhidden\n")
    with pytest.raises(UsageError) as refused:
        lake.query(sql.format(secret)).collect()
    assert "hidden" not in str(refused.value)


def test_python_variables_are_not_tables(lake: Lake) -> None:
    """DuckDB would read a frame of the caller's by its name."""
    hidden = pl.DataFrame({"a": [1]})
    with pytest.raises(NotFound, match="no table hidden"):
        lake.query("from hidden")
    assert hidden.height == 1


@pytest.mark.parametrize(
    ("sql", "what", "then"),
    [
        ("from silver.fligths", "no table silver.fligths at commit 1", "the nearest name is silver.flights"),
        ("from sliver.flights", "no table sliver.flights", "silver.flights"),
        ("from flights", "no table flights", "write the zone too: bronze.flights or silver.flights"),
        ("from airline", "no table airline", "silver.airlines"),
        ("from gold.xyzzy", "no table gold.xyzzy", "gold.nothing"),
        ("select carier from silver.flights", "carier", 'Candidate bindings: "carrier"'),
        ("selec 1", 'syntax error at or near "selec"', "LINE 1: selec 1"),
        ("select summ(miles) from silver.flights", "summ does not exist", 'Did you mean "sum"?'),
    ],
)
def test_a_slip_of_the_pen_is_told(lake: Lake, sql: str, what: str, then: str) -> None:
    """What was wrong and what is near, in two lines."""
    with pytest.raises(UsageError) as refused:
        lake.query(sql)
    assert what in refused.value.what
    assert then in refused.value.next
    assert len(str(refused.value).splitlines()) == 2


def test_a_slip_of_the_pen_fetches_nothing(fast_endpoint: Endpoint, tmp_path: Path) -> None:
    """Names and types are checked before a file of the tables is fetched."""
    lake = project_on(fast_endpoint, tmp_path / "lake")
    publish(lake, silver__flights=FLIGHTS)
    with pytest.raises(UsageError):
        lake.query("select mils from silver.flights")
    assert cached(lake) == set()


def test_a_query_that_fails_half_way_is_an_error(lake: Lake) -> None:
    """What DuckDB raises after thousands of rows is told as what it raises at once."""
    sql = "select case when i = 4900000 then error('too late') else i end from range(5000000) t(i)"
    with pytest.raises(UsageError, match="too late"):
        lake.query(sql)
    frames = stream_query(lake.at(), lake.settings, sql)
    assert next(frames).height == 0
    assert next(frames).height > 0
    with pytest.raises(UsageError, match="too late"):
        list(frames)


def kept(lake: Lake) -> list[Path]:
    """What queries have on the local disk now, but for files of the cache."""
    return [path for path in (lake.settings.state / "cache" / "sessions").rglob("*") if path.suffix == ".parquet"]


def test_a_stream_that_is_closed_leaves_nothing(lake: Lake) -> None:
    """What a query needs on disk is gone when its reader has had enough."""
    frames = stream_query(lake.at(), lake.settings, "select i from silver.flights, range(1000000) t(i)")
    next(frames)
    assert next(frames).height > 0
    assert len(kept(lake)) == 1
    frames.close()
    assert kept(lake) == []


def test_queries_that_follow_each_other_share_a_database_and_no_rows(fast_endpoint: Endpoint, tmp_path: Path) -> None:
    """A table of another commit, a mistake and a query in between change nothing."""
    made = project_on(fast_endpoint, tmp_path / "lake")
    publish(made, silver__n=pl.DataFrame({"n": [1, 2]}))
    older, total = made.at(), "select sum(n) from silver.n"
    assert older.query(total).collect().item() == 3
    databases = folders(made)
    publish(made, silver__n=pl.DataFrame({"n": [4, 5]}), silver__m=pl.DataFrame({"m": [6]}))
    assert made.query(total).collect().item() == 9
    assert older.query(total).collect().item() == 3
    assert folders(made) == databases
    with pytest.raises(NotFound):
        older.query("select m from silver.m")
    with pytest.raises(UsageError):
        made.query("select nonsense from silver.n")
    with ThreadPoolExecutor(4) as pool:
        sums = pool.map(lambda k: made.query(f"select {k} * sum(n) from silver.n").collect().item(), range(20))
        assert list(sums) == [9 * k for k in range(20)]
    assert kept(made) == []
    assert len(folders(made)) <= IDLE_MAX
    made.query("pivot silver.n on n using count(*)")
    assert made.query("select count(*) from duckdb_types() where type_name like '__pivot%'").collect().item() == 0
    shutil.rmtree(made.settings.state / "cache")
    assert made.query(total).collect().item() == 9


def test_a_project_may_be_called_anything(fast_endpoint: Endpoint, tmp_path: Path) -> None:
    """Brackets in a path are no pattern."""
    made = project_on(fast_endpoint, tmp_path / "a[b]*c")
    publish(made, silver__n=pl.DataFrame({"n": [1, 2]}))
    assert made.query("select sum(n) from silver.n").collect().item() == 3


def folders(made: Lake) -> list[Path]:
    """The folders of the databases that there are."""
    return [path for path in (made.settings.state / "cache" / "sessions").iterdir() if path.is_dir()]


MEASURE = """
import re, sys
from pathlib import Path
from lake.query import save_query, stream_query
from lake.session import IDLE_MAX
from lake.reading import open_lake
lake = open_lake()
sql = "select i::hugeint as total, repeat('x', 400) || i as text from range(3000000) t(i)"
if sys.argv[1] == "stream":
    rows = sum(frame.height for frame in stream_query(lake.at(), lake.settings, sql))
else:
    rows = save_query(lake.at(), lake.settings, sql, Path(sys.argv[1]))
print(rows, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""
"""Not by getrusage: what that says of a new process begins with the peak of the one that started it."""


@pytest.mark.parametrize("target", ["stream", "result.parquet"])
def test_memory_does_not_depend_on_the_result(fast_endpoint: Endpoint, tmp_path: Path, target: str) -> None:
    """Three million rows with 1.2 GB of text pass through a process of half that size."""
    lake = project_on(fast_endpoint, tmp_path / "lake")
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, target if target == "stream" else str(tmp_path / target)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=variables(fast_endpoint)
        | {"LAKE_PROJECT": str(lake.settings.project), "LAKE_COMPUTE_MEMORY_GB": "0.2", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    rows_read, peak_mb = map(int, done.stdout.split())
    assert rows_read == 3_000_000
    assert peak_mb < 600
