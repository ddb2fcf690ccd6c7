"""What a run did to each table, out of the batches that it finished and of what became of its jobs."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from catalog.ledger import Entry, Fate
from catalog.register import TableRun
from catalog.zones import bronze_table
from ingestion.absorb import Read
from ingestion.batch import Finished
from lake.promote.change import NOTHING_NEW
from lake.promote.outcome import Event, Outcome, Said

INGEST, PROMOTE = "ingest", "promote"

Line = tuple[int, str, str, dict[str, Any]]
"""A line of the log: its level, the event, the message, and fields."""


def table_runs(batches: Sequence[Finished], outcomes: Sequence[Outcome]) -> tuple[TableRun, ...]:
    """What was done to tables; nothing of a job that had nothing new."""
    return (*_of_batches(batches), *_of_outcomes(outcomes))


def lines_of(done: Read | Finished | Event) -> Iterator[Line]:
    """What the log says of a batch, with a line for each file that needs a look, or of a job; of single files less."""
    if isinstance(done, Read):
        entry = done.entry
        fields = {"file": entry.file, "fate": str(entry.fate), "rows": entry.rows, "rejected": entry.rejected}
        yield logging.DEBUG, "file", f"{entry.file}: {entry.fate}", fields
    elif isinstance(done, Finished):
        yield from _lines_of_batch(done)
    elif isinstance(done, Said):
        yield logging.INFO, "said", f"{done.table}: {done.line}", {}
    elif isinstance(done, Outcome) and (done.status != "skipped" or done.reason != NOTHING_NEW):
        yield _line_of_job(_of_outcome(done))


def _of_batches(batches: Sequence[Finished]) -> Iterator[TableRun]:
    """A row for each dataset, on its main table, and one for each other table that its batches wrote."""
    entries: dict[str, list[Entry]] = defaultdict(list)
    versions: dict[str, int] = {}
    for batch in batches:
        entries[batch.manifest.dataset] += batch.entries
        versions |= {str(name): version for name, version in batch.versions.items()}
    for dataset, found in entries.items():
        if found:
            main = str(bronze_table(dataset))
            yield _of_entries(main, versions.pop(main, None), found)
    for name, version in sorted(versions.items()):
        yield TableRun(name, INGEST, "ran", "a part of its dataset's files", version=version)


def _of_entries(table: str, version: int | None, entries: Sequence[Entry]) -> TableRun:
    fates = [entry.fate for entry in entries]
    told = [f"{fates.count(fate)} {fate}" for fate in Fate if fate in fates]
    taken = [entry for entry in entries if entry.fate == Fate.INGESTED]
    return TableRun(
        table,
        INGEST,
        "ran",
        f"{len(entries)} files: {', '.join(told)}" if len(entries) > 1 else f"1 file: {fates[0]}",
        version=version,
        rows_in=sum(entry.records for entry in entries),
        rows_read=sum(entry.records for entry in entries),
        rows_out=sum(entry.rows for entry in taken),
        rejected=sum(entry.rejected for entry in taken),
        files_aside=sum(entry.is_aside for entry in entries),
        bytes_in=sum(entry.size_bytes for entry in entries),
    )


def _of_outcomes(outcomes: Sequence[Outcome]) -> Iterator[TableRun]:
    """A row for each job that ran or failed, and where one failed for those that had to wait for it."""
    has_failed = any(outcome.status == "failed" for outcome in outcomes)
    for outcome in outcomes:
        waits = has_failed and outcome.reason != NOTHING_NEW
        if outcome.status != "skipped" or waits:
            yield _of_outcome(outcome)


def _of_outcome(outcome: Outcome) -> TableRun:
    return TableRun(
        str(outcome.table),
        PROMOTE,
        outcome.status,
        outcome.reason,
        how=outcome.how,
        version=outcome.version,
        read={str(name): version for name, version in outcome.read.items()},
        rows_in=outcome.rows_in,
        rows_read=outcome.rows_read,
        rows_out=outcome.rows_out,
        rejected=outcome.rejected,
        bytes_in=outcome.bytes_in,
        bytes_out=outcome.bytes_out,
        memory_peak_bytes=outcome.memory_peak_bytes,
        started_at=outcome.started_at,
        seconds=outcome.seconds,
        attempts=outcome.attempts,
        warnings=outcome.warnings,
        error=None if outcome.error is None else outcome.error.what,
        where=outcome.where or None,
    )


def _lines_of_batch(batch: Finished) -> Iterator[Line]:
    dataset = batch.manifest.dataset
    if batch.is_void:
        yield (
            logging.WARNING,
            "batch",
            f"{dataset}: a batch is void, its files come again",
            {"batch": batch.manifest.name},
        )
        return
    found = _of_entries(str(bronze_table(dataset)), None, batch.entries) if batch.entries else None
    if found is None:
        return
    fields = {
        "batch": batch.manifest.name,
        "versions": {str(name): version for name, version in batch.versions.items()},
        **{name: getattr(found, name) for name in ("rows_in", "rows_out", "rejected", "bytes_in")},
    }
    yield logging.INFO, "batch", f"{found.table}: {found.reason}, {found.rows_out:,} rows", fields
    for entry in batch.entries:
        if entry.fate == Fate.REJECTED:
            yield logging.WARNING, "file", f"{entry.file} was set aside: {entry.reason}", {"rule": entry.rule}
        elif entry.notice:
            yield logging.INFO, "file", f"{entry.file}: {entry.notice}", {}


def _line_of_job(job: TableRun) -> Line:
    names = ("how", "version", "read", "rows_in", "rows_read", "rows_out", "rejected", "bytes_in", "bytes_out")
    fields = {name: getattr(job, name) for name in (*names, "memory_peak_bytes", "seconds", "attempts", "warnings")}
    if job.status == "failed":
        told = f"{job.table}: failed: {job.error}"
        return logging.ERROR, "job", told, fields | {"where": job.where}
    did = f"{job.rows_out:,} rows" if job.status == "ran" else job.status
    level = logging.WARNING if job.warnings or job.rejected else logging.INFO
    return level, "job", f"{job.table}: {did} ({job.reason})", fields
