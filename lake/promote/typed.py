"""The rows of an automatic table: those of its source, each once, in the types that were found for its columns."""

from collections.abc import Sequence

import polars as pl

from lake.promote.account import count_rows
from lake.promote.casts import cast
from lake.promote.memory import ROW_CELLS, Room, bulk, matching, shares
from lake.promote.multiset import COUNT, tally, with_twins

_HASH = "__lake_hash"


def typed(rows: pl.LazyFrame, schema: pl.Schema, room: Room) -> pl.LazyFrame:
    """The rows in these columns, each once; an empty text of a column that has a type is missing.

    Rows are the same where all values are, before they have a type: ``1.50`` and ``1.5`` are two.
    """
    source = rows.collect_schema()
    kept = once(rows.select(list(schema)), room)
    return kept.with_columns(
        pl.when(pl.col(name) != "").then(cast(name, dtype)).alias(name)
        for name, dtype in schema.items()
        if source[name] == pl.String and dtype != pl.String
    )


def once(rows: pl.LazyFrame, room: Room) -> pl.LazyFrame:
    """Each of the rows once; where none comes twice they stay in their order, and nothing is written down."""
    marked, names = with_twins(rows, schema := rows.collect_schema())
    hashed = marked.with_columns(pl.struct(list(schema)).hash(seed=1).alias(_HASH))
    doubtful = _more_than_once(hashed.select(_HASH), [_HASH], count_rows(rows), room)
    if not (hashes := count_rows(doubtful)):
        return rows
    passes = room.passes(hashes, ROW_CELLS + 1)
    alike = room.keep(matching(hashed, doubtful.select(_HASH), [_HASH], "semi", room, passes))
    size = bulk(alike.select(names))
    several = pl.concat(
        [
            room.keep(tally(alike.filter(share), names, pl.len().alias(COUNT)).filter(pl.col(COUNT) > 1))
            for share in shares([_HASH], room.passes(size.rows, size.width))
        ]
    )
    if not (repeated := count_rows(several)):
        return rows
    others = matching(marked, several.select(names), names, "anti", room, room.passes(repeated, size.width))
    return pl.concat([others.select(list(schema)), several.select(list(schema))])


def _more_than_once(rows: pl.LazyFrame, names: Sequence[str], count: int, room: Room) -> pl.LazyFrame:
    parts = (
        room.keep(rows.filter(share).group_by(names).agg(pl.len().alias(COUNT)).filter(pl.col(COUNT) > 1))
        for share in shares(names, room.passes(count, ROW_CELLS + 1))
    )
    return pl.concat(list(parts))
