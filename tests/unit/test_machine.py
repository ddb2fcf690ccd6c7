"""What the system refuses becomes an error that a person can mend; what else goes wrong stays what it is."""

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl
import pytest

from catalog.errors import ExitCode
from lake.machine import machine_error


@contextmanager
def small_files(size_bytes: int) -> Iterator[None]:
    """No file may grow beyond this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EDQUOT, "make room"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EROFS, "mount"),
        (errno.EACCES, "this user"),
        (errno.EMFILE, "ulimit -n"),
    ],
)
def test_what_was_refused_where_and_what_to_do(number: int, told: str) -> None:
    """The file is named where the system names it, and its words are kept."""
    refused = machine_error(OSError(number, "said", "/data/.lake/scratch"))
    assert refused is not None
    assert "/data/.lake/scratch" in refused.what
    assert told in refused.next
    assert refused.exit_code == ExitCode.STORE
    assert machine_error(OSError(number, "said")) is not None


def test_libraries_that_say_it_in_words_are_understood(tmp_path: Path) -> None:
    """Polars and DuckDB raise no OSError with a number when they cannot write."""
    frame = pl.DataFrame({"n": range(100_000)})
    with small_files(4096):
        with pytest.raises(pl.exceptions.ComputeError) as polars:
            frame.write_parquet(tmp_path / "rows.parquet")
        with pytest.raises(duckdb.Error) as engine, duckdb.connect() as connection:
            connection.execute(f"copy (from range(1000000)) to '{tmp_path}/rows.csv'")
    for error in (polars.value, engine.value):
        refused = machine_error(error)
        assert refused is not None, error
        assert "too large" in refused.what


@pytest.mark.parametrize("error", [ValueError("a bug"), FileNotFoundError(errno.ENOENT, "no such file", "a.csv")])
def test_a_bug_is_not_the_machines(error: Exception) -> None:
    """It keeps its traceback."""
    assert machine_error(error) is None
