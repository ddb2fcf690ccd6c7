"""Which format a file has: by its first bytes, then by what its text looks like, then by its name.

Suppliers' names say what a file should be; where its bytes say otherwise they are believed. What nobody can read as a
table is ``raw``: it is kept and not read.
"""

import codecs
import json
import mmap
import re
import zipfile
from pathlib import Path, PurePosixPath

from ingestion.formats.signatures import (
    ARCHIVES,
    BINARY_EXTENSIONS,
    BOOKS,
    MAGIC,
    OLE,
    PACKAGES,
    PROSE_EXTENSIONS,
    PROSE_NAMES,
    RAW,
    STREAM_EXTENSIONS,
    STREAMS,
    TEXT_EXTENSIONS,
    ZIP,
)

_HEAD_BYTES = 256 << 10
_TAIL_BYTES = 1 << 10
_CONTROL_SHARE_MAX = 0.05
_NUL_SHARE_MAX = 0.3
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x01\x1a\x1b\x1c\x1d\x1e\x1f\x00")) + b"\x7f"

_COMMENT = re.compile(r"<!--.*?-->\s*", re.DOTALL)
_HTML = re.compile(r"<(!doctype\s+html|html)\b|MIME-Version:", re.IGNORECASE)
_PIECE_OF_HTML = re.compile(r"<(head|body|table|script|style|meta)\b", re.IGNORECASE)
_XML = re.compile(r"<\?xml\b")
_ROOT = re.compile(r"<([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)[^<>]*>")
_NOT_TABLES = {"html", "svg"}
_JSON = re.compile(r'\{\s*(\}|"[^"\n]*"\s*:)|\[\s*[\[{]')
_GEOJSON = re.compile(r'"type"\s*:\s*"(FeatureCollection|Feature)"')
_GEOJSON_CHARACTERS = 4096


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
    if told == RAW and (not is_text(head) or _is_prose_name(name)):
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


def is_text(head: bytes) -> bool:
    """Whether a file that begins like this is text in some encoding: damaged text is.

    >>> is_text(b"a,b\\n1,\\0\\n2,x\\n"), is_text("a;b".encode("utf-16")), is_text(bytes(range(256)))
    (True, True, False)
    """
    if wide_encoding(head) is not None:
        return True
    if not head:
        return True
    control = len(head) - len(head.translate(None, _CONTROL))
    return control <= _CONTROL_SHARE_MAX * len(head) and head.count(0) <= _NUL_SHARE_MAX * len(head)


def is_html(head: bytes) -> bool:
    """Whether a file that begins like this is a page, whatever it is called.

    >>> is_html(b"<!-- saved --><!DOCTYPE html>"), is_html(b"<rows>")
    (True, False)
    """
    text = _without_comments(_text(head).strip())
    return _HTML.match(text) is not None or _PIECE_OF_HTML.match(text) is not None


def wide_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32, by the byte order mark or by where the NULs are; None for what has neither.

    >>> wide_encoding("Fläche;Wert".encode("utf-16-le")), wide_encoding(b"a,b")
    ('utf-16-le', None)
    """
    for mark, encoding in (
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return encoding
    sample = head[: len(head[:4000]) // 4 * 4]
    nuls = [sample[place::4].count(0) / max(1, len(sample) // 4) for place in range(4)]
    mostly = tuple(share > 0.6 for share in nuls)
    seldom = tuple(share < 0.1 for share in nuls)
    for encoding, pattern in (
        ("utf-32-le", (False, True, True, True)),
        ("utf-32-be", (True, True, True, False)),
        ("utf-16-le", (False, True, False, True)),
        ("utf-16-be", (True, False, True, False)),
    ):
        if mostly == pattern and all(seldom[place] for place in range(4) if not pattern[place]):
            return encoding
    return None


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
    if extension in PROSE_EXTENSIONS or _is_prose_name(name) or head.startswith((b"%PDF-", b"{\\rtf", b"%!PS")):
        return RAW
    return _by_text(_text(head).strip(), _text(tail).strip(), extension)


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


def _by_text(text: str, end: str, extension: str) -> str:
    text = _without_comments(text)
    if _HTML.match(text) or (_PIECE_OF_HTML.match(text) and TEXT_EXTENSIONS.get(extension) != "xml"):
        return RAW
    if _is_xml(text, end, extension):
        root = next((root for root in _ROOT.finditer(text)), None)
        return RAW if root is not None and root[2].lower() in _NOT_TABLES else "xml"
    if _JSON.match(text):
        return _json_kind(text, extension)
    if extension in TEXT_EXTENSIONS and text:
        return TEXT_EXTENSIONS[extension]
    if extension in BINARY_EXTENSIONS and (extension not in BOOKS or not text):
        return BINARY_EXTENSIONS[extension]
    return "csv"


def _is_xml(text: str, end: str, extension: str) -> bool:
    if _XML.match(text) or (text.startswith("<") and TEXT_EXTENSIONS.get(extension) == "xml"):
        return True
    return _ROOT.match(text) is not None and end.endswith(">") and extension not in BINARY_EXTENSIONS


def _json_kind(text: str, extension: str) -> str:
    """One value, a value a line, or a map: a first line that is whole with another behind it tells the second."""
    first, _, rest = text.partition("\n")
    if rest.lstrip().startswith(("{", "[")) and _is_whole(first):
        return "ndjson"
    if TEXT_EXTENSIONS.get(extension) == "ndjson" and (_is_whole(first) or not rest):
        return "ndjson"
    is_map = text.startswith("{") and _GEOJSON.search(text[:_GEOJSON_CHARACTERS])
    return "geojson" if is_map or extension == ".geojson" else "json"


def _is_whole(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _without_comments(text: str) -> str:
    start = 0
    while comment := _COMMENT.match(text, start):
        start = comment.end()
    return text[start:]


def _text(data: bytes) -> str:
    return data.decode(wide_encoding(data) or "utf-8", "replace").lstrip("\ufeff")


def _extension(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_prose_name(name: str) -> bool:
    return PROSE_NAMES.fullmatch(PurePosixPath(name).name) is not None


def refuse_other_formats(head: bytes, name: str) -> None:
    """Gone once `ingestion.text.dialect` does not ask for it any more: `detect` is asked before."""
