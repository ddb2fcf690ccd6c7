"""The account of a text table: what was counted in the file against what its reader made of it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import polars as pl

from ingestion.refusal import FileRefused


@dataclass(frozen=True)
class Account:
    """The records that become rows; ``last_line`` is the physical line on which the last one begins, 0 without any."""

    records: int
    values: int
    last_line: int
    value_bytes: int


@dataclass
class LineAccount:
    """What became of a file's physical lines, and of its bytes with their line ends."""

    above: int = 0
    rows: int = 0
    rejects: int = 0
    comments: int = 0
    blank: int = 0
    size_bytes: int = 0

    @property
    def lines(self) -> int:
        """All the lines that something became of."""
        return sum(getattr(self, part.name) for part in fields(self) if part.name != "size_bytes")

    def close(self, lines: int, size_bytes: int) -> None:
        """Raise `FileRefused` where these are not all the lines and bytes that the file has."""
        if (self.lines, self.size_bytes) != (lines, size_bytes):
            reason = f"{self.lines:,} lines ({self.size_bytes:,} bytes) are accounted for"
            reason = f"the account does not close: {reason}, the file has {lines:,} ({size_bytes:,} bytes)"
            raise FileRefused("account", reason)


def close_account(counted: Account, out: Path, columns: Sequence[str]) -> None:
    """Raise `FileRefused` where a Parquet file of rows does not hold what was counted without its parser.

    ``columns`` are those that hold the file's values, ``_line`` the line of each row.
    """
    written = _written(out, columns)
    if counted != written:
        raise FileRefused("account", f"the account does not close: {_difference(counted, written)}")


def _written(out: Path, columns: Sequence[str]) -> Account:
    """The rows' side of the account: what the Parquet file holds, read back."""
    places = {name: place for place, name in enumerate(pl.read_parquet_schema(out))}
    frame = pl.scan_parquet(out, glob=False).select(
        *(pl.nth(places[name]).alias(f"c{position}") for position, name in enumerate(columns)), pl.col("_line")
    )
    values = [pl.col(f"c{position}") for position in range(len(columns))]
    sums = frame.select(
        pl.len().alias("records"),
        pl.sum_horizontal(value.count().cast(pl.Int64) for value in values).alias("values"),
        pl.col("_line").max().fill_null(0).alias("last_line"),
        pl.sum_horizontal(value.str.len_bytes().cast(pl.Int64).sum() for value in values).alias("value_bytes"),
    )
    return Account(*(int(value) for value in sums.collect(engine="streaming").row(0)))


def _difference(counted: Account, written: Account) -> str:
    if counted.records != written.records:
        return f"{counted.records:,} records were counted, {written.records:,} rows were read"
    if counted.values != written.values:
        return f"{counted.values:,} values were counted, {written.values:,} were read"
    if counted.last_line != written.last_line:
        return f"the last record begins on line {counted.last_line:,}, its row says {written.last_line:,}"
    return f"the values have {counted.value_bytes:,} bytes, the rows that were read {written.value_bytes:,}"
