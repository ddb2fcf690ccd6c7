"""An executable model of how files get into bronze once, are read again and are taken back.

It follows ``shared/model/batch_protocol.py`` where that says how deliveries are archived and cleared, and goes on where
this lake does: the account of a batch is agreed on before it is committed; a batch may write two tables; a delivery may
be read again, or its name be taken back; an ingester gives up on a version that is listed and not given, and then the
later versions of its name wait, too; ingesters route files to datasets by patterns, and not all by the same. Suppliers,
ingesters, people who mend, and a store that loses replies and says 404 for what it has take turns at random; an
ingester may die between any two requests, and two may read the same bytes differently.

Whatever happens, after one clean pass landing is empty, every delivery has one entry in all datasets, and each table
holds exactly the rows of the readings that stand. Without any one of `RULES` it does not hold.

    python -m tests.model.batch_protocol [SCHEDULES] [FIRST_SEED] [WITHOUT_RULE]
"""

import random
import sys
from collections.abc import Generator, Iterator
from typing import Any

from tests.model.simulated import MARKER, TABLES, Dataset, Delivery, Row, Store

ROUTINGS = ({"a": "x", "b": "x", "c": "x"}, {"a": "y", "b": "x", "c": "x"}, {"a": "y", "b": "y", "c": "x"})
"""The dataset of each key, by whoever goes by it; the first has no patterns, and is that of epoch 0."""

RULES = (
    "an ingester settles its epoch before it looks through the manifests",
    "it looks through the manifests of all datasets",
    "it lists landing after that",
    "an epoch is created where there is none",
    "a manifest carries its epoch",
    "the newest epoch is read",
    "the newest epoch is read after the manifest was created",
    "that a batch is void is agreed on",
)
"""What two ingesters of different patterns rest on; a schedule may do without one of them, and then breaks."""

SETTLES_FIRST, LOOKS_AT_ALL, LISTS_LAST, CREATES_EPOCHS, CARRIES_EPOCH, READS_EPOCH, READS_AFTER, AGREES = RULES

VOID = "void"
VOID_ROUNDS_MAX = 5


def settle(store: Store, routing: dict[str, str]) -> Generator[None, None, int]:
    """The epoch of a routing: the newest one, or the next one, that is made."""
    while True:
        newest = len(store.epochs)
        yield
        if routing == (store.epochs[newest - 1] if newest else ROUTINGS[0]):
            return newest
        if newest == len(store.epochs):
            store.epochs.append(routing)
        elif store.without == CREATES_EPOCHS:
            store.epochs[newest] = routing
        else:
            yield
            continue
        yield
        return newest + 1


def ingester(store: Store, name: str, replace: bool, routing: dict[str, str]) -> Iterator[None]:
    """One pass: finish what is open, then take what landed. Every ``yield`` is a request: the process may die there."""
    void_rounds = 0
    for turn in range(50):
        epoch = 0 if store.without == SETTLES_FIRST else (yield from settle(store, routing))
        early = sorted(store.landing)
        yield
        numbers: dict[str, int] = {}
        open_batches: list[str] = []
        for which, dataset in store.datasets.items():
            numbers[which] = dataset.last()
            yield
            is_looked_at = store.without != LOOKS_AT_ALL or which in routing.values()
            if is_looked_at and numbers[which] and not dataset.is_done(numbers[which]):
                open_batches.append(which)
            yield
        for which in open_batches:
            if not store.datasets[which].is_done(numbers[which]):
                yield from finish(store, store.datasets[which], (numbers[which], epoch), f"{name}.{turn}", replace)
        if store.without == SETTLES_FIRST:
            epoch = yield from settle(store, routing)
        listed = early if store.without == LISTS_LAST else sorted(store.landing)
        bodies = dict(store.landing)
        yield
        if not listed:
            return
        is_void = False
        for which in sorted({routing[key] for key, _ in listed}):
            planned = [delivery for delivery in listed if routing[delivery[0]] == which]
            n = numbers[which] + 1
            yield from begin(store, which, n, (planned, bodies, epoch))
            if not store.datasets[which].is_done(n):
                yield from finish(store, store.datasets[which], (n, epoch), f"{name}.{turn}b", replace)
            is_void = is_void or store.datasets[which].objects.get(f"outcome/{n}") == VOID
        void_rounds = void_rounds + 1 if is_void else 0
        if void_rounds == VOID_ROUNDS_MAX:
            return


