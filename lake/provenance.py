"""Where a number came from: a file's deliveries, what became of each, and the raw record behind a row."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import polars as pl

from catalog.derived import is_held
from catalog.errors import DataRefused, UsageError
from catalog.ledger import LEDGER
from catalog.log import Commit, Log
from catalog.quarantine import QUARANTINE, SCHEMA, delivery_of
from catalog.tables import Tables, store_faults
from catalog.zones import bronze_table
from ingestion.history import History
from ingestion.parser import Parser
from ingestion.protocol import ExcerptRequest
from lake.archive import Entry, Named, named, raw_file
from lake.published import Published
from lake.scratch import scratch_folder
from lake.workspace import limits_of


@dataclass(frozen=True)
class Reading:
    """A delivery, or a later reading of its bytes.

    ``entry`` is the ledger's (columns as `catalog.ledger.SCHEMA`); ``is_standing`` says that its rows are in bronze;
    ``commit`` was the first that published it; ``details`` are those of the entry: parts with their dialects, patches.
    """

    entry: Entry
    is_standing: bool
    commit: Commit | None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """The record that begins on a line of a file, in one reading of it.

    ``text`` is what lies in the archive, None where the format has no lines: ``why`` says so. ``mended`` is what a
    person wrote in its place. ``rows`` are what bronze has of it, by table; ``rejects`` what the quarantine has.
    """

    reading: Reading
    file: str
    line: int
    text: str | None
    why: str
    mended: str | None
    rows: Mapping[str, pl.DataFrame]
    rejects: pl.DataFrame


@dataclass(frozen=True)
class Provenance:
    """Where the rows of a file came from: the readings of what was asked for, in order, and the record of a line."""

    file: str
    readings: tuple[Reading, ...]
    record: Record | None = None


def provenance(view: Published, name: str, line: int | None = None) -> Provenance:
    """What came as a file, or as a delivery, and what became of it; with a line, the record that begins there.

    ``name`` is a file's as rows have it in ``_file``, or a delivery's as in ``_batch``. A line's record is that of the
    reading whose rows are in bronze, else of the newest. Raises `NotFound`, `UsageError` where a line is asked for of a
    file that has parts, `StoreError`.
    """
    found = named(view, name)
    first_commit = cache(lambda batch: _first_commit(view, batch))
    standing = _standing(found)
    readings = tuple(
        Reading(
            entry, entry["delivery"] in standing, first_commit(entry["batch"]), json.loads(entry["details"] or "{}")
        )
        for entry in found.asked
    )
    record = None if line is None else _record(view, found, readings, line)
    return Provenance(found.in_rows, readings, record)


def _standing(found: Named) -> set[str]:
    return set(History(found.entries).standing(found.file))


def _first_commit(view: Published, batch: str) -> Commit | None:
    """The first commit whose ledger has a batch: the ledger only grows, so half of the rest is left out each time."""
    log, tables = Log(view.objects), Tables(view.objects)

    def has_it(commit: Commit) -> bool:
        version = commit.version(LEDGER)
        ledger = None if version is None else tables.open(LEDGER, version)
        return ledger is not None and is_held(tables, ledger, ("batch", batch))

    if not has_it(view.commit):
        return None
    without, first = 0, view.commit
    while first.number - without > 1:
        middle = log.at((without + first.number) // 2)
        if has_it(middle):
            first = middle
        else:
            without = middle.number
    return first


def _record(view: Published, found: Named, readings: Sequence[Reading], line: int) -> Record:
    archived = [reading for reading in readings if reading.entry["archived_as"] is not None]
    reading = next((r for r in reversed(archived) if r.is_standing), archived[-1] if archived else readings[-1])
    _require_one_part(found, reading)
    rows, after = _rows(view, found, reading, line)
    rejects, next_reject = _rejects(view, found, reading, line)
    stop = min(filter(None, (after, next_reject)), default=None)
    text, why = _text(view, (found, reading), line, stop)
    return Record(
        reading=reading,
        file=found.in_rows,
        line=line,
        text=text,
        why=why,
        mended=reading.details.get("patches", {}).get(found.in_rows, {}).get(str(line)),
        rows=rows,
        rejects=rejects,
    )


def _require_one_part(found: Named, reading: Reading) -> None:
    """Raise `UsageError` where a file has parts, each with lines of its own, and none is named."""
    files = dict.fromkeys(part["file"] for part in reading.details.get("parts", ()))
    if files and found.in_rows not in files:
        what = f"has no part {found.fragment!r}" if found.fragment else "has parts, each with lines of its own"
        raise UsageError(f"{found.file} {what}", next=f"name one: {', '.join(list(files)[:10])}")


def _rows(view: Published, found: Named, reading: Reading, line: int) -> tuple[dict[str, pl.DataFrame], int | None]:
    """The rows of a record by table, and the line of the next record that is in one of the tables."""
    rows: dict[str, pl.DataFrame] = {}
    after: list[int] = []
    tables = {bronze_table(reading.entry["dataset"], part["table"]) for part in _parts(found, reading)}
    for name in sorted(str(table) for table in tables if str(table) in view.names()):
        mine = view.read(name).filter(
            pl.col("_file") == found.in_rows, pl.col("_batch") == reading.entry["delivery"], pl.col("_line") >= line
        )
        with store_faults(f"read {name}"):
            here, beyond = pl.collect_all(
                [
                    mine.filter(pl.col("_line") == line),
                    mine.filter(pl.col("_line") > line).select(pl.col("_line").min()),
                ]
            )
        if here.height:
            rows[name] = here
        after += [number for number in beyond["_line"] if number is not None]
    return rows, min(after, default=None)


def _parts(found: Named, reading: Reading) -> list[Mapping[str, Any]]:
    return [part for part in reading.details.get("parts", ()) if part["file"] == found.in_rows]


def _rejects(view: Published, found: Named, reading: Reading, line: int) -> tuple[pl.DataFrame, int | None]:
    """What the quarantine has of a record, and the line of the next one that it has of the file."""
    origin = reading.entry["origin"] or reading.entry["delivery"]
    mine = view.read_own(QUARANTINE, SCHEMA).filter(
        pl.col("file") == found.in_rows, delivery_of() == origin, pl.col("line") >= line
    )
    following = mine.filter(pl.col("line") > line).select(pl.col("line").min())
    with store_faults(f"read {QUARANTINE}"):
        here, beyond = pl.collect_all([mine.filter(pl.col("line") == line), following])
    return here, beyond["line"].item()


def _text(view: Published, which: tuple[Named, Reading], line: int, stop: int | None) -> tuple[str | None, str]:
    """The record's lines out of the archive; else why there are none."""
    found, reading = which
    if reading.entry["archived_as"] is None:
        return None, f"the archive has no bytes of it: it was {reading.entry['fate']}"
    dialect: Mapping[str, Any] = next((part.get("dialect", {}) for part in _parts(found, reading)), {})
    state = view.settings.state
    with raw_file(view, reading.entry["delivery"]) as (path, _), scratch_folder(state) as scratch:
        wanted = ExcerptRequest(path, found.file, found.fragment, line, stop, dialect)
        with Parser(scratch, limits_of(view.settings)) as parser:
            try:
                return parser.excerpt(wanted), ""
            except DataRefused as refused:
                return None, refused.what
