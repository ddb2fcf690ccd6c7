"""How opening grows with history: a table, or a catalog, after many commits against one of the same content.

    python -m bench.commits table 1000     a table whose rows were replaced so often, and one that was written once
    python -m bench.commits catalog 1000   the same of commits to a catalog of 100 tables

Run in a project; prints a JSON object of seconds, ``many`` and ``fresh``, the medians of opening and reading in turns.
"""

import json
import os
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from functools import partial

import polars as pl

from catalog.log import Log, Proposal
from catalog.objects import Endpoint, ObjectStore
from catalog.tables import Change, Tables
from catalog.zones import TableName
from lake.settings import Settings

TURNS = 9
TABLES = 100


def seconds_in_turns(runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The median of the seconds that each takes."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(TURNS):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            found[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def table(objects: ObjectStore, count: int) -> dict[str, float]:
    """Open a table at its head and read it whole."""
    rows = pl.LazyFrame({"id": range(1000)})
    names = {"many": TableName.parse("gold.many"), "fresh": TableName.parse("gold.fresh")}
    writer = Tables(objects)
    for name, commits in zip(names.values(), (count, 1), strict=True):
        head = None
        for _ in range(commits):
            files = writer.sink(name, rows)
            gone = head.files if head else ()
            head = writer.commit(Change(name, uuid.uuid4().hex, head, rows.collect_schema(), files, gone))
    return seconds_in_turns({kind: partial(_read, writer, name) for kind, name in names.items()})


def _read(tables: Tables, name: TableName) -> int:
    snapshot = tables.open(name)
    return 0 if snapshot is None else snapshot.scan().collect().height


def catalog(endpoints: dict[str, Endpoint], count: int) -> dict[str, float]:
    """Open a catalog at its newest commit."""
    names = [TableName.parse(f"gold.table{number}") for number in range(TABLES)]
    stores = {kind: ObjectStore(endpoint) for kind, endpoint in endpoints.items()}
    for kind, objects in stores.items():
        objects.ensure_buckets()
        log = Log(objects)
        head = log.publish(log.head(), Proposal(f"{kind} all", pins=dict.fromkeys(names, 0)))
        for number in range(1, count if kind == "many" else 1):
            name = names[number % TABLES]
            head = log.publish(head, Proposal(f"{kind} {number}", pins={name: (head.version(name) or 0) + 1}))
    return seconds_in_turns({kind: Log(objects).head for kind, objects in stores.items()})


def main(what: str, count: str) -> None:
    """Make the history, and time it."""
    here = Settings.load(environ=os.environ).endpoint()
    if what == "table":
        found = table(ObjectStore(here), int(count))
    else:
        other = Settings.load(environ=os.environ | {"LAKE_STORE_BUCKET_PREFIX": "fresh-"}).endpoint()
        found = catalog({"many": here, "fresh": other}, int(count))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