def begin(store: Store, which: str, n: int, plan: tuple[list[Delivery], dict[Delivery, Any], int]) -> Iterator[None]:
    """Create a manifest of what was listed, unless another one has that number."""
    listed, bodies, epoch = plan
    dataset = store.datasets[which]
    markers = [delivery for delivery in listed if bodies.get(delivery, "") is MARKER]
    withdrawn = {d: d in markers for d in listed if any(m[0] == d[0] and m[1] >= d[1] for m in markers)}
    bases = {table: len(dataset.tables[table].log) for table in TABLES}
    yield
    dataset.create(f"manifest/{n}", ("landed", listed, withdrawn, bases, epoch))
    yield


def mender(store: Store, name: str, replace: bool) -> Iterator[None]:
    """A person reads an old delivery again, or takes a name back: a batch of its own, after what is open."""
    dataset = random.choice(list(store.datasets.values()))
    for attempt in range(50):
        last = dataset.last()
        yield
        if last and not dataset.is_done(last):
            yield from finish(store, dataset, (last, len(store.epochs)), f"{name}.{attempt}", replace)
        archived = [entry for entry in dataset.entries() if entry["archive"] is not None]
        if not archived:
            return
        entry = random.choice(archived)
        yield
        bases = {table: len(dataset.tables[table].log) for table in TABLES}
        kind = random.choice(["replay", "replay", "retract"])
        manifest = (kind, [(entry["key"], entry["version"])], {}, bases, 0, entry)
        if dataset.create(f"manifest/{last + 1}", manifest):
            yield
            yield from finish(store, dataset, (last + 1, 0), f"{name}.{attempt}b", replace)
            return
        yield


def finish(store: Store, dataset: Dataset, of: tuple[int, int], attempt: str, replace: bool) -> Iterator[None]:
    """Archive, agree on the outcome, read, agree on the account, commit to each table, clear, mark done.

    ``of`` is the batch's number, and the epoch that the one who finishes it settled himself: a rule less needs it.
    """
    n, own = of
    kind, deliveries, withdrawn, bases, epoch, *entry = dataset.objects[f"manifest/{n}"]
    yield
    is_void = False
    if kind == "landed" and f"outcome/{n}" not in dataset.objects:
        newest = own if store.without == READS_AFTER else len(store.epochs)
        yield
        is_void = newest != (own if store.without == CARRIES_EPOCH else epoch) and store.without != READS_EPOCH
        if not is_void:
            yield from archive(store, dataset, n, (deliveries, withdrawn))
        elif store.without != AGREES:
            dataset.create(f"outcome/{n}", VOID)
            yield
    outcome = dataset.objects.get(f"outcome/{n}", ([0], []))
    yield
    if outcome == VOID or (is_void and store.without == AGREES):
        dataset.create(f"done/{n}", True)
        yield
        return
    if f"account/{n}" not in dataset.objects:
        made = read(dataset, n, attempt, (kind, deliveries, outcome, entry), replace)
        yield
        dataset.create(f"account/{n}", made)
        yield
    agreed = dataset.objects[f"account/{n}"]
    yield
    for name in TABLES:
        yield from commit(dataset, n, attempt, (name, bases[name]), agreed)
    for i, delivery in enumerate(deliveries):
        if kind == "landed" and (i in outcome[0] or delivery in withdrawn):
            store.landing.pop(delivery, 0)
        yield
    dataset.create(f"done/{n}", True)
    yield


def archive(store: Store, dataset: Dataset, n: int, of: tuple[list[Delivery], dict[Delivery, bool]]) -> Iterator[None]:
    """Copy what can be copied; what hides for too long comes again, and the later versions of its name wait with it."""
    deliveries, withdrawn = of
    archived, gone, hiding = [], [], set()
    for i, delivery in enumerate(deliveries):
        for _ in range(2):
            if delivery in withdrawn:
                gone += [] if withdrawn[delivery] else [i]
                break
            body = store.get(delivery)
            yield
            if body is not None:
                dataset.objects[f"archive/{n}/{i}"] = body
                if delivery[0] not in hiding:
                    archived.append(i)
                yield
                break
            if delivery not in list(store.landing):
                gone.append(i)
                break
        else:
            hiding.add(delivery[0])
    dataset.create(f"outcome/{n}", (archived, gone))
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


