"""What a job is given while one of its sources is taken from old to new: what came, and what went.

By row that is the rows that came and those that went; by key, all rows of the keys that either of them have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from catalog.tables import Snapshot
from catalog.zones import TableName
from lake.promote.account import count_rows
from lake.promote.apply import OutOfStep
from lake.promote.dependent import ByKey
from lake.promote.desk import Bench, View
from lake.promote.frames import count_tokens, without_tokens
from lake.promote.increment import Stage, is_since
from lake.promote.memory import distinct, matching
from lake.promote.multiset import balance, less, more
from lake.promote.reach import Reach, reach_of

SMALL_ROWS = 100_000
WHOLE_FROM_SHARE = 3
"""By key of a third of the rows, on both sides and with what has to be compared, is as much work as the whole."""

Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Read:
    """What was read of the sources: rows and bytes, of the files that had to be looked at."""

    rows: int = 0
    size_bytes: int = 0

    def __add__(self, other: "Read") -> "Read":
        return Read(self.rows + other.rows, self.size_bytes + other.size_bytes)

    @classmethod
    def of(cls, *snapshots: Snapshot) -> "Read":
        """All rows of some versions."""
        return cls(sum(each.rows for each in snapshots), sum(each.size_bytes for each in snapshots))


Views = Mapping[TableName, View]


@dataclass(frozen=True)
class Sides:
    """The sources as the job is given them for the new rows and for the old ones, one of which may be empty.

    The job is run on both all the same, since it may make rows of what is absent; in ``neither`` the source that
    changes is empty. ``came`` and ``went`` say how often tokens that mean "missing" came and went. ``is_news`` is false
    where nothing changed.
    """

    new: Views
    old: Views
    neither: Views
    is_news: bool
    read: Read
    came: Counts
    went: Counts


def sides(stage: Stage, sources: Mapping[TableName, Snapshot], bench: Bench) -> Sides:
    """The two sides of a stage; ``sources`` are the job's others meanwhile. Raises `StoreError`, `NotFound`."""
    tokens = bench.job.null_tokens.get(stage.source, ())
    looked_at: Read
    if isinstance(stage.dependence, ByKey):
        new, old, looked_at = _by_key(stage, stage.dependence.columns, tokens, bench)
    else:
        new, old = _by_row(stage, bench)
        looked_at = Read.of(stage.came, stage.went, *([stage.stayed] if stage.since else []))
    others = {
        name: replace(snapshot, files=()) if name in stage.dependence.without else snapshot
        for name, snapshot in sources.items()
        if name != stage.source
    }
    views = {name: View.of(snapshot) for name, snapshot in others.items()}
    is_news = bool(new.rows or old.rows)
    needed = [others[name] for name in bench.job.inputs if name in others] if is_news else []
    return Sides(
        new=views | {stage.source: new},
        old=views | {stage.source: old},
        neither=views | {stage.source: bench.view(pl.LazyFrame(schema=stage.after.schema))},
        is_news=is_news,
        read=looked_at + Read.of(*needed),
        came=count_tokens(stage.came.scan(), tokens),
        went=count_tokens(stage.went.scan(), tokens),
    )


def _by_row(stage: Stage, bench: Bench) -> tuple[View, View]:
    if stage.since is None and not (stage.came.files and stage.went.files):
        return View.of(stage.came), View.of(stage.went)
    came, went = _changed(stage, bench)
    return bench.view(came), bench.view(went)


def _changed(stage: Stage, bench: Bench) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """The rows that came and those that went, but for those that did both; or that count as changed since a moment."""
    columns = list(stage.after.schema)
    came, went = stage.came.scan(), stage.went.scan().select(columns)
    if stage.since is not None:
        again = stage.stayed.scan().filter(is_since(stage.since))
        return pl.concat([came, again]), pl.concat([went, again])
    if not (stage.came.files and stage.went.files):
        return came, went
    balanced = balance(came, went, bench.room)
    return more(balanced), less(balanced)


def _by_key(stage: Stage, key: Sequence[str], tokens: Sequence[str], bench: Bench) -> tuple[View, View, Read]:
    """All rows of the keys that came or went; in them, what means "missing" is NULL already, as the job will see it."""
    columns = list(key)
    # They are gone through several times, the store is read once.
    changed = bench.keep(without_tokens(pl.concat(_changed(stage, bench)), tokens).select(columns))
    keys = distinct(changed, bench.room)
    passes = bench.room.passes_over(keys)
    reach = reach_of(keys, columns)
    held = [_near(each, reach) for each in (stage.stayed, stage.came, stage.went)]

    def of_keys(snapshot: Snapshot, taken: Sequence[str] = tuple(stage.after.schema)) -> pl.LazyFrame:
        near = without_tokens(snapshot.scan().select(taken), tokens).filter(reach.within())
        return matching(near, keys, columns, "semi", bench.room, passes)

    if sum(each.rows for each in held) > SMALL_ROWS:
        _require_worth(stage, sum(count_rows(of_keys(each, columns)) for each in held[:2]))
    stayed, came, went = map(of_keys, held)
    kept = bench.keep(stayed)
    looked_at = Read.of(*held) + (Read.of(stage.came, stage.went) if stage.since is None else Read.of(stage.stayed))
    return bench.view(pl.concat([kept, came])), bench.view(pl.concat([kept, went])), looked_at


def _require_worth(stage: Stage, rows: int) -> None:
    """Raises `OutOfStep` where so many rows have a touched key that it is less work to make the table whole."""
    if stage.since is None and rows > max(SMALL_ROWS, stage.after.rows // WHOLE_FROM_SHARE):
        raise OutOfStep(f"{rows:,} of its {stage.after.rows:,} rows have a key that changed")


def _near(snapshot: Snapshot, reach: Reach) -> Snapshot:
    """The version, but for the files that hold none of the keys."""
    return replace(snapshot, files=tuple(reach.files(snapshot.files)))
