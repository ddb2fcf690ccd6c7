"""The members of zip and tar archives, measured before they are unpacked, and unpacked one at a time.

A member's name is text, never a path of this machine: the caller says where the bytes go. Links and devices are named
and not followed. Each archive is checked to its end, where Python's own readers stop at the first damage.
"""

import errno
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO

from ingestion.formats.allowance import MEMBERS_MAX, Allowance
from ingestion.refusal import FileRefused

FOLDER = "a folder"

_PIECE_BYTES = 1 << 20
_NAME_CHARACTERS_MAX = 1000
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_ENCRYPTED, _NAMED_IN_UTF8 = 0x1, 0x800
_UNICODE_PATH = 0x7075
_DEVICES = (stat.S_ISCHR, stat.S_ISBLK, stat.S_ISFIFO, stat.S_ISSOCK)
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    OverflowError,
    struct.error,
    RuntimeError,
)


@dataclass(frozen=True)
class Member:
    """A member of an archive, named as in the archive; a second one of a name has a number behind it.

    ``kind`` is empty for a file, else says what there is instead, such as ``a link``; then nothing can be unpacked.
    ``unpack`` writes the member to a local path, until the next member is asked for; it raises `FileRefused` where the
    member is damaged or locked, and `TooMuch`.
    """

    name: str
    kind: str
    unpack: Callable[[Path], None] = field(repr=False, compare=False)

    @property
    def leads_out(self) -> bool:
        """Whether the name, taken for a path, leads out of the archive."""
        return self.name.startswith("/") or ".." in self.name.split("/") or re.match("[A-Za-z]:", self.name) is not None


def members(path: Path, format_: str, allowance: Allowance, depth: int = 1) -> Iterator[Member]:
    """The members of an archive in its order. Raises `FileRefused` where it is damaged, `TooMuch` before it unpacks."""
    names: dict[str, int] = {}
    for member in {"zip": _zip_members, "tar": _tar_members}[format_](path, allowance, depth):
        yield Member(_distinct(_printable(member.name), names), member.kind, member.unpack)


def measure_zip(path: Path, allowance: Allowance, depth: int = 1) -> None:
    """Raise `TooMuch` where an office document, a zip archive inside, is far larger than it looks; else do nothing."""
    try:
        with zipfile.ZipFile(path) as archive:
            _require_sizes(archive.infolist(), path, allowance, depth)
    except (*_DAMAGE, OSError):
        return


def _zip_members(path: Path, allowance: Allowance, depth: int) -> Iterator[Member]:
    with _refusing_damage("the zip archive"):
        archive = zipfile.ZipFile(path)
    with archive:
        infos = archive.infolist()
        allowance.count(len(infos))
        _require_sizes(infos, path, allowance, depth)
        for info in infos:
            yield Member(_zip_name(info), _zip_kind(info), _unzip(archive, info, allowance, depth))


def _require_sizes(infos: list[zipfile.ZipInfo], path: Path, allowance: Allowance, depth: int) -> None:
    size_bytes = path.stat().st_size
    for info in infos:
        allowance.require(min(info.compress_size, size_bytes), info.file_size, depth)
    allowance.require(size_bytes, sum(info.file_size for info in infos), depth)


def _unzip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, allowance: Allowance, depth: int) -> Callable[[Path], None]:
    def unpack(to: Path) -> None:
        if info.flag_bits & _ENCRYPTED:
            raise FileRefused("locked", "it is locked with a password: drop it without one")
        with _refusing_damage("it"):
            packed = archive.open(info)
        with packed:
            _copy(packed, to, info.file_size)
        allowance.take(info.file_size, depth)

    return unpack


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name in UTF-8 where it says so, or where its bytes are; else in the code page of DOS."""
    if info.flag_bits & _NAMED_IN_UTF8:
        return info.filename
    raw = info.orig_filename.encode("cp437", "replace")
    told = _unicode_path(info.extra, raw)
    if told is not None:
        return told
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return info.orig_filename


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """The name that Info-ZIP puts beside one that is not in UTF-8, if it is of that one."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        data, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and data[1:5] == struct.pack("<L", zlib.crc32(raw)):
            return data[5:].decode("utf-8", "replace")
    return None


