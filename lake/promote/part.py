"""A job's table made in part, of what is new in its sources: written, and not committed yet.

The job is run on what came and on what went, as `sides` tells them apart, and the difference of the two is what changes
in its table and in its rejects.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl

from catalog.tables import Snapshot, difference
from lake.promote.account import count_rows
from lake.promote.apply import Applied, Ground, OutOfStep, apply, standing
from lake.promote.check import Finding, accept, assess, refuse, row_rules, table_rules
from lake.promote.declare import Mode
from lake.promote.increment import Increment
from lake.promote.make import Made, Order, weighed
from lake.promote.memory import distinct, matching
from lake.promote.modes import HISTORIES, shape
from lake.promote.multiset import balance, less, more
from lake.promote.reach import reach_of
from lake.promote.setaside import RECORD, carry, rejects_of
from lake.promote.sides import Counts, Read, Views, sides

Found = tuple[Finding, ...]


@dataclass
class _Halves:
    """What the job made of what came (new) and of what went (old), by the number of the stage, and its rejects."""

    new: dict[int, pl.LazyFrame] = field(default_factory=dict)
    old: dict[int, pl.LazyFrame] = field(default_factory=dict)
    rejected: list[pl.LazyFrame] = field(default_factory=list)
    taken_back: list[pl.LazyFrame] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    read: Read = field(default_factory=Read)
    nulls: dict[str, Counts] = field(default_factory=dict)


def make_part(order: Order, pin: Snapshot, increment: Increment) -> Made:
    """The table of what is new in its sources. Raises as `make_whole`; `OutOfStep` where it must be made whole."""
    bench, job = order.bench, order.bench.job
    halves = _halves(order, pin, increment)
    ground = Ground(bench.desk.tables, job, pin, bench.room)
    applied, found = (_by_group if _group(order) else _by_row)(order, ground, halves, increment)
    found += _of_table(order, ground, applied)
    refuse(job, found)
    measured, weights = weighed(order, applied.files, pin.schema)
    come, gone = (_concat(rejects, RECORD) for rejects in (halves.rejected, halves.taken_back))
    return Made(
        how=increment.how,
        files=applied.files,
        schema=pin.schema,
        findings=(*_summed(halves.findings), *found, *weights),
        rejects=carry(bench, order.operation, pin.metadata.get("rejects"), come, gone),
        nulls={name: columns for name, columns in halves.nulls.items() if columns},
        read=halves.read,
        measured=measured,
    )


def _halves(order: Order, pin: Snapshot, increment: Increment) -> _Halves:
    halves = _Halves(nulls=dict(pin.metadata.get("nulls", {})))
    for number, stage in enumerate(increment.stages):
        pair = sides(stage, increment.during(number), order.bench)
        halves.read += pair.read
        _count_on(halves.nulls, str(stage.source), pair.came, pair.went)
        if not pair.is_news:
            continue
        new, old = _accepted(order, pair.new, pin), _accepted(order, pair.old, pin)
        halves.rejected.append(new.rejects)
        halves.taken_back.append(old.rejects)
        halves.findings.extend(new.findings)
        neither = _accepted(order, pair.neither, pin).rows if stage.since else None
        halves.new[number], halves.old[number] = _cancelled(order, new.rows, old.rows, neither)
    return halves


@dataclass(frozen=True)
class _Half:
    rows: pl.LazyFrame
    rejects: pl.LazyFrame
    findings: Found


def _accepted(order: Order, views: Views, pin: Snapshot) -> _Half:
    """What the job makes of what it is given. Raises `OutOfStep` where the table that is there has other columns."""
    job, bench = order.bench.job, order.bench
    verdict = accept(job, bench.result(views), order.lookups, bench.room)
    if differs := difference(pin.schema, shape(job, verdict.accepted.drop(job.origin)).collect_schema()):
        raise OutOfStep(f"its columns change: {differs}")
    return _Half(verdict.accepted, rejects_of(verdict), verdict.findings)


def _cancelled(
    order: Order, new: pl.LazyFrame, old: pl.LazyFrame, neither: pl.LazyFrame | None
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """The two halves without what the job made on both sides.

    Beside the rows of what changed, a job may make others, such as those that find nothing to be joined with while only
    changed rows are there. They are the same on both sides; where rows are to be made anew that may be the same, too,
    ``neither`` tells what is made of nothing. Where a group is made anew together, all of it stays.
    """
    if neither is None and not count_rows(old):
        return new, old
    room, group = order.bench.room, _group(order)
    differing = [balance(new, old, room)] if neither is None else [balance(each, neither, room) for each in (new, old)]
    if not group:
        return more(differing[0]), less(differing[0])
    touched = distinct(pl.concat([each.select(group) for each in differing]), room)
    passes = room.passes_over(touched)
    kept_new, kept_old = (matching(rows, touched, group, "semi", room, passes) for rows in (new, old))
    return kept_new, kept_old


def _by_group(order: Order, ground: Ground, halves: _Halves, increment: Increment) -> tuple[Applied, Found]:
    """The rows of touched keys, or partitions, in the place of those that the table has of them."""
    bench, job, group, schema = order.bench, order.bench.job, _group(order), ground.pin.schema
    if increment.is_redone:
        _require_agreement(order, halves, group)
    # What a later stage takes back is no news.
    new = [
        _without(order, rows, [each for at, each in halves.old.items() if at > number], group)
        for number, rows in halves.new.items()
    ]
    found: Found = ()
    table = there = pl.LazyFrame(schema=schema)
    if new:
        rows = pl.concat(new)
        found = assess(rows, row_rules(job), order.lookups, bench.room)
        if job.mode in HISTORIES:
            refuse(job, found)
        table = bench.keep(shape(job, rows.drop(job.origin), bench.room))
    if halves.old:
        touched = pl.concat([rows.select(group) for rows in halves.old.values()])
        there = standing(ground, distinct(touched, bench.room), group)
    if not increment.is_redone:
        _require_there(order, halves, there, group)
    return apply(ground, table, there), found


def _require_there(order: Order, halves: _Halves, there: pl.LazyFrame, group: list[str]) -> None:
    """Raises `OutOfStep` unless the table has as many rows of the touched groups as its sources made before."""
    job, room = order.bench.job, order.bench.room
    # What an earlier stage has touched was not like this before.
    first = [
        _without(
            order,
            rows,
            [each for half in (halves.new, halves.old) for at, each in half.items() if at < number],
            group,
        )
        for number, rows in halves.old.items()
    ]
    expected = count_rows(shape(job, pl.concat(first).drop(job.origin), room)) if first else 0
    if expected != (counted := count_rows(there)):
        raise OutOfStep(f"it has {counted:,} rows where its sources made {expected:,} before")


def _require_agreement(order: Order, halves: _Halves, group: list[str]) -> None:
    """Raises `OutOfStep` where a later stage takes back other rows of a group than an earlier one has made.

    So it is with a key that two sources have: the later stage takes back its own row, and not that of the other.
    """
    for number, rows in halves.new.items():
        made = rows
        for later in (each for at, each in halves.old.items() if at > number):
            left = _without(order, made, [later], group)
            mine = _without(order, made, [left], group)
            its = _without(order, later, [_without(order, later, [made], group)], group)
            if count_rows(balance(mine, its, order.bench.room)):
                raise OutOfStep("several sources make rows of one key")
            made = left


def _by_row(order: Order, ground: Ground, halves: _Halves, increment: Increment) -> tuple[Applied, Found]:
    """The rows of a table without a key."""
    job, room, schema = order.bench.job, order.bench.room, ground.pin.schema
    rules = row_rules(job)
    is_once = len(increment.stages) == 1
    found: Found = ()
    if is_once:
        found = tuple(each for rows in halves.new.values() for each in assess(rows, rules, order.lookups, room))
        refuse(job, found)
    elif not {column for rule in rules for column in rule.columns} <= set(schema):
        raise OutOfStep("several sources changed, and a rule reads a column that the table does not have")
    new, old = (
        _concat([rows.drop(job.origin).select(list(schema)) for rows in half.values()], schema)
        for half in (halves.new, halves.old)
    )
    applied = apply(ground, new, old)
    # Of several stages only what is left in the end is judged: what comes between is never in the table.
    return applied, found if is_once else assess(applied.come, rules, order.lookups, room)


def _of_table(order: Order, ground: Ground, applied: Applied) -> Found:
    """What the rules on the table's rows together find: rows that came are compared with all of its rows."""
    found: list[Finding] = []
    for rule in table_rules(order.bench.job):
        columns = list(rule.columns)
        values = distinct(applied.come.select(columns).drop_nulls(), ground.room)
        near = reach_of(values, columns).files(applied.files) if count_rows(values) else []
        passes = ground.room.passes_over(values)
        # Rules go through the rows several times, the store is read once.
        held = matching(ground.scan(near).select(columns), values, columns, "semi", ground.room, passes)
        rows = ground.room.keep(held)
        found += assess(rows, [rule], order.lookups, ground.room)
    return tuple(found)


