"""A run's one publication: what it took in, what its jobs made and what was set aside, in a single catalog commit."""

import os
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from getpass import getuser
from pathlib import Path

from catalog.errors import Conflict
from catalog.ledger import Entry, Fate
from catalog.log import Commit, Proposal
from catalog.objects import probe
from catalog.tables import Snapshot, Tables
from catalog.zones import TableName
from ingestion.absorb import Read
from ingestion.batch import Finished
from ingestion.ingest import Policy
from lake.heads import read_heads
from lake.promote.outcome import Event, Outcome
from lake.rejects import set_aside
from lake.scratch import scratch_folder
from lake.settings import Settings
from lake.workspace import Workspace, limits_of

TRIES_MAX = 3

Told = Callable[[Read | Finished | Event], None]

Promote = Callable[[Commit, Mapping[TableName, Snapshot]], tuple[Outcome, ...]]
"""Runs the jobs that have something new, on a commit and on bronze as it is; what became of each."""


@dataclass(frozen=True)
class RunResult:
    """What a run did: the batches that it finished, what became of each job, and its commit, or the one that stands.

    ``unused`` are the records, by their ids in the quarantine, that were given another text which was not read.
    ``is_withheld`` says that there was something to publish, and that a job which failed kept it back.
    """

    run: str
    batches: tuple[Finished, ...]
    outcomes: tuple[Outcome, ...]
    commit: Commit
    is_published: bool
    unused: tuple[str, ...] = ()
    is_withheld: bool = False

    @property
    def rejected(self) -> tuple[Entry, ...]:
        """The files that were set aside whole, or of which a part was."""
        entries = (entry for batch in self.batches for entry in batch.entries)
        return tuple(entry for entry in entries if entry.fate == Fate.REJECTED or entry.refused)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The jobs that failed, whose tables stay as they were."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")


@dataclass(frozen=True)
class Signature:
    """What every commit of a run says of it: which run, by whom, with which revision of the project."""

    run: str
    author: str
    revision: str

    @classmethod
    def new(cls, lake: Workspace) -> "Signature":
        """The signature of a run that begins."""
        return cls(uuid.uuid4().hex[:12], _user(), _revision(lake.settings.project))

    def proposal(self, message: str, heads: Mapping[TableName, int], pins: Mapping[TableName, int]) -> Proposal:
        """What the run proposes to publish."""
        return Proposal(
            operation=uuid.uuid4().hex,
            pins=pins,
            heads=heads,
            author=self.author,
            message=message,
            run=self.run,
            revision=self.revision,
        )


def take_in(
    lake: Workspace, signature: Signature, take: Callable[[Tables, Policy], Sequence[Finished]]
) -> tuple[Finished, ...]:
    """Let files get into bronze, by the settings, with a scratch folder. Raises `UnsafeStore`, `StoreError`."""
    with scratch_folder(lake.settings.state) as scratch:
        policy = replace(policy_of(lake.settings), scratch=scratch, run=signature.run, parser=lake.parser)
        return tuple(take(lake.store, policy))


def require_safe(lake: Workspace) -> None:
    """Probe a store before the first commit to it. Raises `UnsafeStore`."""
    if lake.log.head().number == 0:
        probe(lake.objects)


def policy_of(settings: Settings) -> Policy:
    """How files are taken in, by the settings."""
    return Policy(
        limits=limits_of(settings),
        datasets={dataset: settings.policy(dataset) for dataset in settings.datasets},
        default=settings.policy(""),
        routes=settings.routes(),
    )


def publish(
    lake: Workspace,
    signature: Signature,
    batches: Sequence[Finished],
    message: str,
    promote: Promote = lambda _base, _bronze: (),
    *,
    all_or_nothing: bool = False,
) -> RunResult:
    """Publish bronze, the ledger and the quarantine as they are, and what the jobs make of them, in one commit.

    With ``all_or_nothing`` nothing is published where a job failed. Where another run has published one of the jobs'
    tables meanwhile, they run again from there. Raises `StoreError`; `Conflict` after several such rivals.
    """
    for attempt in range(TRIES_MAX):
        base, heads = lake.log.head(), read_heads(lake.store)
        outcomes = promote(base, heads.bronze)
        if all_or_nothing and any(outcome.status == "failed" for outcome in outcomes):
            return RunResult(signature.run, tuple(batches), outcomes, base, is_published=False, is_withheld=True)
        pins = {o.table: o.version for o in outcomes if o.status == "ran" and o.version is not None}
        versions = heads.versions | set_aside(lake.store, lake.log, pins)
        proposal = signature.proposal(_message(message, outcomes), versions, pins)
        try:
            commit = lake.log.publish(base, proposal)
        except Conflict:
            if attempt + 1 == TRIES_MAX:
                raise
            continue
        _mend_rejects(lake, commit, signature)
        is_published = commit.operation == proposal.operation
        return RunResult(signature.run, tuple(batches), outcomes, commit, is_published)
    raise AssertionError("unreachable")


def _mend_rejects(lake: Workspace, commit: Commit, signature: Signature) -> None:
    """Publish the quarantine again where a rival's went with this run's tables; nothing where it is right."""
    version = set_aside(lake.store, lake.log)
    if version:
        lake.log.publish(commit, signature.proposal("quarantine", version, {}))


def _message(taken: str, outcomes: Sequence[Outcome]) -> str:
    ran = [str(outcome.table) for outcome in outcomes if outcome.status == "ran"]
    parts = [taken] if taken else []
    return "; ".join([*parts, f"promote {', '.join(ran)}"] if ran else parts) or "what was committed before"


def _user() -> str:
    """Who runs this; a number where the system has no name for it, as in a container."""
    try:
        return getuser()
    except (KeyError, OSError):
        return f"uid{os.getuid()}"


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
