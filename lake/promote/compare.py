"""A version to be, made as a run would make it and not committed, against the published one: rows by their key."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from catalog.objects import ObjectStore
from catalog.tables import Snapshot
from catalog.zones import TableName, Zone
from lake.promote.account import count_rows, require_balance
from lake.promote.change import NOTHING_NEW
from lake.promote.declare import Job
from lake.promote.desk import Bench
from lake.promote.make import Made
from lake.promote.memory import Room, matching, shares
from lake.promote.modes import table_key
from lake.promote.multiset import COUNT, balance, less, more, with_twins
from lake.promote.preview import differences
from lake.promote.setaside import RECORD, fetched
from lake.promote.shelf import Shelf
from lake.promote.task import Task

_COME, _GONE = "__lake_come", "__lake_gone"


@dataclass(frozen=True)
class Sample:
    """How many rows there are of a kind, and some of them: the first by key."""

    count: int = 0
    rows: pl.DataFrame = field(default_factory=pl.DataFrame)


@dataclass(frozen=True)
class Difference:
    """What a run would make of a table, against its published version, in which it has ``rows_before`` rows.

    A row is ``changed`` where one row of its ``key`` goes and one comes: it is there as it would be, and in ``before``
    as it is, in the same order. Without a key, or where the key's columns are others now, rows come and go. Rows are
    compared by the columns that both versions have; ``columns`` says which come, go and change.
    """

    table: TableName
    reason: str
    how: str = ""
    version: int | None = None
    rows_before: int = 0
    rows_after: int = 0
    key: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    added: Sample = field(default_factory=Sample)
    removed: Sample = field(default_factory=Sample)
    changed: Sample = field(default_factory=Sample)
    before: pl.DataFrame = field(default_factory=pl.DataFrame)
    rejects_come: Sample = field(default_factory=Sample)
    rejects_gone: Sample = field(default_factory=Sample)

    @property
    def is_empty(self) -> bool:
        """Whether readers would see the same columns and rows, and the same quarantine."""
        samples = [each for each in vars(self).values() if isinstance(each, Sample)]
        return not self.columns and not any(sample.count for sample in samples)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the rows into a folder; the rest in what JSON has."""
        told: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, Sample):
                value.rows.write_parquet(folder / f"{name}.parquet")
                told[name] = value.count
            elif isinstance(value, pl.DataFrame):
                value.write_parquet(folder / f"{name}.parquet")
            else:
                told[name] = str(value) if isinstance(value, TableName) else value
        return told

    @classmethod
    def load(cls, told: Mapping[str, Any], folder: Path) -> "Difference":
        """What `save` wrote."""
        rows = {path.stem: pl.read_parquet(path, glob=False) for path in folder.glob("*.parquet")}
        samples = {name: Sample(told[name], frame) for name, frame in rows.items() if name in told}
        lists = {name: tuple(told[name]) for name in ("key", "columns", "warnings")}
        table = TableName.parse(told["table"])
        return cls(**{**told, **lists, **samples, "table": table, "before": rows["before"]})


def unchanged(job: Job, pin: Snapshot) -> Difference:
    """Of a job that has nothing new: a run would leave it alone."""
    key = _key(job, pin.schema)
    return Difference(job.table, NOTHING_NEW, "", pin.version, pin.rows, pin.rows, key)


def compare(task: Task, reason: str, limit: int) -> Difference:
    """Make the version to be and compare it, with up to ``limit`` examples of each kind; nothing is committed.

    What is written on the way goes by `discard`. Raises what `Task.made` raises.
    """
    pin, desk = task.pin, task.desk
    with task.made() as made, tempfile.TemporaryDirectory(dir=desk.scratch, ignore_cleanup_errors=True) as folder:
        bench = Bench(task.job, desk, Shelf(Path(folder)))
        schema = made.schema if pin is None else pin.schema
        both = pl.Schema({name: dtype for name, dtype in made.schema.items() if schema.get(name) == dtype})
        rows_before, rows_after = pin.rows if pin else 0, sum(file.rows for file in made.files)
        key = _key(task.job, both)
        rows = _rows(bench, *_sides(task, made, list(both)), key, limit)
        counted = rows_before + rows["added"].count - rows["removed"].count
        told = "published, less those that go, and those that come"
        require_balance(task.job, {told: counted, "in the files of the version to be": rows_after})
        come, gone = _rejects(bench, made, pin, limit)
        before = rows.pop("before")
        return Difference(
            table=task.job.table,
            reason=reason,
            how=made.how,
            version=pin.version if pin else None,
            rows_before=rows_before,
            rows_after=rows_after,
            key=key,
            columns=differences(schema, made.schema),
            warnings=tuple(finding.message for finding in made.findings if finding.message),
            before=before.rows,
            rejects_come=come,
            rejects_gone=gone,
            **rows,
        )


