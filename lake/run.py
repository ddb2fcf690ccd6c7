"""One run: ingest and promote, in order, with one publication."""

import errno
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from getpass import getuser
from pathlib import Path

from catalog.errors import Conflict, NotFound
from catalog.ledger import Entry, Fate
from catalog.log import Commit, Proposal
from catalog.objects import probe
from catalog.tables import Snapshot
from catalog.zones import TableName, Zone
from ingestion import landing
from ingestion.absorb import Read
from ingestion.batch import Finished
from ingestion.ingest import Policy
from ingestion.ingest import ingest as ingest_landing
from ingestion.parser import ParserLimits
from lake.filecache import Lease
from lake.heads import bronze_names, read_heads
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

Told = Callable[[Read | Finished | Outcome], None]


@dataclass(frozen=True)
class RunResult:
    """What a run did: the batches that it finished, what became of each job, and its commit, or the one that stands."""

    run: str
    batches: tuple[Finished, ...]
    outcomes: tuple[Outcome, ...]
    commit: Commit
    is_published: bool

    @property
    def rejected(self) -> tuple[Entry, ...]:
        """The files that were set aside whole."""
        return tuple(entry for batch in self.batches for entry in batch.entries if entry.fate == Fate.REJECTED)

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
    _require_known(lake, datasets)
    if promotes:
        select(_jobs(lake), names)
    _require_safe(lake)
    signature = _Signature(uuid.uuid4().hex[:12], _user(), _revision(lake.settings.project))
    batches = _ingest(lake, datasets, told) if ingests else ()
    for attempt in range(TRIES_MAX):
        base, heads = lake.log.head(), read_heads(lake.store)
        outcomes = _promote(lake, names, base, heads.bronze, signature.run, told) if promotes else ()
        pins = {o.table: o.version for o in outcomes if o.status == "ran" and o.version is not None}
        versions = heads.versions | set_aside(lake.store, lake.log, pins)
        proposal = signature.proposal(_message(batches, outcomes), versions, pins)
        try:
            commit = lake.log.publish(base, proposal)
        except Conflict:
            if attempt + 1 == TRIES_MAX:
                raise
            continue
        _mend_rejects(lake, commit, signature)
        return RunResult(signature.run, batches, outcomes, commit, commit.operation == proposal.operation)
    raise AssertionError("unreachable")


def plan(lake: Workspace, names: Sequence[str] = ()) -> tuple[Mapping[str, int], list[Step]]:
    """What a run would do: files in landing by dataset, and each job with the reason; nothing is changed.

    A dataset that has files waiting is taken to change; where they turn out to be known or bad, its jobs do not run.
    Raises `UsageError`, `StoreError`.
    """
    found = landing.find(lake.objects)
    changing = {TableName(Zone.BRONZE, dataset) for dataset in found}
    waiting = {dataset: sum(not d.is_withdrawn for d in deliveries) for dataset, deliveries in found.items()}
    jobs = select(_jobs(lake), names) if names else _jobs(lake)
    return waiting, plan_run(jobs, lake.log.head(), read_heads(lake.store).bronze, lake.store, changing)


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


def _jobs(lake: Workspace) -> list[Job]:
    return find_jobs(lake.settings.project, _expected(lake))


def _expected(lake: Workspace) -> set[TableName]:
    """The tables that a job may read and none need make: bronze, begun or in landing, and what is published."""
    landed = {TableName(Zone.BRONZE, dataset) for dataset in landing.find(lake.objects)}
    return {*bronze_names(lake.objects), *landed, *map(TableName.parse, lake.log.head().tables)}


def _require_known(lake: Workspace, datasets: Sequence[str]) -> None:
    """Raises `NotFound` for a dataset that has no file in landing and never had one."""
    there = sorted(name.name for name in _expected(lake) if name.zone is Zone.BRONZE) if datasets else []
    for dataset in datasets:
        if dataset not in there:
            near = get_close_matches(dataset, there, n=1) or there
            raise NotFound(
                f"no dataset {dataset!r}, in landing or in bronze",
                next=f"there is {', '.join(near)}" if near else f"lake drop FILE --into {dataset}",
            )


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


@dataclass(frozen=True)
class _Signature:
    """What every commit of a run says of it: which run, by whom, with which revision of the project."""

    run: str
    author: str
    revision: str

    def proposal(self, message: str, heads: Mapping[TableName, int], pins: Mapping[TableName, int]) -> Proposal:
        return Proposal(
            operation=uuid.uuid4().hex,
            pins=pins,
            heads=heads,
            author=self.author,
            message=message,
            run=self.run,
            revision=self.revision,
        )


def _mend_rejects(lake: Workspace, commit: Commit, signature: _Signature) -> None:
    """Publish the quarantine again where a rival's went with this run's tables; nothing where it is right."""
    version = set_aside(lake.store, lake.log)
    if version:
        lake.log.publish(commit, signature.proposal("quarantine", version, {}))


def _user() -> str:
    """Who runs this; a number where the system has no name for it, as in a container."""
    try:
        return getuser()
    except (KeyError, OSError):
        return f"uid{os.getuid()}"


def _message(batches: Sequence[Finished], outcomes: Sequence[Outcome]) -> str:
    files = sum(len(batch.entries) for batch in batches)
    ran = [str(outcome.table) for outcome in outcomes if outcome.status == "ran"]
    parts = [f"ingest {files} files"] if files else []
    return "; ".join([*parts, f"promote {', '.join(ran)}"] if ran else parts) or "what was committed before"


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
