"""A change of rows applied to a table's files: those that hold none of the rows stay, the others are written again.

What goes must be there: where it is not, `OutOfStep` says so, and the table is made whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from catalog.derived import to_merge
from catalog.tables import DataFile, Snapshot, Tables
from lake.promote.account import count_rows, require_balance
from lake.promote.declare import Job, Mode
from lake.promote.memory import Room, matched, matching, shares
from lake.promote.modes import table_key
from lake.promote.multiset import COUNT, balance, fewer, less, more, tally, with_twins
from lake.promote.reach import reach_of

_FILE = "__lake_number"


class OutOfStep(Exception):
    """Why a table is made whole after all: it does not hold what should leave it, or it would be less work."""


@dataclass(frozen=True)
class Applied:
    """The files of a table after a change, and the rows that came and went, which are on the local disk."""

    files: list[DataFile]
    come: pl.LazyFrame
    gone: pl.LazyFrame


@dataclass(frozen=True)
class Ground:
    """What a change is applied to: a table as published, by its job."""

    tables: Tables
    job: Job
    pin: Snapshot
    room: Room

    def scan(self, files: Sequence[DataFile]) -> pl.LazyFrame:
        """The rows of some of its files."""
        return self.tables.scan_files(self.pin.name, files, self.pin.schema)


def apply(ground: Ground, new: pl.LazyFrame, old: pl.LazyFrame) -> Applied:
    """Put ``new`` rows in the place of ``old`` ones; a row that is in both stays where it is, and so does its file.

    Raises `OutOfStep`, `StoreError`; `DataRefused` where the files' footers do not count as many rows as there are.
    """
    columns, room = list(ground.pin.schema), ground.room
    new, old = new.select(columns), old.select(columns)
    balanced = balance(new, old, room)
    if ground.job.mode is Mode.PARTITION:
        applied = _by_partition(ground, balanced, new, old)
    else:
        come, gone = more(balanced), fewer(balanced)
        files = _taken_out(ground, gone) if count_rows(gone) else list(ground.pin.files)
        applied = Applied(_put_in(ground, files, come), come, less(balanced))
    come_rows, gone_rows = count_rows(applied.come), count_rows(applied.gone)
    counted = ground.pin.rows - gone_rows + come_rows
    told = f"were there, less {gone_rows:,} that went, and {come_rows:,} that came"
    require_balance(ground.job, {told: counted, "in its files": sum(file.rows for file in applied.files)})
    return applied


def standing(ground: Ground, groups: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """The table's rows that have the values of ``groups``, which come once, in these columns; written down.

    Of the files that may hold them these columns are read, and the others of those that do.
    """
    held = _held(ground, groups, columns)
    files = [ground.pin.files[number] for number in held]
    passes = ground.room.passes_over(groups)
    return ground.room.keep(matching(ground.scan(files), groups, columns, "semi", ground.room, passes))


def _held(ground: Ground, values: pl.LazyFrame, columns: Sequence[str]) -> dict[int, int]:
    """How many rows have one of these values, which come once, by the number of the file that holds them."""
    on = list(columns)
    near = {file.path for file in reach_of(values, on).files(ground.pin.files)}
    numbered = [(number, file) for number, file in enumerate(ground.pin.files) if file.path in near]
    if not numbered:
        return {}
    rows = pl.concat(
        ground.scan([file]).select(on).with_columns(pl.lit(number, pl.Int32).alias(_FILE)) for number, file in numbered
    )
    found: dict[int, int] = {}
    for share in shares(on, ground.room.passes_over(values)):
        matches = matched(rows.filter(share), values.filter(share), on, "semi")
        for number, count in matches.group_by(_FILE).agg(pl.len()).collect(engine="streaming").rows():
            found[number] = found.get(number, 0) + count
    return dict(sorted(found.items()))


def _taken_out(ground: Ground, gone: pl.LazyFrame) -> list[DataFile]:
    """The files without these rows, each of which has how often it goes as `COUNT`."""
    key = list(table_key(ground.job))
    columns = key or list(ground.pin.schema)
    held = _held(ground, gone.select(columns).unique() if key else gone.select(columns), columns)
    files = [file for number, file in enumerate(ground.pin.files) if number not in held]
    if key:
        if sum(held.values()) != count_rows(gone):
            raise OutOfStep("it holds a key more than once, or lacks one that should go")
        return [*files, *_without_keys(ground, held, gone.select(key))]
    return [*files, *_without_rows(ground, list(held), gone)]


def _without_keys(ground: Ground, held: dict[int, int], gone: pl.LazyFrame) -> Iterator[DataFile]:
    passes = ground.room.passes_over(gone)
    for number, count in held.items():
        file = ground.pin.files[number]
        if count == file.rows:
            continue
        rows = matching(ground.scan([file]), gone, gone.collect_schema().names(), "anti", ground.room, passes)
        yield from ground.tables.sink(ground.pin.name, rows)


def _without_rows(ground: Ground, numbers: Sequence[int], gone: pl.LazyFrame) -> Iterator[DataFile]:
    """The files again, one by one, without as many of the rows as are still to go."""
    schema, room = ground.pin.schema, ground.room
    left, names = with_twins(gone, schema)
    left = room.keep(left)
    passes = room.passes_over(gone)
    for number in numbers:
        rows, _ = with_twins(ground.scan([ground.pin.files[number]]), schema)
        others = matching(rows, left.select(names), names, "anti", room, passes)
        alike = matching(rows, left.select(names), names, "semi", room, passes)
        # Of rows that are alike it does not matter which of them go.
        there = room.keep(tally(alike, names, pl.len().cast(pl.Int64).alias("__lake_there")))
        both = there.join(left, on=names, how="full", nulls_equal=True, coalesce=True).with_columns(
            pl.col("__lake_there", COUNT).fill_null(0)
        )
        stay = both.with_columns((pl.col("__lake_there") - pl.col(COUNT)).alias(COUNT)).filter(pl.col(COUNT) > 0)
        kept = pl.concat([others.select(list(schema)), more(stay.select(*schema, COUNT))])
        yield from ground.tables.sink(ground.pin.name, kept)
        rest = (pl.col(COUNT) - pl.col("__lake_there")).clip(lower_bound=0).alias(COUNT)
        left = room.keep(both.with_columns(rest).filter(pl.col(COUNT) > 0).select(*names, COUNT))
    if count_rows(left):
        raise OutOfStep("it lacks rows that should go")


def _put_in(ground: Ground, files: list[DataFile], come: pl.LazyFrame) -> list[DataFile]:
    """The files with new rows in files of their own, with which small files are put together where there are many."""
    if not count_rows(come):
        return files
    small = to_merge(files)
    others = [file for file in files if file not in small]
    rows = pl.concat([ground.scan(small), come]) if small else come
    return others + ground.tables.sink(ground.pin.name, rows)


def _by_partition(ground: Ground, balanced: pl.LazyFrame, new: pl.LazyFrame, old: pl.LazyFrame) -> Applied:
    """Whole partitions: those in which a row differs are written anew, each in files of its own."""
    by, room = list(ground.job.partition_by), ground.room
    touched = room.keep(balanced.select(by).unique())
    held = _held(ground, touched, by)
    if any(ground.pin.files[number].rows != count for number, count in held.items()):
        raise OutOfStep("a file of it holds rows of several partitions")
    passes = room.passes_over(touched)
    come = matching(new, touched, by, "semi", room, passes)
    gone = matching(old, touched, by, "semi", room, passes)
    files = [file for number, file in enumerate(ground.pin.files) if number not in held]
    return Applied([*files, *ground.tables.sink(ground.pin.name, come, by)], come, gone)
