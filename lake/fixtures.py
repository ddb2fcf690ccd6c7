"""A project's own tests of its jobs: cases, each a folder of CSV files with what goes in and what is to come out.

``tests/silver.sales/a case/bronze.sales.csv`` is a source, ``expected.csv`` the table that is to come of it. Beside it
``rejected.csv`` may tell what is set aside, in some of the columns file, line, rule, message and record, and
``refused.txt`` a part of what is said where nothing is to be published at all.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from catalog.errors import DataRefused, UsageError
from catalog.zones import TableName, Zone
from lake.promote.casts import FLOATS, INTEGERS, cast, misfit
from lake.promote.declare import Job
from lake.promote.infer import decide, survey
from lake.promote.modes import table_key
from lake.promote.names import counted, listed, nearest, shown
from lake.testing import Result, run_job

EXPECTED, REJECTED, REFUSED = "expected.csv", "rejected.csv", "refused.txt"
DIGITS = 9
"""So many significant digits of floats are compared: in which order they were added shows in later ones."""

_CASTABLE = (*INTEGERS, *FLOATS, pl.Boolean, pl.Date, pl.Datetime, pl.Decimal)
_DIFFERENCES_MAX = 20

Row = tuple[str | None, ...]


@dataclass(frozen=True)
class Case:
    """One case of a job: the folder with its files."""

    job: Job
    folder: Path

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"{self.job.table} {self.folder.name}"


def find_cases(project: Path, jobs: Sequence[Job]) -> list[Case]:
    """The cases below ``tests/`` in a project. Raises `UsageError` for cases of a table that no job makes."""
    by_name = {str(job.table): job for job in jobs}
    cases = []
    for folder in sorted(path for path in (project / "tests").glob("*.*") if path.is_dir()):
        if folder.name not in by_name:
            near = nearest(folder.name, by_name) or listed(by_name)
            raise UsageError(f"{shown(folder)} is of a table that no job makes", next=f"the nearest is {near}")
        inside = sorted(path for path in folder.iterdir() if path.is_dir())
        cases += [Case(by_name[folder.name], path) for path in inside if not path.name.startswith((".", "_"))]
    return cases


def sources_of(case: Case, jobs: Sequence[Job]) -> dict[str, pl.DataFrame]:
    """The frames of a case by table. Raises `UsageError` for a file that is no source of the job."""
    found = {}
    known = {str(name) for name in case.job.sources}
    for path in sorted(case.folder.iterdir()):
        if path.name in {EXPECTED, REJECTED, REFUSED} or path.suffix not in {".csv", ".parquet"}:
            continue
        if path.stem not in known:
            raise UsageError(
                f"{shown(path)} is no table that {case.job.table} reads",
                next=f"name it {nearest(path.stem, known) or listed(sorted(known))}{path.suffix}, or {EXPECTED}",
            )
        found[path.stem] = pl.read_parquet(path) if path.suffix == ".parquet" else _source(path, jobs)
    return found


def check_case(case: Case, jobs: Sequence[Job]) -> list[str]:
    """Run a case; what differs, line by line, empty where it passes. Raises `UsageError` for one that cannot be run."""
    refused = case.folder / REFUSED
    words = refused.read_text(encoding="utf-8").strip() if refused.exists() else None
    try:
        made = run_job(case.job, sources_of(case, jobs))
    except DataRefused as error:
        if words is not None and words in error.what:
            return []
        return [f"refused: {error.what}"] + ([] if words is None else [f"and is to be refused with: {words}"])
    if words is not None:
        return [f"not refused, though {REFUSED} is there: {words}"]
    return [*_check_rows(case, made), *_check_rejects(case, made)]


def _source(path: Path, jobs: Sequence[Job]) -> pl.DataFrame:
    """A source's rows: of bronze all text, as ingestion gives it; else typed as its job says, or by all its values."""
    rows = _read(path)
    table = TableName.parse(path.stem)
    if table.zone is Zone.BRONZE:
        return rows.with_columns(pl.all().fill_null(""))
    declared = next((job.types for job in jobs if job.table == table), {})
    found = decide(rows.schema, survey(rows.lazy()))
    types = {name: declared.get(name, found[name].type) for name in rows.columns if name in found}
    return _typed(rows, types, path)


