"""What a text file is, by how it begins and ends: JSON of some form, XML, a page, or a table."""

import json
import re

from ingestion.formats.signatures import BINARY_EXTENSIONS, BOOKS, RAW, TEXT_EXTENSIONS
from ingestion.text.encoding import wide_encoding

_CONTROL_SHARE_MAX = 0.05
_NUL_SHARE_MAX = 0.3
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x01\x1a\x1b\x1c\x1d\x1e\x1f\x00")) + b"\x7f"

_NO_SIGN = re.compile("[\x02-\x08\x0e-\x1e\ufffd]")

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
    if not head:
        return True
    wide = wide_encoding(head)
    if wide is not None:
        return _is_mostly_signs(head[: len(head) // 4 * 4].decode(wide, "replace"))
    control = len(head) - len(head.translate(None, _CONTROL))
    return control <= _CONTROL_SHARE_MAX * len(head) and head.count(0) <= _NUL_SHARE_MAX * len(head)


def is_html(head: bytes) -> bool:
    """Whether a file that begins like this is a page, whatever it is called.

    >>> is_html(b"<!-- saved --><!DOCTYPE html>"), is_html(b"<rows>")
    (True, False)
    """
    text = _without_comments(_text(head).strip())
    return _HTML.match(text) is not None or _PIECE_OF_HTML.match(text) is not None


def _is_mostly_signs(text: str) -> bool:
    """Whether text holds few characters that are none: numbers in a binary file look like UTF-16, too."""
    return len(_NO_SIGN.findall(text)) <= _CONTROL_SHARE_MAX * len(text)


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
