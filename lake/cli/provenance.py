"""``lake provenance | raw``: where a number came from, and the bytes that it came as."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import polars as pl

from catalog.errors import UsageError
from catalog.log import Commit
from lake.cli.inspect import told_dialect
from lake.cli.options import at_option
from lake.cli.output import as_table, plain, visible
from lake.cli.report import counted, say
from lake.provenance import Provenance, Reading, Record
from lake.reading import open_lake

_FACTS = (
    *("file", "arrived_at", "ingested_at", "run", "size_bytes", "sha256", "archived_as", "origin", "format"),
    *("rule", "reason", "notice"),
)


@click.command()
@click.argument("name", metavar="FILE")
@click.option("--line", type=click.IntRange(1), metavar="N", help="Also show the record that begins on this line.")
@at_option
@click.pass_obj
def provenance(project: Path | None, name: str, line: int | None, at: int | None) -> None:
    """Say where the rows of a file came from: its deliveries, and what became of each; with --line also of one record.

    FILE is a name as rows have it in _file (prices/2026-01.csv, prices/all.zip#north.csv), or one delivery's as in
    their _batch (prices/00000012/000003). Of each delivery and each later reading of its bytes: when it came, by which
    run and batch, its SHA-256, how it was read, its records, rows and rejects, what a person mended, and the first
    commit of the catalog that has it.

    With --line N (a row's _line) the record as it lies in the archive, what was written in its place if it was mended,
    and the rows that bronze has of it. The file is read again for that, to the line. In Python:
    lake.open().provenance(file, line).

    \b
    Examples:
      lake provenance prices/2026-01.csv
      lake provenance prices/2026-01.csv --line 5
      lake provenance prices/2026-01.csv --line 5 --at 3      as it was published by commit 3
    """
    found = open_lake(project).at(at).provenance(name, line)
    click.echo("\n".join(_told(found)))
    say(f"\nnext: lake raw {found.readings[-1].entry['delivery']} --out PATH gives the bytes as they came")


@click.command()
@click.argument("name", metavar="FILE")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="PATH", help="A new file [default: standard output]."
)
@at_option
@click.pass_obj
def raw(project: Path | None, name: str, out: Path | None, at: int | None) -> None:
    """Give a file back as it came, byte for byte, out of the archive.

    FILE is a landing name, of which the newest delivery counts, or one delivery's (prices/00000012/000003), as lake
    provenance lists them; of a part of a file, such as a member of an archive, it is the whole file. The bytes are
    checked against the ledger's SHA-256 before any is given, and no file is overwritten. In Python:
    lake.open().raw(file, path).

    \b
    Examples:
      lake raw prices/2026-01.csv --out 2026-01.csv
      lake raw prices/00000012/000003 | head
    """
    view = open_lake(project).at(at)
    if out is not None:
        entry = view.raw(name, out)
        say(f"{out}: {entry['size_bytes']:,} bytes of {entry['file']} ({entry['delivery']}), SHA-256 as in the ledger")
        return
    if sys.stdout.isatty():
        raise UsageError("raw bytes are not for a terminal", next="--out PATH, or a pipe, as in | less")
    with view.raw_file(name) as (path, _), path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _told(found: Provenance) -> Iterator[str]:
    for number, reading in enumerate(found.readings):
        yield from ("",) if number else ()
        yield from _told_reading(reading, found.file)
    if found.record is not None:
        yield ""
        yield from _told_record(found.record)


def _told_reading(reading: Reading, file: str) -> Iterator[str]:
    entry = reading.entry
    gone = "; its rows are in bronze no more" if entry["rows"] else ""
    yield f"{entry['delivery']}: {entry['fate']}{'; its rows are in bronze' if reading.is_standing else gone}"
    told = plain(pl.DataFrame([{name: entry[name] for name in _FACTS}])).row(0, named=True)
    yield from (_fact(name, told[name]) for name in _FACTS if told[name] is not None)
    if reading.is_standing or entry["records"]:
        yield _fact("records", f"{entry['records']:,}: {entry['rows']:,} rows, {entry['rejected']:,} set aside")
    for part in reading.details.get("parts", ()):
        if file in (entry["file"], part["file"]):
            named = [] if part["file"] == entry["file"] else [_fact("part", f"{part['file']}, {part['rows']:,} rows")]
            yield from (*named, *told_dialect(part.get("dialect", {}), width=12))
    for mended, lines in reading.details.get("patches", {}).items():
        yield _fact("mended", f"{mended}: {counted(len(lines), 'record')}, on line {', '.join(lines)}")
    yield _fact("commit", _told_commit(reading.commit))


def _told_commit(commit: Commit | None) -> str:
    if commit is None:
        return "none yet"
    return f"{commit.number}, {commit.at}, by {commit.author}: {commit.message}"


def _told_record(record: Record) -> Iterator[str]:
    yield f"line {record.line} of {record.file}, in the archive ({record.reading.entry['delivery']}):"
    yield f"  {record.why}" if record.text is None else _indented(record.text)
    if record.mended is not None:
        yield from ("", "mended, and read in its place:", _indented(record.mended))
    for table, rows in record.rows.items():
        yield from ("", f"in {table}:")
        for row in plain(rows).cast(pl.String).iter_rows():
            values = pl.DataFrame({"column": rows.columns, "value": row}, schema_overrides={"value": pl.String})
            yield _indented(as_table(values))
    for reject in record.rejects.iter_rows(named=True):
        yield from ("", f"set aside, {reject['status']}: {reject['message']} ({reject['rule']})", f"  {reject['id']}")
    if not record.rows and record.rejects.is_empty():
        yield from ("", "no row of bronze begins on this line in this reading, and nothing is set aside")


def _fact(name: str, value: object) -> str:
    return f"  {name:<12} {visible(str(value))}"


def _indented(text: str) -> str:
    return "\n".join(f"  {visible(line)}" for line in text.split("\n"))