def _zip_kind(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16
    if info.filename.endswith(("/", "\\")) or (stat.S_ISDIR(mode) and info.file_size == 0):
        return FOLDER
    if stat.S_ISLNK(mode):
        return "a link"
    is_device = any(is_of(mode) for is_of in _DEVICES)
    return "a device" if is_device and info.file_size == 0 else ""  # what was packed from a pipe has bytes


def _tar_members(path: Path, allowance: Allowance, depth: int) -> Iterator[Member]:
    with _refusing_damage("the tar archive"):
        archive = tarfile.TarFile(path)
    with archive:
        infos = _tar_infos(archive, path)
        allowance.count(len(infos))
        size_bytes = path.stat().st_size
        for unpacked_bytes in (*(info.size for info in infos), sum(info.size for info in infos if info.isreg())):
            allowance.require(size_bytes, unpacked_bytes, depth)
        for info in infos:
            yield Member(_tar_name(info), _tar_kind(info), _untar(archive, info, allowance, depth))


def _tar_infos(archive: tarfile.TarFile, path: Path) -> list[tarfile.TarInfo]:
    """All headers. The reader takes a damaged one for the end: at the end there must be a block of zeros."""
    with _refusing_damage("the tar archive"):
        infos = list(islice(archive, MEMBERS_MAX + 1))
    end = archive.offset
    with path.open("rb") as file:
        file.seek(end)
        if len(infos) <= MEMBERS_MAX and file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise FileRefused("archive", f"the tar archive is damaged or cut off at byte {end:,}: drop it again")
    return infos


def _untar(archive: tarfile.TarFile, info: tarfile.TarInfo, allowance: Allowance, depth: int) -> Callable[[Path], None]:
    def unpack(to: Path) -> None:
        packed = archive.extractfile(info)
        if packed is None:
            raise FileRefused("archive", "it holds no bytes")
        with packed:
            _copy(packed, to, info.size)
        allowance.take(info.size, depth)

    return unpack


def _tar_name(info: tarfile.TarInfo) -> str:
    raw = info.name.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _tar_kind(info: tarfile.TarInfo) -> str:
    if info.isdir():
        return FOLDER
    if info.issym() or info.islnk():
        return "a link"
    return "" if info.isreg() else "a device"


def _copy(packed: IO[bytes], to: Path, size_bytes: int) -> None:
    """Write a member, which must be as long as the archive says; what its reader raises is the fault of the file."""
    written = 0
    with to.open("wb") as out:
        for piece in iter(lambda: _piece(packed), b""):
            written += out.write(piece)
    if written != size_bytes:
        raise FileRefused("archive", f"it has {written:,} bytes, {size_bytes:,} by the archive: drop it again")


def _piece(packed: IO[bytes]) -> bytes:
    with _refusing_damage("it"):
        return packed.read(_PIECE_BYTES)


@contextmanager
def _refusing_damage(what: str) -> Iterator[None]:
    """What Python's readers raise over a damaged archive is a `FileRefused` that names it."""
    try:
        yield
    except NotImplementedError as error:
        reason = f"{what} is packed in a way that is not read ({error}): pack it as usual"
        raise FileRefused("archive", reason) from None
    except (*_DAMAGE, OSError) as error:
        # Bzip2's complaint has no number, a place before the file's beginning has this one, a disk's trouble another.
        if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
            raise
        raise FileRefused("archive", f"{what} is damaged or cut off ({error}): drop it again") from None


def _printable(name: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", name.replace("\\", "/")).removeprefix("./")[:_NAME_CHARACTERS_MAX]


def _distinct(name: str, taken: dict[str, int]) -> str:
    """The name, with a number behind it where it is taken; ``taken`` has the number that each name has come to."""
    distinct = name
    while distinct in taken:
        taken[name] += 1
        distinct = f"{name} ({taken[name]})"
    taken[distinct] = 1
    return distinct
