"""What is measured: each line is one round of the lake and of what it is measured against, on a new site."""

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.data import TABLES, count_rows, divided, small_files, tpch, with_duplicates
from bench.measured import Measured, measured
from bench.site import Site
from lake.reading import open_lake

IDLE_SECONDS_MAX = 2.0
MEMORY_GB = 1.5
"""``memory_gb`` in ``lake.toml`` of the lines whose memory is bounded; by default it is a quarter of the machine."""

ALL_ZONES = ("run", "silver.lineitem", "gold.pricing")


@dataclass(frozen=True)
class Scale:
    """How much data there is: TPC-H's scale factor, and how many small files and tables."""

    folder: Path
    factor: float = 1.0
    files: int = 10_000
    tables: int = 100
    commits: int = 1000

    @property
    def lineitem(self) -> Path:
        """TPC-H's line items."""
        return self.tpch("lineitem")[0]

    def tpch(self, *tables: str) -> list[Path]:
        """TPC-H's tables, a file each."""
        made = tpch(self.folder, self.factor, tables)
        return [made / f"{table}.csv" for table in tables]

    def divided(self, *, newest: bool) -> tuple[Path, Path]:
        """Most line items, and those of one order in a hundred."""
        return divided(self.lineitem, self.folder / f"tpch-{self.factor:g}", newest=newest)


@dataclass(frozen=True)
class Round:
    """What the lake took, and the seconds of what it is measured against: none where its memory alone is."""

    ours: Measured
    other_seconds: float | None


@dataclass(frozen=True)
class Line:
    """One line of the report: ``ratio_max`` is what the lake's seconds may be of the other's."""

    title: str
    ratio_max: float
    play: Callable[[Site, Scale], Round]
    memory_bytes_max: int | None = None


def _landed(site: Site, scale: Scale) -> None:
    """The line items in both landings."""
    site.upload({"lineitem.csv": scale.lineitem})
    site.drop([scale.lineitem], "lineitem")


def _against(site: Site, ours: Sequence[str], script: Sequence[str], table: str) -> Round:
    """A command of the lake against a step of the script, after which ``table`` must have as many rows in both."""
    taken, other = site.in_turn(ours, script)
    site.require_same(table)
    return Round(taken, other.seconds)


def bronze(site: Site, scale: Scale) -> Round:
    """One CSV file from landing to bronze."""
    _landed(site, scale)
    return _against(site, ["ingest"], ["bronze", "lineitem.csv"], "bronze.lineitem")


def _silver(site: Site, scale: Scale, how: str) -> Round:
    bronze(site, scale)
    return _against(site, ["promote", "silver.lineitem"], ["silver", how], "silver.lineitem")


def silver(site: Site, scale: Scale) -> Round:
    """Casts, cleaning and each key once, against ``unique``."""
    return _silver(site, scale, "unique")


def silver_best(site: Site, scale: Scale) -> Round:
    """The same against a script that looks for the duplicates first."""
    return _silver(site, scale, "best")


def _all_zones(site: Site, scale: Scale, how: str) -> Round:
    _landed(site, scale)
    return _against(site, ALL_ZONES, ["all", "lineitem.csv", how], "gold.pricing")


def all_zones(site: Site, scale: Scale) -> Round:
    """From landing to gold, in one run."""
    return _all_zones(site, scale, "unique")


def all_zones_best(site: Site, scale: Scale) -> Round:
    """The same against a script that looks for the duplicates first."""
    return _all_zones(site, scale, "best")


def _changed(site: Site, scale: Scale, table: str, *, newest: bool) -> Round:
    """What a table takes when one order in a hundred is new, against the table made whole."""
    old, new = scale.divided(newest=newest)
    site.drop([old], "lineitem")
    site.lake("run", table)
    whole = site.lake("promote", "--full", table)
    site.drop([new], "lineitem")
    site.lake("ingest")
    return Round(site.lake("promote", table), whole.seconds)


def upsert_1pct(site: Site, scale: Scale) -> Round:
    """The newest orders, by key."""
    return _changed(site, scale, "silver.lineitem_upsert", newest=True)


def upsert_scattered(site: Site, scale: Scale) -> Round:
    """Orders from everywhere, by key."""
    return _changed(site, scale, "silver.lineitem_upsert", newest=False)


def append_1pct(site: Site, scale: Scale) -> Round:
    """New orders, added."""
    return _changed(site, scale, "silver.lineitem_append", newest=True)


