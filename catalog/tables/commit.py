"""The one way to commit to a Delta table: a compare-and-set of added and removed files, known by its operation id.

delta-rs raises on a lost reply although the commit was made, and a retry of its own could make it twice. So it is not
let retry, and after every error the table's log is asked whether this operation is in it.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import polars as pl
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, TableFeatures
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from catalog.errors import Conflict, NotFound, SchemaRefused, StoreError
from catalog.objects import ObjectStore
from catalog.tables.datafile import DataFile, describe
from catalog.tables.faults import as_lake_error
from catalog.tables.options import delta_options
from catalog.tables.schema import difference, has_naive_time, require_storable, to_delta
from catalog.tables.snapshot import Snapshot, folder_uri
from catalog.zones import TableName

PROPERTIES = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.checkpointInterval": "10",
}
"""With Delta's defaults, log entries of 30 days go at a checkpoint, and with them old versions and operation ids.

The retention holds off those who clean up on purpose. By default delta-rs makes a checkpoint every hundred commits, and
opening a table reads all since the last, twice.
"""

ATTEMPTS_MAX = 5
PAUSE_SECONDS = 0.2

OPERATION = "lake.operation"
DETAILS = "lake.details"


@dataclass(frozen=True)
class Change:
    """What a commit is to do to a table: files that come and go, the schema after it, and what it tells of itself.

    ``base`` is the head that was read, None where there is no table. While rows of the base stay, its schema may get
    more columns, which are missing in these rows, and change in no other way. ``metadata`` is JSON, and comes back as
    the `Snapshot.metadata` of the version that it makes. ``columns`` is what is known of columns (label, missing,
    codelist), by name: it is written with a column that is new, or when all rows are, and then stays.
    """

    name: TableName
    operation: str
    base: Snapshot | None
    schema: pl.Schema
    add: Sequence[DataFile] = ()
    remove: Sequence[DataFile] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def commit(objects: ObjectStore, change: Change) -> int:
    """Make the change and return the version that it made.

    Raises `Conflict` when the head is no longer the base, `SchemaRefused` when a file or the schema does not fit,
    `TypeRefused` when Delta cannot hold a column, `StoreError` when the store does not answer: then the same change may
    be tried again, since an operation is only ever made once on one base.
    """
    require_storable(change.schema)
    added = [_checked(objects, change, file) for file in change.add]
    if change.base is None:
        return _once(objects, change, "", -1, lambda: _create(objects, change, added))
    base = change.base
    _require_removable(change, base)
    if len(change.remove) == len(base.files) and difference(base.schema, change.schema):
        return _reshape(objects, change, base, added)
    return _append(objects, change, base, added)


def require_commit_info(objects: ObjectStore, name: TableName, version: int) -> dict[str, Any]:
    """What the commit of a version that is known to be there says of itself.

    Raises `StoreError`, also where the store denies the commit: taken for absent, it would be made again.
    """
    info = read_commit_info(objects, name, version)
    if info is None:
        raise StoreError(f"the store denies version {version} of {name}, which is there", next="run again")
    return info


def read_commit_info(objects: ObjectStore, name: TableName, version: int) -> dict[str, Any] | None:
    """What the commit of that version says of itself, None where there is no such version. Raises `StoreError`."""
    try:
        body = objects.get(name.zone, f"{name.path}/_delta_log/{version:020d}.json")
    except NotFound:
        return None
    for line in body.splitlines():
        action = json.loads(line)
        if "commitInfo" in action:
            info: dict[str, Any] = action["commitInfo"]
            return info
    return {}


def _append(objects: ObjectStore, change: Change, base: Snapshot, added: list[DataFile]) -> int:
    """Add and remove files; columns that are new come before, in a commit of their own.

    A death between the two leaves a wider table with the same rows, on which the next attempt starts.
    """
    version, handle = base.version, base.handle
    if set(change.schema) - set(base.schema):
        version = _widen(objects, change, base)
        handle = _reopen(objects, change.name, version)
    elif differs := difference(base.schema, change.schema):
        raise _narrowed(change, differs)
    actions: list[AddAction | RemoveAction] = [*map(_add, added), *map(_remove, change.remove)]
    return _once(objects, change, "", version, partial(_write, change, handle, actions, "append"))


def _widen(objects: ObjectStore, change: Change, base: Snapshot) -> int:
    """Add the columns that the base lacks; the version that has them.

    delta-rs adds the feature for times without a zone with them. The handle is a new one, since this moves it on.
    """
    new = pl.Schema({name: dtype for name, dtype in change.schema.items() if name not in base.schema})
    if differs := difference(pl.Schema(base.schema | new), change.schema):
        raise _narrowed(change, differs)
    handle, fields = _reopen(objects, change.name, base.version), to_delta(new, change.columns).fields

    def add() -> None:
        handle.alter.add_columns(
            fields, commit_properties=_properties(change, ":columns"), post_commithook_properties=_HOOKS
        )

    return _once(objects, change, ":columns", base.version, add)


def _narrowed(change: Change, differs: str) -> SchemaRefused:
    return SchemaRefused(
        f"{change.name}: the schema changes while rows stay ({differs})",
        next="write every row anew, in the new schema: a job does so with mode replace",
    )


def _reshape(objects: ObjectStore, change: Change, base: Snapshot, added: list[DataFile]) -> int:
    """Replace all rows and the schema, in one overwrite; a feature that the new schema needs comes before it.

    delta-rs lets a column of times without a zone into a table that lacks the feature for them, and nobody can read the
    table afterwards. The handle is a new one, since adding a feature moves it on, and the base must stay where it is
    for another try.
    """
    version, handle = base.version, _reopen(objects, change.name, base.version)
    features = handle.protocol().writer_features or []
    if any(map(has_naive_time, change.schema.dtypes())) and "timestampNtz" not in features:
        version = _once(objects, change, ":feature", version, partial(_add_feature, change, handle))
        handle = _reopen(objects, change.name, version)
    return _once(objects, change, "", version, partial(_write, change, handle, [*map(_add, added)], "overwrite"))


def _once(objects: ObjectStore, change: Change, step: str, after: int, write: Callable[[], None]) -> int:
    """Run one write on version ``after``; whatever comes back, the log says whether it was made."""
    operation, failure = change.operation + step, Exception()
    for attempt in range(ATTEMPTS_MAX):
        time.sleep(PAUSE_SECONDS * attempt)
        try:
            write()
        except (DeltaError, OSError) as error:
            failure = error
        else:
            return after + 1
        info = read_commit_info(objects, change.name, after + 1)
        if info is not None and info.get(OPERATION) == operation:
            return after + 1
        if info is not None:
            stood = "came into being" if after < 0 else f"has moved on from version {after}"
            raise Conflict(
                f"{change.name} {stood}: another writer was first",
                next="nothing was written; run again, and it starts from the newer version",
            )
    raise as_lake_error(f"commit to {change.name}", failure)


def _create(objects: ObjectStore, change: Change, added: list[DataFile]) -> None:
    create_table_with_add_actions(
        folder_uri(objects.endpoint, change.name),
        to_delta(change.schema, change.columns),
        list(map(_add, added)),
        mode="error",
        configuration=PROPERTIES,
        storage_options=delta_options(objects.endpoint),
        commit_properties=_properties(change, ""),
        post_commithook_properties=_HOOKS,
    )


def _write(change: Change, handle: DeltaTable, actions: list[AddAction | RemoveAction], mode: str) -> None:
    handle.create_write_transaction(
        actions,
        mode,
        to_delta(change.schema, _known_columns(change)),
        commit_properties=_properties(change, ""),
        post_commithook_properties=_HOOKS,
    )


def _add_feature(change: Change, handle: DeltaTable) -> None:
    handle.alter.add_feature(
        TableFeatures.TimestampWithoutTimezone,
        allow_protocol_versions_increase=True,
        commit_properties=_properties(change, ":feature"),
        post_commithook_properties=_HOOKS,
    )


def _known_columns(change: Change) -> dict[str, Mapping[str, str]]:
    """What is known of columns after a table is written anew: what was known of those that it keeps, too."""
    before = {} if change.base is None else change.base.columns
    return {name: {**before.get(name, {}), **change.columns.get(name, {})} for name in change.schema}


_HOOKS = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)


def _properties(change: Change, step: str) -> CommitProperties:
    """What a commit tells of itself; a step that comes before the change carries on what the base told."""
    details = change.base.metadata if step and change.base is not None else change.metadata
    told = {OPERATION: change.operation + step, DETAILS: dict(details)}
    return CommitProperties(custom_metadata=told, max_commit_retries=0)


def _reopen(objects: ObjectStore, name: TableName, version: int) -> DeltaTable:
    try:
        return DeltaTable(
            folder_uri(objects.endpoint, name), version=version, storage_options=delta_options(objects.endpoint)
        )
    except (DeltaError, OSError) as error:
        raise as_lake_error(f"read {name} version {version}", error) from None


def _checked(objects: ObjectStore, change: Change, file: DataFile) -> DataFile:
    """The file with what its footer says, which must be the table's schema: delta-rs itself takes any file."""
    if file.schema is None:
        file = describe(objects, change.name.zone, change.name.path, file.path, file.size_bytes)
    if told := difference(change.schema, file.schema or pl.Schema()):
        raise SchemaRefused(
            f"{change.name}: the file {file.path} does not fit the table: {told}", next="write it again"
        )
    return file


def _require_removable(change: Change, base: Snapshot) -> None:
    there = {file.path for file in base.files}
    if strangers := [file.path for file in change.remove if file.path not in there]:
        raise Conflict(
            f"{change.name} version {base.version} does not hold {strangers[0]}", next="read the table again"
        )
    coming = {file.path for file in change.add}
    if len(coming) < len(change.add):
        raise ValueError("a file can come only once")
    if twice := there & coming:
        raise ValueError(f"{twice.pop()} is in the table already")


def _add(file: DataFile) -> AddAction:
    return AddAction(file.path, file.size_bytes, {}, int(time.time() * 1000), True, file.stats)


def _remove(file: DataFile) -> RemoveAction:
    return RemoveAction(file.path, True, int(time.time() * 1000), file.size_bytes, {})