def _check_rows(case: Case, made: Result) -> list[str]:
    path = case.folder / EXPECTED
    if not path.exists():
        return [f"there is no {EXPECTED}"]
    expected = _read(path)
    if set(expected.columns) != set(made.rows.columns):
        lacking = [name for name in expected.columns if name not in made.rows.columns]
        more = [name for name in made.rows.columns if name not in expected.columns]
        return [f"columns missing: {listed(lacking)}; columns that are not in {EXPECTED}: {listed(more)}"]
    typed = _typed(expected, made.rows.schema, path)
    return differences(typed, made.rows.select(expected.columns), table_key(case.job))


def _check_rejects(case: Case, made: Result) -> list[str]:
    path = case.folder / REJECTED
    if not path.exists():
        told = [f"set aside by {rule}: {message}" for rule, message in made.rejects.select("rule", "message").rows()]
        return [f"{line} (and there is no {REJECTED})" for line in told]
    expected = _read(path)
    if strange := [name for name in expected.columns if name not in made.rejects.columns]:
        there = listed(made.rejects.columns)
        raise UsageError(f"{shown(path)} has the column {strange[0]}", next=f"name some of {there}")
    found = made.rejects.select(pl.col(expected.columns).cast(pl.String))
    return [f"set aside: {line}" for line in differences(expected, found, ())]


def differences(expected: pl.DataFrame, found: pl.DataFrame, key: Sequence[str]) -> list[str]:
    """The rows that differ, in words, by their key where there is one.

    >>> differences(pl.DataFrame({"id": [1, 2], "n": [3, 4]}), pl.DataFrame({"id": [1, 5], "n": [7, 5]}), ["id"])
    ['id=1: n is 7, expected 3', 'id=2: missing, expected n=4', 'id=5: unexpected, n=5']
    """
    names = [*key, *(name for name in expected.columns if name not in key)]
    ours, theirs = counts(expected.select(names)), counts(found.select(names))
    missing, unexpected = sorted((ours - theirs).elements(), key=repr), sorted((theirs - ours).elements(), key=repr)
    width = len(key)
    by_key = {row[:width]: row for row in unexpected} if key else {}
    lines = []
    for row in missing:
        other = by_key.pop(row[:width], None)
        if other is None:
            lines.append(f"{_said(names, row, width)}: missing{_rest(names, row, width, ', expected ')}")
            continue
        unexpected.remove(other)
        changes = [
            f"{name} is {_cell(is_)}, expected {_cell(be)}"
            for name, be, is_ in zip(names, row, other, strict=True)
            if be != is_
        ]
        lines.append(f"{_said(names, row, width)}: {'; '.join(changes)}")
    lines += [f"{_said(names, row, width)}: unexpected{_rest(names, row, width, ', ')}" for row in unexpected]
    more = len(lines) - _DIFFERENCES_MAX
    return [*lines[:_DIFFERENCES_MAX], f"and {counted(more, 'more row')}"] if more > 0 else lines


def counts(rows: pl.DataFrame) -> Counter[Row]:
    """How often each row is there, as text; floats with `DIGITS` significant digits."""
    return Counter(tuple(map(_plain, row)) for row in rows.rows())


def _plain(value: object) -> str | None:
    if value is None:
        return None
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)


def _said(names: Sequence[str], row: Row, width: int) -> str:
    """The key of a row, or all of it where there is none."""
    count = width or len(row)
    return listed(f"{name}={_cell(value)}" for name, value in zip(names[:count], row[:count], strict=True))


def _rest(names: Sequence[str], row: Row, width: int, before: str) -> str:
    """What a row has beside its key."""
    return before + _said(names[width:], row[width:], 0) if 0 < width < len(row) else ""


def _cell(value: str | None) -> str:
    return "NULL" if value is None else value or '""'


def _read(path: Path) -> pl.DataFrame:
    """A CSV file as text: nothing between two delimiters is NULL, and ``""`` an empty text."""
    try:
        return pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UsageError(f"{shown(path)} is no CSV file: {str(error).splitlines()[0]}", next="mend it") from None


def _typed(rows: pl.DataFrame, types: Mapping[str, pl.DataType], path: Path) -> pl.DataFrame:
    """The texts in these types; of types that have no plain spelling, the text itself. Raises `UsageError`."""
    wanted = {name: dtype for name, dtype in types.items() if name in rows.columns and isinstance(dtype, _CASTABLE)}
    for name, dtype in wanted.items():
        if bad := rows.filter(misfit(name, dtype))[name].head(1).to_list():
            raise UsageError(f"{shown(path)}: {name} is {dtype}, and {bad[0]!r} is not", next="mend the file")
    return rows.with_columns(cast(name, dtype) for name, dtype in wanted.items())
