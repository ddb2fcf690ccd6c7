"""What a run says on stderr as it goes: each batch, each job, and what to look at."""

import time

import click

from catalog.errors import ExitCode
from catalog.ledger import Fate
from ingestion.absorb import Read
from ingestion.batch import Finished
from lake.promote.runner import Outcome
from lake.run import RunResult

EVERY_SECONDS = 2.0


def say(text: str) -> None:
    """Talk goes to stderr; stdout is for data."""
    click.echo(text, err=True)


def tell(done: Read | Finished | Outcome) -> None:
    """Say how far a batch is, now and then, and what became of a batch or of a job."""
    if isinstance(done, Read):
        _progress.read(done)
    elif isinstance(done, Finished):
        _tell_batch(done)
    else:
        _tell_outcome(done)


class _Progress:
    """A line every few seconds while a batch is read, so that a long one is seen to move."""

    def __init__(self) -> None:
        self._said = time.monotonic()
        self._rows = 0

    def read(self, read: Read) -> None:
        """One more delivery was read."""
        self._rows = read.entry.rows if read.done == 1 else self._rows + read.entry.rows
        if time.monotonic() - self._said >= EVERY_SECONDS and read.done < read.of:
            say(f"  {read.entry.dataset}: {read.done:,} of {read.of:,} files, {_count(self._rows, 'row')} so far")
            self._said = time.monotonic()


_progress = _Progress()


def _tell_batch(batch: Finished) -> None:
    entries = batch.entries
    taken = [entry for entry in entries if entry.fate == Fate.INGESTED]
    rows = sum(entry.rows for entry in taken)
    say(f"{batch.manifest.table}: {_count(len(taken), 'file')} of {len(entries)}, {_count(rows, 'row')}")
    for entry in entries:
        if entry.fate == Fate.REJECTED:
            say(f"  set aside: {entry.file}: {entry.reason}")
        elif entry.fate == Fate.WITHDRAWN:
            say(f"  withdrawn: {entry.file} was deleted before it was read")
        elif entry.notice:
            say(f"  {entry.file}: {entry.notice}")


def _tell_outcome(outcome: Outcome) -> None:
    if outcome.status == "ran":
        say(f"{outcome.table}: {_count(outcome.rows_out, 'row')} ({outcome.reason})")
    else:
        say(f"{outcome.table}: {outcome.status} ({outcome.reason})")
    for source, columns in outcome.nulls.items():
        for column, tokens in columns.items():
            told = ", ".join(f"{count:,} {token!r}" for token, count in tokens.items())
            say(f"  {source} {column}: {told} read as missing")
    for warning in outcome.warnings:
        say(f"  warning: {warning}")
    if outcome.rejected:
        say(f"  set aside: {_count(outcome.rejected, 'row')}; lake quarantine shows them")
    if outcome.error is not None:
        say(f"  error: {outcome.error}")


def exit_code(result: RunResult) -> int:
    """1 where a file was set aside or a job failed, else 0; says what to do about the files."""
    if result.rejected:
        say(f"set aside: {_count(len(result.rejected), 'file')}; next: lake quarantine, then drop them again, mended")
    return int(ExitCode.DATA_REFUSED if result.rejected or result.failed else ExitCode.OK)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
