"""XML as events, by expat: in any encoding, with no entities of its own, and nothing fetched from elsewhere."""

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar
from xml.parsers import expat

from ingestion.refusal import FileRefused
from ingestion.text.encoding import wide_encoding

TOKEN_BYTES_MAX = 16 << 20

_CHUNK_BYTES = 1 << 18
_TEXT_BYTES = 1 << 16
_HEAD_BYTES = 4096
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][\w.:-]*)["']""")
_NATIVE = {"utf-8", "ascii", "iso8859-1"}


class Handler(Protocol):
    """What is told of a document, in its order; it is called for each element, so it does little."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def text(self, text: str) -> None:
        """A piece of text in the element that is open."""

    def end(self, name: str) -> None:
        """The element that is open ends."""


_Handler = TypeVar("_Handler", bound=Handler)


@dataclass(frozen=True)
class XmlEncoding:
    """How a document's bytes are read: by ``codec`` before the parser, by ``override`` in it, else as it says."""

    name: str
    codec: str | None = None
    override: str | None = None
    notices: tuple[str, ...] = ()


def encoding_of(path: Path, pinned: str | None) -> XmlEncoding:
    """The encoding that a document's first bytes say, or that is pinned; raises FileRefused for an unknown name."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    wide = wide_encoding(head)
    if pinned is not None:
        return XmlEncoding(_codec(pinned), codec=_codec(pinned))
    if wide is not None:
        return XmlEncoding(wide, codec=wide.removesuffix("-le").removesuffix("-be") if _has_mark(head) else wide)
    declared = _DECLARED.match(head.removeprefix(codecs.BOM_UTF8))
    name = _codec(declared[1].decode()) if declared else "utf-8"
    if name.startswith(("utf-16", "utf-32")):
        notice = f"the file says that it is {name}, which it is not: it is read as UTF-8"
        return XmlEncoding("utf-8", override="utf-8", notices=(notice,))
    return XmlEncoding(name) if name in _NATIVE else XmlEncoding(name, codec=name)


def parse(path: Path, encoding: XmlEncoding, handler_of: Callable[[Callable[[], int]], _Handler]) -> _Handler:
    """Tell a handler, which is given what tells the current line, what a document holds.

    Raises FileRefused where it is malformed, or declares entities or refers to one that it does not declare. A DTD
    elsewhere is never fetched.
    """
    parser = expat.ParserCreate("utf-8" if encoding.codec is not None else encoding.override)
    parser.buffer_text = True
    parser.buffer_size = _TEXT_BYTES
    handler = handler_of(lambda: parser.CurrentLineNumber)
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text
    _forbid_entities(parser)
    try:
        _feed(parser, path, encoding)
    except expat.ExpatError as error:
        raise _malformed(error) from None
    except UnicodeDecodeError as error:
        line = parser.CurrentLineNumber
        reason = f"after line {line}: bytes that are not {encoding.name}: {error.reason}"
        raise FileRefused("encoding", reason, line=line) from None
    return handler


def _feed(parser: expat.XMLParserType, path: Path, encoding: XmlEncoding) -> None:
    fed = 0
    for chunk in _chunks(path, encoding.codec):
        parser.Parse(chunk, False)
        fed += len(chunk)
        if fed - parser.CurrentByteIndex > TOKEN_BYTES_MAX:
            line = parser.CurrentLineNumber
            raise FileRefused(
                "record-size", f"a tag on line {line} is longer than {TOKEN_BYTES_MAX:,} bytes", line=line
            )
    parser.Parse(b"", True)


def _forbid_entities(parser: expat.XMLParserType) -> None:
    def refuse(what: str) -> Callable[..., None]:
        def handle(name: str, *_: object) -> None:
            line = parser.CurrentLineNumber
            raise FileRefused("xml-entities", f"line {line} {what} {name!r}: entities are not expanded", line=line)

        return handle

    parser.EntityDeclHandler = refuse("declares the entity")
    parser.UnparsedEntityDeclHandler = refuse("declares the entity")
    parser.SkippedEntityHandler = refuse("refers to the undeclared entity")


def _malformed(error: expat.ExpatError) -> FileRefused:
    said = expat.errors.messages[error.code]
    hint = ""
    if error.code == expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]:
        hint = "; where it is in another encoding than it says, name that in lake.toml"
    reason = f"line {error.lineno}, column {error.offset + 1}: {said}{hint}"
    return FileRefused("xml", reason, line=error.lineno)


def _chunks(path: Path, codec: str | None) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(codec)() if codec is not None else None
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk if decoder is None else decoder.decode(chunk).encode()
    if decoder is not None:
        yield decoder.decode(b"", True).encode()


def _codec(name: str) -> str:
    try:
        info = codecs.lookup(name)
    except LookupError:
        raise FileRefused("encoding", f"the file's encoding {name!r} is not known") from None
    if not getattr(info, "_is_text_encoding", True):
        raise FileRefused("encoding", f"{name!r} is no encoding of text")
    return info.name


def _has_mark(head: bytes) -> bool:
    return head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE))
