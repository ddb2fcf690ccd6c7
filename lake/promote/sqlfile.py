"""A job in SQL: one query in a file, with the declaration in the comment at its front.

-- mode: upsert
-- key: carrier, month
-- expect: not_null(carrier)
-- expect: references(carrier, silver.airlines, carrier) warn
-- expect: rule(positive, flights > 0) quarantine
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import polars as pl
import sqlglot
from polars.exceptions import PolarsError
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from catalog.errors import UsageError
from catalog.zones import TableName
from lake.promote import expect
from lake.promote.declare import Job, Query, check, parse_mode
from lake.promote.digest import digest
from lake.promote.expect import Expectation
from lake.promote.names import listed, nearest, shown

_KEYS = ("mode", "key", "expect", "description", "owner")
_LINE = re.compile(r"--\s*(\w+)\s*:\s*(.*)")
_EXPECTATION = re.compile(r"(\w+)\((.*)\)\s*(\w+)?")
_EXPECTATIONS = {
    "not_null": "not_null(column)",
    "unique": "unique(column, column)",
    "in_set": "in_set(column, value, value)",
    "references": "references(column, zone.table, column)",
    "rule": "rule(name, condition)",
}


def read_job(path: Path) -> Job:
    """Read ``jobs/<zone>/<name>.sql``; raises `UsageError` with the file and the line for what cannot be a job."""
    text = path.read_text(encoding="utf-8")
    at = 1
    declared: dict[str, list[str]] = {name: [] for name in _KEYS}
    rules: list[Expectation] = []
    try:
        for line, name, value in _front(text):
            at = line
            declared[_known(name, value)].append(value)
            if name == "expect":
                rules.append(_expectation(value))
        at = 1
        query, tables = parse_query(text)
        made = Job(
            table=TableName.parse(f"{path.parent.name}.{path.stem}"),
            body=Query(text, tables),
            mode=parse_mode("".join(declared["mode"]) or "replace"),
            key=tuple(_split(",".join(declared["key"]))),
            expect=tuple(rules),
            description=" ".join(declared["description"]),
            owner=" ".join(declared["owner"]),
            path=path,
            line=1,
            code=digest(query, *(f"{name}={value}" for name in ("mode", "key", "expect") for value in declared[name])),
        )
        check(made)
    except UsageError as error:
        raise UsageError(f"{shown(path)}:{getattr(error, 'line', at)}: {error.what}", next=error.next) from None
    return made


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
        if match is not None and nearest(match[1].lower(), _KEYS, cutoff=0.7):
            yield number, match[1].lower(), match[2].strip()


def _known(name: str, value: str) -> str:
    if name not in _KEYS:
        raise UsageError(f"no declaration {name!r}", next=f"write -- {nearest(name, _KEYS)}: {value}")
    return name


def _expectation(text: str) -> Expectation:
    match = _EXPECTATION.fullmatch(text)
    if match is None or match[1] not in _EXPECTATIONS:
        near = nearest(match[1] if match else text, _EXPECTATIONS)
        known = f"the nearest is {near}" if near else f"one of {listed(_EXPECTATIONS)}"
        raise UsageError(f"not an expectation: {text!r}", next=f"write not_null(column) or the like; {known}")
    name, arguments, action = match[1], match[2], match[3] or "fail"
    parts = _split(arguments)
    try:
        return _made(name, arguments, parts, action)
    except (IndexError, ValueError, PolarsError) as error:
        raise UsageError(f"not an expectation: {text!r} ({error})", next=f"write {_EXPECTATIONS[name]}") from None


def _made(name: str, arguments: str, parts: list[str], action: str) -> Expectation:
    match name:
        case "not_null":
            (column,) = parts
            return expect.not_null(column, action=action)
        case "unique":
            return expect.unique(*parts, action=action)
        case "in_set":
            return expect.in_set(parts[0], list(map(_value, parts[1:])), action=action)
        case "references":
            column, table, target = parts
            return expect.references(column, table, target, action=action)
        case _:
            title, comma, condition = arguments.partition(",")
            if not comma:
                raise ValueError("rule takes a name and a condition")
            return expect.rule(title.strip(), pl.sql_expr(condition), action=action)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _value(text: str) -> int | float | str:
    """A value of a list: a number, else text, with quotes or without."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip("'")
