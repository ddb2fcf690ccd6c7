"""Workbooks (.xlsx, .xls, .xlsb, .ods): each sheet a table, in the types that its cells agree on."""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from xml.parsers import expat

import fastexcel
import polars as pl
import python_calamine

from ingestion.columns import labels
from ingestion.formats.formulas import without_result
from ingestion.formats.frames import lazy, refusing
from ingestion.formats.sheetcells import common_type
from ingestion.formats.sheettable import SheetTable, survey
from ingestion.formats.workbook import SheetInfo, Workbook, open_workbook
from ingestion.found import Found, Source
from ingestion.refusal import FileRefused
from ingestion.text.rejects import RejectFile

_ERRORS = (
    zipfile.BadZipFile,
    expat.ExpatError,
    NotImplementedError,
    EOFError,
    zlib.error,
    python_calamine.CalamineError,
    fastexcel.FastExcelError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
)


def read_workbook(source: Source) -> Iterator[Found]:
    """The tables of a workbook: a sheet each, the first of them the main one; sheets of one header may be one table.

    Sheets that ``options.sheets`` chooses are one table where they all have the same header. Raises `FileRefused`.
    """
    with refusing("workbook", *_ERRORS):
        format_, book = open_workbook(source.path, source.scratch)
        chosen, notices = _choose(book.sheets, source.options.sheets)
        notices += _uncalculated(format_, source.path)
        stacked = _stacked(book, chosen, source) if source.options.sheets and len(chosen) > 1 else None
    for found in _tables(book, chosen, source, (notices, stacked)):
        yield replace(found, format=format_)


def _choose(sheets: Sequence[SheetInfo], patterns: Sequence[str]) -> tuple[list[str], list[str]]:
    """The sheets to read, and what is to be said of the others; raises `FileRefused`."""
    tables = [sheet for sheet in sheets if sheet.is_table]
    if patterns:
        chosen = [sheet.name for sheet in tables if any(fnmatchcase(sheet.name, pattern) for pattern in patterns)]
        if not chosen:
            there = ", ".join(repr(sheet.name) for sheet in tables)
            raise FileRefused("sheets", f"no sheet is called like {', '.join(map(repr, patterns))}: there are {there}")
    else:
        chosen = [sheet.name for sheet in tables if sheet.is_visible]
    left = [sheet for sheet in sheets if sheet.name not in chosen]
    return chosen, [f"sheet {sheet.name!r} was not read: {_why(sheet)}" for sheet in left]


def _uncalculated(format_: str, path: Path) -> list[str]:
    count = without_result(path) if format_ == "xlsx" else 0
    said = f"{count:,} formulas have no result in the file, so their cells are empty: open and save it in Excel"
    return [said] if count else []


def _why(sheet: SheetInfo) -> str:
    if not sheet.is_table:
        return "it is no table"
    return "it was not chosen" if sheet.is_visible else "it is hidden (choose it by its name to have it read)"


def _stacked(book: Workbook, chosen: Sequence[str], source: Source) -> tuple[pl.DataType, ...] | None:
    """The types of the columns of all chosen sheets; None where the sheets have not all one header."""
    headers, types = set(), []
    for name in chosen:
        table = _surveyed(book, name, source)
        if table is not None:
            headers.add(table.header)
            types.append(table.types)
    return tuple(map(common_type, zip(*types, strict=True))) if len(headers) == 1 else None


def _tables(
    book: Workbook,
    chosen: Sequence[str],
    source: Source,
    said: tuple[list[str], tuple[pl.DataType, ...] | None],
) -> Iterator[Found]:
    notices, stacked = said
    is_main = True
    for number, name in enumerate(chosen):
        with refusing(f"workbook's sheet {name!r}", *_ERRORS):
            table = _surveyed(book, name, source)
        if table is None:
            notices.append(f"sheet {name!r} was not read: it is empty")
            continue
        types = table.types if stacked is None else stacked
        part = "" if is_main or stacked is not None else name
        notices += _notices(table)
        rejects = source.scratch / f"sheet-{number}.rejects.parquet"
        found = _found(table, types, rejects)
        yield replace(found, part=part, notices=tuple(notices))
        notices, is_main = [], False
    if is_main:
        raise FileRefused("empty", f"the workbook has no sheet to read with cells in it: {'; '.join(notices)}")


def _surveyed(book: Workbook, name: str, source: Source) -> SheetTable | None:
    sheet = book.sheet(name)
    return None if sheet is None else survey(sheet, source.options, source.patches_of(name))


def _found(table: SheetTable, types: Sequence[pl.DataType], rejects: Path) -> Found:
    def frames() -> Iterator[pl.DataFrame]:
        with refusing(f"workbook's sheet {table.sheet.name!r}", *_ERRORS):
            yield from table.frames(types)

    return Found(
        rows=lazy(pl.Schema(zip(table.names, types, strict=True)), frames),
        header=table.header,
        records=table.records,
        format="",
        rejects=_rejects(table, rejects),
        lines=len(table.sheet.filled),
        fragment=table.sheet.name,
        dialect=_dialect(table),
        metadata=labels(table.header, table.names),
        check=table.check,
    )


def _rejects(table: SheetTable, path: Path) -> Path | None:
    rejects = RejectFile(path)
    for number, note in table.footers.items():
        message = f"row {number + 1} of sheet {table.sheet.name!r} is below the table and reads like a note"
        rejects.add(number + 1, "footer", message, note)
    return rejects.close()[0]


def _notices(table: SheetTable) -> list[str]:
    name, head = table.sheet.name, table.head
    said = [f"sheet {name!r}: row {number + 1} is above the header: {title}" for number, title in head.titles]
    said += [f"sheet {name!r}: {assumption}" for assumption in head.assumptions]
    if table.merged:
        said.append(f"sheet {name!r}: {table.merged} merged ranges in the data have a value in their first cell only")
    return said


def _dialect(table: SheetTable) -> dict[str, object]:
    head = table.head
    said = {
        "sheet": table.sheet.name,
        "header_line": head.header_row + 1 if head.header_rows else 0,
        "header_rows": head.header_rows,
        "first_line": head.first_row + 1,
        "titles": [title for _, title in head.titles],
        "blank_rows": table.blank_rows,
        "empty_columns": table.empty_columns,
        "assumptions": list(head.assumptions),
    }
    return {key: value for key, value in said.items() if value not in ([], None)}
