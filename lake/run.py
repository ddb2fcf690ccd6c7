"""One run: ingest and promote, in order, with one publication."""

import errno
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from catalog.errors import NotFound
from catalog.log import Commit
from catalog.tables import Snapshot
from catalog.zones import TableName, Zone, bronze_table, parted
from ingestion import landing
from ingestion.batch import Finished
from ingestion.ingest import ingest as ingest_landing
from lake.filecache import Lease
from lake.heads import bronze_names, read_heads
from lake.promote.declare import Job
from lake.promote.find import find_jobs, select
from lake.promote.outcome import Outcome
from lake.promote.plan import Step
from lake.promote.runner import plan_run, promote
from lake.promote.task import Desk
from lake.publication import RunResult, Signature, Told, publish, require_safe, take_in
from lake.query import cache_of
from lake.scratch import scratch_folder
from lake.workspace import Workspace


def run(
    lake: Workspace,
    names: Sequence[str] = (),
    *,
    datasets: Sequence[str] = (),
    ingests: bool = True,
    promotes: bool = True,
    told: Told = lambda _: None,
) -> RunResult:
    """Ingest what landed, run the jobs that have something new (of all tables, or those named), publish in one commit.

    A job that fails keeps its table, and all that depend on it, at the last good version; the rest is published. Where
    another run has published one of the same tables meanwhile, the jobs run again from there. Raises `UsageError` for a
    job that is declared wrongly, before anything is written; `StoreError`; `Conflict` after several such rivals.
    """
    _require_known(lake, datasets)
    if promotes:
        select(_jobs(lake), names)
    require_safe(lake)
    signature = Signature.new(lake)
    batches: tuple[Finished, ...] = ()
    if ingests:
        batches = take_in(lake, signature, lambda tables, policy: ingest_landing(tables, policy, datasets, told))
    files = sum(len(batch.entries) for batch in batches)

    def promote_all(base: Commit, bronze: Mapping[TableName, Snapshot]) -> tuple[Outcome, ...]:
        return _promote(lake, names, base, bronze, signature.run, told) if promotes else ()

    return publish(lake, signature, batches, f"ingest {files} files" if files else "", promote_all)


def plan(lake: Workspace, names: Sequence[str] = ()) -> tuple[Mapping[str, int], list[Step]]:
    """What a run would do: files in landing by dataset, and each job with the reason; nothing is changed.

    A dataset that has files waiting is taken to change; where they turn out to be known or bad, its jobs do not run.
    Raises `UsageError`, `StoreError`.
    """
    found = landing.find(lake.objects, (), lake.settings.routes().dataset_of)
    changing = {
        *map(bronze_table, found),
        *(name for name in bronze_names(lake.objects) if parted(name.name)[0] in found),
    }
    waiting = {dataset: sum(not d.is_withdrawn for d in deliveries) for dataset, deliveries in found.items()}
    jobs = select(_jobs(lake), names) if names else _jobs(lake)
    return waiting, plan_run(jobs, lake.log.head(), read_heads(lake.store).bronze, lake.store, changing)


def _jobs(lake: Workspace) -> list[Job]:
    return find_jobs(lake.settings.project, _expected(lake))


def _expected(lake: Workspace) -> set[TableName]:
    """The tables that a job may read and none need make: bronze, begun or in landing, and what is published."""
    route = lake.settings.routes().dataset_of
    landed = set(map(bronze_table, landing.find(lake.objects, (), route)))
    return {*bronze_names(lake.objects), *landed, *map(TableName.parse, lake.log.head().tables)}


def _require_known(lake: Workspace, datasets: Sequence[str]) -> None:
    """Raises `NotFound` for a dataset that has no file in landing and never had one."""
    bronze = [name for name in _expected(lake) if name.zone is Zone.BRONZE] if datasets else []
    there = sorted({parted(name.name)[0] for name in bronze})
    for dataset in datasets:
        if dataset not in there:
            near = get_close_matches(dataset, there, n=1) or there
            raise NotFound(
                f"no dataset {dataset!r}, in landing or in bronze",
                next=f"there is {', '.join(near)}" if near else f"lake drop FILE --into {dataset}",
            )


def _promote(
    lake: Workspace, names: Sequence[str], base: Commit, bronze: Mapping[TableName, Snapshot], identity: str, told: Told
) -> tuple[Outcome, ...]:
    jobs = select(_jobs(lake), names) if names else _jobs(lake)
    with _desk(lake, identity) as desk:
        return tuple(promote(jobs, base, bronze, desk, told))


@contextmanager
def _desk(lake: Workspace, identity: str) -> Iterator[Desk]:
    """What the jobs work with; its scratch folder is gone afterwards."""
    with scratch_folder(lake.settings.state) as scratch, cache_of(lake.settings).lease(lake.objects) as lease:
        local_files = partial(_linked, lease, scratch)
        yield Desk(lake.store, lake.objects, scratch, local_files, identity, lake.settings.memory_gb)


def _linked(lease: Lease, scratch: Path, snapshot: Snapshot) -> list[Path]:
    """A snapshot's files out of the cache, linked to below the scratch folder, which is all that a SQL job reaches.

    They have the cache's names: those in the table's log may be any path.
    """
    folder = scratch / "sources"
    folder.mkdir(exist_ok=True)
    files = []
    for cached in lease.files(snapshot):
        target = folder / cached.name
        files.append(target)
        if target.exists():
            continue
        try:
            os.link(cached, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # Whole or not at all: a later job takes what is there.
            copied = Path(shutil.copyfile(cached, target.with_suffix(".part")))
            copied.rename(target)
    return files
