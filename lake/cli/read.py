"""``lake tables | history | query | quarantine``: what is published, since when, and what was set aside."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import click
import polars as pl

from catalog.errors import UsageError
from catalog.log import Commit
from catalog.zones import TableName
from lake.cli.emit import emit, whole_file
from lake.cli.report import say
from lake.query import save_query, stream_query
from lake.reading import Lake, View, open_lake
from lake.scratch import scratch_folder

FORMATS = ("table", "csv", "jsonl")
SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
ROWS_SHOWN = 40

Command = Callable[..., Any]


def _at(command: Command) -> Command:
    return click.option("--at", type=int, metavar="N", help="As of catalog commit N [default: the newest].")(command)


def _format(*formats: str) -> Callable[[Command], Command]:
    return click.option("--format", "form", type=click.Choice(formats), help="[default: table]")


def _limit(command: Command) -> Command:
    text = "How many rows a table shows; CSV, JSON lines and Parquet have all."
    return click.option("--limit", type=click.IntRange(1), default=ROWS_SHOWN, show_default=True, help=text)(command)


@click.command()
@_at
@_format(*FORMATS)
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
@click.argument("table", required=False)
@_format(*FORMATS)
@_limit
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
@_at
@_format(*FORMATS, "parquet")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; its suffix tells the format."
)
@_limit
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


@click.group(invoke_without_command=True)
@click.pass_context
def quarantine(context: click.Context) -> None:
    """List what was set aside, and why: lake quarantine list.

    Records that broke a rule, and files that could not be read; the latter are kept byte for byte in bronze.
    """
    if context.invoked_subcommand is None:
        context.invoke(quarantine_list, form=None, limit=ROWS_SHOWN)


@quarantine.command("list")
@_format(*FORMATS)
@_limit
@click.pass_obj
def quarantine_list(project: Path | None, form: str | None, limit: int) -> None:
    """List what was set aside: for which table, from which file and line, by which rule.

    All columns, and the records themselves: lake query "from catalog.quarantine". In Python: lake.open().quarantine().
    """
    frame = open_lake(project).quarantine().select("table", "file", "line", "rule", "message")
    frames = iter([frame.head(limit + 1).collect()]) if form in (None, "table") else frame.collect_batches()
    first = next(frames, pl.DataFrame(schema=frame.collect_schema()))
    if first.is_empty():
        say("nothing is set aside")
    emit(chain([first], frames), form or "table", None, limit)


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
