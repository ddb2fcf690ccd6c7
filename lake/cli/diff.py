"""``lake plan --diff``: which rows a run would add, remove and change, as text or as JSON lines."""

import json
import shutil
import sys
from collections.abc import Iterator, Sequence

import click
import polars as pl

from catalog.errors import DataRefused, ExitCode
from lake.cli.output import as_jsonl, as_table, plain
from lake.cli.report import counted, say, tell
from lake.promote.compare import Difference, Sample
from lake.promote.outcome import Said
from lake.reading import Lake

Parts = list[tuple[str, Sample]]


def show_diffs(lake: Lake, tables: Sequence[str], limit: int, form: str) -> int:
    """Say of each table what a run would change in it; the exit code, 1 where one of them would not be made."""
    code = ExitCode.OK
    for table in tables:
        try:
            found = lake.diff(table, limit, lambda event: tell(event) if isinstance(event, Said) else None)
        except DataRefused as error:
            say(f"{table}: error: {error}")
            code = ExitCode.DATA_REFUSED
            continue
        for source in found.moving:
            say(f"{table}: {source} changes before it in a run, and is read as it is now")
        for line in _as_jsonl(found.difference) if form == "jsonl" else _as_text(found.difference):
            click.echo(line)
    return int(code)


def changes(found: Difference) -> pl.DataFrame:
    """The changed rows, a line for each column that differs: the key, the column, its text as it is and would be."""
    old, new = (plain(frame).cast(pl.String) for frame in (found.before, found.changed.rows))
    column, before, after = (_free(name, found.key) for name in ("column", "old", "new"))
    lines = [
        {name: row[name] for name in found.key} | {column: name, before: was[name], after: row[name]}
        for was, row in zip(old.iter_rows(named=True), new.iter_rows(named=True), strict=True)
        for name in new.columns
        if was[name] != row[name]
    ]
    return pl.DataFrame(lines, schema=dict.fromkeys([*found.key, column, before, after], pl.String))


def _parts(found: Difference) -> Parts:
    return [
        ("added", found.added),
        ("removed", found.removed),
        ("changed", Sample(found.changed.count, changes(found))),
        ("newly set aside", found.rejects_come),
        ("set aside no more", found.rejects_gone),
    ]


def _as_text(found: Difference) -> Iterator[str]:
    published = "not published yet" if found.version is None else f"version {found.version}"
    yield f"{found.table} ({published}): {found.reason}{f'; {found.how}' if found.how else ''}"
    parts = _parts(found)
    told = ", ".join(f"{sample.count:,} {name}" for name, sample in parts[:3])
    yield f"  {counted(found.rows_before, 'row')} -> {found.rows_after:,}: {told}"
    yield from (f"  {counted(sample.count, 'row')} {name}" for name, sample in parts[3:] if sample.count)
    if found.columns:
        yield f"  columns: {', '.join(found.columns)}; rows are compared by the others"
    yield from (f"  warning: {warning}" for warning in found.warnings)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for name, sample in parts:
        if sample.count:
            shown = found.changed.rows.height if name == "changed" else sample.rows.height
            yield f"\n{name}{f', the first {shown} of {sample.count:,}' if shown < sample.count else ''}:"
            yield as_table(sample.rows, width)


def _as_jsonl(found: Difference) -> Iterator[str]:
    """A line with the counts, then one for each example, which says of what kind it is."""
    counts = {name: sample.count for name, sample in _parts(found)}
    told = {name: getattr(found, name) for name in ("reason", "how", "version", "rows_before", "rows_after", "key")}
    also = {"columns": found.columns, "warnings": found.warnings}
    yield json.dumps({"table": str(found.table), "kind": "counts"} | told | counts | also, ensure_ascii=False)
    for name, sample in _parts(found):
        text, _ = as_jsonl(sample.rows) if sample.rows.width else ("", 0)
        for line in text.splitlines():
            yield f'{{"table":{json.dumps(str(found.table))},"kind":"{name}","row":{line}}}'


def _free(name: str, taken: Sequence[str]) -> str:
    return name if name not in taken else _free(f"_{name}", taken)
