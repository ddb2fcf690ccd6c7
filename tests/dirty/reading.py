"""What the lake's reader makes of a file's bytes: rows with their lines, rejects, and what it says; or a refusal."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import polars as pl

from ingestion.columns import safe_names
from ingestion.found import REJECTS, Found, Source
from ingestion.options import ReadOptions
from ingestion.refusal import FileRefused
from ingestion.text.csvfile import read_csv
from tests.dirty.outcome import Broken, Read, Refused, Reject

SECONDS_MAX = 60
HOW_IT_WAS_READ = "read record by record"
"""A notice that says nothing of what the file was taken for."""
_PLAIN = ReadOptions()


def read(data: bytes, folder: Path, options: ReadOptions = _PLAIN, name: str = "table.csv") -> Read | Refused:
    """Read bytes as the worker does: write the rows, then close the account of values. Raises `Broken`."""
    path, scratch = folder / "landed", folder / "scratch"
    scratch.mkdir(exist_ok=True)
    path.write_bytes(data)
    try:
        with _in_time():
            tables = [_read(found, folder) for found in read_csv(Source(path, name, scratch, options))]
    except FileRefused as refused:
        if not refused.rule or not refused.reason:
            raise Broken("a refusal without a rule or a reason") from refused
        return Refused(refused.rule, refused.reason)
    if len(tables) != 1:
        raise Broken(f"{len(tables)} tables")
    return tables[0]


def _read(found: Found, folder: Path) -> Read:
    out = folder / "rows.parquet"
    found.rows.sink_parquet(out)
    if found.check is not None:
        found.check(out)
    frame = pl.read_parquet(out)
    expected = [*safe_names(found.header), "_line"]
    if sorted(frame.columns) != sorted(expected):
        raise Broken(f"columns {frame.columns}, by the header {expected}")
    rows = tuple((row[-1], row[:-1]) for row in frame.select(expected).iter_rows())
    rejects = _rejects(found)
    if len(rejects) != found.rejected or found.records != len(rows) + len(rejects):
        raise Broken(f"{found.records} records, {len(rows)} rows, {found.rejected} ({len(rejects)}) rejected")
    assumptions = found.dialect.get("assumptions", ())
    notices = (notice for notice in found.notices if not notice.startswith(HOW_IT_WAS_READ))
    said = (*notices, *(assumptions if isinstance(assumptions, (list, tuple)) else ()))
    return Read(found.header, rows, rejects, found.records, found.lines, found.dialect, said)


def _rejects(found: Found) -> tuple[Reject, ...]:
    if found.rejects is None:
        return ()
    frame = pl.read_parquet(found.rejects)
    if frame.schema != REJECTS:
        raise Broken(f"rejects have the columns {frame.schema}")
    return tuple(Reject(*row) for row in frame.iter_rows())


@contextmanager
def _in_time() -> Iterator[None]:
    """Raise `Broken` in a reader that hangs."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise Broken(f"still reading after {SECONDS_MAX} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS_MAX)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
