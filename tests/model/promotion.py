"""Random histories of a job's sources; after each step its table, made of what is new, equals one made whole.

On real tables: files are appended, corrected, taken back and put together, columns come, code changes, runs die between
writing, committing and publishing. What is compared are the table's rows and its rejects, as multisets, and how often
which token meant "missing", with what a lake makes that knows nothing of before.

    python -m tests.model.promotion --histories 1000 --seed 0 [--mode upsert] [--jobs 2]
"""

import argparse
import os
import random
import sys
import tempfile
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl

from catalog import failpoints
from catalog.errors import DataRefused, UsageError
from catalog.objects import Endpoint, ObjectStore
from catalog.tables import Change, Snapshot, Tables
from catalog.zones import TableName
from lake.promote.account import count_rows
from lake.promote.declare import Job
from lake.promote.desk import Desk
from lake.promote.make import Made
from lake.promote.outcome import RunOptions
from lake.promote.setaside import RECORD
from lake.promote.task import Task
from tests.model.promotion_jobs import OTHER, RECIPES, ROWS, Recipe, made
from tests.support.stores import lake_on, running

SCHEMA = {
    "id": pl.String,
    "k": pl.String,
    "g": pl.String,
    "d": pl.Int64,
    "v": pl.String,
    "f": pl.Float64,
    "n": pl.List(pl.Float64),
    "_line": pl.Int64,
    "_ingested_at": pl.Datetime("us", "UTC"),
}
FLOATS = [None, 0.0, -0.0, 1.5, float("nan")]
SAID_EVERY = 100

NOT_IN_PART = ("its columns change", "a part of it cannot be written by itself")
"""Why a part of a table may be refused that is asked for by itself."""

START = datetime(2026, 1, 1, tzinfo=UTC)

Row = dict[str, Any]


class Crash(BaseException):
    """The process dies."""


