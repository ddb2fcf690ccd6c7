"""Whose fault an error is: what fails beside a job is not blamed on it, and what a job raises is."""
# ruff: noqa: F821 - Source["bronze.rows"] names a table, not a type

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from catalog.errors import JobFailed, MachineError
from catalog.zones import TableName
from lake import Source
from lake.promote.declare import Job, Query
from lake.promote.faults import blaming, machine_faults
from lake.promote.sql import Bounds, SourceFiles, run_query
from tests.support.jobs import declared

ROWS = TableName.parse("bronze.rows")


@declared("silver.rows")
def _rows(rows: Source["bronze.rows"]) -> pl.LazyFrame:
    return rows


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """What a full disk is to who writes: the system takes so much of a file and no more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_scratch_that_takes_no_more_is_no_fault_of_a_job_in_python(tmp_path: Path) -> None:
    wide = pl.LazyFrame({"n": range(500_000)}).select(pl.col("n").hash())
    with pytest.raises(MachineError), files_of_at_most(300_000), blaming(_rows):
        wide.sink_parquet(tmp_path / "result.parquet", engine="streaming")


def test_scratch_that_takes_no_more_is_no_fault_of_a_job_in_sql(tmp_path: Path) -> None:
    source = pl.DataFrame({"n": range(500_000)})
    source.write_parquet(tmp_path / "rows.parquet")
    job = Job(TableName.parse("gold.rows"), Query("select hash(n)::varchar as h from bronze.rows", (ROWS,)))
    files = {ROWS: SourceFiles(source.schema, [tmp_path / "rows.parquet"])}
    with pytest.raises(MachineError), files_of_at_most(300_000), blaming(job):
        run_query(job, files, tmp_path, Bounds(tmp_path, memory_gb=0.5))


def test_a_query_that_needs_more_memory_is_told_where_to_get_it(tmp_path: Path) -> None:
    query = Query("select list(n order by hash(n)) as ns from bronze.rows", (ROWS,))
    source = pl.DataFrame({"n": range(3_000_000)})
    source.write_parquet(tmp_path / "rows.parquet")
    files = {ROWS: SourceFiles(source.schema, [tmp_path / "rows.parquet"])}
    job = Job(TableName.parse("gold.rows"), query)
    with pytest.raises(JobFailed, match=r"raise \[compute\] memory_gb"):
        run_query(job, files, tmp_path, Bounds(tmp_path, memory_gb=0.02))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE])
def test_what_the_system_refuses_a_job_is_no_fault_of_it(number: int) -> None:
    with pytest.raises(MachineError), blaming(_rows):
        raise OSError(number, "refused")


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "codes.csv"),
        PermissionError(errno.EACCES, "Permission denied", "codes.csv"),
        ValueError("No space left on device (os error 28)"),
    ],
)
def test_what_a_job_s_own_files_lack_is_its_fault(error: Exception) -> None:
    with pytest.raises(JobFailed), blaming(_rows):
        raise error


@pytest.mark.parametrize("text", ["object-store error: no", "parquet: (os error 28)", "Generic S3 error"])
def test_a_value_that_reads_like_an_outage_is_a_value(text: str) -> None:
    with pytest.raises(JobFailed, match="conversion from `str` to `i64`"), blaming(_rows):
        pl.LazyFrame({"n": [text]}).select(pl.col("n").cast(pl.Int64)).collect(engine="streaming")


def test_an_error_in_the_lake_s_own_work_on_files_is_the_machine_s() -> None:
    with pytest.raises(MachineError, match="gone"), blaming(_rows), machine_faults():
        raise FileNotFoundError(errno.ENOENT, "gone", "x.parquet")
