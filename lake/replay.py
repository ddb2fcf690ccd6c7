"""The way back from the quarantine: what waits is read again, and a file that was wrong is taken back."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import polars as pl

from catalog.errors import NotFound, UsageError
from catalog.ledger import Fate, entries_named
from catalog.quarantine import QUARANTINE, SCHEMA, WAITING, delivery_of
from catalog.tables import Snapshot, in_columns, store_faults
from catalog.zones import Zone, bronze_table, parted
from ingestion.retake import Replay
from ingestion.retake import replay as replay_deliveries
from ingestion.retake import retract as retract_files
from lake.publication import RunResult, Told, publish, take_in
from lake.runs import recorded
from lake.workspace import Workspace

LIST = "lake quarantine list"

_READ = (Fate.INGESTED, Fate.KEPT)


def replay(
    lake: Workspace,
    what: Sequence[str] = (),
    *,
    records: Mapping[str, str] | None = None,
    datasets: Collection[str] = (),
    told: Told = lambda _: None,
) -> RunResult:
    """Read again what waits in the quarantine: all of it, or files and records that are named; publish in one commit.

    ``what`` are landing names of files, or ids of the quarantine; a file of which nothing waits is read again, too.
    ``records`` gives records another text, by their ids; the others are read as the settings say now. A record's whole
    file is read again, and takes the place of its earlier reading: so nothing is doubled, and what still does not pass
    waits anew. The result's ``unused`` names records whose new text was not read, since none begins there any more.
    Raises `NotFound`, `UsageError`, `StoreError`.
    """
    patches = dict(records or {})
    names = [*what, *patches]
    with recorded(lake, "quarantine replay", names) as record:
        chosen = _chosen(_known(lake, names), names, datasets)
        replays = _replays(chosen, patches)
        record.begin()
        heard = record.hearing(told)
        batches = take_in(
            lake, record.signature, lambda tables, policy: replay_deliveries(tables, policy, replays, heard)
        )
        result = publish(lake, record, batches, _message("replay", {row["file"] for row in chosen}))
    mended = {row["id"]: row for row in chosen if row["id"] in patches}
    unused = tuple(name for name, row in mended.items() if _is_unused(lake, result, row, patches[name]))
    return replace(result, unused=unused)


def waiting(lake: Workspace, what: Sequence[str] = (), datasets: Collection[str] = ()) -> list[dict[str, Any]]:
    """What `replay` would read again, by file: how many records of it wait. Raises `NotFound`, `StoreError`."""
    return _chosen(_set_aside(lake, what), what, datasets)


def retract(lake: Workspace, files: Sequence[str], told: Told = lambda _: None) -> RunResult:
    """Take files back, by their landing names: their rows leave bronze in one commit, the raw bytes stay.

    Dropped again, they come in again. Raises `NotFound` for a file that was never taken in, `StoreError`.
    """
    names = [name.removeprefix(f"{Zone.LANDING}/") for name in files]
    with recorded(lake, "retract", names) as record:
        record.begin()
        heard = record.hearing(told)
        batches = take_in(lake, record.signature, lambda tables, policy: retract_files(tables, policy, names, heard))
        return publish(lake, record, batches, _message("retract", names))


def whole(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of the quarantine in columns as `SCHEMA`, also of a version that an older lake wrote."""
    return in_columns(rows, SCHEMA).with_columns(pl.col("status").fill_null(WAITING), delivery_of())


def _set_aside(lake: Workspace, names: Sequence[str]) -> list[dict[str, Any]]:
    """The quarantine in groups: a row for each of the ids that are named, and one for all the others of a file.

    ``count`` says how many records these are; ``is_record`` that they are some, and no whole file. There may be
    millions of records in one file; of groups there are no more than files and names.
    """
    head = lake.store.open(QUARANTINE)
    if head is None:
        return []
    named = pl.when(pl.col("id").is_in(list(names))).then(pl.col("id"))
    rows = whole(head.scan()).with_columns(id=named, is_record=pl.col("record").is_not_null())
    groups = rows.group_by("id", "file", "table", "stage", "delivery", "status", "done_by", "is_record").agg(
        pl.col("line").min(), pl.col("rule").min(), count=pl.len()
    )
    with store_faults(f"read {QUARANTINE}"):
        return groups.sort("delivery", "file", "line").collect(engine="streaming").to_dicts()


def _known(lake: Workspace, names: Sequence[str]) -> list[dict[str, Any]]:
    """What `_set_aside` gives, and the files that are named and of which nothing waits: they can be read again, too."""
    rows = _set_aside(lake, names)
    waiting_files = {row["file"].partition("#")[0] for row in rows if _waits(row)}
    newest: dict[str, dict[str, Any]] = {}
    for entry in entries_named(lake.store, set(names) - waiting_files):
        if entry["fate"] in _READ:
            newest[entry["file"]] = entry
        elif entry["fate"] == Fate.RETRACTED:
            newest.pop(entry["file"], None)
    return [*rows, *map(_standing, newest.values())]


