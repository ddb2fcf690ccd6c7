"""``lake runs | runs show | runs log``: what ran, how it ended, and what it said."""

import json
from pathlib import Path
from typing import Any

import click
import polars as pl

from catalog.register import Status
from lake.cli.emit import emit_lazily
from lake.cli.options import FORMATS, ROWS_SHOWN, format_option, limit_option
from lake.cli.output import as_table
from lake.cli.report import say
from lake.logs import read_log
from lake.reading import open_lake
from lake.runlist import rows_of_run

SHOWN = ("run", "begun_at", "command", "status", "seconds", "tables", "rows_out", "rejected", "commit", "error")

OF_RUN = ("run", "command", "status", "begun_at", "ended_at", "commit", "author", "host", "pid", "revision")
OF_TABLE = ("table", "outcome", "rows_in", "rows_read", "rows_out", "rejected", "files_aside", "version", "seconds")
OF_MACHINE = ("table", "bytes_in", "bytes_out", "memory_peak_bytes", "attempts", "read", "how")
NAME_WIDTH = 12

_EMPTY = (None, "", "0", "0.0", "{}")


@click.group(invoke_without_command=True)
@click.pass_context
def runs(context: click.Context) -> None:
    """List the runs that did something, show one with what it did to each table, and read its log.

    A run is lake run, promote, ingest, quarantine replay, retract, or a look of lake watch or of a schedule. One that
    found nothing new leaves a line in .lake/logs/idle.jsonl and nothing else.

    \b
    Examples:
      lake runs list --status failed
      lake runs show last
      lake runs log last
    """
    if context.invoked_subcommand is None:
        context.invoke(runs_list, status=None, form=None, limit=ROWS_SHOWN)


@runs.command("list")
@click.option("--status", type=click.Choice([str(status) for status in Status]), help="Those that ended so, or run.")
@format_option(*FORMATS)
@limit_option
@click.pass_obj
def runs_list(project: Path | None, status: str | None, form: str | None, limit: int) -> None:
    """List the runs, newest first: ok, failed, interrupted (its process died, or Ctrl-C), running.

    A row for each run and table, with all columns: lake query "from catalog.runs" has them as of the last publication.
    In Python: lake.open().runs().
    """
    rows = open_lake(project).runs()
    if status is not None:
        rows = rows.filter(pl.col("status") == status)
    emit_lazily(_by_run(rows), form, limit, "no run is on the record" if status is None else f"no run is {status}")


@runs.command("show")
@click.argument("run")
@click.pass_obj
def runs_show(project: Path | None, run: str) -> None:
    """Show a run: how it ended, and what it did to each table. RUN is its id, how that begins, or last.

    In Python: lake.open().runs().
    """
    found = rows_of_run(open_lake(project), run)
    first = found.row(0, named=True)
    for name in OF_RUN:
        if first[name] is not None:
            click.echo(f"{name:<{NAME_WIDTH}} {first[name]}")
    if first["error"] is not None:
        click.echo(f"{'error':<{NAME_WIDTH}} {first['error']}")
    if first["error_at"] is not None:
        click.echo(f"{'at':<{NAME_WIDTH}} {first['error_at']}")
    tables = found.filter(pl.col("table").is_not_null())
    for columns in (OF_TABLE, OF_MACHINE):
        if tables.height:
            click.echo(f"\n{as_table(_told(tables.select(columns)))}")
    for row in tables.iter_rows(named=True):
        _show_words(row)
    say(f"\nnext: lake runs log {first['run']}")


@runs.command("log")
@click.argument("run")
@click.option("--format", "form", type=click.Choice(("text", "jsonl")), default="text", show_default=True)
@click.pass_obj
def runs_log(project: Path | None, run: str, form: str) -> None:
    """Read the log of a run that ran on this machine. RUN is its id, how that begins, or last.

    The lines are JSON, in .lake/logs/RUN.jsonl, each with the run's id; --format jsonl writes them as they are.
    """
    lake = open_lake(project)
    found = rows_of_run(lake, run)["run"][0]
    for line in read_log(lake.settings.logs, found):
        click.echo(json.dumps(line, ensure_ascii=False) if form == "jsonl" else _line(line))


def _by_run(rows: pl.LazyFrame) -> pl.LazyFrame:
    """A row for each run, in columns as `SHOWN`; the error is cut to its first line."""
    of_run = [pl.col(name).first() for name in ("begun_at", "ended_at", "command", "status", "commit", "error")]
    grouped = rows.group_by("run", maintain_order=True).agg(
        *of_run, pl.col("rows_out").sum(), pl.col("rejected").sum(), tables=pl.col("table").n_unique()
    )
    seconds = ((pl.col("ended_at") - pl.col("begun_at")).dt.total_milliseconds() / 1000).round(3)
    first_line = pl.col("error").str.split("\n").list.first()
    return grouped.with_columns(seconds=seconds, error=first_line).select(SHOWN)


def _told(tables: pl.DataFrame) -> pl.DataFrame:
    """The columns that say something here: a table for people has no empty ones."""
    return tables.select(
        name for name in tables.columns if name == "table" or not tables[name].cast(pl.String).is_in(_EMPTY).all()
    )


def _show_words(row: dict[str, Any]) -> None:
    """What is said of one table, below its numbers: why, warnings, the error and where it is."""
    click.echo(f"\n{row['table']}: {row['outcome']} ({row['reason']})")
    for warning in json.loads(row["warnings"]):
        click.echo(f"  warning: {warning}")
    if row["table_error"] is not None:
        where = f" ({row['table_error_at']})" if row["table_error_at"] else ""
        click.echo(f"  error: {row['table_error']}{where}")


def _line(line: dict[str, Any]) -> str:
    """A line of a log for people: when, how bad, what; below it the traceback, if there is one."""
    at = str(line.get("at", ""))[:19].replace("T", " ")
    told = f"{at}  {line.get('level', ''):<8} {line.get('message', '')}"
    return "\n".join([told, *str(line.get("traceback", "")).splitlines()])
