"""SPSS, Stata and SAS files: codes as codes, with what the file says of them in a codelist and in column metadata."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyreadstat
from pyreadstat import PyreadstatError, ReadstatError

from ingestion.formats import xport
from ingestion.formats.frames import lazy, refusing
from ingestion.formats.statvariables import CODELIST, Layout, Values, Variable, variables
from ingestion.formats.xport import Xport
from ingestion.found import Found, Source
from ingestion.refusal import FileRefused

_CELLS = 2_000_000
_ROWS_MAX = 200_000
_CODELIST = "codelist"
_STATA_HEAD_BYTES = 64
_STATA_BEGIN, _STATA_END = b"<stata_dta>", b"</stata_dta>"

_ERRORS = (PyreadstatError, ReadstatError, UnicodeError, ValueError, TypeError, LookupError, ArithmeticError, OSError)

_Read = Callable[..., tuple[Any, Any]]


@dataclass(frozen=True)
class _Program:
    """A program's format: what it is called, how it is read, and whether its reader tells why numbers are missing."""

    name: str
    format: str
    what: str
    read: _Read
    has_letters: bool


_SAV = _Program("spss", "sav", "SPSS file", partial(pyreadstat.read_sav, user_missing=True), has_letters=False)
_DTA = _Program("stata", "dta", "Stata file", partial(pyreadstat.read_dta, user_missing=True), has_letters=True)
_SAS = _Program("sas", "sas7bdat", "SAS file", partial(pyreadstat.read_sas7bdat, user_missing=True), has_letters=True)
_XPT = _Program("sas", "xpt", "SAS transport file", pyreadstat.read_xport, has_letters=False)


