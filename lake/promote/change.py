"""What is new for a job: what its table's published version was made from, against what there is now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog.tables import Snapshot
from catalog.zones import TableName
from lake.promote.declare import Job
from lake.promote.digest import of_files

NOTHING_NEW = "nothing new"
REDONE = "a part of it was made anew by itself"


@dataclass(frozen=True)
class State:
    """One table as a run finds it: its version, a fingerprint of its files, and what its commit says of itself."""

    version: int
    files: str
    metadata: Mapping[str, Any]


def state_of(snapshot: Snapshot) -> State:
    """The state of a table at one version."""
    return State(snapshot.version, of_files(file.path for file in snapshot.files), snapshot.metadata)


def why_run(job: Job, own: State | None, sources: Mapping[TableName, State]) -> str | None:
    """Why the job must run; None when its table is what it would make. ``own`` is the table as published.

    A source's version alone is no news: a commit that moved progress and no row leaves the same files.
    """
    if own is None:
        return "never built"
    if "code" not in own.metadata:
        return "its published version was not made by a job"
    if own.metadata["code"] != job.code:
        return "the job's code changed"
    if own.metadata.get("redone"):
        # Also where its sources are again as they were before that.
        return REDONE
    return _what_is_new(job, own.metadata.get("sources", {}), sources)


def _what_is_new(job: Job, read: Mapping[str, Any], sources: Mapping[TableName, State]) -> str | None:
    """The first source that is another one than was read."""
    for name in job.sources:
        before, now = read.get(str(name)), sources[name]
        if before is None:
            return f"{name} is new to the job"
        if before["files"] != now.files:
            return f"{name} has new data: version {before['version']} -> {now.version}"
    return None


def progress(job: Job, sources: Mapping[TableName, State]) -> dict[str, Any]:
    """What the table's commit remembers, so that the next run can tell what is new."""
    return {
        "format": 1,
        "job": str(job.table),
        "code": job.code,
        "mode": str(job.mode),
        "key": list(job.key),
        "sources": {
            str(name): {"version": sources[name].version, "files": sources[name].files} for name in job.sources
        },
    }
