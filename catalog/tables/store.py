"""The tables of a lake: opened at a version, written as files, changed by one commit."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from catalog.errors import LakeError, NotFound, StoreError, UsageError
from catalog.failpoints import reach
from catalog.objects import ObjectStore
from catalog.parquet import sinking
from catalog.tables import commit as committing
from catalog.tables.commit import Change
from catalog.tables.datafile import DataFile, describe, from_log
from catalog.tables.faults import as_lake_error, store_faults
from catalog.tables.options import delta_options, polars_options
from catalog.tables.schema import from_delta
from catalog.tables.snapshot import Snapshot, folder_uri, scan_files
from catalog.zones import TableName

DETAILS_MAX = 4096
"""What the commits of so many versions say is kept in memory: some kilobytes each."""


class Tables:
    """All Delta tables of one lake; the only way to read or write them.

    Snapshots are values: nothing is read from the store again once a table is opened, except its rows. The names of
    the files that it writes begin with ``stem``.
    """

    def __init__(self, objects: ObjectStore, stem: str = "part") -> None:
        self.objects = objects
        self.endpoint = objects.endpoint
        self._stem = stem
        self._details: dict[tuple[TableName, int], Mapping[str, Any]] = {}

    def open(self, name: TableName, version: int | None = None) -> Snapshot | None:
        """The table at a version, or at its head; None where there is no such table.

        Raises `NotFound` for a version that is not there, `StoreError`.
        """
        try:
            handle = DeltaTable(
                folder_uri(self.endpoint, name), version=version, storage_options=delta_options(self.endpoint)
            )
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise self._unreadable(name, version, error) from None
        return self._snapshot(name, handle)

    def details(self, name: TableName, version: int) -> Mapping[str, Any] | None:
        """What the commit of a version says of itself, `Snapshot.metadata`; no request where it was opened before.

        None where there is no such version. Raises `StoreError`.
        """
        if (known := self._details.get((name, version))) is not None:
            return known
        info = committing.read_commit_info(self.objects, name, version)
        return None if info is None else self._kept(name, version, info)

    def sink(self, name: TableName, frame: pl.LazyFrame, apart: Sequence[str] = ()) -> list[DataFile]:
        """Write the rows as Parquet files into the table's folder, where no reader sees them before a commit does.

        Rows that differ in a column of ``apart`` are in different files. Runs the frame in the streaming engine; no
        file where there are no rows. Raises `StoreError`, `DataRefused`, and what the frame itself raises.
        """
        folder, stem = folder_uri(self.endpoint, name), f"{self._stem}-{uuid.uuid4().hex}"
        sink = sinking(frame, folder, stem, apart, polars_options(self.endpoint))
        with store_faults(f"write rows of {name}"):
            sink.plan.collect(engine="streaming")
        reach("table.sunk")
        return [self._describe(name, file.name, file.size_bytes) for file in sink.files]

    def upload(self, name: TableName, path: Path) -> DataFile:
        """Take a local Parquet file into the table's folder, under a new name. Raises `DataRefused`, `StoreError`."""
        target = f"{self._stem}-{uuid.uuid4().hex}-00000.parquet"
        self.objects.put_file(name.zone, f"{name.path}/{target}", path)
        reach("table.sunk")
        return self._describe(name, target, path.stat().st_size)

    def scan_files(self, name: TableName, files: Iterable[DataFile], schema: pl.Schema) -> pl.LazyFrame:
        """The rows of some of a table's files, in the table's schema."""
        return scan_files(self.endpoint, name, files, schema)

    def commit(self, change: Change) -> Snapshot:
        """Make one change; the snapshot of the version that it made.

        Raises `Conflict`, `SchemaRefused`, `TypeRefused`, `StoreError`, as `catalog.tables.commit.commit` says.
        """
        version = committing.commit(self.objects, change)
        reach("table.committed")
        made = self.open(change.name, version)
        if made is None:
            raise StoreError(f"{change.name} was committed but cannot be opened", next="run again: nothing is lost")
        return made

    def find_operation(self, head: Snapshot, operation: str, after: int) -> Snapshot | None:
        """The version later than ``after``, up to ``head``, that an operation made; None where it made none of them.

        Raises `StoreError`.
        """
        for version in range(after + 1, head.version + 1):
            info = committing.require_commit_info(self.objects, head.name, version)
            if info.get(committing.OPERATION) == operation:
                return self.open(head.name, version)
        return None

    def _kept(self, name: TableName, version: int, info: Mapping[str, Any]) -> dict[str, Any]:
        details: dict[str, Any] = info.get(committing.DETAILS, {}) | {"timestamp": info.get("timestamp")}
        if len(self._details) >= DETAILS_MAX:
            self._details.clear()
        self._details[name, version] = details
        return details

    def _unreadable(self, name: TableName, version: int | None, error: Exception) -> LakeError:
        """Why a table cannot be opened: the store is asked once more, since delta-rs does not tell causes apart."""
        if version is not None and committing.read_commit_info(self.objects, name, version) is None:
            return NotFound(f"{name} has no version {version}", next=f"lake history {name} lists them")
        list(self.objects.list_objects(name.zone, f"{name.path}/_delta_log/"))
        return as_lake_error(f"read {name}", error)

    def _describe(self, name: TableName, path: str, size_bytes: int) -> DataFile:
        return describe(self.objects, name.zone, name.path, path, size_bytes)

    def _snapshot(self, name: TableName, handle: DeltaTable) -> Snapshot:
        if handle.metadata().configuration.get("delta.enableExpiredLogCleanup") != "false":
            raise UsageError(
                f"{name} lets Delta delete its old log entries, and with them versions that the catalog pins",
                next="set its property delta.enableExpiredLogCleanup to false, then read it again",
            )
        info = committing.require_commit_info(self.objects, name, handle.version())
        # Not by pyarrow, which imports pandas for a time in UTC where that is installed: half a second of each command.
        actions = pl.DataFrame(handle.get_add_actions()).to_dicts()
        return Snapshot(
            name=name,
            version=handle.version(),
            schema=from_delta(handle.schema()),
            files=tuple(sorted(map(from_log, actions), key=lambda file: file.path)),
            metadata=self._kept(name, handle.version(), info),
            endpoint=self.endpoint,
            handle=handle,
        )
