"""What a memory limit means for Polars, which has none of its own: how many rows are held at once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

CELLS_PER_GB = 40_000_000
"""On the safe side of what was measured: 4 million flights of 19 columns, compared with as many, take 0.8 GB."""

CELL_BYTES = 25
"""The same the other way round: a gigabyte over the cells that it holds."""

ROW_CELLS = 8
"""What a row takes in a hash table beside its values; measured: 4 million keys of one column take 0.8 GB."""

Write = Callable[[Sequence[pl.LazyFrame]], list[pl.LazyFrame]]
"""Writes rows down and gives back frames that read them, so that what made them runs once, for all of them together."""

Match = Literal["semi", "anti"]


@dataclass(frozen=True)
class Room:
    """What work on rows may take: so much memory at once, and a place to write rows down meanwhile."""

    memory_gb: float
    write: Write

    def keep(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Write the rows of one frame down."""
        (kept,) = self.write([frame])
        return kept

    def passes(self, rows: int, width: float) -> int:
        """In how many passes, each over a share of the keys, that many rows of that many cells are gone through.

        >>> room = Room(1.0, pl.collect_all)
        >>> room.passes(1_000_000, 20), room.passes(9_000_000, 20)
        (1, 5)
        """
        return 1 + int(rows * width / (self.memory_gb * CELLS_PER_GB))

    def passes_over(self, frame: pl.LazyFrame) -> int:
        """The same for the rows of a frame, which are counted and weighed."""
        size = bulk(frame)
        return self.passes(size.rows, size.width)


@dataclass(frozen=True)
class Bulk:
    """How much a frame is: its rows, and how many cells one of them takes on average where rows are looked up."""

    rows: int
    width: float


def bulk(frame: pl.LazyFrame) -> Bulk:
    """Count and weigh a frame's rows, in one pass; a long text counts for as many cells as it fills.

    >>> bulk(pl.LazyFrame({"n": [1, 2], "s": ["", "x" * 100]}))
    Bulk(rows=2, width=12.0)
    """
    schema = frame.collect_schema()
    sizes = [pl.col(name).str.len_bytes() for name, dtype in schema.items() if dtype == pl.String]
    sizes += [pl.col(name).bin.size() for name, dtype in schema.items() if dtype == pl.Binary]
    sums = [size.cast(pl.Int64).sum().alias(str(number)) for number, size in enumerate(sizes)]
    rows, *size_bytes = frame.select(pl.len().alias("rows"), *sums).collect(engine="streaming").row(0)
    return Bulk(rows, ROW_CELLS + len(schema) + sum(size_bytes) / max(1, rows) / CELL_BYTES)


def shares(key: Sequence[str], count: int) -> Iterator[pl.Expr]:
    """Conditions that divide rows into so many shares by their key: rows of one key are in one share, in any frame."""
    if count == 1:
        yield pl.lit(value=True)
        return
    share = pl.struct(key).hash(seed=0) % count
    for number in range(count):
        yield share == number


def distinct(rows: pl.LazyFrame, room: Room) -> pl.LazyFrame:
    """Each of the rows once, written down share by share."""
    names = rows.collect_schema().names()
    return pl.concat([room.keep(rows.filter(share).unique()) for share in shares(names, room.passes_over(rows))])


def matched(rows: pl.LazyFrame, held: pl.LazyFrame, key: Sequence[str], how: Match) -> pl.LazyFrame:
    """The rows whose key is (``semi``) or is not (``anti``) in ``held``, which is in memory; NULL is a key like others.

    In their order: else Polars 2.1 looks at both sides to find the smaller one, and holds what it has seen of the rows.
    6.6 million rows of 16 columns take 0.4 GB in this way, and 2.0 GB in that.
    """
    return rows.join(held, on=list(key), how=how, nulls_equal=True, maintain_order="left")


def matching(
    rows: pl.LazyFrame, held: pl.LazyFrame, key: Sequence[str], how: Match, room: Room, passes: int
) -> pl.LazyFrame:
    """What `matched` gives, with one share of ``held`` in memory at a time.

    Shares that are merely joined together as plans run at once, and hold all of it: so each
    is written down.
    """
    parts = (matched(rows.filter(share), held.filter(share), key, how) for share in shares(key, passes))
    return next(parts) if passes == 1 else pl.concat([room.keep(part) for part in parts])