def _standing(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A delivery that was taken in, as a group of rows that wait."""
    return {
        "id": None,
        "file": entry["file"],
        "table": str(bronze_table(entry["dataset"])),
        "stage": "ingest",
        "delivery": entry["origin"] or entry["delivery"],
        "status": WAITING,
        "rule": "",
        "line": None,
        "is_record": False,
        "count": 0,
    }


def _chosen(rows: Sequence[dict[str, Any]], names: Sequence[str], datasets: Collection[str]) -> list[dict[str, Any]]:
    """The groups that wait and are named, or all of them. Raises `NotFound`, and `UsageError` for what cannot be."""
    mine = [row for row in rows if not datasets or _dataset(row) in datasets]
    if not names:
        return [row for row in mine if _waits(row)]
    chosen: list[dict[str, Any]] = []
    for name in dict.fromkeys(names):
        found = [row for row in mine if name in (row["id"], row["file"], row["file"].partition("#")[0])]
        waits = [row for row in found if _waits(row)]
        if not waits:
            raise _nothing(name, found, mine)
        chosen += [row for row in waits if row not in chosen]
    return chosen


def _waits(row: Mapping[str, Any]) -> bool:
    return bool(row["status"] == WAITING and row["stage"] == "ingest")


def _nothing(name: str, found: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> UsageError:
    """Why there is nothing to replay under a name."""
    if any(row["stage"] != "ingest" for row in found):
        return UsageError(
            f"{name} was set aside by a job, not on its way into bronze",
            next="mend the job, or correct the file and drop it again; lake run judges its rows anew",
        )
    if found:
        return UsageError(f"{name} is done: {found[-1]['done_by']} took its place", next=f"{LIST} shows what waits")
    near = get_close_matches(name, sorted({row["file"] for row in rows if _waits(row)}), n=1)
    return NotFound(f"nothing waits under {name!r}", next=f"did you mean {near[0]!r}?" if near else LIST)


def _replays(rows: Iterable[dict[str, Any]], patches: Mapping[str, str]) -> list[Replay]:
    """A replay for each delivery, with its mended records by file and line."""
    mended: dict[str, dict[str, dict[int, str]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        if row["delivery"] is None:
            raise UsageError(
                f"{row['file']} was set aside by an older lake, which did not write down its delivery",
                next=f"drop the file again, mended: lake drop FILE --into {_dataset(row)}",
            )
        lines = mended[row["delivery"]][row["file"]]
        if row["id"] in patches:
            if not row["is_record"]:
                raise UsageError(f"{row['id']} is no record, but a whole file", next="replay it without --record")
            lines[row["line"]] = patches[row["id"]]
    return [
        Replay(delivery, {file: dict(lines) for file, lines in files.items() if lines})
        for delivery, files in mended.items()
    ]


def _is_unused(lake: Workspace, result: RunResult, row: Mapping[str, Any], text: str) -> bool:
    """Whether a delivery was read again without the text that was given for one of its records.

    Neither bronze nor the quarantine has a record of the line then, or the quarantine has the same text as before.
    """
    entries = (entry for batch in result.batches for entry in batch.entries)
    entry = next((entry for entry in entries if entry.origin == row["delivery"]), None)
    if entry is None or entry.fate != Fate.INGESTED:
        return False
    for part in json.loads(entry.details or "{}").get("parts", ()):
        bronze = lake.store.open(bronze_table(entry.dataset, part["table"])) if part["file"] == row["file"] else None
        if bronze is not None and _has_row(bronze, entry.delivery, row):
            return False
    head = lake.store.open(QUARANTINE)
    if head is None:
        return True
    mine = whole(head.scan()).filter(file=row["file"], line=row["line"], delivery=row["delivery"])
    with store_faults(f"read {QUARANTINE}"):
        records = dict(mine.select("id", "record").collect(engine="streaming").iter_rows())
    before = records.get(row["id"])
    again = [record for name, record in records.items() if name.startswith(f"{entry.delivery}:")]
    return not again or (before != text and before in again)


def _has_row(bronze: Snapshot, reading: str, row: Mapping[str, Any]) -> bool:
    mine = bronze.scan().filter(_batch=reading, _file=row["file"], _line=row["line"])
    with store_faults(f"read {bronze.name}"):
        return bool(mine.select(pl.len()).collect(engine="streaming").item())


def _dataset(row: Mapping[str, Any]) -> str:
    return parted(str(row["table"]).partition(".")[2])[0]


def _message(verb: str, files: Collection[str]) -> str:
    return f"{verb} {next(iter(files))}" if len(files) == 1 else f"{verb} {len(files)} files"
