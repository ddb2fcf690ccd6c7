"""``lake show | adopt``: what a table is, and how a table that nobody wrote a job for becomes one's own."""

from collections.abc import Iterator
from pathlib import Path

import click
import polars as pl

from lake.cli.options import at_option
from lake.cli.output import as_table
from lake.cli.report import counted, say
from lake.promote.names import listed, shown
from lake.reading import open_lake
from lake.show import Shown


@click.command()
@click.argument("table")
@at_option
@click.pass_obj
def show(project: Path | None, table: str, at: int | None) -> None:
    """Show what a published table is: its columns, what it promises, what it was made of and how.

    Of a table that nobody wrote a job for it says which type each column got, and why nothing stricter. In Python:
    lake.open().show("silver.sales").

    \b
    Examples:
      lake show silver.sales
      lake show silver.sales --at 3            as it was published by commit 3
    """
    for line in _lines(open_lake(project).at(at).show(table)):
        click.echo(line)


@click.command()
@click.argument("table")
@click.option("--sql", is_flag=True, help="Write it in SQL [default: Python].")
@click.pass_obj
def adopt(project: Path | None, table: str, sql: bool) -> None:
    """Write the job of a table that nobody wrote one for, to be edited: jobs/silver/TABLE.py.

    Run right after, it gives the same rows. No file is overwritten. In Python: lake.open().adopt("silver.sales").

    \b
    Examples:
      lake adopt silver.sales
      lake adopt silver.sales --sql
    """
    path = open_lake(project).adopt(table, sql=sql)
    click.echo(shown(path))
    say("next: edit it; then lake run")


def _lines(table: Shown) -> Iterator[str]:
    yield f"{table.name}  version {table.version}: {counted(table.rows, 'row')}, {table.size_bytes:,} bytes"
    automatic = "nobody wrote a job for it; to make it your own: lake adopt " + table.name if table.is_automatic else ""
    facts = {
        "about": table.description,
        "owner": table.owner,
        "mode": "" if table.is_automatic else table.mode,
        "key": listed(table.key, empty=""),
        "automatic": automatic,
        "made of": listed((f"{name} version {version}" for name, version in table.sources.items()), empty=""),
        "made": table.how,
        "by run": table.run,
        "set aside": f"{counted(table.rejected, 'row')}: lake quarantine list" if table.rejected else "",
        "missing": "; ".join(_missing(table)),
    }
    yield from (f"{name:<10} {value}" for name, value in facts.items() if value)
    yield ""
    yield as_table(_filled(table.columns))
    if not table.expectations.is_empty():
        yield ""
        yield as_table(table.expectations.with_columns(pl.col("message").replace("", "holds")))


def _missing(table: Shown) -> Iterator[str]:
    for source, columns in table.missing.items():
        for column, tokens in columns.items():
            told = listed(f"{count:,} {token!r}" for token, count in tokens.items())
            yield f"{told} of {column} in {source}"


def _filled(columns: pl.DataFrame) -> pl.DataFrame:
    """The columns that say something of a column; what nothing is said of stays empty."""
    return columns.select(each for each in columns if each.null_count() < max(1, columns.height)).fill_null("")
