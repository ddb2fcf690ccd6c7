"""Some rows of a table made anew, those with certain values of its partitions or its key; all others stay."""

from collections.abc import Mapping

import polars as pl

from catalog.errors import UsageError
from catalog.tables import Snapshot, difference
from lake.promote.account import count_rows
from lake.promote.apply import Ground, OutOfStep, apply
from lake.promote.casts import as_type, cast
from lake.promote.check import judge
from lake.promote.desk import View
from lake.promote.make import Made, Order, weighed
from lake.promote.names import listed
from lake.promote.sides import Read

_WHOLE = "make it whole: lake run --full"


def make_again(order: Order, pin: Snapshot, values: Mapping[str, str]) -> Made:
    """The table with the rows of these values, by column, as the job makes them now. Raises `UsageError`.

    What was set aside stays as it was, since it does not tell of which values it is. Raises as `make_whole`, too.
    """
    bench, job = order.bench, order.bench.job
    rows = bench.result({name: View.of(order.inputs[name]) for name in job.inputs})
    verdict = judge(job, rows, order.lookups, bench.room)
    if differs := difference(pin.schema, verdict.accepted.collect_schema()):
        raise UsageError(f"{job.table}: its columns change ({differs}), in all of its rows", next=_WHOLE)
    meant = rows_of(pin.schema, values)
    new, old = (bench.keep(frame.filter(meant)) for frame in (verdict.accepted, pin.scan()))
    are_there = count_rows(new) or count_rows(old)
    try:
        applied = apply(Ground(bench.desk.tables, job, pin, bench.room), new, old)
    except OutOfStep as error:
        raise UsageError(f"{job.table}: a part of it cannot be written by itself: {error}", next=_WHOLE) from None
    measured, found = weighed(order, applied.files, pin.schema)
    return Made(
        how=f"the rows of {listed(f'{name}={text}' for name, text in values.items())}{'' if are_there else ': none'}",
        files=applied.files,
        schema=pin.schema,
        findings=verdict.findings + found,
        rejects=pin.metadata.get("rejects"),
        nulls=pin.metadata.get("nulls", {}),
        read=Read.of(*(order.inputs[name] for name in job.inputs)),
        measured=measured,
    )


def rows_of(schema: pl.Schema, values: Mapping[str, str]) -> pl.Expr:
    """True for a row that has these values, written as in `types`. Raises `UsageError` for a text that is no value.

    >>> rows = pl.LazyFrame({"n": [7, 8]})
    >>> rows.filter(rows_of(rows.collect_schema(), {"n": "+7"})).collect().rows()
    [(7,)]
    """
    return pl.all_horizontal(
        pl.col(name) == pl.lit(_value(name, schema[name], text), schema[name]) for name, text in values.items()
    )


def _value(name: str, dtype: pl.DataType, text: str) -> object:
    if dtype == pl.String:
        return text
    value: object = pl.DataFrame({name: [text]}).select(cast(name, as_type(dtype))).item()
    if value is None:
        raise UsageError(
            f"{text!r} is no value of {name}, which is {dtype}",
            next="write a plain number, true or false, 2026-01-31, or 2026-01-31T12:00:00Z for a time in UTC",
        )
    return value
