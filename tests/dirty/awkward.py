"""What a file must come to: its header, each row with its line, and each line that is set aside."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingestion.options import ReadOptions
from tests.dirty.tables import Cells


@dataclass(frozen=True)
class Awkward:
    """A file as it is found in the world. ``rows`` are by physical line, as is the text of ``rejects``.

    ``header`` is None where any names will do, so long as the reader says what it assumed. ``options`` pin what the
    file does not say by itself.
    """

    name: str
    data: bytes
    header: Cells | None
    rows: Mapping[int, Cells]
    rejects: Mapping[int, str] = field(default_factory=dict)
    options: ReadOptions = field(default_factory=ReadOptions)


def lines(first: int, *rows: str, by: str) -> dict[int, Cells]:
    """Rows on consecutive lines, from text without quotes.

    >>> lines(3, "a;b", "c;d", by=";")
    {3: ('a', 'b'), 4: ('c', 'd')}
    """
    return {number: tuple(row.split(by)) for number, row in enumerate(rows, start=first)}