@dataclass
class World:
    """One history: the sources' files by their rows, as the model knows them, and the real tables of them."""

    chance: random.Random
    recipe: Recipe
    tables: Tables
    folder: Path
    number: int = 0
    files: dict[TableName, list[tuple[str, list[Row]]]] = field(default_factory=lambda: {ROWS: [], OTHER: []})
    heads: dict[TableName, Snapshot] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=lambda: dict(SCHEMA))
    pin: Snapshot | None = None
    code: int = 0
    memory_gb: float = 0.5
    moments: set[tuple[Any, Any]] = field(default_factory=set)

    def rows(self) -> list[Row]:
        """A few new rows of the first source."""
        return [self._row() for _ in range(self.chance.randint(1, 6))]

    def _row(self) -> Row:
        chance, self.number = self.chance, self.number + 1
        many = self.recipe.mode not in {"scd2", "snapshot"} and "newest" not in self.recipe.shape
        while True:
            row = self._drawn(many)
            moment = (row["id"], row["d"])
            if many or moment not in self.moments or chance.random() < 0.01:
                self.moments.add(moment)
                return row | ({"extra": chance.choice(["e", None])} if "extra" in self.columns else {})

    def _drawn(self, many: bool) -> Row:
        chance = self.chance
        return {
            "id": f"i{self.number}" if many and chance.random() > 0.005 else f"i{chance.randint(1, 6)}",
            "k": chance.choice(["a", "b", "c", "d", "NA", None]),
            "g": chance.choice(["x", "y", None]),
            "d": self.number // (8 if self.recipe.mode == "snapshot" else 1) + chance.randint(-2, 0) * 4,
            "v": chance.choice(["0", "1", "2", "NA", "x", "-5", "skip", None]),
            "f": chance.choice(FLOATS),
            "n": chance.choice([None, [], [None], [0.0], [-0.0], [1.0, float("nan")]]),
            "_line": chance.randint(1, 9),
            "_ingested_at": START + timedelta(days=self.number // 4),
        }

    def others(self) -> list[Row]:
        """The rows of the second source."""
        names = self.chance.sample(["a", "b", "c", "d", None], k=self.chance.randint(1, 5))
        return [{"k": name, "name": self.chance.choice(["A", "B", None])} for name in names]

    def step(self) -> str:
        """Change the sources in one way; its name."""
        held = self.files[ROWS]
        kinds = ["append"] * 4 + (["correct", "retract", "compact", "shuffle", "nothing"] if held else [])
        kinds += ["other"] * 2 if self.recipe.reads_other else []
        kinds += ["widen"] if self.chance.random() < 0.1 else []
        kind = self.chance.choice(kinds)
        self.change(kind)
        return kind

    def change(self, kind: str) -> None:
        """Make one change, in the model and in the real tables."""
        held = self.files[ROWS]
        match kind:
            case "append":
                self.commit(ROWS, [self.rows()], [])
            case "widen":
                self.columns["extra"] = pl.String
                self.commit(ROWS, [self.rows()], [])
            case "other":
                gone = [path for path, _ in self.files[OTHER]] if self.chance.random() < 0.7 else []
                self.commit(OTHER, [self.others()], gone)
            case "correct":
                path, rows = self.chance.choice(held)
                mended = [row | self.chance.choice([{}, {"v": "2"}, {"f": 9.0}, {"k": "b"}]) for row in rows]
                self.commit(ROWS, [mended + self.rows()[:1]], [path])
            case "retract":
                self.commit(ROWS, [], [self.chance.choice(held)[0]])
            case "compact":
                self.commit(ROWS, [[row for _, rows in held for row in rows]], [path for path, _ in held])
            case "shuffle":
                rows = [row for _, rows in held for row in rows]
                self.chance.shuffle(rows)
                self.commit(ROWS, [rows[::2], rows[1::2]], [path for path, _ in held])

    def commit(self, name: TableName, parts: Sequence[list[Row]], gone: Sequence[str]) -> None:
        """Files come and go, in one commit."""
        columns = self.columns if name == ROWS else {"k": pl.String, "name": pl.String}
        schema = pl.Schema(columns)
        add = [(file, rows) for rows in parts for file in self.tables.sink(name, pl.LazyFrame(rows, schema=schema))]
        head = self.heads.get(name)
        remove = [file for file in head.files if file.path in gone] if head else []
        change = Change(name, uuid.uuid4().hex, head, schema, [file for file, _ in add], remove)
        self.heads[name] = self.tables.commit(change)
        kept = [(path, rows) for path, rows in self.files[name] if path not in gone]
        self.files[name] = kept + [(file.path, rows) for file, rows in add]

    def desk(self) -> Desk:
        """What a run works with."""
        run = uuid.uuid4().hex[:8]
        return Desk(self.tables, self.tables.objects, self.folder, self._local, run, self.memory_gb)

    def _local(self, snapshot: Snapshot) -> list[Path]:
        folder = self.folder / "files"
        folder.mkdir(exist_ok=True)
        paths = [folder / file.path for file in snapshot.files]
        for path in paths:
            if not path.exists():
                self.tables.objects.fetch(snapshot.name.zone, f"{snapshot.name.path}/{path.name}", path)
        return paths

    def inputs(self, job: Job) -> dict[TableName, Snapshot]:
        """The sources as they are."""
        return {name: self.heads[name] for name in job.sources}


def canonical(frame: pl.LazyFrame) -> list[str]:
    """Rows as a multiset, in text: 0.0 is not -0.0, and NaN is NaN."""
    found = frame.collect()
    return sorted(map(repr, found.select(sorted(found.columns)).rows()))


def rejects_of(world: World, told: Any) -> list[str]:
    """The rows of a version's rejects."""
    if not told:
        return []
    path = world.folder / f"{uuid.uuid4().hex}.parquet"
    world.tables.objects.fetch("catalog", told["key"], path)
    return canonical(pl.scan_parquet(path, glob=False).select(list(RECORD)))


def rebuilt(world: World, job: Job) -> tuple[Made, pl.LazyFrame] | None:
    """What a lake makes of the sources that never made it before; None where it refuses."""
    try:
        with Task(job, world.inputs(job), None, world.desk()).made() as found:
            pass
    except DataRefused:
        return None
    return found, world.tables.scan_files(job.table, found.files, found.schema)


def options_of(world: World) -> RunOptions:
    """Now and then a run makes more anew than it must."""
    kind = world.chance.random()
    if kind < 0.05:
        return RunOptions(full=True)
    if kind < 0.1 and world.recipe.mode in {"upsert", "scd2", "partition"}:
        return RunOptions(since=START + timedelta(days=world.chance.randint(0, 8)))
    if kind < 0.14 and world.recipe.mode in {"upsert", "scd2", "partition"}:
        column = (*world.recipe.options.get("partition_by", ()), *world.recipe.options.get("key", ()))[0]
        values = {"g": ["x", "y"], "k": ["a", "b"], "id": [f"i{number}" for number in range(1, 7)]}[column]
        return RunOptions(partition={column: world.chance.choice(values)})
    return RunOptions()


def dying(chance: random.Random) -> None:
    """Arm a failpoint: the next run dies when it comes by for the first, the second or the third time."""
    left = [chance.randint(0, 2)]
    point = chance.choice(["table.sunk", "table.committed"])

    def reach(name: str) -> None:
        if name == point:
            left[0] -= 1
            if left[0] < 0:
                raise Crash

    failpoints.armed = reach


def attempt(world: World, job: Job, options: RunOptions) -> tuple[str, Snapshot | None]:
    """One run, which may die or be refused; how it went, and the version that it made."""
    try:
        if world.chance.random() < 0.12:
            dying(world.chance)
        outcome, snapshot = Task(job, world.inputs(job), world.pin, world.desk()).run("asked", options)
    except Crash:
        return "died", None
    except DataRefused as error:
        return f"refused: {error.what.partition(': ')[2]}", None
    except UsageError as error:
        if not options.partition or not any(reason in error.what for reason in NOT_IN_PART):
            raise
        return "not in part", None
    finally:
        failpoints.armed = None
    return outcome.how, snapshot


def history(seed: int, recipe: Recipe, tables: Tables, folder: Path) -> Counter[str]:
    """One random history; how its runs went. Raises `AssertionError` with the seed where a table is not right."""
    world = World(random.Random(f"{seed} {recipe.name}"), recipe, tables, folder)
    ways: Counter[str] = Counter()
    trail = []
    is_stated = world.chance.random() < 0.5
    if "sql" not in recipe.shape and world.chance.random() < 0.2:
        world.memory_gb = 4e-6  # work on rows is done in several passes, over a few rows each
    world.change("append")
    if recipe.reads_other:
        world.change("other")
    for number in range(world.chance.randint(3, 6)):
        if number:
            trail += [world.step() for _ in range(world.chance.choice([1, 1, 2]))]
        if world.chance.random() < 0.06:
            world.code += 1
        job = made(recipe, world.code, is_stated=is_stated)
        options = options_of(world)
        how, snapshot = attempt(world, job, options)
        trail.append(f"run{_said(options)}: {how}")
        ways["refused" if snapshot is None and how != "died" else how] += 1
        where = f"seed {seed}, {recipe.name}, {'stated' if is_stated else 'derived'}: {'; '.join(trail)}"
        if how == "died":
            continue
        verify(world, job, options, snapshot, (how, where))
        if snapshot is not None and world.chance.random() > 0.1:
            world.pin = snapshot
    return ways


def _said(options: RunOptions) -> str:
    asked = {"full": options.full, "since": options.since, "partition": options.partition}
    return "".join(f" {name}={value}" for name, value in asked.items() if value)


def verify(world: World, job: Job, options: RunOptions, snapshot: Snapshot | None, told: tuple[str, str]) -> None:
    """A version equals what a fresh lake makes; where it was refused, so is that."""
    how, where = told
    expected = rebuilt(world, job)
    if snapshot is None:
        assert expected is None or how == "not in part", f"{where}: refused, a rebuild is not"
        return
    assert expected is not None, f"{where}: a rebuild is refused"
    found, whole = expected
    if options.partition and world.pin is not None:
        verify_part(options, world.pin, snapshot, whole, where)
        return
    here, rows = canonical(snapshot.scan()), canonical(whole)
    assert here == rows, f"{where}\n{here}\nis not\n{rows}"
    assert rejects_of(world, snapshot.metadata["rejects"]) == rejects_of(world, found.rejects), f"{where}: rejects"
    assert snapshot.metadata["nulls"] == found.nulls, f"{where}: nulls"
    assert snapshot.rows == len(rows), where


def verify_part(options: RunOptions, pin: Snapshot, snapshot: Snapshot, whole: pl.LazyFrame, where: str) -> None:
    """The rows that were asked for are those of a fresh lake, and all others those that were published."""
    meant = pl.all_horizontal(pl.col(name).eq_missing(pl.lit(text)) for name, text in options.partition.items())
    for said, part, source in (("asked for", meant, whole), ("not asked for", ~meant, pin.scan())):
        here, there = canonical(snapshot.scan().filter(part)), canonical(source.filter(part))
        assert here == there, f"{where}: rows {said}\n{here}\nis not\n{there}"
    assert snapshot.metadata["rejects"] == pin.metadata["rejects"], f"{where}: rejects"
    assert snapshot.rows == count_rows(snapshot.scan()), where


def on_a_lake(endpoint: Endpoint, folder: Path, seed: int, recipe: Recipe) -> Counter[str]:
    """How the runs of one history went, on a lake of its own. Raises `AssertionError` as `history` does."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        ways = history(seed, recipe, Tables(ObjectStore(lake_on(endpoint))), Path(own))
    return Counter({f"{recipe.mode} {recipe.kind}: {way}": count for way, count in ways.items()})


def kinds_of(modes: Sequence[str]) -> dict[tuple[str, str], list[Recipe]]:
    """The recipes by mode and dependence."""
    kinds: dict[tuple[str, str], list[Recipe]] = {}
    for recipe in RECIPES:
        if recipe.mode in modes:
            kinds.setdefault((recipe.mode, recipe.kind), []).append(recipe)
    return kinds


def work_of(count: int, first: int, modes: Sequence[str]) -> Iterator[tuple[int, Recipe]]:
    """So many histories for each mode and dependence, over its recipes in turn."""
    kinds = kinds_of(modes)
    for number in range(count):
        for recipes in kinds.values():
            yield first + number, recipes[number % len(recipes)]


def _apart(work: Sequence[tuple[int, Recipe]]) -> tuple[Counter[str], int]:
    """The same in a process of its own, with a store of its own; how the runs went, and how many were wrong."""
    ways: Counter[str] = Counter()
    wrong = 0
    began = time.monotonic()
    with ExitStack() as stack:
        scratch, store = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lake-histories-"))) for _ in range(2)
        )
        endpoint = stack.enter_context(running("minio", store))
        for number, each in enumerate(work, start=1):
            try:
                ways += on_a_lake(endpoint, scratch, *each)
            except Exception:
                wrong += 1
                print(f"seed {each[0]}, {each[1].name}\n{traceback.format_exc()}", flush=True)
            if number % SAID_EVERY == 0:
                told = f"{number:,} of {len(work):,} histories, {wrong} wrong, {time.monotonic() - began:.0f} s"
                print(told, file=sys.stderr, flush=True)
    return ways, wrong


def main() -> None:
    """Run a campaign; says how the runs went; the exit code is 1 where a table was not right."""
    modes = list(dict.fromkeys(recipe.mode for recipe in RECIPES))
    parser = argparse.ArgumentParser(description="Random histories of promotion.")
    parser.add_argument("--histories", type=int, default=1000, help="for each mode and dependence")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mode", choices=modes)
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    work = list(work_of(chosen.histories, chosen.seed, [chosen.mode] if chosen.mode else modes))
    os.environ["POLARS_MAX_THREADS"] = "1"
    began = time.monotonic()
    with ProcessPoolExecutor(chosen.jobs, get_context("spawn")) as pool:
        done = list(pool.map(_apart, [work[i :: chosen.jobs] for i in range(chosen.jobs)]))
    seconds = time.monotonic() - began
    for way, count in sum((ways for ways, _ in done), Counter[str]()).most_common():
        print(f"{count:7,}  {way}")
    wrong = sum(count for _, count in done)
    print(f"{len(work):,} histories; {wrong:,} do not equal a rebuild; {len(work) / seconds:.1f} a second")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