def idle(site: Site, scale: Scale) -> Round:
    """A run with nothing new; half of the tables are bronze, each with one of silver that was made by itself."""
    return Round(nothing_new(site, scale, scale.tables // 2), IDLE_SECONDS_MAX)


def nothing_new(site: Site, scale: Scale, datasets: int) -> Measured:
    """A run with nothing new over so many datasets of a small file each, whose tables of silver the lake makes."""
    shutil.rmtree(site.folder / "jobs")
    source = small_files(scale.folder, 1) / "000000.csv"
    site.land({f"table{number:04d}/{source.name}": source for number in range(datasets)})
    site.lake("run")
    return site.lake("run")


def small(site: Site, scale: Scale) -> Round:
    """Files of a kilobyte into one table, against a bare loop that gets, copies and deletes them."""
    files = kilobytes(scale, scale.files)
    site.upload(files)
    site.land(files)
    ours, bare = site.in_turn(["ingest"], ["small", "small/"])
    return Round(ours, bare.seconds)


def kilobytes(scale: Scale, count: int) -> dict[str, Path]:
    """Files of a kilobyte for one table, by their keys."""
    return {f"small/{file.name}": file for file in small_files(scale.folder, count).iterdir()}


def _asked(site: Site, module: str, *arguments: str) -> tuple[Measured, dict[str, float]]:
    """A module's process in the project, and the seconds that it told; memory is that of all whom it asks."""
    asked = measured([sys.executable, "-m", module, *arguments], site.folder, site.environment)
    return asked, json.loads(asked.said)


def _silver_of(site: Site, scale: Scale, *tables: str) -> None:
    """TPC-H's tables in silver."""
    for file in scale.tpch(*tables):
        site.drop([file], file.stem)
    site.lake("run", *(f"silver.{table}" for table in tables))


def _queries(site: Site, scale: Scale, ours: str, other: str) -> Round:
    _silver_of(site, scale, "lineitem", "orders", "customer")
    asked, told = _asked(site, "bench.queries")
    return Round(replace(asked, seconds=told[ours]), told[other])


def queries(site: Site, scale: Scale) -> Round:
    """TPC-H Q1, Q3, Q6 and Q18, the second time in one process, against DuckDB over local files."""
    return _queries(site, scale, "second", "duckdb")


def queries_first(site: Site, scale: Scale) -> Round:
    """Q1, Q3 and Q6, the first time, against Polars' SQL over the tables on the store."""
    return _queries(site, scale, "first", "polars")


def every_query(site: Site, scale: Scale) -> Round:
    """All 22 queries of TPC-H, the second time in one process, against DuckDB over local files."""
    _silver_of(site, scale, *TABLES)
    asked, told = _asked(site, "bench.tpch", *(["published"] if scale.factor == 1 else []))
    return Round(replace(asked, seconds=told["second"]), told["duckdb"])


def _commits(site: Site, scale: Scale, what: str) -> Round:
    """Opening after many commits, against after one; memory is that of the whole measurement."""
    asked, told = _asked(site, "bench.commits", what, str(scale.commits))
    return Round(replace(asked, seconds=told["many"]), told["fresh"])


def many_commits(site: Site, scale: Scale) -> Round:
    """A table that was replaced again and again."""
    return _commits(site, scale, "table")


def catalog_commits(site: Site, scale: Scale) -> Round:
    """A catalog of 100 tables, published one after another."""
    return _commits(site, scale, "catalog")


def _with_little_memory(site: Site) -> Site:
    return replace(site, environment=site.environment | {"LAKE_COMPUTE_MEMORY_GB": str(MEMORY_GB)})


def tenfold(site: Site, scale: Scale) -> Round:
    """Ten times the data, from landing to gold: it is its memory that is bounded."""
    big, here = replace(scale, factor=scale.factor * 10), _with_little_memory(site)
    here.drop([big.lineitem], "lineitem")
    return Round(here.lake(*ALL_ZONES), None)


def tenfold_duplicates(site: Site, scale: Scale) -> Round:
    """Ten times the data with a tenth of its lines twice, to a table of silver that the lake makes by itself."""
    shutil.rmtree(site.folder / "jobs")
    big, here = replace(scale, factor=scale.factor * 10), _with_little_memory(site)
    here.drop([with_duplicates(big.lineitem)], "lineitem")
    taken = here.lake("run")
    rows = open_lake(site.folder, site.environment).at().snapshot("silver.lineitem").rows
    wanted = count_rows(big.lineitem)
    if rows != wanted:
        raise RuntimeError(f"silver.lineitem: {rows:,} rows, {wanted:,} without the duplicates")
    return Round(taken, None)


LINES = {
    "bronze": Line("SF1 line items, landing to bronze", 1.0, bronze, 900_000_000),
    "silver": Line("bronze to silver, against unique", 0.5, silver, 1_300_000_000),
    "silver_best": Line("bronze to silver, against the best by hand", 1.1, silver_best, 1_300_000_000),
    "all_zones": Line("landing to gold", 0.75, all_zones),
    "all_zones_best": Line("landing to gold, against the best by hand", 1.1, all_zones_best),
    "upsert_1pct": Line("1% new, by key, the newest, against the whole", 0.08, upsert_1pct),
    "upsert_scattered": Line("1% new, by key, scattered, against the whole", 0.4, upsert_scattered),
    "append_1pct": Line("1% new, appended, against the whole", 0.04, append_1pct),
    "idle": Line("100 tables, nothing new, against 2 s", 1.0, idle),
    "small_files": Line("10,000 files of 1 kB, against a bare loop", 1 / 0.6, small),
    "sf10": Line("ten times as much, landing to gold: its memory", 1.0, tenfold, 2_500_000_000),
    "sf10_duplicates": Line(
        "ten times as much with duplicates, landing to silver: its memory", 1.0, tenfold_duplicates, 2_500_000_000
    ),
    "many_commits": Line("a table after 1,000 commits, against a fresh one", 1.5, many_commits),
    "catalog_commits": Line("a catalog after 1,000 commits, against a fresh one", 1.5, catalog_commits),
    "queries": Line("Q1, Q3, Q6, Q18 again, against DuckDB on local files", 1.2, queries),
    "queries_first": Line("Q1, Q3, Q6 the first time, against Polars' SQL on the store", 1.2, queries_first),
    "tpch": Line("TPC-H's 22 queries again, as published, against DuckDB on local files", 1.2, every_query),
}
