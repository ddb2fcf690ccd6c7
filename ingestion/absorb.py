"""The archived deliveries of a batch, parsed: data files, and an account of what became of each delivery."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from catalog.errors import DataRefused, StoreError
from catalog.failpoints import reach
from catalog.ledger import Entry, Fate, first_names, taken
from catalog.tables import DataFile, Snapshot, Tables, without
from catalog.zones import Zone
from ingestion.manifest import Delivery, Manifest, Outcome
from ingestion.parser import Parsed, Parser, ParseRequest, Rejected

COMBINED_BYTES = 128 * 1024**2
"""Parsed files are put together up to about this size: many small files make few data files."""

LAKE_COLUMNS = pl.Schema(
    {
        "_file": pl.String(),
        "_line": pl.Int64(),
        "_batch": pl.String(),
        "_ingested_at": pl.Datetime("us", "UTC"),
        "_rescued": pl.String(),
    }
)


@dataclass
class History:
    """Which bytes the names of a batch have brought: by the ledger, and by the batch as it is read."""

    by_file: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "History":
        """The history that the ledger's rows (file, sha256) tell, in order of delivery."""
        history = cls()
        for file, sha256 in rows.iter_rows():
            history.add(file, sha256)
        return history

    def add(self, file: str, sha256: str) -> None:
        """A delivery's rows went in."""
        self.by_file.setdefault(file, []).append(sha256)

    def knows(self, file: str, sha256: str, *, replacing: bool) -> bool:
        """Whether this name already brought these bytes; where corrections replace, only its current ones count.

        >>> history = History({"a.csv": ["old", "new"]})
        >>> history.knows("a.csv", "old", replacing=True), history.knows("a.csv", "old", replacing=False)
        (False, True)
        """
        earlier = self.by_file.get(file, [])
        return sha256 in (earlier[-1:] if replacing else earlier)


@dataclass(frozen=True)
class Absorbed:
    """What one attempt made of a batch: files to add, files that a correction takes away, and an entry per delivery."""

    added: tuple[DataFile, ...]
    removed: tuple[DataFile, ...]
    schema: pl.Schema
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Workshop:
    """What an ingest parses with: one parser, the scratch folder that it works in, and who hears how far it is."""

    parser: Parser
    scratch: Path
    told: Callable[["Read"], None] = lambda _: None


@dataclass(frozen=True)
class Read:
    """How far a batch is: this delivery was read, as number ``done`` of ``of``."""

    entry: Entry
    done: int
    of: int


@dataclass
class _Pending:
    """Parsed files on local disk that are not in a data file yet."""

    paths: list[Path] = field(default_factory=list)
    rows: int = 0
    size_bytes: int = 0


