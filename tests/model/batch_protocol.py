"""An executable model of how files get into bronze once, are read again and are taken back.

It follows ``shared/model/batch_protocol.py`` where that says how deliveries are archived and cleared, and goes on where
this lake does: the account of a batch is agreed on before it is committed; a batch may write two tables; a delivery may
be read again, or its name be taken back; an ingester gives up on a version that is listed and not given, and then the
later versions of its name wait, too. Suppliers, ingesters, people who mend, and a store that loses replies and says 404
for what it has take turns at random; an ingester may die between any two requests, and two may read the same bytes
differently.

Whatever happens, after one clean pass landing is empty, every delivery has one entry, and each table holds exactly the
rows of the readings that stand.

    python -m tests.model.batch_protocol [SCHEDULES] [FIRST_SEED]
"""

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MARKER = None
TABLES = ("main", "part")

Delivery = tuple[str, int]
Row = tuple[str, int, int, str]
"""A key, the landing version of its bytes, the reading that brought the row, and the bytes."""


@dataclass
class Table:
    """A Delta table, whose commit is a compare-and-set: (operation, files added, files removed)."""

    log: list[tuple[int, list[str], list[str]]] = field(default_factory=list)

    def commit(self, base: int, operation: int, added: list[str], removed: list[str]) -> bool:
        if base != len(self.log):
            return False
        self.log.append((operation, added, removed))
        return True

    def live(self) -> list[str]:
        files: list[str] = []
        for _, added, removed in self.log:
            files = [file for file in files if file not in removed] + added
        return files


@dataclass
class Store:
    """Versioned landing, create-only objects, and the dataset's tables."""

    landing: dict[Delivery, str | None] = field(default_factory=dict)
    objects: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=lambda: {name: Table() for name in TABLES})

    def create(self, name: str, value: Any) -> bool:
        return self.objects.setdefault(name, value) is value

    def get(self, delivery: Delivery) -> str | None:
        return None if random.random() < 0.02 else self.landing.get(delivery)

    def last(self) -> int:
        last = 0
        while f"manifest/{last + 1}" in self.objects:
            last += 1
        return last

    def entries(self) -> list[dict[str, Any]]:
        """The ledger: the entries of every batch that is done, and of the one before it is marked so."""
        found = []
        for number in range(1, self.last() + 1):
            found += self.objects.get(f"account/{number}", {"entries": []})["entries"]
        return found


def ingester(store: Store, name: str, replace: bool) -> Iterator[None]:
    """One pass: finish what is open, then take what landed. Every ``yield`` is a request: the process may die there."""
    attempt = 0
    for _ in range(50):
        last = store.last()
        yield
        if last and f"done/{last}" not in store.objects:
            attempt += 1
            yield from finish(store, last, f"{name}.{attempt}", replace)
        listed = sorted(store.landing, key=lambda delivery: (delivery[0], delivery[1]))
        withdrawn = {
            d for d in listed if any(store.landing[m] is MARKER for m in listed if m[0] == d[0] and m[1] >= d[1])
        }
        yield
        if not listed:
            return
        bases = {table: len(store.tables[table].log) for table in TABLES}
        store.create(f"manifest/{last + 1}", ("landed", listed, withdrawn, bases))
        yield


def mender(store: Store, name: str, replace: bool) -> Iterator[None]:
    """A person reads an old delivery again, or takes a name back: a batch of its own, after what is open."""
    for attempt in range(50):
        last = store.last()
        yield
        if last and f"done/{last}" not in store.objects:
            yield from finish(store, last, f"{name}.{attempt}", replace)
        archived = [entry for entry in store.entries() if entry["archive"] is not None]
        if not archived:
            return
        entry = random.choice(archived)
        yield
        bases = {table: len(store.tables[table].log) for table in TABLES}
        kind = random.choice(["replay", "replay", "retract"])
        manifest = (kind, [(entry["key"], entry["version"])], set(), bases, entry)
        if store.create(f"manifest/{last + 1}", manifest):
            yield
            yield from finish(store, last + 1, f"{name}.{attempt}b", replace)
            return
        yield


