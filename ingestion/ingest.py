"""Landing to bronze: finish what is open, then take what landed, batch by batch, until landing is empty."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from catalog.failpoints import reach
from catalog.objects import Sequence, require_versions
from catalog.tables import Tables
from catalog.zones import TableName, Zone
from ingestion import landing
from ingestion.absorb import Absorber, Read, Workshop
from ingestion.batch import Finished, Finisher
from ingestion.manifest import Delivery, Manifest, datasets_begun, decode, encode, manifests, now
from ingestion.parser import Parser, ParserLimits

ROUNDS_MAX = 1000

Told = Read | Finished


@dataclass(frozen=True)
class Policy:
    """How files are taken in: the parser's limits, and what a changed file under an old name does, by dataset.

    ``replace``: the old delivery's rows go and the new ones come, in one commit; ``append``: they are added.
    ``scratch`` is a folder for files in work, some hundred megabytes beside the largest raw file; None: one of the
    system's.
    """

    limits: ParserLimits
    on_correction: Mapping[str, str] = field(default_factory=dict)
    on_correction_default: str = "replace"
    wait_s_max: float = 2.0
    scratch: Path | None = None

    def of(self, dataset: str) -> str:
        """What a correction does to a dataset."""
        return self.on_correction.get(dataset, self.on_correction_default)


def ingest(
    tables: Tables, policy: Policy, datasets: Iterable[str] = (), told: Callable[[Told], None] = lambda _: None
) -> list[Finished]:
    """Take everything in landing (or of some datasets) into bronze, once; the batches that were finished on the way.

    Safe to run twice at a time and to kill. ``told`` hears of each delivery as it is read and of each batch as it is
    done. Raises `UnsafeStore` where landing keeps no versions, and `StoreError`; what was committed before stands.
    """
    require_versions(tables.objects)
    wanted = tuple(datasets)
    finished: list[Finished] = []
    with _finisher(tables, policy, told) as finisher:
        seen: set[Delivery] = set()
        for _ in range(ROUNDS_MAX):
            numbers: dict[str, int] = {}
            for dataset in datasets_begun(tables.objects):
                if wanted and dataset not in wanted:
                    continue
                numbers[dataset], done = _finish_last(tables, finisher, dataset, policy.wait_s_max)
                finished += _tell(done, told)
            found = landing.find(tables.objects, wanted)
            plans = {dataset: landing.first(deliveries) for dataset, deliveries in found.items()}
            fresh = {dataset: planned for dataset, planned in plans.items() if not seen.issuperset(planned)}
            if not fresh:
                break
            for dataset, planned in fresh.items():
                plan = _plan(tables, policy, dataset, numbers.get(dataset, 0) + 1, planned)
                done = _take(tables, finisher, plan)
                seen.update(*(batch.manifest.deliveries for batch in done))
                finished += _tell(done, told)
    return finished


def _tell(done: list[Finished], told: Callable[[Told], None]) -> list[Finished]:
    for batch in done:
        told(batch)
    return done


@contextmanager
def _finisher(tables: Tables, policy: Policy, told: Callable[[Told], None]) -> Iterator[Finisher]:
    """A finisher with a parser and a scratch folder, both gone afterwards."""
    scratch = Path(tempfile.mkdtemp(prefix="lake-ingest-", dir=policy.scratch))
    try:
        with Parser(scratch, policy.limits) as parser:
            workshop = Workshop(parser, scratch, told)
            yield Finisher(
                tables,
                lambda manifest, head: Absorber(tables, workshop, manifest, head),
            )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _finish_last(tables: Tables, finisher: Finisher, dataset: str, wait_s_max: float) -> tuple[int, list[Finished]]:
    """Finish a dataset's newest batch if it is open: older ones are done, else it would not exist."""
    sequence = Sequence(tables.objects, Zone.CATALOG, manifests(dataset))
    number = sequence.last()
    if number == 0:
        return 0, []
    manifest = decode(sequence.get(number))
    if finisher.is_done(manifest) or _was_finished(finisher, manifest, wait_s_max):
        return number, []
    return number, [finisher.finish(manifest)]


def _was_finished(finisher: Finisher, manifest: Manifest, wait_s_max: float) -> bool:
    """Whether the one who began a batch finishes it while we wait a little: only a courtesy, to save doing it twice."""
    until = time.monotonic() + (wait_s_max if manifest.is_begun_by_a_living_process() else 0.0)
    while time.monotonic() < until:
        time.sleep(0.1)
        if finisher.is_done(manifest):
            return True
    return False


def _plan(tables: Tables, policy: Policy, dataset: str, number: int, deliveries: tuple[Delivery, ...]) -> Manifest:
    """A batch of these deliveries, on the table as it is.

    ``number`` was looked up before landing was listed: had another batch been finished in between, it would have this
    number, and so nothing that it took can be in the plan.
    """
    head = tables.open(TableName(Zone.BRONZE, dataset))
    return Manifest(
        dataset=dataset,
        number=number,
        deliveries=deliveries,
        bronze_version=None if head is None else head.version,
        begun_at=now(),
        on_correction=policy.of(dataset),
    )


def _take(tables: Tables, finisher: Finisher, plan: Manifest) -> list[Finished]:
    """Begin a batch and finish it; where somebody else began that number first, finish theirs."""
    sequence = Sequence(tables.objects, Zone.CATALOG, manifests(plan.dataset))
    begun = plan if sequence.create(plan.number, encode(plan)) else decode(sequence.get(plan.number))
    reach("manifest.created")
    return [] if finisher.is_done(begun) else [finisher.finish(begun)]
