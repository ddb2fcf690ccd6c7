"""The messages of an Arrow IPC stream: how many rows they declare, read past their bodies."""

import os
import struct
from pathlib import Path
from typing import BinaryIO

from ingestion.refusal import FileRefused

_CONTINUATION = 0xFFFFFFFF
_METADATA_BYTES_MAX = 64 << 20
_RECORD_BATCH = 3
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
_RECORD_BATCH_LENGTH = 0


def measure(path: Path) -> tuple[int, bool]:
    """The rows that the record batches of a stream declare, and whether the stream has its end mark.

    Raises `FileRefused` where a message is cut off or is none.
    """
    rows = 0
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        while (length := _message_length(file)) is not None:
            if length == 0:
                return rows, True
            message = file.read(length) if length <= _METADATA_BYTES_MAX else b""
            if len(message) < length:
                raise _cut_off(size_bytes)
            batch_rows, body_bytes = _message(message)
            rows += batch_rows
            if not 0 <= body_bytes <= size_bytes - file.tell():
                raise _cut_off(size_bytes)
            file.seek(body_bytes, os.SEEK_CUR)
    return rows, False


def _message_length(file: BinaryIO) -> int | None:
    """The length of the next message's metadata: 0 at the end mark, None at the end of the file."""
    prefix = file.read(4)
    if prefix == b"":
        return None
    if len(prefix) == 4 and int.from_bytes(prefix, "little") == _CONTINUATION:
        prefix = file.read(4)
    if len(prefix) < 4:
        raise _cut_off(file.tell())
    return int.from_bytes(prefix, "little")


def _message(message: bytes) -> tuple[int, int]:
    """The rows (0 where it is no record batch) and the body's length, from a message's flatbuffer."""
    try:
        root = _at("<I", message, 0)
        kind = _field("<B", message, root, _HEADER_TYPE)
        body_bytes = _field("<q", message, root, _BODY_LENGTH)
        if kind != _RECORD_BATCH:
            return 0, body_bytes
        place = root + _offset(message, root, _HEADER)
        batch = place + _at("<I", message, place)
        return _field("<q", message, batch, _RECORD_BATCH_LENGTH), body_bytes
    except (struct.error, IndexError):
        raise FileRefused("parser", "the Arrow stream has a message that makes no sense: it is damaged") from None


def _field(form: str, message: bytes, table: int, number: int) -> int:
    """A scalar field of a flatbuffer's table; 0 where the table leaves it out."""
    offset = _offset(message, table, number)
    return _at(form, message, table + offset) if offset else 0


def _offset(message: bytes, table: int, number: int) -> int:
    """Where a field lies in its table; 0 where the table leaves it out."""
    directory = table - _at("<i", message, table)
    entry = 4 + 2 * number
    return _at("<H", message, directory + entry) if entry < _at("<H", message, directory) else 0


def _at(form: str, message: bytes, place: int) -> int:
    if place < 0:
        raise IndexError(place)
    return int(struct.unpack_from(form, message, place)[0])


def _cut_off(end: int) -> FileRefused:
    return FileRefused("parser", f"the Arrow stream breaks off within a message (at byte {end:,}): ask for it again")
