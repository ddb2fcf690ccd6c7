"""Frames to standard output or a file, in the form that was asked for, a frame at a time."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TextIO

import click
import polars as pl

from catalog.errors import UsageError
from lake.cli.output import as_csv, as_jsonl, as_table
from lake.cli.report import say

EXPLAINED = ["explain_key", "explain_value"]


def emit(frames: Iterable[pl.DataFrame], form: str, output: Path | None, rows_shown: int) -> None:
    """Write frames of one schema, at least one: a table of the first rows, or all of them as CSV or JSON lines.

    A file is written as a whole or not at all. Raises `UsageError` where it cannot be.
    """
    if output is None:
        _print(frames, form, rows_shown)
        return
    with whole_file(output) as part, part.open("w", encoding="utf-8", newline="") as stream:
        _write(frames, form, stream, rows_shown)


def emit_lazily(rows: pl.LazyFrame, form: str | None, limit: int, empty: str) -> bool:
    """Print rows that are read as they are written, for a table no more than it shows; whether there are any.

    Where there are none, ``empty`` is said.
    """
    frames = iter([rows.head(limit + 1).collect()]) if form in (None, "table") else rows.collect_batches()
    first = next(frames, pl.DataFrame(schema=rows.collect_schema()))
    if first.is_empty():
        say(empty)
    emit(chain([first], frames), form or "table", None, limit)
    return not first.is_empty()


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A file beside the target, which takes its place at the end, if nothing is raised."""
    if not target.parent.is_dir():
        raise UsageError(f"{target} cannot be written: no folder {target.parent}", next="make it, or name another file")
    part = target.with_name(f".{target.name}.part")
    try:
        yield part
        part.replace(target)
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written: {error.strerror or error}", next="name another file, or make room"
        ) from None
    finally:
        part.unlink(missing_ok=True)


def _print(frames: Iterable[pl.DataFrame], form: str, rows_shown: int) -> None:
    try:
        _write(frames, form, sys.stdout, rows_shown)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads has had enough, as head(1) has. That is no error; what is still in the buffer goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(frames: Iterable[pl.DataFrame], form: str, stream: TextIO, rows_shown: int) -> None:
    if form == "csv":
        for number, frame in enumerate(frames):
            click.echo(as_csv(frame, header=number == 0), file=stream, nl=False)
    elif form == "jsonl":
        _write_jsonl(frames, stream)
    else:
        _write_table(frames, stream, rows_shown)


def _write_jsonl(frames: Iterable[pl.DataFrame], stream: TextIO) -> None:
    lost = 0
    for frame in frames:
        text, without_number = as_jsonl(frame)
        lost += without_number
        click.echo(text, file=stream, nl=False)
    if lost:
        say(f"written as null, since JSON lacks them: NaN and infinities, {lost:,} in all; CSV and Parquet keep them")


def _write_table(frames: Iterable[pl.DataFrame], stream: TextIO, rows_shown: int) -> None:
    taken: list[pl.DataFrame] = []
    for frame in frames:
        taken.append(frame)
        if sum(each.height for each in taken) > rows_shown:
            break
    found = pl.concat(taken)
    if found.columns == EXPLAINED:
        click.echo("\n".join(found["explain_value"]), file=stream)
        return
    width = shutil.get_terminal_size().columns if stream.isatty() else None
    click.echo(as_table(found.head(rows_shown), width), file=stream)
    if found.height > rows_shown:
        say(f"these are the first {rows_shown} rows; --limit N shows more, --format csv or jsonl writes all")
