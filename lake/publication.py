"""A run's one publication: what it took in, what its jobs made and what was set aside, in a single catalog commit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from catalog.errors import Conflict
from catalog.ledger import Entry
from catalog.log import Commit
from catalog.objects import probe
from catalog.tables import Snapshot, Tables
from catalog.zones import TableName
from ingestion.absorb import Read
from ingestion.batch import Finished
from ingestion.ingest import Policy
from lake.heads import read_heads
from lake.promote.outcome import Event, Outcome
from lake.rejects import set_aside
from lake.runs import Record
from lake.scratch import scratch_folder
from lake.settings import Settings
from lake.signature import Signature
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
        return tuple(entry for entry in entries if entry.is_aside)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The jobs that failed, whose tables stay as they were."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")


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
    record: Record,
    batches: Sequence[Finished],
    message: str,
    promote: Promote = lambda _base, _bronze: (),
    *,
    all_or_nothing: bool = False,
) -> RunResult:
    """Publish bronze, the ledger, the quarantine, the runs as they are, and what the jobs make of it, in one commit.

    With ``all_or_nothing`` nothing is published where a job failed. Where another run has published one of the jobs'
    tables meanwhile, they run again from there. Raises `StoreError`; `Conflict` after several such rivals.
    """
    signature = record.signature
    for attempt in range(TRIES_MAX):
        base, heads = lake.log.head(), read_heads(lake.store)
        outcomes = promote(base, heads.bronze)
        if all_or_nothing and any(outcome.status == "failed" for outcome in outcomes):
            return RunResult(signature.run, tuple(batches), outcomes, base, is_published=False, is_withheld=True)
        pins = {o.table: o.version for o in outcomes if o.status == "ran" and o.version is not None}
        versions = heads.versions | set_aside(lake.store, lake.log, pins)
        versions |= record.propose(base, versions | pins)
        proposal = signature.proposal(_message(message, outcomes), versions, pins)
        try:
            commit = lake.log.publish(base, proposal)
        except Conflict:
            if attempt + 1 == TRIES_MAX:
                raise
            continue
        _mend_rejects(lake, base, commit, signature)
        is_published = commit.operation == proposal.operation
        if is_published:
            record.published(commit)
        return RunResult(signature.run, tuple(batches), outcomes, commit, is_published)
    raise AssertionError("unreachable")


def _mend_rejects(lake: Workspace, base: Commit, commit: Commit, signature: Signature) -> None:
    """Publish the quarantine again where a rival, who published meanwhile, has another; nothing where it is right.

    What is published for that may have met a rival of its own, so that is asked again.
    """
    for _ in range(TRIES_MAX):
        if commit.number <= base.number + 1:
            return
        base = lake.log.head()
        version = set_aside(lake.store, lake.log)
        if not version:
            return
        commit = lake.log.publish(base, signature.proposal("quarantine", version, {}))


def _message(taken: str, outcomes: Sequence[Outcome]) -> str:
    ran = [str(outcome.table) for outcome in outcomes if outcome.status == "ran"]
    parts = [taken] if taken else []
    return "; ".join([*parts, f"promote {', '.join(ran)}"] if ran else parts) or "what was committed before"
