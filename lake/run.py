"""One run: ingest and promote, in order, with one publication."""

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from getpass import getuser
from pathlib import Path

from catalog import ledger, quarantine
from catalog.errors import Conflict
from catalog.log import Commit, Proposal
from catalog.objects import probe
from catalog.tables import Snapshot
from catalog.zones import TableName, Zone
from ingestion import landing
from ingestion.absorb import Read
from ingestion.batch import Finished
from ingestion.ingest import Policy
from ingestion.ingest import ingest as ingest_landing
from ingestion.manifest import datasets_begun
from ingestion.parser import ParserLimits
from lake.filecache import Lease
from lake.promote.declare import Job
from lake.promote.find import find_jobs, select
from lake.promote.plan import Step
from lake.promote.runner import Desk, Outcome, plan_run, promote
from lake.query import cache_of
from lake.rejects import set_aside
from lake.scratch import scratch_folder
from lake.settings import Settings
from lake.workspace import Workspace

TRIES_MAX = 3
PARALLEL_OPENS = 8

Told = Callable[[Read | Finished | Outcome], None]


@dataclass(frozen=True)
class RunResult:
    """What a run did: the batches that it finished, what became of each job, and the commit that readers see now."""

    run: str
    batches: tuple[Finished, ...]
    outcomes: tuple[Outcome, ...]
    commit: Commit
    is_published: bool

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The jobs that failed, whose tables stay as they were."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")


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
    if promotes:
        select(_jobs(lake), names)
    _require_safe(lake)
    batches = _ingest(lake, datasets, told) if ingests else ()
    identity = uuid.uuid4().hex[:12]
    for attempt in range(TRIES_MAX):
        base = lake.log.head()
        set_aside(lake.store, base)
        bronze = bronze_heads(lake)
        outcomes = _promote(lake, names, base, bronze, identity, told) if promotes else ()
        proposal = _proposal(lake, identity, batches, outcomes, bronze)
        try:
            commit = lake.log.publish(base, proposal)
        except Conflict:
            if attempt + 1 == TRIES_MAX:
                raise
            continue
        if any(outcome.rejected for outcome in outcomes):
            set_aside(lake.store, commit)
            commit = lake.log.publish(commit, _proposal(lake, identity, (), (), bronze))
        return RunResult(identity, batches, outcomes, commit, commit.run == identity)
    raise AssertionError("unreachable")


def plan(lake: Workspace, names: Sequence[str] = ()) -> tuple[Mapping[str, int], list[Step]]:
    """What a run would do: files in landing by dataset, and each job with the reason; nothing is changed.

    A job over a dataset that has files waiting is planned as things are now, before they are taken in. Raises
    `UsageError`, `StoreError`.
    """
    found = landing.find(lake.objects)
    waiting = {dataset: sum(not d.is_withdrawn for d in deliveries) for dataset, deliveries in found.items()}
    jobs = select(_jobs(lake), names) if names else _jobs(lake)
    return waiting, plan_run(jobs, lake.log.head(), bronze_heads(lake), lake.store)


def policy_of(settings: Settings) -> Policy:
    """How files are taken in, by the settings."""
    prefix, suffix = "datasets.", ".on_correction"
    own = {name for name in settings.values if name.startswith(prefix) and name.endswith(suffix)}
    datasets = [name.removeprefix(prefix).removesuffix(suffix) for name in own]
    return Policy(
        limits=ParserLimits(int(settings.worker_memory_gb * 1e9), settings.worker_seconds_max),
        on_correction={dataset: settings.on_correction(dataset) for dataset in datasets},
        on_correction_default=str(settings.get("ingest.on_correction").value),
    )


def bronze_heads(lake: Workspace) -> dict[TableName, Snapshot]:
    """The bronze tables at their heads, which are always valid. Raises `StoreError`."""
    names = [TableName(Zone.BRONZE, dataset) for dataset in datasets_begun(lake.objects)]
    with ThreadPoolExecutor(PARALLEL_OPENS) as pool:
        return {name: head for name, head in zip(names, pool.map(lake.store.open, names), strict=True) if head}


def _jobs(lake: Workspace) -> list[Job]:
    return find_jobs(lake.settings.project, _expected(lake))


def _expected(lake: Workspace) -> set[TableName]:
    """The tables that a job may read and none need make: bronze, begun or in landing, and what is published."""
    datasets = {*datasets_begun(lake.objects), *landing.find(lake.objects)}
    return {TableName(Zone.BRONZE, dataset) for dataset in datasets} | set(map(TableName.parse, lake.log.head().tables))


def _require_safe(lake: Workspace) -> None:
    """Probe a store before the first commit to it. Raises `UnsafeStore`."""
    if lake.log.head().number == 0:
        probe(lake.objects)


def _ingest(lake: Workspace, datasets: Sequence[str], told: Told) -> tuple[Finished, ...]:
    with scratch_folder(lake.settings.state) as scratch:
        return tuple(ingest_landing(lake.store, replace(policy_of(lake.settings), scratch=scratch), datasets, told))


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
    """A snapshot's files out of the cache, linked to below the scratch folder, which is all that a SQL job reaches."""
    folder = scratch / str(snapshot.name) / str(snapshot.version)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for cached, file in zip(lease.files(snapshot), snapshot.files, strict=True):
        files.append(folder / file.path)
        if not files[-1].exists():
            os.link(cached, files[-1])
    return files


def _proposal(
    lake: Workspace,
    identity: str,
    batches: Sequence[Finished],
    outcomes: Sequence[Outcome],
    bronze: Mapping[TableName, Snapshot],
) -> Proposal:
    derived = (lake.store.open(name) for name in (ledger.LEDGER, quarantine.QUARANTINE))
    heads = [*bronze.values(), *(snapshot for snapshot in derived if snapshot is not None)]
    return Proposal(
        operation=uuid.uuid4().hex,
        pins={o.table: o.version for o in outcomes if o.status == "ran" and o.version is not None},
        heads={snapshot.name: snapshot.version for snapshot in heads},
        author=getuser(),
        message=_message(batches, outcomes),
        run=identity,
        revision=_revision(lake.settings.project),
    )


def _message(batches: Sequence[Finished], outcomes: Sequence[Outcome]) -> str:
    files = sum(len(batch.entries) for batch in batches)
    ran = [str(outcome.table) for outcome in outcomes if outcome.status == "ran"]
    parts = [f"ingest {files} files"] if files else []
    return "; ".join([*parts, f"promote {', '.join(ran)}"] if ran else parts) or "ledger and quarantine"


def _revision(project: Path) -> str:
    """The project's revision in git, with a + where something is not committed; empty where it is in none."""
    try:
        told = subprocess.run(
            ["git", "-C", str(project), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip()
