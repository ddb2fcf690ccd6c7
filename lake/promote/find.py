"""The jobs of a project: found in ``jobs/``, read, and checked against each other before any of them runs."""

import hashlib
import sys
import traceback
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from catalog.errors import LakeError, NotFound, UsageError
from catalog.zones import TableName, Zone
from lake.promote.automatic import automatic_jobs
from lake.promote.declare import Frames, Job, collecting
from lake.promote.digest import of_function
from lake.promote.names import listed, nearest, shown


def find_jobs(project: Path, known: Collection[TableName], automatic: Collection[TableName] = ()) -> list[Job]:
    """The jobs in ``<project>/jobs``, sources before what reads them. ``known`` are the tables that are there already.

    Of the bronze tables in ``automatic`` those that no job is about get one of the lake's own.

    Raises `UsageError` with file and line for a file that cannot be read as jobs, two jobs for one table, a source that
    is neither known nor made by a job, and a cycle. A bronze table may be named before its first file has landed.
    """
    jobs = read_jobs(project / "jobs")
    return arrange([*jobs, *automatic_jobs(jobs, automatic)], known)


def select(jobs: Sequence[Job], names: Sequence[str]) -> list[Job]:
    """The jobs of these tables and of all that they are made from; raises `NotFound` for a table without one."""
    by_name = {str(job.table): job for job in jobs}
    wanted: set[TableName] = set()
    for name in names:
        if name not in by_name:
            raise NotFound(f"no job makes {name}", next=f"the nearest is {nearest(name, by_name) or listed(by_name)}")
        wanted |= {by_name[name].table}
    for job in reversed(jobs):
        if job.table in wanted:
            wanted |= set(job.sources)
    return [job for job in jobs if job.table in wanted]


def read_jobs(folder: Path, only: Sequence[Path] = ()) -> list[Job]:
    """Every job below a folder, in the order of the files' names, or those of some files. Raises `UsageError`."""
    files = only or sorted(
        file for file in folder.rglob("*") if file.suffix in {".py", ".sql"} and "__pycache__" not in file.parts
    )
    with _package(folder) as package, collecting() as jobs:
        for file in files:
            try:
                if file.suffix == ".sql":
                    jobs.append(_read_query(file))
                else:
                    _execute(file, ".".join((package, *file.relative_to(folder).with_suffix("").parts)))
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"{shown(file)} cannot be read: {error}", next="save it as UTF-8 text") from None
    return [replace(job, code=of_function(job, folder)) if isinstance(job.body, Frames) else job for job in jobs]


def arrange(jobs: Sequence[Job], known: Collection[TableName]) -> list[Job]:
    """The same jobs, sources first. Raises `UsageError` for a double, an unknown source and a cycle."""
    made: dict[TableName, Job] = {}
    for job in jobs:
        first = made.setdefault(job.table, job)
        if first is not job:
            raise UsageError(
                f"{job.where}: {job.table} has a job already, in {first.where}", next="rename one of the two tables"
            )
    for job in jobs:
        for source in job.sources:
            _require_source(job, source, {*known, *made})
    ordered: dict[TableName, Job] = {}
    for job in jobs:
        _visit(job, made, ordered, ())
    return list(ordered.values())


def _require_source(job: Job, source: TableName, known: Collection[TableName]) -> None:
    if source in known:
        return
    near = nearest(str(source), [str(name) for name in known if name != job.table])
    if source.zone is Zone.BRONZE and not _is_slip(source, known):
        return
    raise UsageError(
        f"{job.where}: {job.table} reads {source}, which neither a file nor a job makes",
        next=f"the nearest is {near}" if near else f"there are {listed(sorted(known))}",
    )


def _is_slip(source: TableName, known: Collection[TableName]) -> bool:
    """Whether the name of a dataset is a slip of the pen, and not one whose first file is still to come."""
    others = [name.name for name in known if name.zone is Zone.BRONZE]
    near = nearest(source.name, others, cutoff=0.75)
    return near is not None and _letters(near) != _letters(source.name)


def _letters(name: str) -> str:
    return "".join(letter for letter in name if not letter.isdigit())


def _visit(job: Job, made: dict[TableName, Job], ordered: dict[TableName, Job], above: tuple[TableName, ...]) -> None:
    if job.table in ordered:
        return
    if job.table in above:
        circle = " reads ".join(map(str, (*above[above.index(job.table) :], job.table)))
        raise UsageError(f"{job.where}: a cycle: {circle}", next="break it at one of the jobs")
    for source in job.sources:
        if source in made:
            _visit(made[source], made, ordered, (*above, job.table))
    ordered[job.table] = job


def _read_query(file: Path) -> Job:
    # Its parser takes a twentieth of a second, which a command that meets no SQL file need not spend.
    from lake.promote.sqlfile import read_job

    return read_job(file)


def _execute(file: Path, name: str) -> None:
    """Run a file as a module, unless another one has imported it already; its jobs are gathered meanwhile."""
    if name in sys.modules:
        return
    module = ModuleType(name)
    module.__file__ = str(file)
    module.__package__ = name.rpartition(".")[0]
    sys.modules[name] = module
    try:
        exec(compile(file.read_bytes(), str(file), "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the user's own jobs
    except SyntaxError as error:
        raise UsageError(
            f"{shown(error.filename or file)}:{error.lineno}: {error.msg}", next="mend that line"
        ) from None
    except LakeError as error:
        raise UsageError(f"{shown(file)}:{_line(error, file)}: {error.what}", next=error.next) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a file of the user's may raise anything
        said = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise UsageError(f"{shown(file)}:{_line(error, file)}: {said}", next="mend the file, or take it out") from None


def _line(error: BaseException, file: Path) -> int:
    """The last line of the file that was at work when the error was raised."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return (lines[-1] or 1) if lines else 1


@contextmanager
def _package(folder: Path) -> Iterator[str]:
    """A private name under which the folder's files are modules, so that they meet nobody else's and see each other.

    They are read anew each time, and leave no compiled files behind: those are told apart by whole seconds only.
    """
    package = f"_lake_jobs_{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]}"
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
    root = ModuleType(package)
    root.__path__ = [str(folder)]
    sys.modules[package] = root
    wrote, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield package
    finally:
        sys.dont_write_bytecode = wrote
