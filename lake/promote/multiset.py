"""Rows as multisets: what one frame has more of than another, exactly and in shares that fit into memory.

Two rows are equal where a reader could not tell them apart: NULL equals NULL and NaN equals NaN, and 0.0 is not -0.0.
"""

from collections.abc import Sequence

import polars as pl

from lake.promote.memory import Room, bulk, shares

COUNT = "__lake_count"
"""Of how many rows like this one a frame has more (above 0) or less."""

_TWIN, _SAME = "__lake_twin_", "__lake_same_"


def twins(schema: pl.Schema) -> list[pl.Expr]:
    """Columns that tell apart what grouping and joining take for equal: the zeros of floats, also inside of others.

    >>> rows = pl.LazyFrame({"n": [0.0, -0.0, 1.0]})
    >>> rows.select(twins(rows.collect_schema())).collect().to_series().to_list()
    [False, True, False]
    """
    found = []
    for number, (name, dtype) in enumerate(schema.items()):
        column = pl.col(name)
        if dtype.is_float():
            found.append(((column == 0) & ((1 / column) < 0)).alias(f"{_TWIN}{number}"))
        elif dtype.is_nested() and "Float" in str(dtype):
            found.append(pl.struct(_said(column, dtype)).struct.json_encode().alias(f"{_TWIN}{number}"))
    return found


def with_twins(rows: pl.LazyFrame, schema: pl.Schema) -> tuple[pl.LazyFrame, list[str]]:
    """The rows with their `twins`, and the names of all columns that together tell a row from another one."""
    made = twins(schema)
    return rows.with_columns(made), [*schema, *(expr.meta.output_name() for expr in made)]


def tally(rows: pl.LazyFrame, names: Sequence[str], count: pl.Expr) -> pl.LazyFrame:
    """Each of the rows, told apart by these columns, once, with what ``count`` makes of those like it.

    Grouping makes 0.0 of the -0.0 in its keys, so that values come from the first of the rows.
    """
    schema = rows.collect_schema()
    kept = [name for name in names if "Float" in str(schema[name])]
    keys = [pl.col(name).alias(f"{_SAME}{i}") if name in kept else pl.col(name) for i, name in enumerate(names)]
    firsts = [pl.col(name).first() for name in kept]
    return rows.group_by(keys).agg(count, *firsts).select(*names, count.meta.output_name())


def balance(new: pl.LazyFrame, old: pl.LazyFrame, room: Room | None = None) -> pl.LazyFrame:
    """The rows of which there are not as many in ``new`` as in ``old``, each once, with the difference as `COUNT`.

    Both have the same columns. Written down by ``room``, one share of the rows after the other; without, not yet run.
    """
    schema = new.collect_schema()
    both = pl.concat(
        [
            new.with_columns(pl.lit(1, pl.Int64).alias(COUNT)),
            old.select(schema.names()).with_columns(pl.lit(-1, pl.Int64).alias(COUNT)),
        ]
    )
    marked, names = with_twins(both, schema)
    if room is None:
        return _differing(marked, names).select(*schema, COUNT)
    one, other = bulk(new), bulk(old)
    passes = room.passes(one.rows + other.rows, max(one.width, other.width))
    parts = (_differing(marked.filter(share), names) for share in shares(schema.names(), passes))
    kept = [room.keep(part.select(*schema, COUNT)) for part in parts]
    return kept[0] if len(kept) == 1 else pl.concat(kept)


def more(balanced: pl.LazyFrame) -> pl.LazyFrame:
    """The rows that ``new`` has more of, as often as it has, out of a `balance`."""
    return _repeated(balanced.filter(pl.col(COUNT) > 0))


def less(balanced: pl.LazyFrame) -> pl.LazyFrame:
    """The rows that ``old`` has more of, as often as it has, out of a `balance`."""
    return _repeated(fewer(balanced))


def fewer(balanced: pl.LazyFrame) -> pl.LazyFrame:
    """The same, each once, with how often it is as `COUNT`."""
    return balanced.filter(pl.col(COUNT) < 0).with_columns(-pl.col(COUNT))


def _differing(signed: pl.LazyFrame, names: Sequence[str]) -> pl.LazyFrame:
    return tally(signed, names, pl.col(COUNT).sum()).filter(pl.col(COUNT) != 0)


def _repeated(counted: pl.LazyFrame) -> pl.LazyFrame:
    return counted.with_columns(pl.int_ranges(0, pl.col(COUNT)).alias(COUNT)).explode(COUNT).drop(COUNT)


def _said(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """The column as JSON can say it: nothing of what has bytes inside."""
    return column if "Binary" not in str(dtype) else pl.lit("")