@dataclass(frozen=True)
class _File:
    """An open file: the program it is of, what it says of itself, and of a transport file what its bytes say."""

    program: _Program
    path: Path
    encoding: str | None
    meta: Any
    xport: Xport | None

    def pieces(self, names: list[str]) -> Iterator[Values]:
        """Some of the variables, some rows at a time: never much more than `_CELLS` values."""
        limit = max(1, min(_ROWS_MAX, _CELLS // max(len(names), 1)))
        offset = 0
        while True:
            values = self._read(names, offset, limit)
            count = len(values[names[0]])
            if count:
                yield values
            offset += count
            if count < limit:
                return

    def _read(self, names: list[str], offset: int, limit: int) -> Values:
        values, _ = self.program.read(
            str(self.path),
            encoding=self.encoding,
            usecols=names,
            row_offset=offset,
            row_limit=limit,
            disable_datetime_conversion=True,
            output_format="dict",
        )
        if self.xport is not None:
            for position, letters in self.xport.letters(offset, limit).items():
                column = values.get(self.meta.column_names[position], [])
                for row, letter in letters if column else ():
                    column[row] = letter
        return dict(values)


def read_sav(source: Source) -> Iterator[Found]:
    """The table of an SPSS file (.sav, .zsav), and its codelist; user-missing codes stay values.

    Raises `FileRefused`.
    """
    yield from _found(_SAV, source)


def read_dta(source: Source) -> Iterator[Found]:
    """The table of a Stata file, and its codelist; the letters .a to .z go to a column of their own.

    Raises `FileRefused`.
    """
    yield from _found(_DTA, source)


def read_sas7bdat(source: Source) -> Iterator[Found]:
    """The table of a SAS file; the letters .A to .Z and ._ go to a column of their own. Raises `FileRefused`."""
    yield from _found(_SAS, source)


def read_xpt(source: Source) -> Iterator[Found]:
    """The table of a SAS transport file, as `read_sas7bdat`; its rows are counted by its size. Raises `FileRefused`."""
    yield from _found(_XPT, source)


def _found(program: _Program, source: Source) -> Iterator[Found]:
    with _refusing(program):
        file = _opened(program, source)
        layout, notices = _surveyed(file)
        notices += _unsaid_encoding(file, layout) + _lost_codes(file)
        records = _records(file)
        codelist = layout.codelist(file.meta)
    yield Found(
        rows=lazy(layout.schema, lambda: _frames(file, layout)),
        header=layout.header,
        records=records,
        format=program.format,
        dialect=_dialect(file.meta),
        metadata=layout.said(file.meta),
        notices=notices,
    )
    if codelist.height:
        yield Found(
            rows=codelist.lazy().with_columns((pl.int_range(pl.len(), dtype=pl.Int64) + 1).alias("_line")),
            header=tuple(CODELIST),
            records=_codes_declared(layout, file.meta),
            format=program.format,
            part=_CODELIST,
            fragment=_CODELIST,
        )


def _opened(program: _Program, source: Source) -> _File:
    _whole(program, source.path)
    encoding = source.options.encoding
    _, meta = program.read(str(source.path), metadataonly=True, encoding=encoding, output_format="dict")
    if not meta.column_names:
        raise FileRefused("format", f"the {program.what} has no variables")
    measured = xport.measure(source.path) if program is _XPT else None
    return _File(program, source.path, encoding, meta, measured)


def _surveyed(file: _File) -> tuple[Layout, tuple[str, ...]]:
    """The columns as they are stored, after a look at those values of which the type alone does not tell it."""
    declared = {variable.name: variable for variable in _declared(file)}
    found = {
        name: variable
        for name, variable in declared.items()
        if variable.clock is not None or (file.program.has_letters and not variable.is_text)
    }
    if found:
        for values in file.pieces(list(found)):
            found = {name: variable.surveyed(values[name]) for name, variable in found.items()}
    stored = {**declared, **found}
    return Layout(tuple(stored.values())), _notices(declared, stored)


def _declared(file: _File) -> list[Variable]:
    """The variables as the metadata has them; those of a transport file with the letters that its bytes hold."""
    found = list(variables(file.program.name, file.meta))
    if file.xport is None:
        return found
    for offset in range(0, file.xport.rows, _ROWS_MAX):
        for position, letters in file.xport.letters(offset, _ROWS_MAX).items():
            found[position] = found[position].surveyed([letter for _, letter in letters])
    return found


def _notices(declared: Mapping[str, Variable], stored: Mapping[str, Variable]) -> tuple[str, ...]:
    return tuple(
        f"variable {name!r} ({variable.form}) has values that are no dates or times: it is kept as numbers"
        for name, variable in stored.items()
        if declared[name].clock is not None and variable.clock is None
    )


def _records(file: _File) -> int:
    """The records that the file declares; of a transport file by its size, and by a reading where nothing tells."""
    if file.xport is not None:
        return file.xport.rows
    if file.meta.number_rows is not None and file.meta.number_rows >= 0:
        return int(file.meta.number_rows)
    first = file.meta.column_names[0]
    return sum(len(values[first]) for values in file.pieces([first]))


def _codes_declared(layout: Layout, meta: Any) -> int:
    """The rows of the codelist, counted in the file's labels and missing values."""
    count = 0
    for variable in layout.variables:
        labels = set(meta.variable_value_labels.get(variable.name, {}))
        ranges = meta.missing_ranges.get(variable.name, [])
        single = {r["lo"] for r in ranges if r["lo"] == r["hi"]}
        count += len(labels | single | variable.reasons) + sum(r["lo"] != r["hi"] for r in ranges)
    return count


def _frames(file: _File, layout: Layout) -> Iterator[pl.DataFrame]:
    with _refusing(file.program):
        for values in file.pieces([variable.name for variable in layout.variables]):
            yield layout.frame(values)


@contextmanager
def _refusing(program: _Program) -> Iterator[None]:
    """Raise `FileRefused` for what pyreadstat raises; text that cannot be decoded has a rule of its own."""
    with refusing(program.what, *_ERRORS):
        try:
            yield
        except (ReadstatError, UnicodeError) as error:
            if not isinstance(error, UnicodeError) and "encoding" not in str(error):
                raise
            reason = f"the {program.what} has text in another encoding than it says: pin its encoding in lake.toml"
            raise FileRefused("encoding", reason) from error


def _unsaid_encoding(file: _File, layout: Layout) -> tuple[str, ...]:
    """What is to be said of a file of Stata before version 14 that has text in it."""
    with file.path.open("rb") as opened:
        head = opened.read(_STATA_HEAD_BYTES)
    is_silent = file.program is _DTA and (head[:1] != b"<" or b"<release>117" in head)
    if not is_silent or file.encoding is not None or not any(variable.is_text for variable in layout.variables):
        return ()
    return ("Stata before version 14 does not say its text's encoding: it is read as Windows-1252",)


def _lost_codes(file: _File) -> tuple[str, ...]:
    """What is to be said of variables of Stata whose codes have names somewhere, but not in this file.

    The names stand at the end of the file, and ReadStat says nothing where they are cut off.
    """
    if file.program is not _DTA:
        return ()
    lost = [(name, said) for name, said in file.meta.variable_to_label.items() if said not in file.meta.value_labels]
    return tuple(f"variable {name!r} has a codelist {said!r} that the file does not hold" for name, said in lost)


def _whole(program: _Program, path: Path) -> None:
    """Raise `FileRefused` where a file of Stata from version 13 on does not end as all of them do."""
    with path.open("rb") as file:
        is_tagged = program is _DTA and file.read(len(_STATA_BEGIN)) == _STATA_BEGIN
        file.seek(-min(len(_STATA_END), path.stat().st_size), os.SEEK_END)
        if is_tagged and file.read() != _STATA_END:
            raise FileRefused("parser", "the Stata file has no end: it was cut off; ask for it again")


def _dialect(meta: Any) -> dict[str, object]:
    said = {"encoding": meta.file_encoding, "table": meta.table_name, "label": meta.file_label, "notes": meta.notes}
    return {key: value for key, value in said.items() if value}