def _group(order: Order) -> list[str]:
    """The columns whose values are made anew together; empty where rows stand for themselves."""
    job = order.bench.job
    return list(job.partition_by if job.mode is Mode.PARTITION else job.key)


def _without(order: Order, rows: pl.LazyFrame, others: Sequence[pl.LazyFrame], group: list[str]) -> pl.LazyFrame:
    """The rows of groups that none of the others has."""
    if not others:
        return rows
    room = order.bench.room
    held = distinct(pl.concat([each.select(group) for each in others]), room)
    return matching(rows, held, group, "anti", room, room.passes_over(held))


def _concat(frames: Iterable[pl.LazyFrame], schema: pl.Schema) -> pl.LazyFrame:
    """The rows of all frames; none, in this schema, where there is no frame."""
    found = list(frames)
    return pl.concat(found) if found else pl.LazyFrame(schema=schema)


def _count_on(nulls: dict[str, Counts], source: str, came: Counts, went: Counts) -> None:
    """Carry the counts of a source's tokens on, in place."""
    before = nulls.get(source, {})
    columns: dict[str, dict[str, int]] = {}
    for sign, counts in ((1, before), (1, came), (-1, went)):
        for column, tokens in counts.items():
            for token, count in tokens.items():
                found = columns.setdefault(column, {})
                found[token] = found.get(token, 0) + sign * count
    kept = {column: {token: n for token, n in tokens.items() if n} for column, tokens in columns.items()}
    nulls[source] = {column: tokens for column, tokens in kept.items() if tokens}


def _summed(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings of several stages, those of one rule as one."""
    by_rule: dict[str, Finding] = {}
    for each in findings:
        other = by_rule.get(each.rule)
        by_rule[each.rule] = (
            each
            if other is None
            else Finding(
                each.rule,
                each.action,
                each.rows + other.rows,
                other.message or each.message,
                each.judged + other.judged,
            )
        )
    return tuple(by_rule.values())
