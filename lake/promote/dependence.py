"""How a job's result depends on each of its sources: by row, by key, or as a whole, with the reason."""

from collections.abc import Mapping

import polars as pl

from catalog.zones import TableName
from lake.promote.declare import Job
from lake.promote.dependent import Dependence, Whole


def dependences(job: Job, schemas: Mapping[TableName, pl.Schema]) -> dict[TableName, Dependence]:
    """How the result depends on each source: as the job states it; else as a whole.

    ``schemas`` are those of the sources.
    """
    unknown = Whole("it is not stated")
    return {source: job.depends.get(source, unknown) for source in job.sources if source in schemas}
