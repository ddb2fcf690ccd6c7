"""Whose fault an error is: the job's, the store's, or this machine's."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeGuard

import duckdb
from polars.exceptions import ColumnNotFoundError, ComputeError, PanicException

from catalog.errors import JobFailed, LakeError, MachineError
from catalog.tables.faults import as_lake_error
from lake.machine import machine_error
from lake.promote.declare import Job
from lake.promote.names import suggested

_STORE = "object-store error"
_POLARS_FILE = "parquet: "
_DUCKDB_SPILL = "max_temp_directory_size"


@contextmanager
def blaming(job: Job) -> Iterator[None]:
    """Turn what a job's own code raises into `JobFailed`, with the file and the line of that code.

    What Polars raises when a plan runs has no line in the job; then it is the line of the job's declaration. Raises
    `StoreError` and its kin where the store failed meanwhile, `MachineError` where this machine did.
    """
    try:
        yield
    except LakeError:
        raise
    except (Exception, PanicException, SystemExit) as error:  # a job may raise anything
        if _is_store(error):
            raise as_lake_error(f"run the job of {job.table}", error) from None
        if fault := machine_fault(error):
            raise fault from error
        raise JobFailed(
            f"{job.table}: {type(error).__name__}: {_first_line(error)} ({_place(job, error)})",
            next=f"{_meant(error)}mend the job; its table stays at its last good version",
        ) from error


@contextmanager
def machine_faults() -> Iterator[None]:
    """Around the lake's own work on local files: any error of the operating system becomes `MachineError`."""
    try:
        yield
    except OSError as error:
        raise machine_error(error) or MachineError(f"this machine could not do it: {error}") from error


def machine_fault(error: BaseException) -> MachineError | None:
    """What to tell of an error that comes of this machine while a job runs; None where the job is to blame.

    A file that a job may not open is the job's; so is a query that needs more memory than it is given.
    """
    if isinstance(error, duckdb.OutOfMemoryException) and _DUCKDB_SPILL in str(error):
        return MachineError(
            f"this machine could not do it: {_first_line(error)}", next="make room on the disk that has .lake"
        )
    is_of_files = isinstance(error, OSError | duckdb.IOException) or _begins(error, _POLARS_FILE)
    return machine_error(error) if is_of_files and not isinstance(error, PermissionError) else None


def _is_store(error: BaseException) -> TypeGuard[Exception]:
    return (isinstance(error, OSError) and _STORE in str(error)) or _begins(error, _STORE)


def _begins(error: BaseException, text: str) -> bool:
    """Whether it is an error of Polars' about its work: what stands further on may quote values of the data."""
    return isinstance(error, ComputeError) and str(error).startswith(text)


def _meant(error: BaseException) -> str:
    """The name that Polars takes for the one that was meant, where it knows no such column."""
    near = suggested(str(error)) if isinstance(error, ColumnNotFoundError) else None
    return f"the nearest is {near}: " if near else ""


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")


def _place(job: Job, error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(job.path)]
    return f"{job.where.rpartition(':')[0]}:{lines[-1]}" if lines else job.where
