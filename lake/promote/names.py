"""The nearest known name, for messages that a person can act on."""

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path

_SUGGESTION = re.compile(r'(?:Did you mean|Candidate bindings:)[: ]*"([^"\n]+)"')


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known name that a person most likely meant, or None when nothing is near.

    >>> nearest("silver.fligths", ["silver.flights", "gold.delays"])
    'silver.flights'
    >>> nearest("silver.zebra", ["gold.delays"]) is None
    True
    """
    found = difflib.get_close_matches(name, sorted(known), n=1, cutoff=cutoff)
    return found[0] if found else None


def listed(names: Iterable[object], empty: str = "none") -> str:
    """Names in a row, as text.

    >>> listed(["a", "b"]), listed([])
    ('a, b', 'none')
    """
    return ", ".join(map(str, names)) or empty


def counted(number: int, noun: str) -> str:
    """A number of things, as text.

    >>> counted(1, "row"), counted(7602, "row")
    ('1 row', '7,602 rows')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def suggested(said: str) -> str | None:
    """The name that an engine takes for the one that was meant, out of what it says of an unknown one.

    >>> suggested('Referenced column "carier" not found in FROM clause!\\nCandidate bindings: "carrier"')
    'carrier'
    """
    match = _SUGGESTION.search(said)
    return match[1] if match else None


def shown(path: Path | str) -> str:
    """A file as a person at this terminal would name it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
