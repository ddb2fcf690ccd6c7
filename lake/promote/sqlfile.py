"""A job in SQL: one query in a file, with the declaration in the comment at its front.

-- mode: upsert
-- key: carrier, month
-- depends: silver.flights by key carrier, month
-- expect: not_null(carrier)
-- expect: references(carrier, silver.airlines, carrier) warn
-- expect: rule(positive, flights > 0) quarantine
-- units: mean_dep_delay = minutes
-- timeout: 30 min
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from catalog.errors import UsageError
from catalog.zones import TableName
from lake.promote.declare import Job, Mode, Query, check, parse_mode
from lake.promote.dependent import Dependence, by_key, by_row, whole
from lake.promote.digest import TOLD, digest
from lake.promote.durations import duration
from lake.promote.names import listed, nearest, shown
from lake.promote.sqlrules import read_expectation

_LINE = re.compile(r"--\s*(\w+)\s*:\s*(.*)")
_DEPENDS = re.compile(
    r"(?P<source>\w+\.\w+)\s+(?:(?P<row>by\s+row)|by\s+key\s+(?P<columns>.*\w.*)|whole)", re.IGNORECASE
)


def read_job(path: Path) -> Job:
    """Read ``jobs/<zone>/<name>.sql``; raises `UsageError` with the file and the line for what cannot be a job."""
    text = path.read_text(encoding="utf-8")
    at = 1
    said: dict[str, list[str]] = {name: [] for name in _READERS}
    read: dict[str, list[Any]] = {name: [] for name in _READERS}
    try:
        for line, name, value in _front(text):
            at = line
            said[_known(name, value)].append(value)
            read[name].append(_READERS[name](value))
            if name in _ONCE and len(read[name]) > 1:
                raise UsageError(f"{name} is said twice", next="take one of the two out")
        at = 1
        query, tables = parse_query(text)
        code = digest(query, *(f"{name}={value}" for name in said if name not in TOLD for value in said[name]))
        made = _job(path, Query(text, tables), read, code)
        check(made)
    except UsageError as error:
        raise UsageError(f"{shown(path)}:{getattr(error, 'line', at)}: {error.what}", next=error.next) from None
    return made


def _job(path: Path, query: Query, read: Mapping[str, list[Any]], code: str) -> Job:
    """The job that the front's values declare, one after another as they were read."""

    def columns(name: str) -> tuple[str, ...]:
        return tuple(column for part in read[name] for column in part)

    def one(name: str, otherwise: Any) -> Any:
        return read[name][0] if read[name] else otherwise

    return Job(
        table=TableName.parse(f"{path.parent.name}.{path.stem}"),
        body=query,
        mode=one("mode", Mode.REPLACE),
        key=columns("key"),
        sequence=one("sequence", ""),
        deletes=one("deletes", ""),
        partition_by=columns("partition_by"),
        depends=dict(read["depends"]),
        expect=tuple(read["expect"]),
        origin=columns("origin"),
        description=" ".join(read["description"]),
        owner=" ".join(read["owner"]),
        units={column: unit for part in read["units"] for column, unit in part.items()},
        pii=columns("pii"),
        timeout_seconds=one("timeout", None),
        path=path,
        line=1,
        code=code,
    )


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _dependence(text: str) -> tuple[TableName, Dependence]:
    """Read ``bronze.sales by row``, ``bronze.sales by key shop, day`` or ``bronze.sales whole``."""
    match = _DEPENDS.fullmatch(text)
    if match is None:
        raise UsageError(f"not a dependence: {text!r}", next="write bronze.sales by row, by key shop, day, or whole")
    source = TableName.parse(match["source"].lower())
    if match["columns"]:
        return source, by_key(*_split(match["columns"]))
    return source, by_row() if match["row"] else whole()


