"""SAS transport files (.xpt) by their bytes: how many rows there are, and the letters that stand for missing numbers.

ReadStat tells neither. A missing number is a full stop, a letter or ``_``, and zeros behind it.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ingestion.refusal import FileRefused

_RECORD_BYTES = 80
_MARK = b"HEADER RECORD*******"
_KIND = slice(len(_MARK), len(_MARK) + 8)
_VARIABLES = slice(54, 58)
_NAMESTR_BYTES = slice(74, 78)
_REASONS = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_", np.uint8)
_NUMBER = 1
_SCAN_BYTES = _RECORD_BYTES << 14
_MEMBERS, _NAMESTRS, _ROWS = {b"MEMBER  ", b"MEMBV8  "}, {b"NAMESTR ", b"NAMSTV8 "}, {b"OBS     ", b"OBSV8   "}


@dataclass(frozen=True)
class Xport:
    """Where the rows of a transport file lie; ``numbers`` has place and length of numeric variables."""

    path: Path
    begin: int
    row_bytes: int
    rows: int
    numbers: dict[int, tuple[int, int]]

    def letters(self, offset: int, count: int) -> dict[int, list[tuple[int, str]]]:
        """The letters of missing numbers in ``count`` rows from row ``offset``: variable, row among them, letter."""
        with self.path.open("rb") as file:
            file.seek(self.begin + offset * self.row_bytes)
            data = file.read(min(count, self.rows - offset) * self.row_bytes)
        cells = np.frombuffer(data, np.uint8).reshape(-1, self.row_bytes)
        found = {}
        for position, (at, size) in self.numbers.items():
            is_letter = np.isin(cells[:, at], _REASONS) & ~cells[:, at + 1 : at + size].any(axis=1)
            if is_letter.any():
                found[position] = [(int(row), chr(cells[row, at])) for row in np.flatnonzero(is_letter)]
        return found


def measure(path: Path) -> Xport:
    """Measure a transport file; raises `FileRefused` where it is none, is cut off, or holds several tables."""
    with path.open("rb") as file:
        namestr_bytes = int(_header(file, _MEMBERS)[_NAMESTR_BYTES])
        count = int(_header(file, _NAMESTRS)[_VARIABLES])
        variables = [_variable(file.read(namestr_bytes)) for _ in range(count)]
        file.seek(-file.tell() % _RECORD_BYTES, os.SEEK_CUR)
        _header(file, _ROWS)
        begin = file.tell()
        if _has_another_table(file):
            raise FileRefused("format", "the transport file holds several tables: write each to a file of its own")
        row_bytes = sum(size for _, size, _ in variables)
        rows = _rows(file, begin, row_bytes)
    numbers = {number: (at, size) for number, (kind, size, at) in enumerate(variables) if kind == _NUMBER}
    return Xport(path, begin, row_bytes, rows, numbers)


def _header(file: BinaryIO, kinds: set[bytes]) -> bytes:
    """The next header record of some kind; the file is then behind it."""
    for record in _records(file):
        if record.startswith(_MARK) and record[_KIND] in kinds:
            return record
    raise FileRefused("parser", "the transport file breaks off in its header: ask for it again")


def _records(file: BinaryIO) -> Iterator[bytes]:
    while len(record := file.read(_RECORD_BYTES)) == _RECORD_BYTES:
        yield record


def _variable(namestr: bytes) -> tuple[int, int, int]:
    """What a variable is (1: a number), how long, and where in a row."""
    try:
        kind, size = struct.unpack_from(">hxxh", namestr)
        (at,) = struct.unpack_from(">i", namestr, 84)
    except struct.error:
        raise FileRefused("parser", "the transport file breaks off in its header: ask for it again") from None
    return kind, size, at


def _has_another_table(file: BinaryIO) -> bool:
    while data := file.read(_SCAN_BYTES):
        place = data.find(_MARK)
        while place >= 0:
            if place % _RECORD_BYTES == 0 and data[place:][_KIND] in _MEMBERS:
                return True
            place = data.find(_MARK, place + 1)
    return False


def _rows(file: BinaryIO, begin: int, row_bytes: int) -> int:
    """How many rows there are: the file is filled up with blanks to whole records, which are no rows.

    Raises `FileRefused` where the last row is cut off.
    """
    size_bytes = file.seek(0, os.SEEK_END) - begin
    if size_bytes == 0 or row_bytes == 0:
        return 0
    rows, rest = divmod(size_bytes, row_bytes)
    tail_bytes = min(size_bytes, _RECORD_BYTES - 1 + row_bytes)
    file.seek(-tail_bytes, os.SEEK_END)
    tail = file.read(tail_bytes)
    if size_bytes % _RECORD_BYTES or tail[len(tail) - rest :].strip(b" "):
        raise FileRefused("parser", f"the transport file breaks off in row {rows + 1:,}: ask for it again")
    blank = len(tail) - len(tail.rstrip(b" "))
    return rows - (min(blank, _RECORD_BYTES - 1) - rest) // row_bytes if blank > rest else rows
