"""The container of an Avro file: its schema and its blocks, measured, checked and decompressed one at a time."""

import bz2
import io
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import fastavro
import pyarrow as pa
import zstandard

from ingestion.refusal import FileRefused

_BLOCK_BYTES_MAX = 256 << 20
_SYNC_BYTES = 16
_CRC_BYTES = 4
_VARINT_BYTES_MAX = 10


@dataclass(frozen=True)
class Container:
    """An Avro file: the writer's schema, parsed; the codec; where the blocks begin, and the mark that ends each."""

    path: Path
    schema: Any
    codec: str
    begin: int
    sync: bytes

    def records(self) -> int:
        """The records that the blocks declare, without reading their data; raises `FileRefused`."""
        with self.path.open("rb") as file:
            return sum(count for count, _ in self._blocks(file, skip=True))

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """How many records each block declares, and its data, decompressed; raises `FileRefused`."""
        with self.path.open("rb") as file:
            for count, data in self._blocks(file, skip=False):
                yield count, _decompressed(data, self.codec)

    def _blocks(self, file: BinaryIO, *, skip: bool) -> Iterator[tuple[int, bytes]]:
        end = os.fstat(file.fileno()).st_size
        file.seek(self.begin)
        while file.tell() < end:
            count, size_bytes = _long(file), _long(file)
            if count < 0 or not 0 <= size_bytes <= end - file.tell() - _SYNC_BYTES:
                raise FileRefused(
                    "parser", f"the Avro file breaks off within a block (at byte {end:,}): ask for it again"
                )
            data = b"" if skip else file.read(size_bytes)
            if skip:
                file.seek(size_bytes, os.SEEK_CUR)
            if file.read(_SYNC_BYTES) != self.sync:
                raise FileRefused("parser", f"the Avro file is damaged before byte {file.tell():,}: a block has no end")
            yield count, data


def open_container(path: Path) -> Container:
    """The container of an Avro file, from its header; raises what fastavro raises, and `FileRefused`."""
    with path.open("rb") as file:
        reader = fastavro.block_reader(file)
        begin = file.tell()
        file.seek(begin - _SYNC_BYTES)
        sync = file.read(_SYNC_BYTES)
    if reader.codec not in _CODECS:
        raise FileRefused(
            "format", f"the Avro file is compressed by {reader.codec}: write it with deflate or zstandard"
        )
    return Container(path, reader.writer_schema, reader.codec, begin, sync)


def _long(file: BinaryIO) -> int:
    """An integer as Avro writes it: seven bits a byte, the sign in the lowest bit."""
    value = 0
    for place in range(_VARINT_BYTES_MAX):
        byte = file.read(1)
        if not byte:
            raise FileRefused("parser", f"the Avro file breaks off within a block (at byte {file.tell():,})")
        value |= (byte[0] & 0x7F) << (7 * place)
        if not byte[0] & 0x80:
            return (value >> 1) ^ -(value & 1)
    raise FileRefused("parser", f"the Avro file is damaged at byte {file.tell():,}: a block has no length")


def _decompressed(data: bytes, codec: str) -> bytes:
    plain = _CODECS[codec](data)
    if len(plain) > _BLOCK_BYTES_MAX:
        raise FileRefused(
            "size", f"a block of the Avro file is larger than {_BLOCK_BYTES_MAX / 1e6:,.0f} MB: write smaller ones"
        )
    return plain


def _deflate(data: bytes) -> bytes:
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, _BLOCK_BYTES_MAX + 1)


def _bzip2(data: bytes) -> bytes:
    return bz2.BZ2Decompressor().decompress(data, _BLOCK_BYTES_MAX + 1)


def _xz(data: bytes) -> bytes:
    return lzma.LZMADecompressor(memlimit=_BLOCK_BYTES_MAX).decompress(data, _BLOCK_BYTES_MAX + 1)


def _zstandard(data: bytes) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(data) as reader:
        return bytes(reader.read(_BLOCK_BYTES_MAX + 1))


def _snappy(data: bytes) -> bytes:
    """Snappy's block says first how long it is, and ends with the checksum of what it holds."""
    size_bytes, place = 0, 0
    while place < len(data):
        size_bytes |= (data[place] & 0x7F) << (7 * place)
        place += 1
        if not data[place - 1] & 0x80:
            break
    if size_bytes > _BLOCK_BYTES_MAX:
        return bytes(_BLOCK_BYTES_MAX + 1)
    plain = pa.Codec("snappy").decompress(data[:-_CRC_BYTES], size_bytes, asbytes=True)
    if zlib.crc32(plain) != int.from_bytes(data[-_CRC_BYTES:], "big"):
        raise FileRefused(
            "parser", "a block of the Avro file does not have its checksum: it is damaged; ask for it again"
        )
    return bytes(plain)


_CODECS: dict[str, Callable[[bytes], bytes]] = {
    "null": bytes,
    "deflate": _deflate,
    "bzip2": _bzip2,
    "xz": _xz,
    "zstandard": _zstandard,
    "snappy": _snappy,
}


def unread(data: io.BytesIO) -> int:
    """How many bytes of a block are behind the last record that it declares."""
    return len(data.getbuffer()) - data.tell()
