"""Audit before publication: a job's rows divided into good ones and those for quarantine, or refused as a whole.

The order is fixed. First texts are cast; a row with one that does not fit is out. Then come the rules that quarantine:
a row is out by the first that it breaks, and of rows that come twice where they may come once all are. What is left
is judged by the rules that warn or fail, and by the key.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from catalog.errors import ExpectationFailed
from catalog.zones import TableName
from lake.promote.casts import cast, misfit
from lake.promote.declare import Job
from lake.promote.expect import Action, Expectation, NotNull, Unique
from lake.promote.measure import EXAMPLES_MAX, Offence, measure
from lake.promote.names import counted

Keep = Callable[[pl.LazyFrame], pl.LazyFrame]
"""Writes rows down and gives back a frame that reads them, so that what made them runs once."""

_RULE, _MESSAGE = "__lake_rule", "__lake_message"


@dataclass(frozen=True)
class Finding:
    """What one rule found: how many rows break it, and the report's line on that."""

    rule: str
    action: Action
    rows: int
    message: str


@dataclass(frozen=True)
class Verdict:
    """The rows that may be published, those that may not, as `_records` has them, and what the rules found."""

    accepted: pl.LazyFrame
    rejects: pl.LazyFrame | None
    findings: tuple[Finding, ...]

    @property
    def rejected(self) -> int:
        """How many rows are out."""
        return sum(finding.rows for finding in self.findings if finding.action is Action.QUARANTINE)


def judge(
    job: Job, rows: pl.LazyFrame, lookups: Mapping[TableName, pl.LazyFrame], keep: Keep, memory_gb: float
) -> Verdict:
    """Divide a job's rows; ``lookups`` are the tables that its expectations refer to.

    Raises `ExpectationFailed` with counts and examples where a rule fails the table, `JobFailed` where a rule cannot be
    asked of these rows.
    """
    fitting, misfits = _fit(job.types, rows, keep)
    clean, quarantined = _divide(job, fitting, lookups, keep, memory_gb)
    findings = (*(misfits.findings if misfits else ()), *(quarantined.findings if quarantined else ()))
    key: list[Expectation] = [NotNull(column, Action.FAIL) for column in job.key]
    key += [Unique(job.key, Action.FAIL, is_key=True)] if job.key else []
    others = [rule for rule in job.expect if rule.action is not Action.QUARANTINE] + key
    offences = list(measure(clean, others, lookups, memory_gb))
    if fatal := [offence.message for offence in offences if offence.rule.action is Action.FAIL]:
        raise ExpectationFailed(
            f"{job.table}: {'; '.join(fatal)}",
            next=f"mend the data or the job ({job.where}); the table stays at its last good version",
        )
    rejects = [part.rejects for part in (misfits, quarantined) if part]
    return Verdict(
        clean.drop(job.origin), pl.concat(rejects) if rejects else None, (*findings, *map(_finding, offences))
    )


@dataclass(frozen=True)
class _Part:
    rejects: pl.LazyFrame
    findings: tuple[Finding, ...]


def _fit(types: Mapping[str, pl.DataType], rows: pl.LazyFrame, keep: Keep) -> tuple[pl.LazyFrame, _Part | None]:
    """Cast the declared columns, and take out the rows in which a text does not fit its type."""
    schema = rows.collect_schema()
    texts = {name: dtype for name, dtype in types.items() if schema[name] == pl.String and dtype != pl.String}
    if not texts:
        return rows, None
    casts = [cast(name, dtype).alias(name) for name, dtype in texts.items()]
    misfits = {name: misfit(name, dtype) for name, dtype in texts.items()}
    marked = rows.with_columns(
        pl.coalesce(pl.when(bad).then(pl.lit(f"type:{name}")) for name, bad in misfits.items()).alias(_RULE),
        pl.coalesce(
            pl.when(bad).then(pl.format("{}: not {}: {}", pl.lit(name), pl.lit(str(texts[name])), pl.col(name)))
            for name, bad in misfits.items()
        ).alias(_MESSAGE),
    )
    counts = marked.group_by(_RULE).agg(pl.len()).drop_nulls().collect(engine="streaming")
    fitting = keep(marked.filter(pl.col(_RULE).is_null()).drop(_RULE, _MESSAGE).with_columns(casts))
    if counts.is_empty():
        return fitting, None
    findings = [
        Finding(rule, Action.QUARANTINE, count, _misfit_message(marked, texts, rule, count))
        for rule, count in sorted(counts.rows())
    ]
    return fitting, _Part(_records(marked), tuple(findings))


