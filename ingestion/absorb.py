"""The archived deliveries of a batch, read: data files, rejects, and an account of what became of each delivery."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from catalog.failpoints import reach
from catalog.ledger import Entry, Fate, first_names, past
from catalog.tables import Snapshot, Tables
from catalog.zones import bronze_table
from ingestion.account import Account
from ingestion.fetch import Early, Raw, fetched
from ingestion.history import History
from ingestion.manifest import Delivery, Manifest, Outcome, Patches
from ingestion.parser import Parser
from ingestion.pending import Pending, discard, discard_all, value_columns
from ingestion.protocol import Parsed, ParseRequest, Part, Rejected
from ingestion.setaside import SetAside

SMALL_BYTES = 1024**2
MANY = 16
"""Of so many deliveries or more, small ones are read two at a time: for fewer a second worker takes longer to start."""

Heads = dict[str, Snapshot]
"""A dataset's tables at their heads, by part; empty is the main one."""


@dataclass(frozen=True)
class Workshop:
    """What an ingest parses with: a parser, and one beside it for small files, which are read two at a time.

    ``early`` may have read a delivery already; ``scratch`` is the folder that they work in; ``told`` hears how far it
    is.
    """

    parser: Parser
    beside: Parser
    early: Early
    scratch: Path
    told: Callable[["Read"], None] = lambda _: None


@dataclass(frozen=True)
class Read:
    """How far a batch is: this delivery was read, as number ``done`` of ``of``."""

    entry: Entry
    done: int
    of: int


@dataclass(frozen=True)
class _Coming:
    """A delivery of a batch by its index, its bytes (none of one that has none to read), and who reads them."""

    index: int
    raw: Raw | None
    parser: Parser


@dataclass(frozen=True)
class _Standing:
    """A delivery that was read and whose rows are in no data file yet: a later version of its name may follow."""

    file: str
    parts: tuple[Part, ...]


