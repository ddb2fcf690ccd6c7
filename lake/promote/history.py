"""What changed sources make of a result, reckoned from the rows that changed alone: the formula, on frames.

It is what `lake.promote.increment` does with files. Each changed source in turn is taken from old to new, while those
before it are new already and those behind it are still old.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from catalog.zones import TableName
from lake.promote.dependent import ByKey, Dependence, Whole
from lake.promote.multiset import balance, less, more

Sources = Mapping[TableName, pl.LazyFrame]


@dataclass(frozen=True)
class Step:
    """What a job is given of one source on the way from old to new, and of its others meanwhile."""

    source: TableName
    new: Sources
    old: Sources


def advance(
    make: Callable[[Sources], pl.LazyFrame], old: Sources, new: Sources, dependences: Mapping[TableName, Dependence]
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """The rows that go from what ``make`` makes of the old sources, and those that come, to give that of the new.

    Raises `ValueError` where a source that changed is depended on as a whole.
    """
    goes, comes = [], []
    for step in steps(old, new, dependences):
        goes.append(make(step.old))
        comes.append(make(step.new))
    if not comes:
        nothing = make(old).clear()
        return nothing, nothing
    return less_and_more(pl.concat(goes), pl.concat(comes))


def steps(old: Sources, new: Sources, dependences: Mapping[TableName, Dependence]) -> list[Step]:
    """The way from old to new, a source at a time; those without a changed row are left out."""
    found = []
    meanwhile = dict(old)
    for source, after in new.items():
        before = old[source]
        went, came = less_and_more(before, after)
        changed = pl.concat([went, came]).collect()
        if not changed.is_empty():
            way = dependences[source]
            match way:
                case ByKey(columns):
                    keys = changed.lazy().select(columns).unique()
                    sides = [
                        rows.join(keys, on=list(columns), how="semi", nulls_equal=True) for rows in (after, before)
                    ]
                case Whole(reason):
                    raise ValueError(f"{source} is depended on as a whole: {reason}")
                case _:
                    sides = [came, went]
            others = {**meanwhile, **{name: meanwhile[name].clear() for name in way.without}}
            found.append(Step(source, {**others, source: sides[0]}, {**others, source: sides[1]}))
        meanwhile[source] = after
    return found


def less_and_more(old: pl.LazyFrame, new: pl.LazyFrame) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """The rows that the one frame has more of than the other, and the other way round: as multisets, exactly.

    >>> went, came = less_and_more(pl.LazyFrame({"n": [1, 1, None]}), pl.LazyFrame({"n": [1, 2, None]}))
    >>> went.collect().rows(), came.collect().rows()
    ([(1,)], [(2,)])
    """
    balanced = balance(new, old)
    return less(balanced), more(balanced)
