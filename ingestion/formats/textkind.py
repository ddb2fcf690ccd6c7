"""What a text file is, by how it begins and ends: JSON of some form, XML, a page, or a table."""

import codecs
import json
import re

from ingestion.formats.signatures import BINARY_EXTENSIONS, BOOKS, RAW, TEXT_EXTENSIONS

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


def text_kind(head: bytes, tail: bytes, extension: str) -> str:
    """The format of a file that is text, by its first and last bytes and the extension of its name, in lower case."""
    text, end = _text(head).strip(), _text(tail).strip()
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
