"""Random histories of a job's sources, made in part and made whole: a dependence that is stated wrongly shows."""

import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from catalog.errors import DataRefused
from catalog.zones import TableName, Zone
from lake.fixtures import Row, counts
from lake.promote.check import Verdict
from lake.promote.declare import Job
from lake.promote.dependence import dependences
from lake.promote.dependent import Dependence, Whole
from lake.promote.history import Sources, advance
from lake.promote.names import listed
from lake.promote.setaside import rejects_of
from lake.testing import accepted_of, as_bronze

ROWS_MAX = 8
STEPS = 4

State = Mapping[TableName, tuple[tuple[Any, ...], ...]]
"""The rows of each source at one moment."""


@dataclass(frozen=True)
class Broken:
    """The smallest change found that gives other rows in part than whole; by what the job was taken to depend."""

    job: Job
    ways: Mapping[TableName, Dependence]
    columns: Mapping[TableName, Sequence[str]]
    old: State
    new: State
    found: Sequence[Row]
    wanted: Sequence[Row]
    seed: int

    def lines(self) -> list[str]:
        """The same in words."""
        told = [f"{way} of {name}" for name, way in self.ways.items() if self.old[name] != self.new[name]]
        lines = [f"made {listed(told)}, the table is not what it is when it is made whole (seed {self.seed})"]
        for name, rows in self.old.items():
            names = [column for column in self.columns[name] if not column.startswith("_")]
            places = [list(self.columns[name]).index(column) for column in names]

            def said(row: tuple[Any, ...], names: Sequence[str] = names, places: Sequence[int] = places) -> str:
                return listed(f"{column}={row[at]}" for column, at in zip(names, places, strict=True))

            lines += [f"{name} has   {said(row)}" for row in rows if row in self.new[name]]
            lines += [f"{name} loses {said(row)}" for row in rows if row not in self.new[name]]
            lines += [f"{name} gets  {said(row)}" for row in self.new[name] if row not in rows]
        lines += [f"in part: {listed(map(str, row))}" for row in self.found]
        return [*lines, *(f"whole:   {listed(map(str, row))}" for row in self.wanted)]


@dataclass(frozen=True)
class Replayed:
    """How the table depends on its sources, how many changes were tried, and the smallest that gave other rows."""

    ways: Mapping[TableName, Dependence]
    changes: int
    broken: Broken | None


def replay(job: Job, cases: Sequence[Mapping[str, pl.DataFrame]], histories: int, seed: int) -> Replayed:
    """Take random rows of the cases' sources through random appends, corrections and deletes, both ways.

    A source that the table depends on as a whole stays as it is. A change on which the job fails is passed over.
    """
    frames = _merged(job, cases)
    schemas = {name: frame.schema for name, frame in frames.items()}
    ways = dependences(job, schemas)
    moving = [name for name in job.sources if not isinstance(ways[name], Whole)]
    if not moving:
        return Replayed(ways, 0, None)
    with tempfile.TemporaryDirectory() as folder:
        trial = _Trial(job, ways, schemas, Path(folder))
        tried = 0
        for number in range(seed, seed + histories):
            dice = random.Random(number)  # noqa: S311 - a history is to come again with its seed
            old = {name: tuple(row for row in frame.rows() if dice.random() < 0.5) for name, frame in frames.items()}
            old = {name: rows[:ROWS_MAX] for name, rows in old.items()}
            for _ in range(STEPS):
                new = {
                    name: _changed(dice, rows, frames[name].rows()) if name in moving else rows
                    for name, rows in old.items()
                }
                tried += 1
                if trial.differs(old, new):
                    small = _smallest(trial.differs, old, new)
                    found, wanted = trial.rows(*small)
                    columns = {name: list(schema) for name, schema in schemas.items()}
                    return Replayed(ways, tried, Broken(job, ways, columns, *small, found, wanted, number))
                old = new
        return Replayed(ways, tried, None)


