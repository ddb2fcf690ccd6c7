"""Which format a file has: by its first bytes, then by what its text looks like, then by its name.

Suppliers' names say what a file should be; where its bytes say otherwise they are believed. What nobody can read as a
table is ``raw``: it is kept and not read.
"""

import mmap
import zipfile
from pathlib import Path, PurePosixPath

from ingestion.formats.signatures import (
    ARCHIVES,
    BINARY_EXTENSIONS,
    BOOKS,
    DOCUMENTS,
    MAGIC,
    OLE,
    PACKAGES,
    PROSE_EXTENSIONS,
    PROSE_NAMES,
    RAW,
    STREAM_EXTENSIONS,
    STREAMS,
    ZIP,
)
from ingestion.formats.textkind import is_text, text_kind

_HEAD_BYTES = 256 << 10
_TAIL_BYTES = 1 << 10


def detect(path: Path, name: str, pinned: str | None = None) -> str:
    """The name of a file's format: of a reader, of an archive, or ``raw`` for what is kept and not read.

    ``name`` says no more than its extension and that it is a readme. A ``pinned`` format is taken for granted, but not
    of an archive (it is that of its members then), and not where a file beside the data is clearly none.
    """
    head, tail = _ends(path)
    if pinned == RAW:
        return RAW
    told = _told(path, name, head, tail)
    if pinned is None or pinned in (*STREAMS, *ARCHIVES) or told in (*STREAMS, *ARCHIVES):
        return told
    if told == RAW and (not is_text(head) or head.startswith(DOCUMENTS) or _is_prose_name(name)):
        return RAW
    return pinned


def inner_name(name: str) -> str:
    """The name of the file that a compressed one holds.

    >>> inner_name("prices.csv.gz"), inner_name("all.tgz"), inner_name("prices.csv")
    ('prices.csv', 'all.tar', 'prices.csv')
    """
    extension = _extension(name)
    if extension not in STREAM_EXTENSIONS:
        return name
    return name[: -len(extension)] + STREAM_EXTENSIONS[extension]


def _ends(path: Path) -> tuple[bytes, bytes]:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return head, file.read(_TAIL_BYTES)


def _told(path: Path, name: str, head: bytes, tail: bytes) -> str:
    extension = _extension(name)
    if extension in PACKAGES:
        return RAW
    binary = _by_magic(path, extension, head, tail)
    if binary is not None:
        return binary
    if head and not is_text(head):
        return BINARY_EXTENSIONS.get(extension, RAW)
    if extension in STREAM_EXTENSIONS:
        return _told(path, inner_name(name), head, tail)
    if extension in PROSE_EXTENSIONS or _is_prose_name(name) or head.startswith(DOCUMENTS):
        return RAW
    return text_kind(head, tail, extension)


def _by_magic(path: Path, extension: str, head: bytes, tail: bytes) -> str | None:
    if ZIP.match(head):
        return _zip_kind(path, extension)
    if OLE.match(head):
        return _ole_kind(path, extension)
    for magic, format_ in MAGIC:
        if magic.match(head):
            return format_
    if head.startswith((b"PAR1", b"PARE")) and (tail.endswith((b"PAR1", b"PARE")) or not is_text(head)):
        return "parquet"
    if head.startswith(b"ORC") and (tail[-4:-1] == b"ORC" or not is_text(head)):
        return "orc"
    return "tar" if extension == ".tar" and head else None


def _zip_kind(path: Path, extension: str) -> str:
    """An office document is a zip archive: which one, its members say."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.lower().replace("\\", "/") for name in archive.namelist()}
            media = archive.open("mimetype").read(100) if "mimetype" in names else b""
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, NotImplementedError, ValueError):
        return BOOKS.get(extension, "zip")
    if "xl/workbook.bin" in names:
        return "xlsb"
    if "xl/workbook.xml" in names:
        return "xlsx"
    if media.startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
        return "ods"
    if "[content_types].xml" in names:
        return BOOKS.get(extension, RAW)
    return RAW if media.startswith((b"application/vnd.oasis", b"application/epub")) else "zip"


def _ole_kind(path: Path, extension: str) -> str:
    """An old office document: a workbook, a locked new one, or no table. Its streams have names in UTF-16."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        streams = ("Workbook", "Book", "EncryptedPackage")
        has = {name: data.find(f"{name}\0".encode("utf-16-le")) >= 0 for name in streams}
    if extension in BOOKS:
        return BOOKS[extension] if has["EncryptedPackage"] else "xls"
    is_book = (has["Workbook"] or has["Book"]) and extension not in {".doc", ".ppt", ".msg", ".pps", ".dot"}
    return "xls" if is_book else RAW


def _extension(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_prose_name(name: str) -> bool:
    return PROSE_NAMES.fullmatch(PurePosixPath(name).name) is not None
