"""Audit before publication: a job's rows divided into good ones and those for quarantine, or refused as a whole.

The order is fixed. First texts are cast; a row with one that does not fit is out. Then come the rules that quarantine:
a row is out by the first that it breaks, and of rows that come twice where they may come once all are. What is left
is judged by the rules on rows that warn or fail. Then the mode makes the table's rows of them, which are judged by what
is to come once there: the key, and `expect.unique`. Rules of the table as a whole are for `lake.promote.levels`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from catalog.errors import ExpectationFailed
from catalog.zones import TableName
from lake.promote.account import count_rows, require_balance
from lake.promote.casts import cast
from lake.promote.declare import Job
from lake.promote.expect import Action, Expectation, NotNull, OneState, References, RowRule, TableRule, Unique
from lake.promote.measure import EXAMPLES_MAX, Measured, Offence, measure
from lake.promote.memory import Room, shares
from lake.promote.modes import HISTORIES, shape, table_key
from lake.promote.names import counted

_RULE, _MESSAGE, _FITS = "__lake_rule", "__lake_message", "__lake_fits"


@dataclass(frozen=True)
class Finding:
    """What one rule found: how many of the rows that it judged break it, and the report's line on that.

    The message is empty where the rule holds. A rule of the table as a whole counts no rows that break it.
    """

    rule: str
    action: Action
    rows: int
    message: str
    judged: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing breaks the rule."""
        return not self.message


@dataclass(frozen=True)
class Verdict:
    """The rows that may be published, those that may not, as `_records` has them, and what each rule found."""

    accepted: pl.LazyFrame
    rejects: pl.LazyFrame | None
    findings: tuple[Finding, ...]

    @property
    def rejected(self) -> int:
        """How many rows are out, by the rules' own counts."""
        return sum(finding.rows for finding in self.findings if finding.action is Action.QUARANTINE)


def judge(job: Job, rows: pl.LazyFrame, lookups: Mapping[TableName, pl.LazyFrame], room: Room) -> Verdict:
    """All of a job's rows: those of its table, after the mode, and those for quarantine.

    ``lookups`` are the tables that its expectations refer to. Raises `ExpectationFailed` with counts and examples where
    a rule fails the table, `JobFailed` where a rule cannot be asked of these rows, `DataRefused` where the rows are not
    those that may be published and those that may not.
    """
    verdict = accept(job, rows, lookups, room)
    found = assess(verdict.accepted, row_rules(job), lookups, room)
    clean = verdict.accepted.drop(job.origin) if job.origin else verdict.accepted
    if job.mode in HISTORIES:
        refuse(job, found)  # a history of rows that contradict each other is none
    table = shape(job, clean, room)
    found += assess(table, table_rules(job), lookups, room)
    refuse(job, found)
    return replace(verdict, accepted=table, findings=verdict.findings + found)


def accept(job: Job, rows: pl.LazyFrame, lookups: Mapping[TableName, pl.LazyFrame], room: Room) -> Verdict:
    """Divide a job's rows by its types and the rules that quarantine; what is accepted has the columns of origin still.

    What makes the rows runs once, and they are written down.

    Raises `JobFailed`, `DataRefused` as `judge` does.
    """
    fitting, misfits, made = _fit(job.types, rows, room)
    clean, quarantined = _divide(job, fitting, lookups, room)
    findings = (*(misfits.findings if misfits else ()), *(quarantined.findings if quarantined else ()))
    parts = [part.rejects for part in (misfits, quarantined) if part and part.rejects is not None]
    verdict = Verdict(clean, pl.concat(parts) if parts else None, findings)
    set_aside = 0 if verdict.rejects is None else count_rows(verdict.rejects)
    require_balance(job, {"made": made, "accepted or set aside": count_rows(clean) + set_aside})
    require_balance(job, {"set aside": set_aside, "broke a rule": verdict.rejected})
    return verdict


def row_rules(job: Job) -> list[Measured]:
    """The rules that warn or fail and can be asked of accepted rows: of a history's, those of all moments of a key."""
    rules: list[Measured] = [rule for rule in _lenient(job) if isinstance(rule, RowRule | References)]
    moment = (job.sequence,) if job.mode in HISTORIES else ()
    told = (*job.key, *moment, *((job.deletes,) if job.deletes else ()))
    rules += [NotNull(column, Action.FAIL) for column in told]
    return [*rules, OneState((*job.key, *moment), job.deletes, job.origin)] if moment else rules


def table_rules(job: Job) -> list[Measured]:
    """The rules that warn or fail and are asked of the rows of the table together."""
    rules: list[Measured] = [rule for rule in _lenient(job) if isinstance(rule, Unique)]
    return [*rules, Unique(table_key(job), Action.FAIL, is_key=True)] if job.key else rules


