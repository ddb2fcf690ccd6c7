"""One setting's value: what it may be, how it is checked, and where it came from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from catalog.errors import UsageError


@dataclass(frozen=True)
class Value:
    """One setting's value, and the place that it came from: a text, a number, yes or no, or a tuple of such.

    >>> Value(10.0, "default").source
    'default'
    """

    value: Any
    source: str


@dataclass(frozen=True)
class Key:
    """What a setting may be: its kind, its default (empty text: none), its choices and its limits.

    ``kind`` is `tuple` for a list of texts, None for anything. ``check`` makes of a value of that kind the one that is
    kept, or raises `Unfit`. ``shown`` is what an example shows in the place of the default.
    """

    kind: type[str] | type[float] | type[int] | type[bool] | type[tuple[Any, ...]] | None
    default: str | float
    help: str
    choices: tuple[str, ...] = ()
    minimum: float = 0
    maximum: float = float("inf")
    check: Callable[[Any], Any] | None = None
    shown: str = ""


class Unfit(Exception):
    """A value that cannot be: ``what`` is wrong with it, and what to do ``next``. Where it stands is the caller's."""

    def __init__(self, what: str, next: str) -> None:
        super().__init__(what)
        self.what = what
        self.next = next


def read_value(key: Key, raw: object, where: str) -> Any:
    """The value that a setting has by what was written ``where``; raises `UsageError` that says what is needed.

    >>> read_value(Key(float, 1.0, "a share", maximum=1), 0.5, "lake.toml [ingest] bad_share_max")
    0.5
    """
    if key.kind is None:
        value = raw
    elif key.kind is str:
        value = _text(key, raw, where)
    elif key.kind is bool:
        value = _truth(raw, where)
    elif key.kind is tuple:
        value = _texts(raw, where)
    else:
        value = _number(key, raw, where)
    return value if key.check is None else _checked(key.check, value, where)


def nearest(name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """What to do about a name that is not known.

    >>> nearest("sevrer", ("server", "region"))
    "did you mean 'server'?"
    """
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"


def _text(key: Key, raw: object, where: str) -> str:
    if not isinstance(raw, str):
        raise UsageError(f"{where}: a text is needed", next='write it in quotes, as in "text"')
    if key.choices and raw not in (*key.choices, key.default):
        allowed = f"; it may be {', '.join(repr(choice) for choice in key.choices)}"
        raise UsageError(f"{where}: {raw!r} is not a choice{allowed}", next=nearest(raw, key.choices))
    return raw


def _truth(raw: object, where: str) -> bool:
    if not isinstance(raw, bool):
        raise UsageError(f"{where}: yes or no is needed", next="write true or false, without quotes")
    return raw


def _texts(raw: object, where: str) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(item, str) and item for item in raw):
        raise UsageError(f"{where}: a list of texts is needed", next='write it in brackets, as in ["one", "two"]')
    return tuple(raw)


def _number(key: Key, raw: object, where: str) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise UsageError(f"{where}: a number is needed", next="write it without quotes and units, as in 2.5")
    if key.kind is int and raw != int(raw):
        raise UsageError(f"{where}: {raw} is not a whole number", next="write one, as in 3")
    if not key.minimum <= raw <= key.maximum or raw == float("inf"):
        to = "up" if key.maximum == float("inf") else f"to {key.maximum:g}"
        raise UsageError(f"{where}: {raw} is out of range", next=f"write a number from {key.minimum:g} {to}")
    return int(raw) if key.kind is int else float(raw)


def _checked(check: Callable[[Any], Any], value: object, where: str) -> Any:
    try:
        return check(value)
    except Unfit as unfit:
        raise UsageError(f"{where}: {unfit.what}", next=unfit.next) from None
