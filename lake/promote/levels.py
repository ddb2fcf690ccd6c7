"""A table as a whole: how many rows, how new, how its values are distributed; measured once, kept in its metadata.

So a run compares with the last version without reading that again. Distributions are compared by the greatest
difference in the share of rows, from 0 (the same) to 1 (nothing in common), where a missing value is a value too:

- of numbers, dates and datetimes, in the share up to any value: the Kolmogorov-Smirnov distance (NIST/SEMATECH
  e-Handbook, 1.3.5.16), looked at in a hundred places, quantiles of a sample of the last version. Between two of them
  it may be greater by the share of rows that lie there, 0.01 where no value is frequent;
- of texts and booleans, in the share of any set of values: the total variation distance (Levin and Peres, Markov
  Chains and Mixing Times, 4.1), half the sum of the differences. The most frequent values of a sample are told apart,
  and all others are one.

Neither depends on how values are put into classes, as the population stability index does, and neither has a limit
that grows with the number of rows, as the statistic of a test does.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from catalog.errors import JobFailed
from lake.promote.check import Finding
from lake.promote.declare import Job
from lake.promote.expect import Drift, Freshness, RowCount, TableRule
from lake.promote.names import counted

CUTS_MAX = 100
VALUES_MAX = 200
_SAMPLE_ROWS = 100_000
_TEXT_LENGTH_MAX = 100

Measures = Mapping[str, Any]
"""What is kept of a version: its ``rows``, the ``newest`` value and the ``drift`` of the columns that rules name."""


def measures(job: Job, table: pl.LazyFrame, before: Measures) -> dict[str, Any]:
    """Measure a job's table for its rules on the whole; ``before`` is what was kept of the last version, or empty.

    Reads the columns that rules name, and nothing for a job without such rules. Raises `JobFailed` for a column of a
    type that a rule cannot be asked of.
    """
    rules = [rule for rule in job.expect if isinstance(rule, TableRule)]
    if not rules:
        return {}
    schema = table.collect_schema()
    found: dict[str, Any] = {"rows": int(table.select(pl.len()).collect(engine="streaming").item())}
    for rule in rules:
        match rule:
            case Freshness(column=column):
                found.setdefault("newest", {})[column] = _newest(table, rule, schema[column])
            case Drift(column=column):
                last = before.get("drift", {}).get(column, {})
                found.setdefault("drift", {})[column] = _distribution(table, rule, schema[column], last)
            case RowCount():
                pass
    return found


def weigh(job: Job, measured: Measures, before: Measures, now: datetime) -> tuple[Finding, ...]:
    """What the job's rules on the whole table say of its measures, and of those of the last version."""
    found = []
    for rule in job.expect:
        if isinstance(rule, TableRule) and measured:
            message = "; ".join(_messages(rule, measured, before, now))
            found.append(Finding(rule.name, rule.action, 0, message, measured["rows"]))
    return tuple(found)


def overdue(job: Job, measured: Measures, now: datetime) -> tuple[str, ...]:
    """What grew too old in a table that nothing new has come for: time is what its rule on freshness waits for."""
    rules = [rule for rule in job.expect if isinstance(rule, Freshness) and measured]
    return tuple(message for rule in rules for message in _messages(rule, measured, {}, now))


def _messages(rule: TableRule, measured: Measures, before: Measures, now: datetime) -> Iterator[str]:
    match rule:
        case Freshness(column=column, max_age=max_age):
            yield from _stale(column, max_age, measured.get("newest", {}).get(column), now)
        case RowCount():
            yield from _miscounted(rule, measured["rows"], before.get("rows"))
        case Drift(column=column, max=most):
            distance = measured.get("drift", {}).get(column, {}).get("distance")
            if distance is not None and distance > most:
                yield f"{column}: its distribution is {distance:.3f} from that of the last version, more than {most:g}"


def _stale(column: str, max_age: timedelta, newest: str | None, now: datetime) -> Iterator[str]:
    if newest is None:
        yield f"{column}: no value says how fresh the table is"
    elif now - datetime.fromisoformat(newest) > max_age:
        yield f"{column}: the newest is {newest}, older than {_span(max_age)}"


def _miscounted(rule: RowCount, rows: int, last: int | None) -> Iterator[str]:
    if rule.min is not None and rows < rule.min:
        yield f"{counted(rows, 'row')}, less than {rule.min:,}"
    if rule.max is not None and rows > rule.max:
        yield f"{counted(rows, 'row')}, more than {rule.max:,}"
    if not last:
        return
    change = rows / last - 1
    for limit, sign, word in ((rule.max_fall, -1, "less"), (rule.max_rise, 1, "more")):
        if limit is not None and sign * change > limit:
            yield f"{counted(rows, 'row')}, {abs(change):.1%} {word} than the last {last:,}: more than {limit:.1%}"