class Absorber:
    """One attempt at one batch: reads its archived deliveries one by one, so that scratch holds few at a time."""

    def __init__(self, tables: Tables, workshop: Workshop, manifest: Manifest, head: Snapshot | None) -> None:
        self._tables = tables
        self._parser = workshop.parser
        self._scratch = workshop.scratch
        self._told = workshop.told
        self._manifest = manifest
        self._head = head
        self._history = History.of(taken(tables, manifest.dataset, {d.key for d in manifest.deliveries}))
        self._columns = value_columns(head)
        self._added: list[DataFile] = []
        self._pending = _Pending()

    def absorb(self, outcome: Outcome) -> Absorbed:
        """Parse what was archived, against the table; a bad file is an entry. Raises `StoreError`, `MachineError`."""
        before = set(self._history.by_file)
        entries = self._read_all(outcome.archived)
        self._flush()
        corrected = {e.file for e in entries if e.fate == Fate.INGESTED and e.file in before}
        gone = without(self._tables, self._head, "_file", corrected if self._manifest.is_replacing else ())
        withdrawn = (
            self._entry(index, delivery, Fate.WITHDRAWN)
            for index, delivery in ((index, self._manifest.deliveries[index]) for index in outcome.withdrawn)
            if not delivery.is_marker
        )
        return Absorbed(
            added=(*gone.kept, *self._added),
            removed=gone.removed,
            schema=self._schema(),
            entries=(*self._with_twins(entries), *withdrawn),
        )

    def _schema(self) -> pl.Schema:
        """The table's schema after this batch; a table without rows takes the columns of the first good file."""
        if self._columns is None and self._head is not None:
            return self._head.schema
        return pl.Schema({name: pl.String() for name in self._columns or ()} | dict(LAKE_COLUMNS))

    def _with_twins(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries, with a notice where the same bytes came in under another name before."""
        hashes = {e.sha256 for e in entries if e.fate == Fate.INGESTED and e.sha256 is not None}
        names = first_names(self._tables, self._manifest.dataset, hashes)
        told = []
        for entry in entries:
            twin = names.setdefault(entry.sha256, entry.file) if entry.sha256 in hashes and entry.sha256 else entry.file
            is_new = entry.fate == Fate.INGESTED and entry.notice is None and twin != entry.file
            told.append(replace(entry, notice=f"has the same bytes as {twin}") if is_new else entry)
        return told

    def _read_all(self, archived: Sequence[int]) -> list[Entry]:
        """One entry per archived delivery. Versions of one key come in a row, so only the last is kept back."""
        entries: list[Entry] = []
        standing: tuple[str, Path, int] | None = None
        for done, index in enumerate(archived, start=1):
            delivery = self._manifest.deliveries[index]
            entry, path = self._read(index, delivery)
            entries.append(entry)
            self._told(Read(entry, done, len(archived)))
            if path is None:
                continue
            if standing is not None:
                if self._manifest.is_replacing and standing[0] == delivery.key:
                    standing[1].unlink()
                else:
                    self._hold(standing[1], standing[2])
            standing = (delivery.key, path, entry.rows)
        if standing is not None:
            self._hold(standing[1], standing[2])
        return entries

    def _read(self, index: int, delivery: Delivery) -> tuple[Entry, Path | None]:
        """Fetch, hash and parse one delivery; its entry, and where its rows are if it has any to add."""
        raw = self._scratch / f"{uuid.uuid4().hex}.raw"
        sha256 = self._tables.objects.fetch(Zone.BRONZE, self._manifest.archive(index), raw)
        size_bytes = raw.stat().st_size
        if size_bytes != delivery.size_bytes:
            raise StoreError(
                f"the archive of {delivery.key} has {size_bytes} bytes, not {delivery.size_bytes}", next="run again"
            )
        entry = replace(
            self._entry(index, delivery, Fate.KNOWN), sha256=sha256, archived_as=self._manifest.archive(index)
        )
        try:
            if self._history.knows(delivery.key, sha256, replacing=self._manifest.is_replacing):
                return replace(entry, notice="these bytes came under this name before: no rows are added"), None
            entry, path = self._parse(entry, raw)
        finally:
            raw.unlink(missing_ok=True)
        if path is not None:
            self._history.add(delivery.key, sha256)
        return entry, path

    def _parse(self, entry: Entry, raw: Path) -> tuple[Entry, Path | None]:
        out = raw.with_suffix(".parquet")
        made = self._parser.parse(
            ParseRequest(
                path=raw,
                name=entry.file,
                out=out,
                file=entry.file,
                batch=entry.delivery,
                ingested_at=self._manifest.begun_at,
                columns=self._columns,
            )
        )
        reach("data.parsed")
        if isinstance(made, Rejected):
            return replace(entry, fate=Fate.REJECTED, rule=made.rule, reason=made.reason, line=made.line), None
        if self._columns is None:
            self._columns = made.columns
        ingested = replace(
            entry,
            fate=Fate.INGESTED,
            records=made.records,
            rows=made.rows,
            notice=self._notice(entry),
            details=json.dumps(_details(made), ensure_ascii=False),
        )
        return ingested, out

    def _notice(self, entry: Entry) -> str | None:
        if entry.file not in self._history.by_file:
            return None
        if self._manifest.is_replacing:
            return "takes the place of the earlier delivery of this name"
        return "added to this name's rows"

    def _hold(self, path: Path, rows: int) -> None:
        self._pending.paths.append(path)
        self._pending.rows += rows
        self._pending.size_bytes += path.stat().st_size
        if self._pending.size_bytes >= COMBINED_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Put what is held into data files, of which the footers must count the rows that the parser counted."""
        held, self._pending = self._pending, _Pending()
        if held.rows:
            self._added += self._upload(held)
            reach("data.uploaded")
        for path in held.paths:
            path.unlink()

    def _upload(self, held: _Pending) -> list[DataFile]:
        """What is held, as one data file; as several where the parser cannot make them one, for that refuses no row."""
        uploaded = [self._tables.upload(self._manifest.table, path) for path in self._combined(held.paths)]
        rows = sum(file.rows for file in uploaded)
        if rows != held.rows:
            raise StoreError(
                f"{self._manifest.name}: {rows} rows in the data files, {held.rows} parsed", next="run again"
            )
        return [file for file in uploaded if file.rows]

    def _combined(self, paths: list[Path]) -> list[Path]:
        if len(paths) == 1:
            return paths
        combined = self._scratch / "combined.parquet"
        try:
            self._parser.combine(paths, combined)
        except DataRefused:
            return paths
        return [combined]

    def _entry(self, index: int, delivery: Delivery, fate: Fate) -> Entry:
        return Entry(
            dataset=self._manifest.dataset,
            batch=self._manifest.name,
            delivery=self._manifest.delivery(index),
            file=delivery.key,
            version_id=delivery.version_id,
            size_bytes=delivery.size_bytes,
            arrived_at=delivery.modified,
            ingested_at=self._manifest.begun_at,
            sha256=None,
            archived_as=None,
            fate=fate,
            on_correction=self._manifest.on_correction,
        )


def value_columns(head: Snapshot | None) -> tuple[str, ...] | None:
    """The columns that a table's files must have, None while it has no row: then the next good file says."""
    if head is None or head.rows == 0:
        return None
    return tuple(name for name in head.schema if name not in LAKE_COLUMNS)


def _details(made: Parsed) -> Mapping[str, object]:
    return {"dialect": made.dialect, "header": list(made.header), "columns": list(made.columns), "lines": made.lines}
