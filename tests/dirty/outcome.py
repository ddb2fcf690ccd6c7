"""What became of a file: it was read or refused, or the reader broke a promise."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Reject:
    """A record that was set aside."""

    line: int
    rule: str
    message: str
    record: str


@dataclass(frozen=True)
class Read:
    """A file that was read."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str | None, ...]], ...]
    rejects: tuple[Reject, ...]
    records: int
    lines: int
    dialect: Mapping[str, object]
    said: tuple[str, ...]


@dataclass(frozen=True)
class Refused:
    """A file that was refused whole."""

    rule: str
    reason: str


class Broken(AssertionError):
    """The reader broke a promise."""
