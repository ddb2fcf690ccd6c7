"""What must hold after a clean ingest, whatever went before: the assertions of the protocol's model on a real store."""

import csv
import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Iterable

import polars as pl

from catalog.ledger import Entry, Fate
from catalog.zones import bronze_table, dataset_of
from tests.faults.bench import Bench, Drop
from tests.faults.samples import MADE

Row = tuple[str, int, tuple[str, ...]]
"""A row of bronze: its file, its line (0 where its form has no lines that a test could count) and its values."""


def readable(*ids: object) -> bytes:
    """A CSV file with a row per id, that differs from every other one with other ids."""
    return b"id,note\n" + b"".join(f"{i},note {i}\n".encode() for i in ids)


UNREADABLE = (b"id,note\n1,one\n2\n", b"PAR1" + bytes(range(256)) * 2, b"")
"""Files that are set aside whole: half of one's rows are short, one is cut off, one is empty."""

PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
"""A file that is no table, and is kept as it is."""


def records(key: str, body: bytes) -> list[Row]:
    """The rows that a readable file has: as it was made, or by Python's own reader where records have one line each."""
    if body in MADE:
        return [(key, 0, record) for record in MADE[body].records]
    lines = csv.reader(io.StringIO(body.decode(), newline=""))
    return [(key, number, tuple(line)) for number, line in enumerate(lines, start=1) if number > 1]


def check_once(bench: Bench) -> None:
    """Every delivery once, in bronze or in quarantine, and landing empty. Only after an ingest that came to its end."""
    assert bench.landing() == [], "left in landing"
    entries = bench.ledger()
    _check_deliveries(bench, entries)
    _check_archive(bench, entries)
    _check_quarantine(bench, entries)
    for dataset in sorted({dataset_of(drop.key) for drop in bench.drops}):
        _check_rows(bench, dataset, [entry for entry in entries if entry.dataset == dataset])


def standing(entries: Iterable[Entry], *, replacing: bool) -> list[Entry]:
    """The deliveries whose rows the table must hold: all that were ingested, or of each name the newest one."""
    ingested = [entry for entry in entries if entry.fate == Fate.INGESTED]
    newest = {entry.file: entry.delivery for entry in ingested}
    return [entry for entry in ingested if not replacing or newest[entry.file] == entry.delivery]


def _check_deliveries(bench: Bench, entries: list[Entry]) -> None:
    """Each delivery has one entry, unless a later marker withdrew it: then it may have one."""
    outcomes = Counter((entry.file, entry.version_id) for entry in entries)
    assert not {delivery: n for delivery, n in outcomes.items() if n > 1}, "a delivery has two outcomes"
    files = {(drop.key, drop.version_id) for drop in bench.drops if drop.body is not None}
    assert set(outcomes) <= files, "the ledger tells of what nobody dropped"
    assert _unmarked(bench.drops) <= set(outcomes), "a delivery vanished"


def _unmarked(drops: list[Drop]) -> set[tuple[str, str]]:
    unmarked: set[tuple[str, str]] = set()
    for drop in drops:
        if drop.body is None:
            unmarked = {delivery for delivery in unmarked if delivery[0] != drop.key}
        else:
            unmarked.add((drop.key, drop.version_id))
    return unmarked


def _check_archive(bench: Bench, entries: list[Entry]) -> None:
    """What was dropped is what was hashed, and what the archive keeps, byte for byte."""
    bodies = {(drop.key, drop.version_id): drop.body for drop in bench.drops}
    for entry in entries:
        body = bodies[entry.file, entry.version_id]
        assert body is not None
        if entry.fate == Fate.WITHDRAWN:
            assert entry.archived_as is None
            continue
        assert bench.archived(entry) == body, f"the archive of {entry.file} is not what was dropped"
        assert entry.sha256 == hashlib.sha256(body).hexdigest()
        expected = Fate.REJECTED if body in UNREADABLE else Fate.KEPT if body == PICTURE else Fate.INGESTED
        assert entry.fate in {Fate.KNOWN, expected}, entry


def _check_quarantine(bench: Bench, entries: list[Entry]) -> None:
    """The quarantine holds every rejected delivery and every damaged record once, with the reason, and nothing else."""
    at_ingest = bench.quarantine().filter(stage="ingest")
    assert at_ingest["id"].is_unique().all(), "a record is in the quarantine twice"
    records = at_ingest.filter(pl.col("record").is_not_null())
    counted = {entry.delivery: entry.rejected for entry in entries if entry.rejected}
    assert dict(records.group_by("delivery").len().iter_rows()) == counted, "damaged records are not all set aside"
    set_aside = at_ingest.filter(pl.col("record").is_null()).select("source", "file", "archived_as", "message").rows()
    rejected = [(e.batch, e.file, e.archived_as, e.reason) for e in entries if e.fate == Fate.REJECTED]
    assert sorted(set_aside) == sorted(rejected), "the quarantine is not what the ledger says was rejected"
    assert all(message for *_, message in set_aside)


def _check_rows(bench: Bench, dataset: str, entries: list[Entry]) -> None:
    """Bronze holds exactly the records of the deliveries that stand, and the accounts say how many."""
    replacing = bench.on_correction == "replace"
    _check_known(entries, replacing=replacing)
    bodies = {(drop.key, drop.version_id): drop.body for drop in bench.drops}
    expected: list[Row] = []
    for entry in entries:
        if entry.fate == Fate.INGESTED:
            body = bodies[entry.file, entry.version_id] or b""
            rows, damaged = records(entry.file, body), MADE[body].damaged if body in MADE else 0
            assert (entry.records, entry.rows, entry.rejected) == (len(rows) + damaged, len(rows), damaged), entry
    for entry in standing(entries, replacing=replacing):
        expected += records(entry.file, bodies[entry.file, entry.version_id] or b"")
    made = _made(bench)
    expected = [(file, 0 if file in made else line, values) for file, line, values in expected]
    assert sorted(bronze_rows(bench, dataset)) == sorted(expected), f"bronze.{dataset} is not what the account says"
    deliveries = {entry.delivery for entry in standing(entries, replacing=replacing) if entry.rows}
    if deliveries:
        assert set(bench.rows(dataset)["_batch"]) == deliveries


def _made(bench: Bench) -> set[str]:
    """The keys that some sample was dropped under: a sample does not say the lines of its records."""
    return {drop.key for drop in bench.drops if drop.body in MADE}


def bronze_rows(bench: Bench, dataset: str) -> list[Row]:
    """The rows of a dataset; none where it has no table."""
    if bench.tables.open(bronze_table(dataset)) is None:
        return []
    rows = bench.rows(dataset)
    values = rows.select([name for name in rows.columns if not name.startswith("_")]).rows()
    made = _made(bench)
    files = [file.partition("#")[0] if file.partition("#")[0] in made else file for file in rows["_file"]]
    lines = [0 if file in made else line for file, line in zip(files, rows["_line"], strict=True)]
    return list(zip(files, lines, values, strict=True))


def _check_known(entries: list[Entry], *, replacing: bool) -> None:
    """What was called known was known, and what was taken was not: bytes that stand under the name already."""
    taken: dict[str, list[str | None]] = defaultdict(list)
    for entry in entries:
        earlier = taken[entry.file][-1:] if replacing else taken[entry.file]
        if entry.fate in {Fate.KNOWN, Fate.INGESTED}:
            assert (entry.sha256 in earlier) == (entry.fate == Fate.KNOWN), f"{entry.file}: {entry.fate}"
        if entry.fate == Fate.INGESTED:
            taken[entry.file].append(entry.sha256)
