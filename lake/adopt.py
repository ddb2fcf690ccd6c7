"""The job of an automatic table written down, to be edited: run right after, it gives the same rows."""

import json
import keyword
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from catalog.errors import UsageError
from catalog.tables import Snapshot
from catalog.zones import TableName, Zone
from lake.engine import quote_name
from lake.promote.names import shown
from lake.promote.settled import DECISION, ONCE

_PYTHON: Mapping[pl.DataType, str] = {
    pl.Boolean(): "pl.Boolean",
    pl.Int64(): "pl.Int64",
    pl.Float64(): "pl.Float64",
    pl.Date(): "pl.Date",
    pl.Datetime("us"): "pl.Datetime",
    pl.Datetime("us", "UTC"): 'pl.Datetime("us", "UTC")',
}
_SQL: Mapping[pl.DataType, str] = {
    pl.Boolean(): "boolean",
    pl.Int64(): "bigint",
    pl.Float64(): "double",
    pl.Date(): "date",
    pl.Datetime("us"): "timestamp",
    pl.Datetime("us", "UTC"): "timestamptz",
}


@dataclass(frozen=True)
class _Found:
    """What was found of a table: why each column is what it is, which were text, and whether rows came twice."""

    table: TableName
    source: TableName
    schema: pl.Schema
    why: Mapping[str, str]
    cast: Sequence[str]
    has_repeated: bool


def adopt(project: Path, snapshot: Snapshot, source: Snapshot, *, sql: bool = False) -> Path:
    """Write the job of an automatic table to ``jobs/silver/<name>.py``, or ``.sql``; its path.

    ``source`` is the bronze table that it was made of. Raises `UsageError` for a table that has a job, and where there
    is a file of that name.
    """
    name = snapshot.name
    decision = snapshot.metadata.get(DECISION)
    if decision is None:
        raise UsageError(f"{name} was not made without a job", next="adopt a table of which lake show says so")
    path = project / "jobs" / name.zone / f"{name.name}.{'sql' if sql else 'py'}"
    for there in (path.with_suffix(".py"), path.with_suffix(".sql")):
        if there.exists():
            raise UsageError(f"{shown(there)} is there already", next="edit it, or take it away")
    found = _Found(
        table=name,
        source=source.name,
        schema=snapshot.schema,
        why={column: told["why"] for column, told in decision["columns"].items()},
        cast=[c for c, dtype in snapshot.schema.items() if dtype != pl.String and source.schema[c] == pl.String],
        has_repeated=any(each["rule"] == ONCE and each["rows"] for each in snapshot.metadata.get("findings", ())),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write("\n".join(_in_sql(found) if sql else _in_python(found)) + "\n")
    return path


def source_of(snapshot: Snapshot) -> TableName:
    """The bronze table that an automatic table is made of."""
    return TableName(Zone.BRONZE, snapshot.name.name)


def _in_python(found: _Found) -> Iterator[str]:
    name = f"{found.table.name}_" if keyword.iskeyword(found.table.name) else found.table.name
    yield f'"""{found.table}, as it was made without a job; from here on it is made as this file says."""'
    yield from ("", "import polars as pl", "")
    yield f"from lake import Source, {'by_key, ' if found.has_repeated else ''}job"
    yield from ("", "VALUES = [")
    yield from (
        f"    {_text(column)},  # {dtype}: {_line(found.why[column])}" for column, dtype in found.schema.items()
    )
    yield from ("]", "", "", "@job(", f"    {_text(str(found.table))},", '    mode="append",')
    if found.has_repeated:
        yield f"    depends={{{_text(str(found.source))}: by_key(*VALUES)}},"
    if found.cast:
        yield "    # A row with a text that does not fit goes to quarantine, with its file and line."
        yield "    types={"
        yield from (f"        {_text(column)}: {_PYTHON[found.schema[column]]}," for column in found.cast)
        yield "    },"
    yield '    origin=["_file", "_line"],'
    yield ")"
    yield f'def {name}(rows: Source["{found.source}"]) -> pl.LazyFrame:'
    yield f'    """The rows of {found.source}{", each once" if found.has_repeated else ""}, with types."""'
    yield '    values = rows.select(*VALUES, "_file", "_line")'
    if found.has_repeated:
        yield '    values = values.unique(VALUES, keep="any")'
    if not found.cast:
        yield "    return values"
        return
    yield "    # In these columns an empty text means that the value is missing."
    yield f"    typed = [{', '.join(map(_text, found.cast))}]"
    yield '    return values.with_columns(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in typed)'


def _in_sql(found: _Found) -> Iterator[str]:
    yield "-- mode: append"
    yield f"-- description: The rows of {found.source}{', each once' if found.has_repeated else ''}, with types"
    if found.has_repeated:
        yield f"-- depends: {found.source} by key {', '.join(found.schema)}"
    yield "select"
    last = list(found.schema)[-1]
    for column, dtype in found.schema.items():
        quoted = quote_name(column)
        value = f"nullif({quoted}, '')::{_SQL[dtype]} as {quoted}" if column in found.cast else quoted
        yield f"    {value}{'' if column == last else ','} -- {_line(found.why[column])}"
    columns = ", ".join(map(quote_name, found.schema))
    rows = f"(select distinct {columns} from {found.source})"  # noqa: S608 - a query for a person to read and run
    yield f"from {rows if found.has_repeated else found.source}"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _line(text: str) -> str:
    return " ".join(text.split())