def _units(text: str) -> dict[str, str]:
    """Read ``euros = EUR, distance = miles``."""
    pairs = [part.partition("=") for part in _split(text)]
    if not all(column.strip() and unit.strip() for column, _, unit in pairs):
        raise UsageError(f"not units: {text!r}", next="write column = unit, column = unit")
    return {column.strip(): unit.strip() for column, _, unit in pairs}


_READERS: Mapping[str, Callable[[str], Any]] = {
    "mode": parse_mode,
    "key": _split,
    "sequence": str,
    "deletes": str,
    "partition_by": _split,
    "depends": _dependence,
    "expect": read_expectation,
    "origin": _split,
    "description": str,
    "owner": str,
    "units": _units,
    "pii": _split,
    "timeout": lambda text: duration(text).total_seconds(),
}
"""What the comment at the front may say, and how each is read."""

_ONCE = {"mode", "sequence", "deletes", "timeout"}


class QueryRefused(UsageError):
    """A query that cannot be a job, and the line of it."""

    def __init__(self, what: str, line: int = 1, *, next: str = "") -> None:
        super().__init__(what, next=next)
        self.line = line


def parse_query(sql: str) -> tuple[str, tuple[TableName, ...]]:
    """The query without its layout, and the tables that it reads. Raises `QueryRefused`.

    >>> parse_query("select count(*) from silver.flights -- all of them")
    ('SELECT COUNT(*) FROM silver.flights', (TableName(zone=<Zone.SILVER: 'silver'>, name='flights'),))
    """
    try:
        statements = [each for each in sqlglot.parse(sql, dialect="duckdb") if each is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        said = f"{first.get('description', error)} near {first.get('highlight', '')!r}"
        raise QueryRefused(f"not valid SQL: {said}", first.get("line") or 1, next="mend the query") from None
    except TokenError as error:
        raise QueryRefused(f"not valid SQL: {str(error).splitlines()[0]}", 1, next="mend the query") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        found = listed(type(each).__name__.upper() for each in statements)
        raise QueryRefused(f"a job is one SELECT, and here is {found}", 1, next="write one query, WITH or SELECT")
    query = statements[0]
    within = {each.alias.lower() for each in query.find_all(exp.CTE)}
    names = [_table(table) for table in query.find_all(exp.Table) if not _is_local(table, within)]
    return query.sql(dialect="duckdb", comments=False), tuple(dict.fromkeys(sorted(names)))


def _is_local(table: exp.Table, within: set[str]) -> bool:
    """Whether it is a name that the query itself made, or a series of numbers."""
    if isinstance(table.this, exp.GenerateSeries | exp.Unnest):
        return True
    return not table.db and isinstance(table.this, exp.Identifier) and table.name.lower() in within


def _table(table: exp.Table) -> TableName:
    line = table.this.meta.get("line", 1) if isinstance(table.this, exp.Identifier) else 1
    if not isinstance(table.this, exp.Identifier) or "/" in table.name or (not table.db and "." in table.name):
        _refuse(
            f"a job reads tables of the lake, not {table.sql(dialect='duckdb')}",
            line,
            "drop the file, then read bronze.<dataset>",
        )
    if table.catalog or not table.db:
        _refuse(f"no table {table.sql(dialect='duckdb')}", line, f"write zone.name, as in silver.{table.name.lower()}")
    try:
        return TableName.parse(f"{table.db}.{table.name}".lower())
    except UsageError as error:
        _refuse(error.what, line, error.next)


def _refuse(what: str, line: int, then: str) -> NoReturn:
    raise QueryRefused(what, line, next=then)


def _front(text: str) -> Iterator[tuple[int, str, str]]:
    """The lines ``-- name: value`` of the comment before the query, but for prose that has a colon in it."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("--"):
            return
        match = _LINE.match(line)
        if match is not None and nearest(match[1].lower(), _READERS, cutoff=0.7):
            yield number, match[1].lower(), match[2].strip()


def _known(name: str, value: str) -> str:
    if name not in _READERS:
        raise UsageError(f"no declaration {name!r}", next=f"write -- {nearest(name, _READERS)}: {value}")
    return name
