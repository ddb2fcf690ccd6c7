"""Audit before publication: a job's rows divided into good ones and those for quarantine, or refused as a whole.

The order is fixed. First texts are cast; a row with one that does not fit is out. Then come the rules that quarantine:
a row is out by the first that it breaks, and of rows that come twice where they may come once all are. What is left
is judged by the rules that warn or fail, and by the key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from catalog.errors import ExpectationFailed
from catalog.zones import TableName
from lake.promote.account import count_rows, require_balance
from lake.promote.casts import cast, misfit
from lake.promote.declare import Job
from lake.promote.expect import Action, Expectation, NotNull, Unique
from lake.promote.measure import EXAMPLES_MAX, Offence, measure
from lake.promote.memory import Keep, Room, shares
from lake.promote.names import counted

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
        """How many rows are out, by the rules' own counts."""
        return sum(finding.rows for finding in self.findings if finding.action is Action.QUARANTINE)


def judge(job: Job, rows: pl.LazyFrame, lookups: Mapping[TableName, pl.LazyFrame], room: Room) -> Verdict:
    """Divide a job's rows; ``lookups`` are the tables that its expectations refer to.

    Raises `ExpectationFailed` with counts and examples where a rule fails the table, `JobFailed` where a rule cannot be
    asked of these rows, `DataRefused` where the rows are not those that may be published and those that may not.
    """
    fitting, misfits = _fit(job.types, rows, room.keep)
    clean, quarantined = _divide(job, fitting, lookups, room)
    findings = (*(misfits.findings if misfits else ()), *(quarantined.findings if quarantined else ()))
    key: list[Expectation] = [NotNull(column, Action.FAIL) for column in job.key]
    key += [Unique(job.key, Action.FAIL, is_key=True)] if job.key else []
    others = [rule for rule in job.expect if rule.action is not Action.QUARANTINE] + key
    offences = list(measure(clean, others, lookups, room))
    if fatal := [offence.message for offence in offences if offence.rule.action is Action.FAIL]:
        raise ExpectationFailed(
            f"{job.table}: {'; '.join(fatal)}",
            next=f"mend the data or the job ({job.where}); the table stays at its last good version",
        )
    parts = [part.rejects for part in (misfits, quarantined) if part]
    rejects = pl.concat(parts) if parts else None
    verdict = Verdict(clean.drop(job.origin), rejects, (*findings, *map(_finding, offences)))
    set_aside = 0 if rejects is None else count_rows(rejects)
    require_balance(job, {"made": count_rows(rows), "accepted or set aside": count_rows(clean) + set_aside})
    require_balance(job, {"set aside": set_aside, "broke a rule": verdict.rejected})
    return verdict


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
    job: Job, rows: pl.LazyFrame, lookups: Mapping[TableName, pl.LazyFrame], room: Room
) -> tuple[pl.LazyFrame, _Part | None]:
    """Take out the rows that break a rule that quarantines; each is counted for the first of them."""
    rules = [rule for rule in job.expect if rule.action is Action.QUARANTINE]
    offences = list(measure(rows, rules, lookups, room))
    if not offences:
        return rows, None
    flags = {f"__lake_{number}": offence for number, offence in enumerate(offences)}
    flagged = room.keep(_flagged(rows, flags, room.keep))
    _require_flagged(job, flagged, flags)
    marked = flagged.with_columns(
        pl.coalesce(pl.when(flag).then(pl.lit(offence.rule.name)) for flag, offence in flags.items()).alias(_RULE),
        pl.coalesce(pl.when(flag).then(pl.lit(offence.rule.broken)) for flag, offence in flags.items()).alias(_MESSAGE),
    ).drop(*flags)
    counts = dict(marked.group_by(_RULE).agg(pl.len()).collect(engine="streaming").rows())
    findings = [
        Finding(offence.rule.name, Action.QUARANTINE, counts.get(offence.rule.name, 0), offence.message)
        for offence in offences
    ]
    return marked.filter(pl.col(_RULE).is_null()).drop(_RULE, _MESSAGE), _Part(_records(marked), tuple(findings))


def _flagged(rows: pl.LazyFrame, flags: Mapping[str, Offence], keep: Keep) -> pl.LazyFrame:
    """The rows with a column for each offence, which is true where a row is one."""
    rows = rows.with_columns(
        offence.marks.alias(flag) for flag, offence in flags.items() if isinstance(offence.marks, pl.Expr)
    )
    for flag, offence in flags.items():
        if not isinstance(offence.marks, pl.Expr):
            rows = _looked_up(rows, offence.rule.columns, offence.marks, flag, keep)
    return rows


def _looked_up(
    rows: pl.LazyFrame, columns: Sequence[str], marks: Sequence[pl.LazyFrame], flag: str, keep: Keep
) -> pl.LazyFrame:
    """The rows with a column that is true where their values are among the marks: by shares, as the marks are."""
    parts = (
        rows.filter(share)
        .join(values.with_columns(pl.lit(value=True).alias(flag)), on=list(columns), how="left", maintain_order="left")
        .with_columns(pl.col(flag).fill_null(value=False))
        for share, values in zip(shares(columns, len(marks)), marks, strict=True)
    )
    return next(parts) if len(marks) == 1 else pl.concat([keep(part) for part in parts])


def _require_flagged(job: Job, flagged: pl.LazyFrame, flags: Mapping[str, Offence]) -> None:
    """Raises `DataRefused` where other rows are marked than were counted, as with a condition that throws dice."""
    sums = flagged.select(pl.col(flag).sum() for flag in flags).collect(engine="streaming").row(0)
    for offence, marked in zip(flags.values(), sums, strict=True):
        require_balance(job, {f"broke {offence.rule.name}": offence.rows, "are marked so": marked})


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
