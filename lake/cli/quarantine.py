"""``lake quarantine list | show | replay`` and ``lake retract``: what was set aside, and the ways back."""

from pathlib import Path
from typing import Any

import click
import polars as pl

from catalog.errors import ExitCode, NotFound, UsageError
from lake.advice import next_step
from lake.cli.emit import emit_lazily
from lake.cli.options import FORMATS, ROWS_SHOWN, format_option, limit_option
from lake.cli.progress import progress
from lake.cli.report import counted, exit_code, say
from lake.reading import open_lake

SHOWN = ("id", "file", "line", "rule", "message")
STATUSES = ("waiting", "done", "all")


@click.group(invoke_without_command=True)
@click.pass_context
def quarantine(context: click.Context) -> None:
    """List what was set aside and why, show it whole, and put it through again.

    Records that broke a rule, and files that could not be read; the latter are kept byte for byte in bronze.

    \b
    Examples:
      lake quarantine list --table bronze.prices
      lake quarantine show prices/00000003/000000:1
      lake quarantine replay prices/2026-01.csv          after lake.toml says how it is to be read
    """
    if context.invoked_subcommand is None:
        context.invoke(quarantine_list, form=None, limit=ROWS_SHOWN)


@quarantine.command("list")
@click.option("--table", metavar="TABLE", help="For this table alone.")
@click.option("--file", metavar="FILE", help="From this landed file alone.")
@click.option("--rule", metavar="RULE", help="By this rule alone.")
@click.option(
    "--status", type=click.Choice(STATUSES), default="waiting", show_default=True, help="What waits, or more."
)
@format_option(*FORMATS)
@limit_option
@click.pass_obj
def quarantine_list(project: Path | None, /, form: str | None, limit: int, **wanted: str | None) -> None:
    """List what was set aside: from which file and line, by which rule, and why.

    All columns, and the records themselves: lake query "from catalog.quarantine". In Python: lake.open().quarantine().
    """
    file, status = wanted.pop("file"), wanted["status"]
    rows = open_lake(project).quarantine()
    for name, value in wanted.items():
        if value not in (None, "all"):
            rows = rows.filter(pl.col(name) == value)
    if file is not None:
        rows = rows.filter((pl.col("file") == file) | pl.col("file").str.starts_with(f"{file}#"))
    empty = "nothing is set aside" if status == "all" else f"nothing is set aside and {status}"
    if emit_lazily(rows.select(SHOWN), form, limit, empty):
        say("next: lake quarantine show ID says what to do about each")


@quarantine.command("show")
@click.argument("names", metavar="ID...", nargs=-1, required=True)
@click.pass_obj
def quarantine_show(project: Path | None, names: tuple[str, ...]) -> None:
    """Show records or files that were set aside: where each is from, why, its raw text, and what to do next.

    IDs are as in lake quarantine list; a landed file's name shows the first of it that waits. In Python:
    lake.open().quarantine().

    \b
    Examples:
      lake quarantine show prices/00000003/000000:1
      lake quarantine show prices/00000003/000000:1 prices/00000003/000000:2
    """
    rows, asked = open_lake(project).quarantine(), list(dict.fromkeys(names))
    named = [rows.filter((pl.col("id") == name) | (pl.col("file") == name)) for name in asked]
    found = pl.collect_all([each.sort(pl.col("status") != "waiting").head(1) for each in named])
    for name, frame in zip(asked, found, strict=True):
        if frame.is_empty():
            raise NotFound(f"nothing in the quarantine is called {name!r}", next="lake quarantine list shows the ids")
    for number, frame in enumerate(found):
        if number:
            click.echo()
        _show(frame.row(0, named=True))


def _show(row: dict[str, Any]) -> None:
    for key in ("id", "table", "file", "line", "rule", "message", "status", "done_by", "run", "at", "archived_as"):
        if row[key] is not None:
            click.echo(f"{key:<12} {row[key]}")
    if row["record"] is not None:
        click.echo(f"\n{row['record']}")
    say(f"\nnext: {next_step(row)}")


@quarantine.command("replay")
@click.argument("what", metavar="[FILE|ID]...", nargs=-1)
@click.option("--record", metavar="TEXT", help="What to read in the place of the one record that ID names.")
@click.option("--dataset", "datasets", metavar="DATASET", multiple=True, help="What waits for this dataset alone.")
@click.option("--dry-run", is_flag=True, help="Say what would be read again; changes nothing.")
@click.pass_obj
def quarantine_replay(
    project: Path | None, what: tuple[str, ...], record: str | None, datasets: tuple[str, ...], dry_run: bool
) -> int:
    """Read again what waits: all of it, or files by their landing names, or records by their ids.

    Each file is read from the archive as lake.toml says now, whole, and takes the place of its earlier reading: no row
    comes twice, what passes now goes in, and what still does not waits anew. Exit code 1 where a file was set aside,
    and where the text of --record was not used, which is said. In Python: lake.open().replay([...]).

    \b
    Examples:
      lake quarantine replay                             all that waits
      lake quarantine replay prices/2026-01.csv          after a change of lake.toml
      lake quarantine replay prices/00000003/000000:1 --record "2026-01-07;12,50"
    """
    lake = open_lake(project)
    if record is not None and len(what) != 1:
        raise UsageError("--record is the text of one record", next="name one ID, as lake quarantine list shows it")
    if dry_run:
        for row in lake.waiting(what, datasets):
            what_waits = counted(row["count"], "record") if row["is_record"] else "the whole file"
            click.echo(f"{row['id'] or row['file']}  {what_waits} ({row['rule']})")
        return 0
    records = {} if record is None else {what[0]: record}
    with progress() as told:
        result = lake.replay(what, records=records, datasets=datasets, told=told)
    if not result.batches:
        say("nothing waits to be replayed")
    if result.is_published:
        say(f"published as commit {result.commit.number}; next: lake quarantine list, or lake promote")
    code = exit_code(result)
    for name in result.unused:
        say(
            f"error: the text for {name} was not used: no record of its own begins on its line, as the file is read now"
        )
        say("  next: lake quarantine list shows what waits; or have the file corrected and drop it under the same name")
    return int(ExitCode.DATA_REFUSED) if result.unused else code


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.pass_obj
def retract(project: Path | None, files: tuple[str, ...]) -> int:
    """Take FILES back, by their landing names (DATASET/NAME): their rows leave bronze in one commit.

    The raw bytes stay in the archive and the ledger says that the file was retracted; dropped again, it comes in again.
    Silver and gold follow with the next lake promote. In Python: lake.open().retract([...]).

    \b
    Example:
      lake retract prices/2026-01.csv
    """
    with progress() as told:
        result = open_lake(project).retract(files, told)
    if result.is_published:
        say(f"published as commit {result.commit.number}; next: lake promote")
    else:
        say("nothing to take back: these files have no rows in bronze")
    return exit_code(result)
