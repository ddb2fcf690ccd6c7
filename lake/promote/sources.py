"""The tables as one run sees them: bronze at its heads, the rest as the run made them, else as published."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from catalog.log import Commit
from catalog.tables import Snapshot, Tables
from catalog.zones import TableName
from ingestion.columns import OWN_COLUMNS
from lake.promote.change import State, state_of
from lake.promote.declare import Job

PARALLEL_OPENS = 8


class Sources:
    """All tables that some jobs are about: opened when it is made, several at once. Raises `StoreError`.

    A bronze table without a column of its files is not there yet: whatever came for it was set aside.
    """

    def __init__(self, base: Commit, heads: Mapping[TableName, Snapshot], tables: Tables, jobs: Sequence[Job]) -> None:
        self._tables = tables
        self._seen: dict[TableName, Snapshot | None] = {
            name: head for name, head in heads.items() if any(column not in OWN_COLUMNS for column in head.schema)
        }
        self._made: dict[TableName, int] = {}
        names = {name for job in jobs for name in (job.table, *job.sources)}
        pins = {name: version for name in names - heads.keys() if (version := base.version(name)) is not None}
        if pins:
            with ThreadPoolExecutor(PARALLEL_OPENS) as pool:
                self._seen |= zip(pins, pool.map(tables.open, pins, pins.values()), strict=True)

    def get(self, name: TableName) -> Snapshot | None:
        """The table at the version that this run reads, None where there is none yet."""
        if name in self._made:
            self._seen[name] = self._tables.open(name, self._made.pop(name))
        return self._seen.get(name)

    def inputs(self, job: Job) -> dict[TableName, Snapshot]:
        """The tables that a job reads, those that are there."""
        return {name: snapshot for name in job.sources if (snapshot := self.get(name)) is not None}

    def state(self, name: TableName) -> State | None:
        """What `why_run` asks of a table."""
        snapshot = self.get(name)
        return None if snapshot is None else state_of(snapshot)

    def made(self, name: TableName, version: int) -> None:
        """From here on the run reads this version."""
        self._made[name] = version
