"""``lake inspect``: what would be understood of files, before anything is ingested."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import polars as pl

from catalog.errors import ExitCode, NoProject
from catalog.zones import bronze_table
from lake.cli.output import as_table
from lake.cli.report import say
from lake.inspection import Inspection, Table
from lake.inspection import inspect as inspect_file
from lake.settings import Settings

VALUES_SHOWN = 3
VALUE_WIDTH = 24
RECORD_WIDTH = 100
COLUMNS_SHOWN = 60

_NAMES = {"\t": "a tab", " ": "a space", "": "nothing"}


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--into", "dataset", metavar="DATASET", help="Read as for this dataset [default: by the file's name].")
@click.option(
    "--toml", "only_toml", is_flag=True, help="Print the lines for lake.toml that pin this, and nothing else."
)
@click.pass_obj
def inspect(project: Path | None, files: tuple[Path, ...], dataset: str | None, only_toml: bool) -> int:
    """Say what would be understood of FILES, before anything is ingested; changes nothing and needs no store.

    Each is read as an ingest would read it, to its end: format, encoding, dialect, columns with their first values, how
    many rows, what would be set aside and why, and what was assumed. In a lake project by what lake.toml says. Exit
    code 1 where something would be set aside. In Python: lake.inspect(path).

    \b
    Examples:
      lake inspect data/cpi_2026-01.csv
      lake inspect data/cpi_2026-01.csv --into prices --toml >> lake.toml
    """
    settings = _settings(project)
    is_good = True
    for path in files:
        found = inspect_file(path, dataset, settings)
        click.echo(found.toml() if only_toml else _told(found), nl=not only_toml)
        is_good = is_good and not found.refused and not any(table.rejected for table in found.tables)
        if only_toml and not found.tables:
            say(f"{path}: nothing to pin; lake inspect {path} says why")
    return int(ExitCode.OK if is_good else ExitCode.DATA_REFUSED)


def _settings(project: Path | None) -> Settings | None:
    """The project's settings; None outside of one, unless one was named."""
    try:
        return Settings.load(project)
    except NoProject:
        return None


def _told(found: Inspection) -> str:
    told = [f"{found.path}: {found.format or 'refused'}, {found.path.stat().st_size:,} bytes, for {found.dataset}"]
    for name, reason in found.refused.items():
        told.append(f"  would be set aside{f', {name}' if name else ' whole'}: {reason}")
    if found.kept and not found.tables and not found.refused:
        told.append("  no table: it would be kept as it is, byte for byte")
    told += [f"  note: {notice}" for notice in found.notices]
    for table in found.tables:
        told += ["", *_told_table(found, table)]
    for table in found.intolerable:
        told += ["", *_told_table(found, table, "if any number might be bad, ")]
    if found.toml():
        told += ["", "these lines of lake.toml pin it (--toml prints them alone):", "", found.toml()]
    elif found.refused:
        told += [
            "",
            "next: pin what is wrong in lake.toml (encoding, delimiter, skip_lines, format), or have it sent again",
        ]
    return "\n".join(told)


def _told_table(found: Inspection, table: Table, supposing: str = "") -> list[str]:
    name = bronze_table(found.dataset, table.part)
    of = f" of {table.file}" if "#" in table.file else ""
    aside = f"; {table.rejected:,} would be set aside" if table.rejected else ""
    told = [
        f"{name}{of}: {supposing}{table.rows:,} of {table.records:,} records are rows{aside}",
        *told_dialect(table.dialect),
    ]
    notices = dict.fromkeys((*table.dialect.get("assumptions", ()), *table.notices))
    told += [f"  note: {notice}" for notice in notices]
    told += ["", *_told_columns(table)]
    if table.rejected:
        by_rule = ", ".join(f"{count:,} by the rule {rule}" for rule, count in table.rejected_by.items())
        told += ["", f"would be set aside: {by_rule}"]
        for line, rule, message, record in table.first_rejects.iter_rows():
            told.append(f"  line {line}: {message} ({rule})")
            told += [f"    {record[:RECORD_WIDTH]!r}"] if record else []
        more = table.rejected - table.first_rejects.height
        told += [f"  and {more:,} more"] if more > 0 else []
    return told


def told_dialect(said: Mapping[str, Any], width: int = 10) -> list[str]:
    """The dialect of a text table, a line a fact; nothing of what is none."""
    if "delimiter" not in said:
        return []
    quote = said.get("quote", "")
    facts = {
        "encoding": f"{said.get('encoding', 'utf-8')}{', with a byte order mark' if said.get('bom') else ''}",
        "delimiter": _NAMES.get(said["delimiter"], said["delimiter"]),
        "quote": f"{_NAMES.get(quote, quote)}{_escaped(said.get('escape', 'double')) if quote else ''}",
        "comments": f"lines that begin with {said['comment']}" if said.get("comment") else "",
        "header": _header(said.get("header_line", 1), said.get("header_rows", 1)),
    }
    return [f"  {name:<{width}} {fact}" for name, fact in facts.items() if fact]


def _escaped(escape: str) -> str:
    return {"double": "", "backslash": ", inside of quotes after a backslash"}.get(escape, ", never inside of quotes")


def _header(line: int, rows: int) -> str:
    if not rows:
        return "none: the columns are numbered"
    return f"line {line}" if rows == 1 else f"lines {line} to {line + rows - 1}"


def _told_columns(table: Table) -> list[str]:
    """A line a column: its name, its type unless it is text, its label, and its first values."""
    rows = [
        {
            "column": series.name,
            "type": "text" if series.dtype == pl.String else str(series.dtype),
            "label": table.labels.get(series.name),
            "first values": "  |  ".join(_short(value) for value in series.head(VALUES_SHOWN)),
        }
        for series in table.first_rows.get_columns()[:COLUMNS_SHOWN]
    ]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(("column", "type", "label", "first values"), pl.String))
    told = as_table(frame if table.labels else frame.drop("label")).splitlines()
    more = table.first_rows.width - COLUMNS_SHOWN
    return [f"  {line}" for line in told] + ([f"  and {more} columns more"] if more > 0 else [])


def _short(value: object) -> str:
    text = "∅" if value is None else str(value)
    return text if len(text) <= VALUE_WIDTH else f"{text[: VALUE_WIDTH - 1]}…"