def finish(store: Store, n: int, attempt: str, replace: bool) -> Iterator[None]:
    """Archive, agree on the outcome, read, agree on the account, commit to each table, clear, mark done."""
    kind, deliveries, withdrawn, bases, *of = store.objects[f"manifest/{n}"]
    yield
    if kind == "landed" and f"outcome/{n}" not in store.objects:
        yield from archive(store, n, deliveries, withdrawn)
    archived = store.objects.get(f"outcome/{n}", [0])
    yield
    if f"account/{n}" not in store.objects:
        made = read(store, n, attempt, (kind, deliveries, archived, of), replace)
        yield
        store.create(f"account/{n}", made)
        yield
    agreed = store.objects[f"account/{n}"]
    yield
    for name in TABLES:
        yield from commit(store, n, attempt, (name, bases[name]), agreed)
    for i, delivery in enumerate(deliveries):
        if kind == "landed" and (i in archived or delivery in withdrawn):
            store.landing.pop(delivery, 0)
        yield
    store.create(f"done/{n}", True)
    yield


def archive(store: Store, n: int, deliveries: list[Delivery], withdrawn: set[Delivery]) -> Iterator[None]:
    """Copy what can be copied; what hides for too long comes again, and the later versions of its name wait with it."""
    archived, hiding = [], set()
    for i, delivery in enumerate(deliveries):
        for _ in range(2):
            if delivery in withdrawn:
                break
            body = store.get(delivery)
            yield
            if body is not None:
                store.objects[f"archive/{n}/{i}"] = body
                if delivery[0] not in hiding:
                    archived.append(i)
                yield
                break
            if delivery not in list(store.landing):
                break
        else:
            hiding.add(delivery[0])
    store.create(f"outcome/{n}", archived)
    yield


def standing(entries: list[dict[str, Any]], key: str, replace: bool) -> dict[int, int]:
    """Of one name, by the version of the bytes, the reading whose rows stand."""
    found: dict[int, int] = {}
    for entry in entries:
        if entry["key"] == key and entry["fate"] == "row":
            if replace:
                found.clear()
            found[entry["version"]] = entry["reading"]
        elif entry["key"] == key and entry["fate"] == "retracted":
            found.clear()
    return found


def known(entries: list[dict[str, Any]], key: str, replace: bool) -> list[str]:
    """The bytes that a name brought, since it was last taken back; the current ones where corrections replace."""
    bodies: list[str] = []
    seen: set[int] = set()
    for entry in entries:
        if entry["key"] != key:
            continue
        if entry["fate"] == "retracted":
            bodies, seen = [], set()
        elif entry["fate"] == "row":
            if entry["version"] not in seen:
                bodies.append(entry["body"])
            seen = {entry["version"]} if replace else seen | {entry["version"]}
    return bodies[-1:] if replace else bodies


def waiting(entries: list[dict[str, Any]], key: str, replace: bool) -> set[int]:
    """The versions of a name that were rejected, and whose place none took since."""
    found: set[int] = set()
    for entry in entries:
        if entry["key"] != key:
            continue
        if entry["fate"] == "retracted" or (entry["fate"] == "row" and replace):
            found = set()
        if entry["fate"] == "row":
            found.discard(entry["version"])
        elif entry["fate"] == "reject":
            found.add(entry["version"])
    return found