def assess(
    rows: pl.LazyFrame, rules: Sequence[Measured], lookups: Mapping[TableName, pl.LazyFrame], room: Room
) -> tuple[Finding, ...]:
    """What each of the rules finds in rows, whether it holds or not; nothing is taken out and nothing refused."""
    if not rules:
        return ()
    judged = count_rows(rows)
    offences = {id(offence.rule): offence for offence in measure(rows, rules, lookups, room)}
    return tuple(_finding(rule, offences.get(id(rule)), judged) for rule in rules)


def refuse(job: Job, findings: Sequence[Finding]) -> None:
    """Raises `ExpectationFailed`, with counts and examples, where a finding is of a broken rule that fails a table."""
    if fatal := [finding.message for finding in findings if finding.action is Action.FAIL and not finding.holds]:
        raise ExpectationFailed(
            f"{job.table}: {'; '.join(fatal)}",
            next=f"mend the data or the job ({job.where}); the table stays at its last good version",
        )


def _lenient(job: Job) -> list[Expectation]:
    return [rule for rule in job.expect if rule.action is not Action.QUARANTINE]


@dataclass(frozen=True)
class _Part:
    rejects: pl.LazyFrame | None
    findings: tuple[Finding, ...]


def _fit(types: Mapping[str, pl.DataType], rows: pl.LazyFrame, room: Room) -> tuple[pl.LazyFrame, _Part | None, int]:
    """Cast the declared columns, take out the rows in which a text does not fit its type, and count all rows."""
    schema = rows.collect_schema()
    texts = {name: dtype for name, dtype in types.items() if schema[name] == pl.String and dtype != pl.String}
    if not texts:
        kept = room.keep(rows)
        return kept, None, count_rows(kept)
    # What is in a cache runs once, for all that is made of it.
    made = rows.cache()
    values = {name: f"__lake_value_{number}" for number, name in enumerate(texts)}
    bad = {name: pl.col(name).is_not_null() & pl.col(value).is_null() for name, value in values.items()}
    marked = (
        made.with_columns(cast(name, dtype).alias(values[name]) for name, dtype in texts.items())
        .with_columns(pl.any_horizontal(bad.values()).not_().alias(_FITS))
        .cache()
    )
    columns = [pl.col(values[name]).alias(name) if name in texts else pl.col(name) for name in schema]
    misfits = marked.filter(pl.col(_FITS).not_()).select(
        *schema,
        pl.coalesce(pl.when(is_bad).then(pl.lit(f"type:{name}")) for name, is_bad in bad.items()).alias(_RULE),
        pl.coalesce(
            pl.when(is_bad).then(pl.format("{}: not {}: {}", pl.lit(name), pl.lit(str(texts[name])), pl.col(name)))
            for name, is_bad in bad.items()
        ).alias(_MESSAGE),
    )
    fitting, misfits, count = room.write([marked.filter(_FITS).select(columns), misfits, made.select(pl.len())])
    broken = dict(misfits.group_by(_RULE).agg(pl.len()).collect(engine="streaming").rows())
    rows_made = int(count.collect()["len"].sum())
    findings = []
    for name in sorted(texts):
        found = broken.get(f"type:{name}", 0)
        message = _misfit_message(misfits, name, texts[name], found) if found else ""
        findings.append(Finding(f"type:{name}", Action.QUARANTINE, found, message, rows_made))
    return fitting, _Part(_records(misfits) if broken else None, tuple(findings)), rows_made


def _misfit_message(marked: pl.LazyFrame, name: str, dtype: pl.DataType, count: int) -> str:
    values = marked.filter(pl.col(_RULE) == f"type:{name}").select(name).head(1000).collect(engine="streaming")
    some = ", ".join(repr(value) for value in sorted(set(values[name].to_list()))[:EXAMPLES_MAX])
    return f"{name}: {counted(count, 'text')} {'is' if count == 1 else 'are'} not {dtype}: {some}"


