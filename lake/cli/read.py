"""``lake tables | columns | history | query``: what is published, and since when."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import click
import polars as pl

from catalog.errors import UsageError
from catalog.log import Commit
from catalog.zones import TableName
from lake.cli.emit import emit, whole_file
from lake.cli.options import FORMATS, at_option, format_option, limit_option
from lake.cli.report import say
from lake.query import save_query, stream_query
from lake.reading import Lake, View, open_lake
from lake.scratch import scratch_folder

SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


@click.command()
@at_option
@format_option(*FORMATS)
@click.pass_obj
def tables(project: Path | None, at: int | None, form: str | None) -> None:
    """List the published tables: name, version, rows, and the size of their files in bytes.

    In Python: lake.open().tables(), lake.open().at(N).tables().
    """
    view = open_lake(project).at(at)
    schema = {"name": pl.String, "version": pl.Int64, "rows": pl.Int64, "size_bytes": pl.Int64}
    frame = pl.DataFrame([asdict(info) for info in view.tables()], schema=schema)
    emit([frame], form or "table", None, frame.height)
    if frame.is_empty():
        say("nothing is published; next: lake run")


@click.command()
@click.argument("text", default="")
@click.option("--table", metavar="TABLE", help="Of this table alone.")
@at_option
@format_option(*FORMATS)
@click.pass_obj
def columns(project: Path | None, text: str, table: str | None, at: int | None, form: str | None) -> None:
    """Find columns of the published tables: those in whose name or label TEXT is, or all.

    A label is what the file says of a column (SPSS, Stata, SAS), or its name as found where that could not be stored.
    Capitals and accents make no difference. In Python: lake.open().columns("income").

    \b
    Examples:
      lake columns income
      lake columns --table bronze.households
    """
    found = open_lake(project).at(at).columns(text, table)
    if found.is_empty():
        say(f"no column of {table or 'the published tables'} has {text!r} in its name or label")
    emit([found], form or "table", None, found.height)


@click.command()
@click.argument("table", required=False)
@format_option(*FORMATS)
@limit_option
@click.pass_obj
def history(project: Path | None, table: str | None, form: str | None, limit: int) -> None:
    """List the catalog's commits, or with TABLE its published versions, newest first.

    The number of a commit is what --at takes. In Python: lake.open().history().

    \b
    Examples:
      lake history                     each commit: by whom, why, by which run, which tables it changed
      lake history silver.flights      each commit that published another version of this table
    """
    lake = open_lake(project)
    if table is None:
        # Beyond those that are shown: one that tells that there are more, and one that the last is compared with.
        frame = _commits(lake.history(limit + 2 if form in (None, "table") else None))
    else:
        frame = _versions(lake.history(), str(TableName.parse(table)), lake.at())
        say(f"published versions of {table}, newest first")
    emit([frame], form or "table", None, limit)


@click.command()
@click.argument("sql")
@at_option
@format_option(*FORMATS, "parquet")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; its suffix tells the format."
)
@limit_option
@click.pass_obj
def query(project: Path | None, sql: str, at: int | None, form: str | None, output: Path | None, limit: int) -> None:
    """Run SQL (DuckDB's dialect) over the published tables. With - the SQL comes from standard input.

    Tables are written zone.name, as in silver.flights. A query only reads, and reads nothing but these. Its memory is
    bounded by [compute] memory_gb. In Python: lake.open().query(sql).

    \b
    Examples:
      lake query "select carrier, count(*) from silver.flights group by carrier"
      lake query "from gold.delays_by_carrier" --at 3 --format csv > delays.csv
      lake query "summarize silver.flights"
      lake query - --output late.parquet < late.sql
    """
    form = form or _form_of(output)
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise UsageError("Parquet is not for a terminal", next="--output FILE.parquet, or > FILE.parquet")
    lake = open_lake(project)
    sql = sys.stdin.read() if sql == "-" else sql
    if form == "parquet":
        _save(lake, lake.at(at), sql, output)
        return
    with closing(stream_query(lake.at(at), lake.settings, sql)) as frames:
        emit(frames, form, output, limit)


def _form_of(output: Path | None) -> str:
    """The form that a file's suffix tells; a table where there is no file."""
    if output is None:
        return "table"
    form = SUFFIXES.get(output.suffix.lower())
    if form is None:
        raise UsageError(
            f"the suffix of {output} tells no format", next=f"end it in {', '.join(SUFFIXES)}, or say --format"
        )
    return form


def _save(lake: Lake, view: View, sql: str, output: Path | None) -> None:
    """A result as Parquet, whose end is written first: so it is a file before it goes down a pipe."""
    if output is not None:
        with whole_file(output) as part:
            save_query(view, lake.settings, sql, part)
        return
    with scratch_folder(lake.settings.state) as folder:
        part = folder / "result.parquet"
        save_query(view, lake.settings, sql, part)
        with part.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)


def _commits(commits: list[Commit]) -> pl.DataFrame:
    """The catalog's commits as rows, with the tables whose version each one changed against the one before it."""
    rows = [
        {
            "commit": commit.number,
            "at": commit.at,
            "author": commit.author,
            "message": commit.message,
            "run": commit.run,
            "tables": ", ".join(name for name, pin in sorted(commit.tables.items()) if earlier.tables.get(name) != pin),
        }
        for commit, earlier in _changes(commits)
    ]
    names = ("at", "author", "message", "run", "tables")
    return pl.DataFrame(rows, schema={"commit": pl.Int64} | dict.fromkeys(names, pl.String))


def _versions(commits: list[Commit], table: str, view: View) -> pl.DataFrame:
    """The commits that published another version of a table. Raises `NotFound` where none did."""
    rows = [
        {"commit": commit.number, "version": commit.tables[table].version, "at": commit.at, "run": commit.run}
        for commit, earlier in _changes(commits)
        if table in commit.tables and earlier.tables.get(table) != commit.tables[table]
    ]
    if not rows:
        view.snapshot(table)
    return pl.DataFrame(rows, schema={"commit": pl.Int64, "version": pl.Int64, "at": pl.String, "run": pl.String})


def _changes(commits: list[Commit]) -> Iterator[tuple[Commit, Commit]]:
    """Each commit with the one before it, which the oldest lacks, unless it is the first of all."""
    return pairwise(commits if commits and commits[-1].number > 1 else [*commits, Commit(0)])
