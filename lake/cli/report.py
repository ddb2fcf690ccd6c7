"""What a run says on stderr as it goes: each batch, each job, and what to look at."""

import click

from catalog.errors import ExitCode
from catalog.ledger import Fate
from catalog.zones import bronze_table
from ingestion.absorb import Read
from ingestion.batch import Finished
from lake.promote.outcome import Event, Outcome, Said
from lake.publication import RunResult


def say(text: str) -> None:
    """Talk goes to stderr; stdout is for data."""
    click.echo(text, err=True)


def tell(done: Read | Finished | Event) -> None:
    """Say what became of a batch or of a job, and what a job itself says; of single files nothing is said."""
    if isinstance(done, Finished):
        _tell_batch(done)
    elif isinstance(done, Outcome):
        _tell_outcome(done)
    elif isinstance(done, Said):
        say(f"  {done.table} says: {done.line}")


def _tell_batch(batch: Finished) -> None:
    entries = batch.entries
    if all(entry.fate == Fate.RETRACTED for entry in entries):
        say(f"{_tables(batch)}: {counted(len(entries), 'file')} taken back; their rows are gone, their bytes are kept")
        return
    taken = [entry for entry in entries if entry.fate == Fate.INGESTED]
    told = f"{counted(len(taken), 'file')} of {len(entries)}, {counted(sum(entry.rows for entry in taken), 'row')}"
    aside = sum(entry.rejected for entry in taken)
    also = f", {counted(aside, 'record')} set aside" if aside else ""
    say(f"{_tables(batch)}: {told}{also}")
    for entry in entries:
        if entry.fate == Fate.REJECTED:
            say(f"  set aside: {entry.file}: {entry.reason}")
        elif entry.fate == Fate.WITHDRAWN:
            say(f"  withdrawn: {entry.file} was deleted before it was read")
        elif entry.notice:
            say(f"  {entry.file}: {entry.notice}")


def _tables(batch: Finished) -> str:
    """The tables that a batch wrote; the dataset's main one where it wrote none."""
    written = [str(name) for name in sorted(batch.versions)] or [str(bronze_table(batch.manifest.dataset))]
    return written[0] if len(written) == 1 else f"{written[0]} and {counted(len(written) - 1, 'other table')}"


def _tell_outcome(outcome: Outcome) -> None:
    if outcome.status == "ran":
        say(f"{outcome.table}: {counted(outcome.rows_out, 'row')} ({outcome.reason})")
    else:
        say(f"{outcome.table}: {outcome.status} ({outcome.reason})")
    for source, columns in outcome.nulls.items():
        for column, tokens in columns.items():
            told = ", ".join(f"{count:,} {token!r}" for token, count in tokens.items())
            say(f"  {source} {column}: {told} read as missing")
    for warning in outcome.warnings:
        say(f"  warning: {warning}")
    if outcome.rejected:
        say(f"  set aside: {counted(outcome.rejected, 'row')}; lake quarantine shows them")
    if outcome.error is not None:
        say(f"  error: {outcome.error}")


def exit_code(result: RunResult) -> int:
    """1 where a file was set aside or a job failed, else 0; says what to do about what was set aside."""
    records = sum(entry.rejected for batch in result.batches for entry in batch.entries)
    if result.rejected:
        told = f"set aside: {counted(len(result.rejected), 'file')}"
        say(f"{told}; next: lake quarantine list, then replay them, or drop them again, mended")
    elif records:
        say(f"set aside: {counted(records, 'record')}; next: lake quarantine list")
    return int(ExitCode.DATA_REFUSED if result.rejected or result.failed else ExitCode.OK)


def tell_result(result: RunResult) -> None:
    """Say what one of many runs brought; nothing is said of one that brought nothing."""
    if result.is_published:
        say(f"published as commit {result.commit.number}")
    exit_code(result)


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "file"), counted(1_200, "row")
    ('1 file', '1,200 rows')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