def _span(span: timedelta) -> str:
    """A span of time in words.

    >>> _span(timedelta(days=2)), _span(timedelta(hours=36))
    ('2 days', '36 hours')
    """
    hours = span.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours % 24 == 0 else f"{hours:g} hours"


def _newest(table: pl.LazyFrame, rule: Freshness, dtype: pl.DataType) -> str | None:
    if not isinstance(dtype, pl.Date | pl.Datetime):
        raise JobFailed(f"{rule.name} asks for a date or a datetime, and {rule.column} is {dtype}", next="cast it")
    newest: date | datetime | None = table.select(pl.col(rule.column).max()).collect(engine="streaming").item()
    if newest is None:
        return None
    moment = newest if isinstance(newest, datetime) else datetime(newest.year, newest.month, newest.day)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _distribution(table: pl.LazyFrame, rule: Drift, dtype: pl.DataType, last: Mapping[str, Any]) -> dict[str, Any]:
    value = pl.col(rule.column)
    if dtype.is_numeric():
        column = table.select(value.cast(pl.Float64).fill_nan(None))
    elif isinstance(dtype, pl.Date | pl.Datetime):
        column = table.select(value.to_physical().cast(pl.Float64))
    elif dtype in {pl.String, pl.Boolean}:
        texts = table.select(text=value.cast(pl.String).fill_null(""), absent=value.is_null())
        return _frequencies(texts, last)
    else:
        raise JobFailed(
            f"{rule.name} asks for numbers, dates, texts or booleans, and {rule.column} is {dtype}",
            next="take the rule out, or cast the column",
        )
    return _cumulation(column, last)


def _cumulation(column: pl.LazyFrame, last: Mapping[str, Any]) -> dict[str, Any]:
    """How many values are up to each of some, and the distance from the last version at those of it."""
    (name,) = column.collect_schema()
    value = pl.col(name)
    # What is kept must be JSON, which knows no infinity: it is beyond the greatest number.
    sample = _sample(column).drop_nulls().to_series().clip(-sys.float_info.max, sys.float_info.max).sort()
    places = sorted({round(number * (len(sample) - 1) / (CUTS_MAX - 1)) for number in range(CUTS_MAX)})
    cuts = list(dict.fromkeys(sample.gather(places).to_list())) if len(sample) else []
    old_cuts: Sequence[float] = last.get("cuts", [])
    rows, nulls, *up_to = (
        column.select(
            pl.len().alias("rows"),
            value.is_null().sum().alias("nulls"),
            *((value <= cut).sum().alias(str(number)) for number, cut in enumerate([*cuts, *old_cuts])),
        )
        .collect(engine="streaming")
        .row(0)
    )
    found = {"rows": rows, "nulls": nulls, "cuts": cuts, "up_to": up_to[: len(cuts)]}
    if not rows or not last.get("rows") or "cuts" not in last:
        return found
    now = [nulls / rows, *((nulls + count) / rows for count in up_to[len(cuts) :])]
    then = [last["nulls"] / last["rows"], *((last["nulls"] + count) / last["rows"] for count in last["up_to"])]
    return found | {"distance": max(abs(one - other) for one, other in zip(now, then, strict=True))}


def _frequencies(column: pl.LazyFrame, last: Mapping[str, Any]) -> dict[str, Any]:
    """How often some values come, and the distance from the last version with those of it told apart."""
    absent, text = pl.col("absent"), pl.col("text")
    frequent = _sample(column).filter(~absent, text.str.len_chars() <= _TEXT_LENGTH_MAX)
    top = frequent.group_by(text).len("n").sort(["n", "text"], descending=[True, False]).head(VALUES_MAX)
    values = top["text"].to_list()
    old: Mapping[str, int] = last.get("values", {})
    wanted = list({*values, *old})
    rows, nulls = column.select(pl.len().alias("rows"), absent.sum()).collect(engine="streaming").row(0)
    there = column.filter(~absent, text.is_in(wanted)).group_by(text).len("n").collect(engine="streaming")
    counts: dict[str, int] = dict(there.rows())
    found = {"rows": rows, "nulls": nulls, "values": {value: counts.get(value, 0) for value in values}}
    if not rows or not last.get("rows") or "values" not in last:
        return found
    now, then = [nulls, *(counts.get(value, 0) for value in old)], [last["nulls"], *old.values()]
    shares = [abs(one / rows - other / last["rows"]) for one, other in zip(now, then, strict=True)]
    others = abs(sum(now) / rows - sum(then) / last["rows"])
    return found | {"distance": (sum(shares) + others) / 2}


def _sample(column: pl.LazyFrame) -> pl.DataFrame:
    rows = int(column.select(pl.len()).collect(engine="streaming").item())
    return column.gather_every(1 + rows // _SAMPLE_ROWS).collect(engine="streaming")