@dataclass(frozen=True)
class _Trial:
    """A job to be run on the rows of a moment."""

    job: Job
    ways: Mapping[TableName, Dependence]
    schemas: Mapping[TableName, pl.Schema]
    folder: Path

    def differs(self, old: State, new: State) -> bool:
        """Whether the change gives other rows, or other rejects, in part than whole."""
        try:
            return any(
                found != wanted for found, wanted in (self._both(old, new, part) for part in (_accepted, rejects_of))
            )
        except DataRefused:
            return False

    def rows(self, old: State, new: State) -> tuple[Sequence[Row], Sequence[Row]]:
        """The rows, or rejects, that only the one way gives, and those that only the other does."""
        found, wanted = self._both(old, new, _accepted)
        if found == wanted:
            found, wanted = self._both(old, new, rejects_of)
        return sorted((found - wanted).elements(), key=repr), sorted((wanted - found).elements(), key=repr)

    def _both(self, old: State, new: State, part: Callable[[Verdict], pl.LazyFrame]) -> tuple[Any, Any]:
        def make(sources: Sources) -> pl.LazyFrame:
            return part(accepted_of(self.job, sources, self.folder))

        before, after = self._frames(old), self._frames(new)
        was, wanted = counts(make(before).collect()), counts(make(after).collect())
        goes, comes = (counts(frame.collect()) for frame in advance(make, before, after, self.ways))
        # A row that is to go and is not there makes the lake make all of it whole.
        return (was - goes + comes, wanted) if goes <= was else (wanted, wanted)

    def _frames(self, state: State) -> dict[TableName, pl.LazyFrame]:
        frames = {}
        for name, rows in state.items():
            frames[name] = pl.DataFrame(list(rows), schema=self.schemas[name], orient="row").lazy()
        return frames


def _accepted(verdict: Verdict) -> pl.LazyFrame:
    return verdict.accepted


def _merged(job: Job, cases: Sequence[Mapping[str, pl.DataFrame]]) -> dict[TableName, pl.DataFrame]:
    """The rows of each source, of all cases together; each with a file and a line of its own, where it is of bronze."""
    found = {}
    for name in job.sources:
        rows = pl.concat([case[str(name)] for case in cases if str(name) in case], how="diagonal_relaxed")
        found[name] = as_bronze(rows.lazy(), name).collect() if name.zone is Zone.BRONZE else rows
    return found


def _changed(
    dice: random.Random, rows: tuple[tuple[Any, ...], ...], pool: Sequence[tuple[Any, ...]]
) -> tuple[tuple[Any, ...], ...]:
    """The rows after some of them were deleted or corrected, and some came: values are those of the cases' rows."""
    kept = [row for row in rows if dice.random() > 0.25]
    for at, row in enumerate(kept):
        if dice.random() < 0.25 and pool:
            column = dice.randrange(len(row))
            kept[at] = (*row[:column], dice.choice(pool)[column], *row[column + 1 :])
    come = [dice.choice(pool) for _ in range(dice.randint(0, 2))] if pool else []
    return tuple(kept + come)[:ROWS_MAX]


def _smallest(differs: Callable[[State, State], bool], old: State, new: State) -> tuple[State, State]:
    """Leave out rows, before and after, one by one, as long as the two ways still differ."""
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for less in _smaller(old, new):
            if differs(*less):
                (old, new), is_smaller = less, True
                break
    return old, new


def _smaller(old: State, new: State) -> list[tuple[State, State]]:
    """The same change with one row less: of those that stay, of those that go, of those that come."""
    found: list[tuple[State, State]] = []
    for name in old:
        for row in dict.fromkeys((*old[name], *new[name])):
            before, after = ({**state, name: _without(state[name], row)} for state in (old, new))
            if row in old[name] and row in new[name]:
                found.append((before, after))
            found += [(before, new)] if row in old[name] else []
            found += [(old, after)] if row in new[name] else []
    return found


def _without(rows: tuple[tuple[Any, ...], ...], row: tuple[Any, ...]) -> tuple[tuple[Any, ...], ...]:
    at = rows.index(row) if row in rows else len(rows)
    return rows[:at] + rows[at + 1 :]
