"""Which files of a table can hold rows with certain values, by the statistics of the files."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from catalog.tables import DataFile
from catalog.tables.datafile import Bound

VALUES_MAX = 1000
"""So many values of a column are compared with a file's bounds one by one; of more, the least and the greatest."""


@dataclass(frozen=True)
class Reach:
    """Where rows with certain values can be: the values of columns, or from which to which they go."""

    values: dict[str, Collection[Bound]]
    spans: dict[str, tuple[Bound, Bound]]

    def files(self, files: Iterable[DataFile]) -> list[DataFile]:
        """The files that can hold such rows."""
        return [file for file in files if self._may_be_in(file)]

    def within(self) -> pl.Expr:
        """True for the rows that can be such rows: what a Parquet reader skips parts of files by."""
        return pl.all_horizontal(
            pl.lit(value=True),
            *(pl.col(name).is_between(pl.lit(low), pl.lit(high)) for name, (low, high) in self.spans.items()),
        )

    def _may_be_in(self, file: DataFile) -> bool:
        return all(file.may_hold(name, values) for name, values in self.values.items()) and all(
            file.may_hold_between(name, low, high) for name, (low, high) in self.spans.items()
        )


def reach_of(rows: pl.LazyFrame, columns: Sequence[str]) -> Reach:
    """Where rows can be that have the values of these rows in some columns; one pass over them, or two.

    Columns of types without bounds tell nothing, nor do those with NULL in them.

    >>> file = DataFile("f", 1, 1, '{"minValues": {"k": 5}, "maxValues": {"k": 7}}')
    >>> reach_of(pl.LazyFrame({"k": [1, 8]}), ["k"]).files([file])
    []
    """
    schema = rows.collect_schema()
    telling = [name for name in columns if _has_bounds(schema[name])]
    if not telling:
        return Reach({}, {})
    told = rows.select(
        pl.len().alias("rows"),
        *(pl.col(name).null_count().alias(f"{i}.null") for i, name in enumerate(telling)),
        *(pl.col(name).min().alias(f"{i}.least") for i, name in enumerate(telling)),
        *(pl.col(name).max().alias(f"{i}.greatest") for i, name in enumerate(telling)),
    ).collect(engine="streaming")
    count = int(told["rows"].item())
    spans = {
        name: (told[f"{i}.least"].item(), told[f"{i}.greatest"].item())
        for i, name in enumerate(telling)
        if count and not told[f"{i}.null"].item()
    }
    if not spans or count > VALUES_MAX:
        return Reach({}, spans)
    few = rows.select(spans.keys()).collect(engine="streaming")
    return Reach({name: few[name].unique().to_list() for name in spans}, spans)


def _has_bounds(dtype: pl.DataType) -> bool:
    return dtype.is_integer() or isinstance(dtype, pl.String | pl.Date | pl.Datetime)
