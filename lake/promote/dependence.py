"""How a job's table depends on each of its sources: by row, by key, or as a whole, with the reason.

The job's function or query is looked at first, or what the job states. On top of that come the rules that look at rows
together before they take some out, and the mode, where it needs all rows of a key.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import polars as pl

from catalog.errors import JobFailed
from catalog.zones import TableName
from lake.promote.declare import Frames, Inferred, Job, Mode
from lake.promote.dependent import ByKey, ByRow, Dependence, Whole
from lake.promote.expect import Action, References, Rule, Unique
from lake.promote.names import listed, nearest
from lake.promote.polarsplan import Given, read_function, why_not_by_row
from lake.promote.relation import Column, Relation, Trace
from lake.promote.sqlplan import Read, read_query

Keys = Mapping[TableName, Collection[str]]

_ASIDE = {"_file", "_line", "_batch", "_ingested_at"}
"""The lake's own columns that are not among the values by which an automatic table tells its rows apart."""

_ONE_SPELLING = (pl.Date, pl.Boolean)
"""Types of which each value is cast from one text alone: two texts are two values."""


@dataclass(frozen=True)
class Derived:
    """How a job's result depends on its sources before any rule and mode, and its schema if that can be told."""

    relation: Relation
    schema: pl.Schema | None


def dependences(
    job: Job, schemas: Mapping[TableName, pl.Schema], keys: Keys | None = None
) -> dict[TableName, Dependence]:
    """How the job's table depends on each of its sources; ``schemas`` are theirs.

    ``keys`` are columns that together tell apart the rows of a source, as its own job promises: with them, an order of
    rows can be seen to leave nothing open. Raises `JobFailed` where the job states a key that a source has not.
    """
    if missing := [source for source in job.sources if source not in schemas]:
        return dict.fromkeys(job.sources, Whole(f"{listed(missing)} is not there"))
    derived = derive(job, schemas, keys)
    found: dict[TableName, Dependence] = {}
    for source in job.sources:
        looked_up = [rule for rule in job.expect if isinstance(rule, References) and rule.table == source]
        if looked_up:
            found[source] = Whole(f"looked up by {looked_up[0].name}")
        else:
            trace = _with_rules(job, _of_result(job, source, schemas[source], derived), derived)
            found[source] = _alone(job, source, _with_mode(job, trace), derived)
    return found


def _alone(job: Job, source: TableName, dependence: Dependence, derived: Derived) -> Dependence:
    """The same with the sources that need not be there, where nothing but single rows is looked at after the job."""
    looks_at_keys = job.mode in {Mode.SCD2, Mode.PARTITION} or any(
        isinstance(rule, Unique) and rule.action is Action.QUARANTINE for rule in job.expect
    )
    if isinstance(dependence, Whole) or looks_at_keys or source in job.depends:
        return dependence
    return replace(dependence, without=derived.relation.beside(source))


def derive(job: Job, schemas: Mapping[TableName, pl.Schema], keys: Keys | None = None) -> Derived:
    """Look at the job's function or query."""
    known = {source: _keys_of(job, source, schemas[source], keys or {}) for source in job.inputs}
    if isinstance(job.body, Frames):
        frames = {name: Given(table, schemas[table], known[table]) for name, table in job.body.parameters.items()}
        return Derived(*read_function(job.body.function, frames))
    if isinstance(job.body, Inferred):
        values = tuple(name for name in schemas[job.body.source] if name not in _ASIDE)
        return Derived(Relation(values, {job.body.source: Trace(ByKey(values))}), None)
    return Derived(*read_query(job.body.sql, {name: Read(schemas[name], known[name]) for name in job.inputs}))


def _keys_of(job: Job, source: TableName, schema: pl.Schema, keys: Keys) -> list[Collection[str]]:
    """The keys that the rows keep as the job is given them: a token that becomes NULL may make two texts one."""
    key = keys.get(source, ())
    has_text = any(schema.get(column) == pl.String for column in key)
    return [key] if key and not (has_text and job.null_tokens.get(source)) else []


def _of_result(job: Job, source: TableName, schema: pl.Schema, derived: Derived) -> Trace:
    """How the result depends on the source, as the job states it or else as it was derived."""
    trace = derived.relation.traces.get(source, Trace(Whole("nothing of it is seen to reach the result")))
    stated = job.depends.get(source)
    if isinstance(stated, ByRow):
        return Trace(stated, trace.carried if isinstance(trace.dependence, ByRow) else {})
    if isinstance(stated, ByKey):
        _require_columns(job, source, stated.columns, schema)
        # What a person calls a key, in a job that cannot be looked into, keeps its name in the result.
        named: Mapping[Column, str] = trace.carried or {column: column for column in stated.columns}
        return Trace(stated, {to: of for to, of in named.items() if of in stated.columns})
    return trace if stated is None else Trace(stated)


def _require_columns(job: Job, source: TableName, columns: Collection[str], schema: pl.Schema) -> None:
    for column in columns:
        if column not in schema:
            near = nearest(column, schema) or listed(schema)
            raise JobFailed(
                f"{job.table}: depends names the column {column!r}, which {source} lacks ({job.where})",
                next=f"the nearest is {near}",
            )


def _with_rules(job: Job, trace: Trace, derived: Derived) -> Trace:
    """After the types and the rules that quarantine: some of these look at several rows of the result."""
    trace = replace(trace, carried={to: of for to, of in trace.carried.items() if not _is_cast(job, to, derived)})
    for rule in job.expect:
        if isinstance(rule, Rule) and (why := _why_not_by_row(job, rule, derived)):
            return Trace(_worse(trace.dependence, f"the expectation {rule.name}: {why}"))
        if isinstance(rule, Unique) and rule.action is Action.QUARANTINE:
            trace = _by(trace, rule.columns, f"{rule.name} takes rows out")
    return trace


def _is_cast(job: Job, column: object, derived: Derived) -> bool:
    """Whether two texts of the column may be one value of it after the types."""
    dtype = job.types.get(str(column))
    held = pl.String() if derived.schema is None else derived.schema.get(str(column))
    return dtype is not None and dtype != held and not isinstance(dtype, _ONE_SPELLING)


def _why_not_by_row(job: Job, rule: Rule, derived: Derived) -> str | None:
    if derived.schema is None:
        return "of a result that cannot be looked at" if not job.depends else None
    return why_not_by_row(rule.condition, pl.Schema({**derived.schema, **job.types}))


def _with_mode(job: Job, trace: Trace) -> Dependence:
    """After the mode: some need all rows of a key of the result, or all rows."""
    match job.mode:
        case Mode.REPLACE:
            return _worse(trace.dependence, "mode replace")
        case Mode.SNAPSHOT:
            return _worse(trace.dependence, "mode snapshot compares each dump with the one before")
        case Mode.SCD2:
            return _by(trace, job.key, "mode scd2 takes all rows of a key").dependence
        case Mode.PARTITION:
            return _by(trace, job.partition_by, "mode partition takes all rows of a partition").dependence
    return trace.dependence


def _by(trace: Trace, columns: Collection[str], what: str) -> Trace:
    carried = [trace.carried[column] for column in columns if column in trace.carried]
    return trace.by(carried, f"{what}, and {listed(columns)} is not carried unchanged from it; state by_key(...)")


def _worse(dependence: Dependence, reason: str) -> Dependence:
    return dependence if isinstance(dependence, Whole) else Whole(reason)
