"""Compressed files, unpacked to scratch: gz, bz2, xz and zstd, each of one member or several in a row.

Python's own readers pass over what follows the first member where it is damaged (bz2, xz), or take an early end for the
end (zstd): here each member must be whole, and nothing but zeros may lie between them.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import zstandard

from ingestion.formats.allowance import Allowance
from ingestion.refusal import FileRefused

_PIECE_BYTES = 2 << 10
"""The most that 2 kB come to is some 60 MB (zstd)."""
_MEMORY_BYTES_MAX = 256 << 20
_GZIP_WINDOW_BITS = 31


class _Decoder(Protocol):
    """One member of a compressed file."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


_DECODERS: Mapping[str, Callable[[], _Decoder]] = {
    "gz": lambda: zlib.decompressobj(_GZIP_WINDOW_BITS),
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY_BYTES_MAX),
    "zst": lambda: zstandard.ZstdDecompressor(max_window_size=_MEMORY_BYTES_MAX).decompressobj(),
}
_DAMAGE = (zlib.error, OSError, EOFError, ValueError, lzma.LZMAError, zstandard.ZstdError)


def unpack_stream(path: Path, format_: str, to: Path, allowance: Allowance, depth: int = 1) -> None:
    """Write what a compressed file holds to ``to``.

    Raises `FileRefused` where it is damaged or cut off, `TooMuch` as soon as far more comes out than went in.
    """
    unpacked_bytes = 0
    with path.open("rb") as packed, to.open("wb") as out:
        pieces = iter(lambda: packed.read(_PIECE_BYTES), b"")
        for packed_bytes, piece in _unpacked(pieces, format_):
            unpacked_bytes += len(piece)
            allowance.require(packed_bytes, unpacked_bytes, depth)
            out.write(piece)
    allowance.take(unpacked_bytes, depth)


def _unpacked(pieces: Iterator[bytes], format_: str) -> Iterator[tuple[int, bytes]]:
    """What each piece comes to, with the count of bytes that were read so far."""
    decoder: _Decoder | None = None
    members = packed_bytes = 0
    for piece in pieces:
        packed_bytes += len(piece)
        rest = piece
        while rest := rest if decoder else rest.lstrip(b"\0"):
            if decoder is None:
                decoder, members = _DECODERS[format_](), members + 1
            yield packed_bytes, _decoded(decoder, rest, format_, packed_bytes)
            rest = decoder.unused_data
            if not decoder.eof:
                break
            decoder = None
    if decoder is not None or members == 0:
        raise FileRefused("archive", f"the {format_} file is cut off after {packed_bytes:,} bytes: drop it again")


def _decoded(decoder: _Decoder, data: bytes, format_: str, packed_bytes: int) -> bytes:
    try:
        return decoder.decompress(data)
    except _DAMAGE as error:
        raise FileRefused(
            "archive", f"the {format_} file is damaged before byte {packed_bytes:,} ({error}): drop it again"
        ) from None
