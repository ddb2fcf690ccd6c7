"""One run: ingest and promote, in order, with one publication."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches

from catalog.errors import NotFound
from catalog.log import Commit
from catalog.tables import Snapshot
from catalog.zones import TableName, Zone, bronze_table, parted
from ingestion import landing
from ingestion.batch import Finished, bronze_tables
from ingestion.ingest import ingest as ingest_landing
from ingestion.manifest import datasets_begun
from lake.heads import bronze_names, read_heads
from lake.promote.ahead import look_ahead
from lake.promote.declare import Job
from lake.promote.find import find_jobs, select
from lake.promote.forced import require_applicable
from lake.promote.outcome import HABIT, Outcome, RunOptions
from lake.promote.plan import Step
from lake.promote.pool import Pool, Site
from lake.promote.runner import promote
from lake.publication import RunResult, Told, publish, require_safe, take_in
from lake.query import cache_of
from lake.runs import recorded
from lake.scratch import scratch_folder
from lake.signature import Signature
from lake.workspace import Workspace


def run(
    lake: Workspace,
    names: Sequence[str] = (),
    *,
    ingests: bool = True,
    options: RunOptions = HABIT,
    told: Told = lambda _: None,
) -> RunResult:
    """Ingest what landed, run the jobs that have something new (of all tables, or those named), publish in one commit.

    A job that fails keeps its table, and all that depend on it, at the last good version; the rest is published, or
    nothing where ``options`` say so. Where another run has published one of the same tables meanwhile, the jobs run
    again from there. Jobs run in processes of their own, which end with this one. Raises `UsageError` for a job that is
    declared wrongly, before anything is written; `StoreError`; `Conflict` after several such rivals.
    """
    options = replace(options, tables=tuple(names))
    with recorded(lake, "run" if ingests else "promote", names) as record:
        require_applicable(chosen(lake, names), options)
        require_safe(lake)
        record.begin()
        heard = record.hearing(told)
        batches = _taken_in(lake, record.signature, (), heard) if ingests else ()

        with pool_of(lake, record.signature.run, options, heard) as pool:
            if batches or names:
                pool.warm_up()

            def promote_all(base: Commit, bronze: Mapping[TableName, Snapshot]) -> tuple[Outcome, ...]:
                outcomes = tuple(promote(chosen(lake, names), base, bronze, pool, heard, options))
                pool.dismiss()
                return outcomes

            message = _message(batches)
            return publish(lake, record, batches, message, promote_all, all_or_nothing=options.all_or_nothing)


def ingest(lake: Workspace, datasets: Sequence[str] = (), told: Told = lambda _: None) -> RunResult:
    """Ingest what landed, of all datasets or those named, and publish it. Raises `NotFound`, `StoreError`."""
    with recorded(lake, "ingest", datasets) as record:
        _require_known(lake, datasets)
        require_safe(lake)
        record.begin()
        batches = _taken_in(lake, record.signature, datasets, record.hearing(told))
        return publish(lake, record, batches, _message(batches))


def plan(lake: Workspace, names: Sequence[str] = ()) -> tuple[Mapping[str, int], list[Step]]:
    """What a run would do: files in landing by dataset, and each job with the reason; nothing is changed.

    For a job that would run also how its table would be made, of how many rows and bytes, and what changes in its
    columns, as far as this shows without running it. It is called with frames that have no rows.

    A dataset that has files waiting is taken to change; where they turn out to be known or bad, its jobs do not run.
    Raises `UsageError`, `StoreError`.
    """
    found = landing.find(lake.objects, (), lake.settings.routes().dataset_of)
    changing = {
        *map(bronze_table, found),
        *(name for name in bronze_names(lake.objects) if parted(name.name)[0] in found),
    }
    waiting = {dataset: sum(not d.is_withdrawn for d in deliveries) for dataset, deliveries in found.items()}
    bronze = read_heads(lake.store).bronze
    with pool_of(lake, "plan", HABIT, lambda _: None) as pool:
        return waiting, look_ahead(chosen(lake, names), lake.log.head(), bronze, pool, changing)


def chosen(lake: Workspace, names: Sequence[str]) -> list[Job]:
    """The project's jobs, or those of some tables and of what these are made from. Raises `NotFound`, `UsageError`."""
    begun = {*map(bronze_table, datasets_begun(lake.objects))}
    tables = {*bronze_tables(lake.objects)}
    expected = _expected(lake, begun | tables)
    # A table may get one in silver without a job if it holds rows, or is about to.
    bronze = sorted(name for name in expected if name.zone is Zone.BRONZE and name not in begun - tables)
    jobs = find_jobs(lake.settings.project, expected, bronze if lake.settings.is_automatic else ())
    return select(jobs, names) if names else jobs


def _taken_in(lake: Workspace, signature: Signature, datasets: Sequence[str], told: Told) -> tuple[Finished, ...]:
    return take_in(lake, signature, lambda tables, policy: ingest_landing(tables, policy, datasets, told))


def _message(batches: Sequence[Finished]) -> str:
    files = sum(len(batch.entries) for batch in batches)
    return f"ingest {files} files" if files else ""


def _expected(lake: Workspace, bronze: Collection[TableName]) -> set[TableName]:
    """The tables that a job may read and none need make: bronze, begun or in landing, and what is published."""
    route = lake.settings.routes().dataset_of
    landed = set(map(bronze_table, landing.find(lake.objects, (), route)))
    return {*bronze, *landed, *map(TableName.parse, lake.log.head().tables)}


def _require_known(lake: Workspace, datasets: Sequence[str]) -> None:
    """Raises `NotFound` for a dataset that has no file in landing and never had one."""
    known = _expected(lake, bronze_names(lake.objects)) if datasets else ()
    bronze = [name for name in known if name.zone is Zone.BRONZE]
    there = sorted({parted(name.name)[0] for name in bronze})
    for dataset in datasets:
        if dataset not in there:
            near = get_close_matches(dataset, there, n=1) or there
            raise NotFound(
                f"no dataset {dataset!r}, in landing or in bronze",
                next=f"there is {', '.join(near)}" if near else f"lake drop FILE --into {dataset}",
            )


@contextmanager
def pool_of(lake: Workspace, identity: str, options: RunOptions, told: Told) -> Iterator[Pool]:
    """The workers that do the jobs; they and their scratch folder are gone afterwards."""
    settings, cache = lake.settings, cache_of(lake.settings)
    with scratch_folder(settings.state) as scratch:
        site = Site(
            jobs=settings.project / "jobs",
            scratch=scratch,
            cache=cache.folder,
            cache_bytes=cache.size_bytes_max,
            run=identity,
            memory_gb=settings.memory_gb,
            seconds_max=settings.job_seconds_max,
            jobs_max=options.jobs_max or settings.jobs_max,
        )
        with Pool(lake.store, site, told) as pool:
            yield pool