def _divide(
    job: Job, rows: pl.LazyFrame, lookups: Mapping[TableName, pl.LazyFrame], room: Room
) -> tuple[pl.LazyFrame, _Part | None]:
    """Take out the rows that break a rule that quarantines; each is counted for the first of them."""
    rules = [rule for rule in job.expect if rule.action is Action.QUARANTINE and not isinstance(rule, TableRule)]
    if not rules:
        return rows, None
    judged = count_rows(rows)
    offences = list(measure(rows, rules, lookups, room))
    if not offences:
        return rows, _Part(None, tuple(_finding(rule, None, judged) for rule in rules))
    flags = {f"__lake_{number}": offence for number, offence in enumerate(offences)}
    flagged = room.keep(_flagged(rows, flags, room))
    _require_flagged(job, flagged, flags)
    marked = flagged.with_columns(
        pl.coalesce(pl.when(flag).then(pl.lit(offence.rule.name)) for flag, offence in flags.items()).alias(_RULE),
        pl.coalesce(pl.when(flag).then(pl.lit(offence.rule.broken)) for flag, offence in flags.items()).alias(_MESSAGE),
    ).drop(*flags)
    counts = dict(marked.group_by(_RULE).agg(pl.len()).collect(engine="streaming").rows())
    broken = {offence.rule.name: offence for offence in offences}
    findings = [replace(_finding(rule, broken.get(rule.name), judged), rows=counts.get(rule.name, 0)) for rule in rules]
    return marked.filter(pl.col(_RULE).is_null()).drop(_RULE, _MESSAGE), _Part(_records(marked), tuple(findings))


def _flagged(rows: pl.LazyFrame, flags: Mapping[str, Offence], room: Room) -> pl.LazyFrame:
    """The rows with a column for each offence, which is true where a row is one."""
    rows = rows.with_columns(
        offence.marks.alias(flag) for flag, offence in flags.items() if isinstance(offence.marks, pl.Expr)
    )
    for flag, offence in flags.items():
        if not isinstance(offence.marks, pl.Expr):
            rows = _looked_up(rows, offence.rule.columns, offence.marks, flag, room)
    return rows


def _looked_up(
    rows: pl.LazyFrame, columns: Sequence[str], marks: Sequence[pl.LazyFrame], flag: str, room: Room
) -> pl.LazyFrame:
    """The rows with a column that is true where their values are among the marks: by shares, as the marks are."""
    parts = (
        rows.filter(share)
        .join(values.with_columns(pl.lit(value=True).alias(flag)), on=list(columns), how="left", maintain_order="left")
        .with_columns(pl.col(flag).fill_null(value=False))
        for share, values in zip(shares(columns, len(marks)), marks, strict=True)
    )
    return next(parts) if len(marks) == 1 else pl.concat([room.keep(part) for part in parts])


def _require_flagged(job: Job, flagged: pl.LazyFrame, flags: Mapping[str, Offence]) -> None:
    """Raises `DataRefused` where other rows are marked than were counted, as with a condition that throws dice."""
    sums = flagged.select(pl.col(flag).sum() for flag in flags).collect(engine="streaming").row(0)
    for offence, marked in zip(flags.values(), sums, strict=True):
        require_balance(job, {f"broke {offence.rule.name}": offence.rows, "are marked so": marked})


def _records(marked: pl.LazyFrame) -> pl.LazyFrame:
    """The rows that are out: where they came from, if they say so, why they are out, and themselves as JSON."""
    schema = pl.Schema({n: t for n, t in marked.collect_schema().items() if n not in {_RULE, _MESSAGE}})
    values = {name: dtype for name, dtype in schema.items() if name not in {"_file", "_line"}}
    file = pl.col("_file").cast(pl.String) if "_file" in schema else pl.lit(None, pl.String)
    line = pl.col("_line").cast(pl.Int64) if "_line" in schema else pl.lit(None, pl.Int64)
    return marked.filter(pl.col(_RULE).is_not_null()).select(
        file=file, line=line, rule=pl.col(_RULE), message=pl.col(_MESSAGE), record=_record(values)
    )


def _record(schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """A row as JSON, which has no NaN and no infinity: in a row with one, all its numbers of type float are texts.

    Inside of lists and structs they are null.
    """
    row = pl.struct(_as_json_can(name, dtype) for name, dtype in schema.items())
    floats = [name for name, dtype in schema.items() if dtype.is_float()]
    if not floats:
        return row.struct.json_encode()
    texts = row.struct.with_fields(pl.field(name).cast(pl.String) for name in floats)
    is_strange = pl.any_horizontal(pl.col(name).is_finite().not_() for name in floats)
    return pl.when(is_strange).then(texts.struct.json_encode()).otherwise(row.struct.json_encode())


def _as_json_can(name: str, dtype: pl.DataType) -> pl.Expr:
    """The column as JSON can say it: bytes in base64, and nothing of bytes inside of other values."""
    if dtype == pl.Binary:
        return pl.col(name).bin.encode("base64")
    return pl.lit("(bytes)").alias(name) if dtype.is_nested() and "Binary" in str(dtype) else pl.col(name)


def _finding(rule: Measured, offence: Offence | None, judged: int) -> Finding:
    """What a rule found; without an offence it holds."""
    rows, message = (offence.rows, offence.message) if offence else (0, "")
    return Finding(rule.name, rule.action, rows, message, judged)