def read(store: Store, n: int, attempt: str, batch: tuple[Any, ...], replace: bool) -> dict[str, Any]:
    """One attempt's account: entries, rows by table, and the readings whose rows leave."""
    kind, deliveries, archived, of = batch
    before = [entry for entry in store.entries() if entry["batch"] < n]
    rows: list[Row] = []
    entries: list[dict[str, Any]] = []
    leaving: list[int] = []
    for i in archived:
        key, version = deliveries[i]
        reading = n * 1000 + i
        old = standing(before + entries, key, replace)
        entry = {"key": key, "version": version, "batch": n, "reading": reading, "archive": f"archive/{n}/{i}"}
        if kind == "retract":
            leaving += old.values()
            entries.append(entry | {"fate": "retracted", "body": None, "archive": None})
            continue
        if kind == "replay":
            entry["archive"] = of[0]["archive"]
            is_old = version not in old and version not in waiting(before, key, replace)
            body, fate = store.objects[entry["archive"]], "old" if is_old else ""
        else:
            body = store.objects[f"archive/{n}/{i}"]
            fate = "known" if body in known(before + entries, key, replace) else ""
        fate = fate or random.choice(["row", "row", "reject"])
        if fate == "reject" and version in old:
            fate = "reject again"
        if fate == "row":
            gone = list(old.values()) if replace else [old[version]] if version in old else []
            rows = [row for row in rows if row[2] not in gone] + [(key, version, reading, body)]
            leaving += [each for each in gone if each // 1000 < n]
        entries.append(entry | {"fate": fate, "body": body})
    store.objects[f"data/{attempt}"] = rows
    return {"entries": entries, "leaving": leaving, "data": f"data/{attempt}" if rows else None}


def commit(store: Store, n: int, attempt: str, of: tuple[str, int], agreed: dict[str, Any]) -> Iterator[None]:
    """The batch's commit to one table: found, or made; none where it brings nothing and nothing leaves."""
    name, base = of
    table = store.tables[name]
    while True:
        version = len(table.log)
        yield
        if any(operation == n for operation, *_ in table.log[base:version]):
            return
        added, removed = ([agreed["data"]] if agreed["data"] else []), []
        for old in table.live():
            if any(row[2] in agreed["leaving"] for row in store.objects[old]):
                kept = f"{old}+{n}/{attempt}"
                store.objects[kept] = [row for row in store.objects[old] if row[2] not in agreed["leaving"]]
                removed.append(old)
                added = [*added, kept]
                yield
        if not added and not removed:
            return
        won = table.commit(version, n, added, removed)
        yield
        if won and random.random() > 0.2:
            return


def supplier(store: Store, drops: int) -> Iterator[None]:
    """Drops files, and deletes some, in no hurry."""
    for version in range(1, drops + 1):
        key = random.choice("abc")
        store.landing[key, version] = MARKER if random.random() < 0.1 else f"body {random.randint(1, 5)}"
        yield


def check(seed: int) -> None:
    """One random schedule, and what must hold after it."""
    random.seed(seed)
    replace = seed % 2 == 1
    store, drops = Store(), random.randint(1, 8)
    delivered: dict[Delivery, str | None] = {}
    suppliers = [supplier(store, drops)]
    workers = [ingester(store, f"i{i}", replace) for i in range(random.randint(1, 4))]
    workers += [mender(store, f"m{i}", replace) for i in range(random.randint(0, 3))]
    while suppliers or workers:
        actor = random.choice(suppliers + workers)
        killed = actor in workers and random.random() < 0.02
        try:
            if not killed:
                next(actor)
                delivered.update(store.landing)
                continue
        except StopIteration:
            pass
        (workers if actor in workers else suppliers).remove(actor)
    for _ in ingester(store, "last", replace):
        pass
    verify(store, delivered, replace, f"seed {seed}: ")


def verify(store: Store, delivered: dict[Delivery, str | None], replace: bool, where: str) -> None:
    """Landing is empty, each delivery has one entry of its own, and both tables hold the readings that stand."""
    entries = store.entries()
    landed = [(e["key"], e["version"]) for e in entries if store.objects[f"manifest/{e['batch']}"][0] == "landed"]
    files = {d: body for d, body in delivered.items() if body is not MARKER}
    unmarked = {d for d in files if not any(b is MARKER and k == d[0] and v > d[1] for (k, v), b in delivered.items())}
    assert not store.landing, where + "left in landing"
    assert len(set(landed)) == len(landed), where + "a delivery has two entries"
    assert unmarked <= set(landed), where + "a delivery vanished"
    assert all(files[e["key"], e["version"]] == e["body"] for e in entries if e["body"]), where + "altered"
    readings = {r for key in "abc" for r in standing(entries, key, replace).values()}
    expected = sorted((e["key"], e["version"], e["reading"], e["body"]) for e in entries if e["reading"] in readings)
    for key in "abc":
        require_order(entries, key, replace, where)
    if replace:
        assert len({row[0] for row in expected}) == len(expected), where + "two deliveries of a name stand"
    else:
        assert len({row[:2] for row in expected}) == len(expected), where + "a delivery stands twice"
    for name, table in store.tables.items():
        rows = sorted(row for file in table.live() for row in store.objects[file])
        assert rows == expected, where + f"{name} is not what the accounts say"


def require_order(entries: list[dict[str, Any]], key: str, replace: bool, where: str) -> None:
    """Versions of a name come in the order in which they landed; where they replace, an old one never comes back."""
    newest = 0
    for entry in entries:
        if entry["key"] != key or entry["fate"] not in {"row", "retracted"}:
            continue
        if entry["fate"] == "retracted":
            newest = 0
        elif replace:
            assert entry["version"] >= newest, where + "an old delivery stands for a new one"
            newest = entry["version"]


def main(arguments: list[str]) -> None:
    """Try schedules, from a seed on."""
    schedules, first = (int(arguments[0]) if arguments else 20_000), (int(arguments[1]) if arguments[1:] else 0)
    for seed in range(first, first + schedules):
        check(seed)
    print(f"{schedules} schedules: every record once")


if __name__ == "__main__":
    main(sys.argv[1:])
