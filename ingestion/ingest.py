"""Landing to bronze: finish what is open, then take what landed, batch by batch, until landing is empty."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Sequence as Several
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from catalog.errors import Conflict
from catalog.failpoints import reach
from catalog.objects import Sequence, require_versions
from catalog.tables import Tables
from catalog.zones import Zone
from ingestion import landing
from ingestion.absorb import Absorber, Heads, Read, Workshop
from ingestion.batch import Finished, Finisher, bronze_heads
from ingestion.fetch import Early
from ingestion.manifest import Delivery, Manifest, datasets_begun, decode, encode, manifests, now
from ingestion.options import DatasetPolicy
from ingestion.parser import Parser, ParserLimits
from ingestion.routing import SAME_PATTERNS, Routes, settle_epoch

ROUNDS_MAX = 1000

VOID_ROUNDS_MAX = 5
"""After so many rounds in a row in which another ingester's patterns made batches void, somebody has to be told."""

Told = Read | Finished


@dataclass(frozen=True)
class Policy:
    """How files are taken in: the parser's limits, and what becomes of each dataset's files.

    ``routes`` say which dataset a landing key belongs to. ``scratch`` is a folder for files in work, some hundred
    megabytes beside the largest raw file; None: one of the system's. ``run`` names the run that this is a part of.
    ``parser`` is one that stays; None: each ingest has its own, which goes with it.
    """

    limits: ParserLimits
    datasets: Mapping[str, DatasetPolicy] = field(default_factory=dict)
    default: DatasetPolicy = field(default_factory=DatasetPolicy)
    routes: Routes = field(default_factory=Routes)
    wait_s_max: float = 2.0
    scratch: Path | None = None
    run: str = ""
    parser: Parser | None = None

    def of(self, dataset: str) -> DatasetPolicy:
        """What becomes of a dataset's files."""
        return self.datasets.get(dataset, self.default)


def ingest(
    tables: Tables, policy: Policy, datasets: Iterable[str] = (), told: Callable[[Told], None] = lambda _: None
) -> list[Finished]:
    """Take everything in landing (or of some datasets) into bronze, once; the batches that were finished on the way.

    Safe to run twice at a time and to kill. ``told`` hears of each delivery as it is read and of each batch as it is
    done. Raises `UnsafeStore` where landing keeps no versions, `StoreError`, and `Conflict` where others at work go by
    other routes; what was committed before stands.
    """
    require_versions(tables.objects)
    wanted = tuple(datasets)
    finished: list[Finished] = []
    with _finisher(tables, policy, told) as (finisher, parser):
        seen: set[Delivery] = set()
        void_rounds = 0
        for _ in range(ROUNDS_MAX):
            # First: a manifest that is not there yet when we look through them is made void by this.
            epoch = settle_epoch(tables.objects, policy.routes)
            reach("epoch.settled")
            numbers: dict[str, int] = {}
            # Also those that are not wanted: what another dataset's open batch holds may be routed to a wanted one by
            # now, or be its own again since a pattern went, and is not to come twice.
            for dataset, number, open_batch in _newest_batches(tables, finisher):
                numbers[dataset] = number
                finished += _tell(_finish(finisher, open_batch, policy.wait_s_max), told)
            found = landing.find(tables.objects, wanted, policy.routes.dataset_of)
            reach("landing.listed")
            plans = {dataset: landing.first(deliveries) for dataset, deliveries in found.items()}
            fresh = {dataset: planned for dataset, planned in plans.items() if not seen.issuperset(planned)}
            if not fresh:
                break
            # It starts while the first files are archived.
            parser.warm_up()
            is_void = False
            for dataset, planned in fresh.items():
                plan = _plan(tables, policy, dataset, numbers.get(dataset, 0) + 1, planned, epoch)
                done = _take(tables, finisher, plan)
                kept = _tell(done, told)
                # What a void batch held is as new as before, and more batches of this epoch would be void, too.
                seen.update(*(batch.manifest.deliveries for batch in kept))
                finished += kept
                is_void = len(kept) < len(done)
                if is_void:
                    break
            void_rounds = void_rounds + 1 if is_void else 0
            if void_rounds == VOID_ROUNDS_MAX:
                raise _at_odds(fresh)
    return finished


def _at_odds(datasets: Iterable[str]) -> Conflict:
    return Conflict(
        f"another ingester is at work that routes landing files by other patterns: {VOID_ROUNDS_MAX} times in a row a "
        f"batch of {' or '.join(datasets)} was given up, lest a file is taken twice",
        next=SAME_PATTERNS,
    )


