"""``lake deliveries``: what was expected, and what came."""

from datetime import datetime
from pathlib import Path

import click
import polars as pl

from lake.cli.emit import emit
from lake.cli.options import FORMATS, format_option
from lake.cli.report import say
from lake.reading import open_lake

ALWAYS = ("dataset", "status", "arrived_at", "files", "rows", "file")


@click.command()
@click.argument("datasets", nargs=-1)
@click.option("--at", "day", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="As of a day [default: today].")
@format_option(*FORMATS)
@click.pass_obj
def deliveries(project: Path | None, datasets: tuple[str, ...], day: datetime | None, form: str | None) -> None:
    """Say what was expected (of DATASETS, or all) and what came: arrived, late, missing, corrected, duplicate.

    What is expected stands in lake.toml; without that, what came is listed. "change" is the growth of the rows against
    the period before: -0.5 is half of them. Days are in UTC. In Python: lake.open().deliveries().

    \b
    lake.toml:
      [datasets.prices.deliveries]
      supplier = "Statistics Tyrol"
      period = "month"                       # day, week, month, quarter, year
      files = "cpi_{yyyy}-{mm}*"             # also {yy} {dd} {q} {ww}
      due_days = 15                          # after the period's end
      starts = "2026-01"                     # the first that is expected
      business_days = true                   # count these alone, without
      holidays = [2026-01-06]

    \b
    status:
      expected    its period is over, and it is not due yet
      missing     it was due, and nothing came
      arrived     it came by the day it was due;  late: it came after that day
      set aside   what came could not be read (lake quarantine);  retracted: it was taken back
      unplanned   a file whose name tells no period

    What waits in the quarantine now: "set_aside" files, or parts of files, whole; "rejected" single records of the
    others.
    """
    lake = open_lake(project)
    found = lake.deliveries(datasets, None if day is None else day.date())
    emit([found if form not in (None, "table") else _told(found)], form or "table", None, found.height)
    if found.is_empty():
        say("nothing came, and nothing is expected; next: lake drop FILE --into DATASET")
    elif not lake.settings.schedules():
        say("nothing is expected by lake.toml; lake deliveries --help shows how to say it")


def _told(found: pl.DataFrame) -> pl.DataFrame:
    """The columns that say something here: a table for people has no empty ones."""

    def says_something(name: str) -> bool:
        column = found[name]
        return bool((column != 0).any()) if column.dtype.is_integer() else column.null_count() < column.len()

    return found.select(name for name in found.columns if name in ALWAYS or says_something(name))