class Absorber:
    """One attempt at one batch: reads its archived deliveries one by one, so that scratch holds few at a time."""

    def __init__(self, tables: Tables, workshop: Workshop, manifest: Manifest, heads: Heads) -> None:
        self._tables = tables
        self._workshop = workshop
        self._manifest = manifest
        self._heads = heads
        # Whether another name brought the same bytes, and still has their rows, is asked only where the policy minds.
        is_minded = manifest.policy.on_duplicate != "take"
        names = {delivery.key for delivery in manifest.deliveries}
        self._history = History(past(tables, manifest.dataset, names, others=is_minded).iter_rows(named=True))
        self._pending: dict[str, Pending] = {}
        self._leaving: list[str] = []
        self._settled: dict[str, str] = {}
        self._set_aside = SetAside(manifest, workshop.scratch)
        self._columns = {part: columns for part, head in heads.items() if (columns := value_columns(head)) is not None}

    def absorb(self, outcome: Outcome) -> Account:
        """Read what was archived, against the tables; a bad file is an entry. Raises `StoreError`, `MachineError`."""
        entries = self._read_all(outcome.archived)
        withdrawn = (
            self._entry(index, delivery, Fate.WITHDRAWN)
            for index, delivery in ((index, self._manifest.deliveries[index]) for index in outcome.withdrawn)
            if not delivery.is_marker
        )
        if not self._heads and any(entry.fate == Fate.REJECTED for entry in entries):
            self._into("")
        rejects = self._set_aside.upload(self._tables.objects)
        return Account(
            shares={
                bronze_table(self._manifest.dataset, part).name: pending.share()
                for part, pending in self._pending.items()
            },
            leaving=tuple(self._leaving),
            settled=self._settled,
            entries=(*self._with_twins(entries), *withdrawn),
            rejects=rejects,
        )

    def adopt(self, entries: Sequence[Entry]) -> Account:
        """The account of a batch that an older lake committed: nothing is read. Raises `StoreError`.

        Its rows are in the table, and those whose place they took are gone; what it rejected waits.
        """
        for entry in entries:
            self._remember(entry)
        rejects = self._set_aside.upload(self._tables.objects)
        return Account(shares={}, leaving=(), settled=self._settled, entries=tuple(entries), rejects=rejects)

    def _with_twins(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries, with a notice where the same bytes came in under another name before."""
        hashes = {e.sha256 for e in entries if e.fate == Fate.INGESTED and e.sha256 is not None}
        names = first_names(self._tables, self._manifest.dataset, hashes)
        told = []
        for entry in entries:
            twin = names.setdefault(entry.sha256, entry.file) if entry.sha256 in hashes and entry.sha256 else entry.file
            same = [f"has the same bytes as {twin}"] if entry.fate == Fate.INGESTED and twin != entry.file else []
            told.append(replace(entry, notice="; ".join([*same, *filter(None, [entry.notice])]) or None))
        return told

    def _read_all(self, archived: Sequence[int]) -> list[Entry]:
        """One entry per delivery. Versions of one name come in a row, so only the last is kept back."""
        entries: list[Entry] = []
        standing: _Standing | None = None
        for done, coming in enumerate(self._coming(archived), start=1):
            entry, parts = self._read(coming)
            entries.append(entry)
            self._workshop.told(Read(entry, done, len(archived)))
            if entry.fate != Fate.INGESTED:
                continue
            if standing is not None:
                self._put(standing, is_replaced=self._manifest.is_replacing and standing.file == entry.file)
            standing = _Standing(entry.file, parts)
        if standing is not None:
            self._put(standing, is_replaced=False)
        return entries

    def _coming(self, archived: Sequence[int]) -> Iterator[_Coming]:
        """The deliveries in order; of small ones the next is begun before one is given."""
        deliveries, workshop = self._manifest.deliveries, self._workshop
        found = fetched(self._tables.objects, self._manifest, archived, workshop.scratch, workshop.early)
        is_small = [deliveries[index].size_bytes <= SMALL_BYTES for index in archived]
        following: _Coming | None = None
        for place in range(len(archived)):
            current = following or _Coming(*next(found), workshop.parser)
            following = None
            if len(archived) >= MANY and all(is_small[place : place + 2]) and place + 1 < len(archived):
                other = workshop.beside if current.parser is workshop.parser else workshop.parser
                following = _Coming(*next(found), other)
                raw, index = following.raw, following.index
                if raw is not None and self._judged(self._known(index, raw), deliveries[index]) is None:
                    other.begin(self._request(index, raw.path))
            yield current

    def _put(self, standing: _Standing, *, is_replaced: bool) -> None:
        for part in standing.parts:
            if is_replaced:
                discard(part.path)
            else:
                self._into(part.table).hold(part)

    def _into(self, part: str) -> Pending:
        if part not in self._pending:
            name = bronze_table(self._manifest.dataset, part)
            workshop = self._workshop
            self._pending[part] = Pending(self._tables, name, self._heads.get(part), workshop.parser, workshop.scratch)
        return self._pending[part]

    def _read(self, coming: _Coming) -> tuple[Entry, tuple[Part, ...]]:
        """Judge and parse one delivery: its entry, and its rows by table if it has any to add."""
        index, raw = coming.index, coming.raw
        delivery = self._manifest.deliveries[index]
        if raw is None:
            return self._retract(index, delivery), ()
        entry = self._known(index, raw)
        try:
            judged = self._judged(entry, delivery)
            entry, parts = (judged, ()) if judged is not None else self._parse(entry, coming, raw.path)
        finally:
            raw.path.unlink(missing_ok=True)
        self._remember(entry)
        return entry, parts

    def _known(self, index: int, raw: Raw) -> Entry:
        """A delivery's entry as long as nothing says what becomes of it but its bytes."""
        entry = self._entry(index, self._manifest.deliveries[index], Fate.KNOWN)
        return replace(entry, sha256=raw.sha256, archived_as=self._manifest.archive(index))

    def _judged(self, entry: Entry, delivery: Delivery) -> Entry | None:
        """The entry of a delivery that is not to be read, by its name and its bytes; None for one that is."""
        sha256, policy = entry.sha256 or "", self._manifest.policy
        if not delivery.is_landed:
            is_old = self._history.is_superseded(entry.file, entry.origin or "")
            return replace(entry, notice="a later delivery took its place: it is not read again") if is_old else None
        if self._history.knows(entry.file, sha256, replacing=self._manifest.is_replacing):
            return replace(entry, notice="these bytes came under this name before: no rows are added")
        if policy.on_correction == "refuse" and self._history.standing(entry.file):
            reason = "other bytes came under this name before, and on_correction refuses them"
            return _rejected(entry, "correction", reason)
        twin = None if policy.on_duplicate == "take" else self._history.bringer(sha256)
        if twin is None or twin == entry.file:
            return None
        if policy.on_duplicate == "refuse":
            reason = f"{twin} brought the same bytes, and on_duplicate refuses them"
            return _rejected(entry, "duplicate", reason)
        return replace(entry, notice=f"skipped: {twin} brought the same bytes")

    def _request(self, index: int, raw: Path) -> ParseRequest:
        """To read a delivery into the tables as they are after those before it."""
        delivery = self._manifest.deliveries[index]
        return ParseRequest(
            path=raw,
            name=delivery.key,
            out=raw.with_suffix(".parsed"),
            batch=self._manifest.delivery(index),
            ingested_at=self._manifest.begun_at,
            tables=dict(self._columns),
            policy=self._manifest.policy,
            patches=delivery.patches,
        )

    def _parse(self, entry: Entry, coming: _Coming, raw: Path) -> tuple[Entry, tuple[Part, ...]]:
        patches = self._manifest.deliveries[coming.index].patches
        made = coming.parser.parse(self._request(coming.index, raw))
        reach("data.parsed")
        if isinstance(made, Rejected):
            return _rejected(entry, made.rule, made.reason, made.line), ()
        lost = self._lost_by(entry, made)
        if lost is not None:
            discard_all(made.parts)
            reason = f"{lost.file} cannot be read any more, so the earlier rows stay: {lost.reason}"
            return _rejected(entry, lost.rule, reason, lost.line), ()
        self._columns |= {part.table: part.schema for part in made.parts}
        self._set_aside.parts(entry, made)
        return self._account(entry, made, patches), made.parts

    def _lost_by(self, entry: Entry, made: Parsed) -> Rejected | None:
        """A part that is refused now and has rows in the delivery whose place is to be taken: these would be lost."""
        origin, replacing = entry.origin or entry.delivery, self._manifest.is_replacing
        leaving = self._history.parts_leaving(entry.file, origin, replacing=replacing)
        return next((refused for refused in made.refused if refused.file in leaving), None) if made.parts else None

    def _remember(self, entry: Entry) -> None:
        """What this delivery does to the earlier ones of its name: whose rows go, and what waits no more."""
        origin, replacing = entry.origin or entry.delivery, self._manifest.is_replacing
        if entry.fate == Fate.INGESTED:
            self._settle(entry, self._history.leaving(entry.file, origin, replacing=replacing), replacing=replacing)
        elif entry.fate == Fate.RETRACTED:
            self._settle(entry, self._history.standing(entry.file), replacing=True)
        elif entry.fate == Fate.REJECTED and not self._history.is_standing(entry.file, origin):
            self._set_aside.whole(entry)
            if entry.origin is not None:
                self._settled[origin] = entry.delivery
        self._history.add(vars(entry))

    def _settle(self, entry: Entry, leaving: Sequence[str], *, replacing: bool) -> None:
        """Rows of this batch's own deliveries are in no table yet: those never get there."""
        self._leaving += [delivery for delivery in leaving if not delivery.startswith(f"{self._manifest.name}/")]
        settled = self._history.settled(entry.file, entry.origin or entry.delivery, replacing=replacing)
        self._settled |= dict.fromkeys(settled, entry.delivery)

    def _retract(self, index: int, delivery: Delivery) -> Entry:
        entry = self._entry(index, delivery, Fate.RETRACTED)
        if not self._history.standing(delivery.key):
            entry = replace(entry, notice="no row of this file was there")
        self._remember(entry)
        return entry

    def _account(self, entry: Entry, made: Parsed, patches: Patches) -> Entry:
        """The entry of a file that was read: taken in if any part was, rejected if every part was, else kept raw."""
        fate = Fate.INGESTED if made.parts else Fate.REJECTED if made.refused else Fate.KEPT
        aside = made.refused if made.parts else ()
        told = (
            *(f"{refused.file} is set aside: {refused.reason}" for refused in aside),
            *made.notices,
            *(notice for part in made.parts for notice in part.notices),
        )
        account = {
            "parts": [_part_account(part) for part in made.parts],
            "refused": [asdict(refused) for refused in made.refused],
            "kept": list(made.kept),
            "notices": list(told),
            "patches": patches,
        }
        if fate == Fate.REJECTED:
            entry = _rejected(entry, made.refused[0].rule, made.refused[0].reason, made.refused[0].line)
        return replace(
            entry,
            fate=fate,
            format=made.format,
            records=sum(part.records for part in made.parts),
            rows=sum(part.rows for part in made.parts),
            rejected=sum(part.rejected for part in made.parts),
            refused=len(aside),
            notice=self._notice(entry, told),
            details=json.dumps(account, ensure_ascii=False),
        )

    def _notice(self, entry: Entry, told: Sequence[str]) -> str | None:
        """What is to be said of a file that was read, in one line."""
        parts = list(told)
        if entry.origin is not None:
            parts.insert(0, "read again from the archive")
        elif self._history.standing(entry.file):
            replaced = "takes the place of the earlier delivery of this name"
            parts.insert(0, replaced if self._manifest.is_replacing else "added to this name's rows")
        return "; ".join(parts) or None

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
            on_correction=self._manifest.policy.on_correction,
            origin=delivery.origin,
            run=self._manifest.run,
        )


def _rejected(entry: Entry, rule: str, reason: str, line: int | None = None) -> Entry:
    return replace(entry, fate=Fate.REJECTED, rule=rule, reason=reason, line=line)


def _part_account(part: Part) -> dict[str, object]:
    counts = {"records": part.records, "rows": part.rows, "rejected": part.rejected}
    return {"table": part.table, "file": part.file, **counts, **part.account}
