"""What a memory limit means for Polars, which has none of its own: how many rows are held at once."""

from collections.abc import Iterator, Sequence

import polars as pl

CELLS_PER_GB = 40_000_000
"""Measured: to compare 4 million flights of 19 columns with their published rows takes 0.8 GB, to count keys less."""


def passes(rows: int, columns: int, memory_gb: float) -> int:
    """In how many passes, each over a share of the keys, that many rows are gone through.

    >>> passes(1_000_000, 10, 1.0), passes(9_000_000, 10, 1.0)
    (1, 3)
    """
    return 1 + rows * columns // max(1, int(memory_gb * CELLS_PER_GB))


def shares(key: Sequence[str], count: int) -> Iterator[pl.Expr]:
    """Conditions that divide rows into so many shares by their key: rows of one key are in one share, in any frame."""
    if count == 1:
        yield pl.lit(value=True)
        return
    share = pl.struct(key).hash(seed=0) % count
    for number in range(count):
        yield share == number
