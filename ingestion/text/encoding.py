"""A text file as UTF-8: its encoding found or pinned, bytes that do not decode made legible and their lines known."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingestion.found import Source


@dataclass(frozen=True)
class Text:
    """A file as UTF-8.

    ``path`` is the file itself where it is UTF-8 throughout, else a copy in the source's scratch with the same lines;
    its text begins at the byte ``begin`` (after a byte order mark; a copy has none, so there it is 0). ``encoding`` and
    ``bom`` are of the file as it landed.

    ``bad_lines`` are the physical lines (from 1, ascending, each once) with bytes that could not be decoded: in the copy
    such a byte is the four characters ``\\xNN``. The reader rejects exactly the records that hold one of these lines,
    by the rule ``encoding``. ``notices`` say what was assumed.
    """

    path: Path
    encoding: str = "utf-8"
    bom: bool = False
    begin: int = 0
    bad_lines: Sequence[int] = field(default_factory=lambda: array("q"))
    notices: tuple[str, ...] = ()


def as_utf8(source: Source) -> Text:
    """The file as UTF-8 text; raises `FileRefused` where too many of its lines cannot be decoded."""
    return Text(source.path)
