"""An expectation as one line of text, as the front of a job in SQL has it: ``not_null(carrier) warn``."""

import re

import polars as pl
from polars.exceptions import PolarsError

from catalog.errors import UsageError
from lake.promote import expect
from lake.promote.expect import Expectation
from lake.promote.names import listed, nearest

_EXPECTATION = re.compile(r"(\w+)\((.*)\)\s*(\w+)?")
FORMS = {
    "not_null": "not_null(column)",
    "unique": "unique(column, column)",
    "in_set": "in_set(column, value, value)",
    "matches": "matches(column, regular expression)",
    "references": "references(column, zone.table, column)",
    "rule": "rule(name, condition)",
    "freshness": "freshness(column, 2 days)",
    "row_count": "row_count(min=1, max=1000, max_fall=10%, max_rise=50%)",
    "drift": "drift(column, 0.1)",
}


def read_expectation(text: str) -> Expectation:
    """Read a rule and its action; raises `UsageError` with the form that it should have.

    >>> read_expectation("freshness(day, 2 days) warn").action
    <Action.WARN: 'warn'>
    """
    match = _EXPECTATION.fullmatch(text)
    if match is None or match[1] not in FORMS:
        near = nearest(match[1] if match else text, FORMS)
        known = f"the nearest is {near}" if near else f"one of {listed(FORMS)}"
        raise UsageError(f"not an expectation: {text!r}", next=f"write not_null(column) or the like; {known}")
    name, arguments, action = match[1], match[2], match[3] or "fail"
    try:
        return _made(name, arguments, action)
    except (IndexError, TypeError, ValueError, PolarsError) as error:
        raise UsageError(f"not an expectation: {text!r} ({error})", next=f"write {FORMS[name]}") from None


def _made(name: str, arguments: str, action: str) -> Expectation:
    parts = [part.strip() for part in arguments.split(",") if part.strip()]
    first, _, rest = (part.strip() for part in arguments.partition(","))
    if name in {"rule", "matches"} and not (first and rest):
        raise ValueError("it takes two arguments")
    match name:
        case "not_null":
            (column,) = parts
            made: Expectation = expect.not_null(column, action=action)
        case "unique":
            made = expect.unique(*parts, action=action)
        case "in_set":
            made = expect.in_set(parts[0], list(map(_value, parts[1:])), action=action)
        case "matches":
            made = expect.matches(first, rest, action=action)
        case "references":
            column, table, target = parts
            made = expect.references(column, table, target, action=action)
        case "freshness":
            column, max_age = parts
            made = expect.freshness(_after("column", column), _after("max_age", max_age), action=action)
        case "row_count":
            made = _row_count(parts, action)
        case "drift":
            column, distance = parts
            made = expect.drift(column, _number(_after("max", distance)), action=action)
        case _:
            made = expect.rule(first, pl.sql_expr(rest), action=action)
    return made


def _row_count(parts: list[str], action: str) -> Expectation:
    given = {name.strip(): _number(value.strip()) for name, _, value in (part.partition("=") for part in parts)}
    least, most = (int(given.pop(name)) if name in given else None for name in ("min", "max"))
    return expect.row_count(min=least, max=most, action=action, **given)


def _after(name: str, text: str) -> str:
    """The value of an argument, with its name before it or without."""
    return text.partition("=")[2].strip() if re.match(rf"{name}\s*=", text) else text


def _number(text: str) -> float:
    return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)


def _value(text: str) -> int | float | str:
    """A value of a list: a number, else text, with quotes or without."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip("'")
