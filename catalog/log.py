"""The catalog: a log of immutable commits on the object store, and the point of publication.

Commit n maps every table to the version that readers see. Whoever creates object n has made the commit; a loser reads
again and tries n + 1. A reader holds one commit, so it sees all of a publication or nothing of it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from catalog.errors import Conflict, NotFound
from catalog.failpoints import reach
from catalog.formats import opened, stored
from catalog.objects import ObjectStore, Sequence
from catalog.zones import TableName, Zone

FORMAT = 1
ATTEMPTS_MAX = 100


@dataclass(frozen=True)
class Pin:
    """A table in a commit: where it lies in its zone's bucket, and the version that is published."""

    path: str
    version: int


@dataclass(frozen=True)
class Commit:
    """One state of the lake; number 0 is the empty lake, which no object stands for."""

    number: int
    tables: Mapping[str, Pin] = field(default_factory=dict)
    operation: str = ""
    author: str = ""
    message: str = ""
    run: str = ""
    revision: str = ""
    at: str = ""

    def version(self, name: TableName) -> int | None:
        """The published version of a table, None where it is not published.

        >>> Commit(1, {"gold.delays": Pin("tables/delays", 0)}).version(TableName.parse("gold.delays"))
        0
        """
        pin = self.tables.get(str(name))
        return None if pin is None else pin.version


@dataclass(frozen=True)
class Proposal:
    """What a run asks to be published.

    ``pins`` are the tables that it wrote, which nobody else may have published meanwhile; ``heads`` are tables whose
    newest version is always right (bronze, the ledger, the quarantine), so that the greater version wins.
    ``operation`` is unique.
    """

    operation: str
    pins: Mapping[TableName, int] = field(default_factory=dict)
    heads: Mapping[TableName, int] = field(default_factory=dict)
    author: str = ""
    message: str = ""
    run: str = ""
    revision: str = ""


class Log:
    """The commits of one lake, on its object store."""

    def __init__(self, objects: ObjectStore) -> None:
        self._sequence = Sequence(objects, Zone.CATALOG, "commits")

    def head(self) -> Commit:
        """The newest commit. Raises `StoreError`."""
        return self.at(self._sequence.last())

    def at(self, number: int) -> Commit:
        """The commit of that number. Raises `NotFound`, `StoreError`."""
        if number == 0:
            return Commit(0)
        try:
            return _decode(self._sequence.get(number))
        except NotFound:
            raise NotFound(f"the catalog has no commit {number}", next="lake history lists them") from None

    def publish(self, base: Commit, proposal: Proposal) -> Commit:
        """Publish what a run wrote on ``base``, at once; the commit that holds it, which may be an earlier try's.

        Where nothing would change, the newest commit is returned and none is made. Raises `Conflict` when another run
        has published one of ``pins`` since ``base``, `StoreError`: then the same proposal may be published again.
        """
        for _ in range(ATTEMPTS_MAX):
            head = self.head()
            for number in range(base.number + 1, head.number + 1):
                earlier = head if number == head.number else self.at(number)
                if earlier.operation == proposal.operation:
                    return earlier
            tables = _merge(base, head, proposal)
            if tables == dict(head.tables):
                return head
            commit = Commit(
                number=head.number + 1,
                tables=tables,
                operation=proposal.operation,
                author=proposal.author,
                message=proposal.message,
                run=proposal.run,
                revision=proposal.revision,
                at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            )
            if self._sequence.create(commit.number, _encode(commit)):
                reach("catalog.published")
                return commit
        raise Conflict("other publishers were first, a hundred times", next="run again: nothing is lost")


def _merge(base: Commit, head: Commit, proposal: Proposal) -> dict[str, Pin]:
    """The tables of the next commit: the newest state with what the proposal changes."""
    tables = dict(head.tables)
    for name, version in proposal.pins.items():
        if head.version(name) != base.version(name):
            raise Conflict(
                f"{name} was published by another run (commit {head.number}) since this one began "
                f"(commit {base.number})",
                next="nothing of this run is published; run again, and it starts from there",
            )
        published = head.version(name)
        if published is not None and version < published:
            raise Conflict(f"{name} cannot go back from version {published} to {version}", next="run again")
        tables[str(name)] = Pin(name.path, version)
    for name, version in proposal.heads.items():
        published = head.version(name)
        tables[str(name)] = Pin(name.path, version if published is None else max(version, published))
    return tables


def _encode(commit: Commit) -> bytes:
    return stored(asdict(commit), version=FORMAT)


def _decode(body: bytes) -> Commit:
    fields = opened(body, newest=FORMAT, what="a commit of the catalog")
    fields["tables"] = {name: Pin(**pin) for name, pin in fields["tables"].items()}
    return Commit(**fields)