def _misfit_message(marked: pl.LazyFrame, texts: Mapping[str, pl.DataType], rule: str, count: int) -> str:
    name = rule.partition(":")[2]
    values = marked.filter(pl.col(_RULE) == rule).select(name).head(1000).collect(engine="streaming")
    some = ", ".join(repr(value) for value in sorted(set(values[name].to_list()))[:EXAMPLES_MAX])
    return f"{name}: {counted(count, 'text')} {'is' if count == 1 else 'are'} not {texts[name]}: {some}"


def _divide(
    job: Job, rows: pl.LazyFrame, lookups: Mapping[TableName, pl.LazyFrame], keep: Keep, memory_gb: float
) -> tuple[pl.LazyFrame, _Part | None]:
    """Take out the rows that break a rule that quarantines; each is counted for the first of them."""
    rules = [rule for rule in job.expect if rule.action is Action.QUARANTINE]
    offences = list(measure(rows, rules, lookups, memory_gb))
    if not offences:
        return rows, None
    marked = keep(_marked(rows, offences))
    counts = dict(marked.group_by(_RULE).agg(pl.len()).collect(engine="streaming").rows())
    findings = [
        Finding(offence.rule.name, Action.QUARANTINE, counts.get(offence.rule.name, 0), offence.message)
        for offence in offences
    ]
    return marked.filter(pl.col(_RULE).is_null()).drop(_RULE, _MESSAGE), _Part(_records(marked), tuple(findings))


def _marked(rows: pl.LazyFrame, offences: Sequence[Offence]) -> pl.LazyFrame:
    flags: list[pl.Expr] = []
    for number, offence in enumerate(offences):
        if isinstance(offence.marks, pl.Expr):
            flags.append(offence.marks)
            continue
        flag = f"__lake_{number}"
        values = offence.marks.lazy().with_columns(pl.lit(value=True).alias(flag))
        rows = rows.join(values, on=list(offence.rule.columns), how="left", maintain_order="left")
        flags.append(pl.col(flag).fill_null(value=False))
    named = [
        (pl.when(flag).then(pl.lit(offence.rule.name)), pl.when(flag).then(pl.lit(offence.rule.broken)))
        for flag, offence in zip(flags, offences, strict=True)
    ]
    marked = rows.with_columns(
        pl.coalesce(name for name, _ in named).alias(_RULE), pl.coalesce(said for _, said in named).alias(_MESSAGE)
    )
    helpers = [name for name in marked.collect_schema() if name.startswith("__lake_") and name not in {_RULE, _MESSAGE}]
    return marked.drop(helpers)


def _records(marked: pl.LazyFrame) -> pl.LazyFrame:
    """The rows that are out: where they came from, if they say so, why they are out, and themselves as JSON."""
    schema = pl.Schema({n: t for n, t in marked.collect_schema().items() if n not in {_RULE, _MESSAGE}})
    values = pl.struct(_as_json_can(name, dtype) for name, dtype in schema.items() if name not in {"_file", "_line"})
    file = pl.col("_file").cast(pl.String) if "_file" in schema else pl.lit(None, pl.String)
    line = pl.col("_line").cast(pl.Int64) if "_line" in schema else pl.lit(None, pl.Int64)
    return marked.filter(pl.col(_RULE).is_not_null()).select(
        file=file, line=line, rule=pl.col(_RULE), message=pl.col(_MESSAGE), record=values.struct.json_encode()
    )


def _as_json_can(name: str, dtype: pl.DataType) -> pl.Expr:
    """The column as JSON can say it: bytes in base64, and nothing of bytes inside of other values."""
    if dtype == pl.Binary:
        return pl.col(name).bin.encode("base64")
    return pl.lit("(bytes)").alias(name) if dtype.is_nested() and "Binary" in str(dtype) else pl.col(name)


def _finding(offence: Offence) -> Finding:
    return Finding(offence.rule.name, offence.rule.action, offence.rows, offence.message)