def retake(
    tables: Tables,
    policy: Policy,
    dataset: str,
    deliveries: Several[Delivery],
    told: Callable[[Told], None] = lambda _: None,
) -> list[Finished]:
    """Do to a dataset's old deliveries what they say, read again or taken back, in one batch of their own.

    The batches that were finished on the way, this one last. Safe to run twice at a time and to kill: the batch is
    begun or not, and whoever ingests next finishes it. Raises `StoreError`, and `Conflict` after many rivals.
    """
    finished: list[Finished] = []
    with _finisher(tables, policy, told) as (finisher, _):
        for _ in range(ROUNDS_MAX):
            number, open_batch = _newest_batch(tables, finisher, dataset)
            finished += _tell(_finish(finisher, open_batch, policy.wait_s_max), told)
            plan = _plan(tables, policy, dataset, number + 1, tuple(deliveries))
            if Sequence(tables.objects, Zone.CATALOG, manifests(dataset)).create(plan.number, encode(plan)):
                reach("manifest.created")
                return [*finished, *_tell([finisher.finish(plan)], told)]
    raise Conflict(f"other batches of {dataset} were first, again and again", next="run again: nothing is lost")


def _tell(done: list[Finished], told: Callable[[Told], None]) -> list[Finished]:
    """Those of the batches that are not void, each told."""
    kept = [batch for batch in done if not batch.is_void]
    for batch in kept:
        told(batch)
    return kept


@contextmanager
def _finisher(tables: Tables, policy: Policy, told: Callable[[Told], None]) -> Iterator[tuple[Finisher, Parser]]:
    """A finisher with a scratch folder and a parser, both gone afterwards but for a parser that stays."""
    scratch = Path(tempfile.mkdtemp(prefix="lake-ingest-", dir=policy.scratch))
    own = Parser(scratch, policy.limits) if policy.parser is None else nullcontext(policy.parser)
    try:
        (scratch / "beside").mkdir()
        with (
            own as parser,
            Parser(scratch / "beside", policy.limits) as beside,
            Early(tables.objects, scratch) as early,
        ):
            parser.pair(beside)
            workshop = Workshop(parser, beside, early, scratch, told)

            def absorber(manifest: Manifest, heads: Heads) -> Absorber:
                return Absorber(tables, workshop, manifest, heads)

            yield Finisher(tables, absorber, early.begin), parser
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _newest_batches(tables: Tables, finisher: Finisher) -> list[tuple[str, int, Manifest | None]]:
    """Each dataset that was begun, with what `_newest_batch` says of it."""
    datasets = datasets_begun(tables.objects)
    with ThreadPoolExecutor(landing.PARALLEL_REQUESTS) as pool:
        found = pool.map(lambda dataset: _newest_batch(tables, finisher, dataset), datasets)
        return [(dataset, *newest) for dataset, newest in zip(datasets, found, strict=True)]


def _newest_batch(tables: Tables, finisher: Finisher, dataset: str) -> tuple[int, Manifest | None]:
    """The number of a dataset's newest batch, and the batch if it is open: older ones are done, else it would not be.

    0 where there is none.
    """
    sequence = Sequence(tables.objects, Zone.CATALOG, manifests(dataset))
    number = sequence.last()
    if number == 0:
        return 0, None
    manifest = decode(sequence.get(number))
    return number, None if finisher.is_done(manifest) else manifest


def _finish(finisher: Finisher, manifest: Manifest | None, wait_s_max: float) -> list[Finished]:
    """Finish a batch that was open, unless somebody else has since, or the one who began it does."""
    if manifest is None or finisher.is_done(manifest) or _was_finished(finisher, manifest, wait_s_max):
        return []
    return [finisher.finish(manifest)]


def _was_finished(finisher: Finisher, manifest: Manifest, wait_s_max: float) -> bool:
    """Whether the one who began a batch finishes it while we wait a little: only a courtesy, to save doing it twice."""
    until = time.monotonic() + (wait_s_max if manifest.is_begun_by_a_living_process() else 0.0)
    while time.monotonic() < until:
        time.sleep(0.1)
        if finisher.is_done(manifest):
            return True
    return False


def _plan(
    tables: Tables, policy: Policy, dataset: str, number: int, deliveries: tuple[Delivery, ...], epoch: int = 0
) -> Manifest:
    """A batch of these deliveries, on the dataset's tables as they are.

    ``number`` was looked up before landing was listed: had another batch been finished in between, it would have this
    number, and so nothing that it took can be in the plan. ``epoch`` was settled before that.
    """
    heads = bronze_heads(tables, dataset)
    return Manifest(
        dataset=dataset,
        number=number,
        deliveries=deliveries,
        versions={head.name.name: head.version for head in heads.values()},
        begun_at=now(),
        policy=policy.of(dataset),
        epoch=epoch,
        run=policy.run,
    )


def _take(tables: Tables, finisher: Finisher, plan: Manifest) -> list[Finished]:
    """Begin a batch and finish it; where somebody else began that number first, finish theirs."""
    sequence = Sequence(tables.objects, Zone.CATALOG, manifests(plan.dataset))
    begun = plan if sequence.create(plan.number, encode(plan)) else decode(sequence.get(plan.number))
    reach("manifest.created")
    return [] if finisher.is_done(begun) else [finisher.finish(begun)]
