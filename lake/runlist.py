"""The runs as they are known now: what the table says, and those that it does not hold yet, or that go on."""

import polars as pl

from catalog.errors import NotFound
from catalog.register import Register
from catalog.runs import RUNS, frame_of, rows_of
from catalog.tables import store_faults
from lake.abandoned import ended_and_going
from lake.workspace import Workspace

LAST = "last"


def runs(lake: Workspace) -> pl.LazyFrame:
    """Every run that did something, the newest first, a row for each table: columns as `catalog.runs.SCHEMA`.

    Of runs whose process is gone it is written down that they were interrupted. Raises `StoreError`.
    """
    ended, going = ended_and_going(Register(lake.objects), lake.log)
    fresh = frame_of([*ended, *going])
    head = lake.store.open(RUNS)
    if head is None:
        rows = fresh.lazy()
    else:
        held = rows_of(head).filter(~pl.col("run").is_in(fresh["run"].unique().to_list()))
        rows = pl.concat([held, fresh.lazy()])
    return rows.sort("begun_at", "run", "stage", "table", descending=[True, True, False, False])


def rows_of_run(lake: Workspace, name: str) -> pl.DataFrame:
    """The rows of one run: by its id, by how it begins, or the ``last``. Raises `NotFound`, `StoreError`."""
    known = runs(lake)
    with store_faults(f"read {RUNS}"):
        ids = known.select("run").unique(maintain_order=True).collect(engine="streaming")["run"].to_list()
        found = ids[:1] if name == LAST else [run for run in ids if name and run.startswith(name)]
        if name in found:
            found = [name]
        if len(found) == 1:
            return known.filter(pl.col("run") == found[0]).collect(engine="streaming")
    if found:
        raise NotFound(f"{name!r} begins {len(found)} runs: {', '.join(found[:5])}", next="write more of its id")
    told = "no run is on the record" if name == LAST else f"no run {name!r} is on the record"
    raise NotFound(told, next="lake runs lists them; one that found nothing new leaves no trace")