def discard(objects: ObjectStore, table: TableName, stem: str) -> None:
    """Delete what the making of a version to be has written under names that begin with its ``stem``.

    Raises `StoreError`.
    """
    written = [(table.zone, f"{table.path}/{stem}"), (Zone.CATALOG, f"rejects/{table}/{stem}")]
    for zone, prefix in written:
        for found in list(objects.list_objects(zone, prefix)):
            objects.delete(zone, found.key)


def _key(job: Job, schema: pl.Schema) -> tuple[str, ...]:
    """The columns that tell which row is which; none where one of them is not in both versions."""
    key = table_key(job)
    return key if all(name in schema and not schema[name].is_nested() for name in key) else ()


def _sides(task: Task, made: Made, columns: Sequence[str]) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """The rows to be and the published ones, but for those in files of both; whole where no column is in both."""
    tables, pin, table = task.desk.tables, task.pin, task.job.table
    if pin is None:
        return tables.scan_files(table, made.files, made.schema), pl.LazyFrame(schema=made.schema)
    there = {file.path for file in pin.files} & {file.path for file in made.files}
    new = tables.scan_files(table, [file for file in made.files if file.path not in there], made.schema)
    old = tables.scan_files(table, [file for file in pin.files if file.path not in there], pin.schema)
    return (new.select(columns), old.select(columns)) if columns else (new, old)


def _rows(bench: Bench, new: pl.LazyFrame, old: pl.LazyFrame, key: tuple[str, ...], limit: int) -> dict[str, Sample]:
    """What comes, goes and changes, and the changed rows as they were."""
    room, schema = bench.room, new.collect_schema()
    nothing = Sample(0, pl.DataFrame(schema=schema))
    if schema != old.collect_schema():
        apart = {"added": new, "removed": old}
        found = {name: Sample(count_rows(rows), rows.head(limit).collect()) for name, rows in apart.items()}
        return found | {"changed": nothing, "before": nothing}
    balanced = balance(new, old, room)
    marked, names = with_twins(balanced, pl.Schema({name: schema[name] for name in key}))
    come, gone = marked.filter(pl.col(COUNT) > 0), marked.filter(pl.col(COUNT) < 0)
    if not key:
        return _came_and_went(come, gone, schema, limit) | {"changed": nothing, "before": nothing}
    pairs = _pairs(marked, names, room)
    passes = room.passes_over(pairs)
    added, removed = (matching(rows, pairs, names, "anti", room, passes) for rows in (come, gone))
    shown = pairs.sort(names).head(limit).collect(engine="streaming").lazy()
    now, then = (
        rows.join(shown, on=names, how="semi", nulls_equal=True).sort(names).select(list(schema)).collect()
        for rows in (come, gone)
    )
    changed = count_rows(pairs)
    told = {"changed": Sample(changed, now), "before": Sample(changed, then)}
    return _came_and_went(added, removed, schema, limit) | told


def _pairs(marked: pl.LazyFrame, names: Sequence[str], room: Room) -> pl.LazyFrame:
    """The keys of which one row goes and one comes."""
    is_pair = (pl.col(_COME) == 1) & (pl.col(_GONE) == -1)
    sums = [
        pl.col(COUNT).clip(lower_bound=0).sum().alias(_COME),
        pl.col(COUNT).clip(upper_bound=0).sum().alias(_GONE),
    ]
    return pl.concat(
        [
            room.keep(marked.filter(share).group_by(names).agg(sums).filter(is_pair).select(names))
            for share in shares(names, room.passes_over(marked))
        ]
    )


def _came_and_went(come: pl.LazyFrame, gone: pl.LazyFrame, schema: pl.Schema, limit: int) -> dict[str, Sample]:
    return {"added": _sample(come, schema, limit), "removed": _sample(gone, schema, limit)}


def _sample(counted: pl.LazyFrame, schema: pl.Schema, limit: int) -> Sample:
    """Rows of which each has how often it comes (above 0) or goes as `COUNT`."""
    by = [name for name, dtype in schema.items() if not dtype.is_nested()]
    total = counted.select(pl.col(COUNT).abs().sum()).collect(engine="streaming").item()
    rows = counted.select(*schema, COUNT)
    first = (rows.sort(by) if by else rows).head(limit).collect(engine="streaming").lazy()
    # So many at most of each: a row that comes a million times is shown as often as others may be.
    first = first.with_columns(pl.col(COUNT).clip(-limit, limit))
    return Sample(int(total), pl.concat([more(first), less(first)]).head(limit).collect())


def _rejects(bench: Bench, made: Made, pin: Snapshot | None, limit: int) -> tuple[Sample, Sample]:
    """The rows that would be set aside and are not, and those that would be no more."""
    before = pin.metadata.get("rejects") if pin else None
    if made.rejects == before:
        return Sample(0, pl.DataFrame(schema=RECORD)), Sample(0, pl.DataFrame(schema=RECORD))
    balanced = balance(fetched(bench, made.rejects), fetched(bench, before), bench.room)
    found = _came_and_went(balanced.filter(pl.col(COUNT) > 0), balanced.filter(pl.col(COUNT) < 0), RECORD, limit)
    return found["added"], found["removed"]
