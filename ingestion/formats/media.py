"""The media type of a file that is kept and not read, so that the catalog can say what it is."""

import mimetypes
from pathlib import Path

from ingestion.formats.textkind import is_html, is_text

_HEAD_BYTES = 4096

_BY_MAGIC = (
    (0, b"%PDF-", "application/pdf"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (8, b"WEBP", "image/webp"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (0, b"\x89HDF\r\n\x1a\n", "application/x-hdf5"),
    (0, b"{\\rtf", "application/rtf"),
)
_TYPES = mimetypes.MimeTypes()
_BY_EXTENSION = {".md": "text/markdown", ".r": "text/x-r", ".sql": "text/x-sql", ".rds": "application/x-r-data"}


def media_type(path: Path, name: str) -> str:
    """What a file is, by its first bytes where they tell, else by its name.

    ``text/plain`` or ``application/octet-stream`` where neither does.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    for offset, magic, media in _BY_MAGIC:
        if head.startswith(magic, offset):
            return media
    if is_html(head):
        return "text/html"
    by_name = _BY_EXTENSION.get(Path(name).suffix.lower()) or _TYPES.guess_type(name, strict=False)[0]
    return by_name or ("text/plain" if is_text(head) else "application/octet-stream")