def read(dataset: Dataset, n: int, attempt: str, batch: tuple[Any, ...], replace: bool) -> dict[str, Any]:
    """One attempt's account: entries, rows by table, and the readings whose rows leave."""
    kind, deliveries, (archived, withdrawn), of = batch
    before = [entry for entry in dataset.entries() if entry["batch"] < n]
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
            body, fate = dataset.objects[entry["archive"]], "old" if is_old else ""
        else:
            body = dataset.objects[f"archive/{n}/{i}"]
            fate = "known" if body in known(before + entries, key, replace) else ""
        fate = fate or random.choice(["row", "row", "reject"])
        if fate == "reject" and version in old:
            fate = "reject again"
        if fate == "row":
            gone = list(old.values()) if replace else [old[version]] if version in old else []
            rows = [row for row in rows if row[2] not in gone] + [(key, version, reading, body)]
            leaving += [each for each in gone if each // 1000 < n]
        entries.append(entry | {"fate": fate, "body": body})
    for i in withdrawn:
        key, version = deliveries[i]
        entry = {"key": key, "version": version, "batch": n, "reading": n * 1000 + i, "archive": None}
        entries.append(entry | {"fate": "withdrawn", "body": None})
    dataset.objects[f"data/{attempt}"] = rows
    return {"entries": entries, "leaving": leaving, "data": f"data/{attempt}" if rows else None}


def commit(dataset: Dataset, n: int, attempt: str, of: tuple[str, int], agreed: dict[str, Any]) -> Iterator[None]:
    """The batch's commit to one table: found, or made; none where it brings nothing and nothing leaves."""
    name, base = of
    table = dataset.tables[name]
    while True:
        version = len(table.log)
        yield
        if any(operation == n for operation, *_ in table.log[base:version]):
            return
        added, removed = ([agreed["data"]] if agreed["data"] else []), []
        for old in table.live():
            if any(row[2] in agreed["leaving"] for row in dataset.objects[old]):
                kept = f"{old}+{n}/{attempt}"
                dataset.objects[kept] = [row for row in dataset.objects[old] if row[2] not in agreed["leaving"]]
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


def check(seed: int, without: str = "") -> None:
    """One random schedule, of which a rule may be left out, and what must hold after it."""
    random.seed(seed)
    replace = seed % 2 == 1
    store, drops = Store(without), random.randint(1, 8)
    delivered: dict[Delivery, str | None] = {}
    suppliers = [supplier(store, drops)]
    workers = [ingester(store, f"i{i}", replace, random.choice(ROUTINGS)) for i in range(random.randint(1, 4))]
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
    for _ in ingester(store, "last", replace, random.choice(ROUTINGS)):
        pass
    verify(store, delivered, replace, f"seed {seed}: ")


def verify(store: Store, delivered: dict[Delivery, str | None], replace: bool, where: str) -> None:
    """Landing is empty, each delivery has one entry of its own, and all tables hold the readings that stand."""
    landed: list[Delivery] = []
    files = {d: body for d, body in delivered.items() if body is not MARKER}
    for dataset in store.datasets.values():
        entries = dataset.entries()
        kinds = {entry["batch"]: dataset.objects[f"manifest/{entry['batch']}"][0] for entry in entries}
        landed += [(entry["key"], entry["version"]) for entry in entries if kinds[entry["batch"]] == "landed"]
        assert all(files[e["key"], e["version"]] == e["body"] for e in entries if e["body"]), where + "altered"
        verify_tables(dataset, replace, where)
    unmarked = {d for d in files if not any(b is MARKER and k == d[0] and v > d[1] for (k, v), b in delivered.items())}
    assert not store.landing, where + "left in landing"
    assert len(set(landed)) == len(landed), where + "a delivery has two entries"
    assert unmarked <= set(landed), where + "a delivery vanished"


def verify_tables(dataset: Dataset, replace: bool, where: str) -> None:
    """Both tables of a dataset hold the readings that stand, of each name in the order in which it landed."""
    entries = dataset.entries()
    readings = {r for key in "abc" for r in standing(entries, key, replace).values()}
    expected = sorted((e["key"], e["version"], e["reading"], e["body"]) for e in entries if e["reading"] in readings)
    for key in "abc":
        require_order(entries, key, replace, where)
    if replace:
        assert len({row[0] for row in expected}) == len(expected), where + "two deliveries of a name stand"
    else:
        assert len({row[:2] for row in expected}) == len(expected), where + "a delivery stands twice"
    for name, table in dataset.tables.items():
        rows = sorted(row for file in table.live() for row in dataset.objects[file])
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
    without = RULES[int(arguments[2])] if arguments[2:] else ""
    for seed in range(first, first + schedules):
        check(seed, without)
    print(f"{schedules} schedules: every record once")


if __name__ == "__main__":
    main(sys.argv[1:])
