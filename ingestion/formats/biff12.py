"""The binary sheets of .xlsb: whether they hold kinds of cells that the reader passes over in silence."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from ingestion.refusal import FileRefused

_SHEETS = "xl/worksheets/"
_PASSED_OVER = frozenset({*range(12, 19), 62})
"""Cells without their column (BrtShortBlank to BrtShortIsst), which Excel does not write, and cells of rich text."""


def require_known_cells(path: Path) -> None:
    """Raise `FileRefused` where a sheet of a workbook has cells that the reader would lose."""
    with zipfile.ZipFile(path) as archive:
        sheets = [name for name in archive.namelist() if name.startswith(_SHEETS) and name.endswith(".bin")]
        for name in sheets:
            if any(kind in _PASSED_OVER for kind in _records(archive.read(name))):
                raise FileRefused("format", "the .xlsb workbook has cells of a rare kind, not read: save it as .xlsx")


def _records(data: bytes) -> Iterator[int]:
    """The kinds of a sheet's records; raises IndexError where the last one is cut off."""
    place = 0
    while place < len(data):
        kind, place = _number(data, place, 2)
        size_bytes, place = _number(data, place, 4)
        yield kind
        place += size_bytes


def _number(data: bytes, place: int, bytes_max: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place behind it."""
    value = 0
    for step in range(bytes_max):
        byte = data[place + step]
        value |= (byte & 0x7F) << (7 * step)
        if not byte & 0x80:
            return value, place + step + 1
    return value, place + bytes_max
