"""What a run says on stderr as it goes: each batch, each job, and what to look at."""

import click

from catalog.ledger import Fate
from ingestion.batch import Finished
from lake.promote.runner import Outcome


def say(text: str) -> None:
    """Talk goes to stderr; stdout is for data."""
    click.echo(text, err=True)


def tell(done: Finished | Outcome) -> None:
    """Say what became of a batch or of a job."""
    if isinstance(done, Finished):
        _tell_batch(done)
    else:
        _tell_outcome(done)


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


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
