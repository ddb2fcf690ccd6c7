"""A text file as UTF-8: its encoding found or pinned, bytes that do not decode made legible and their lines known."""

import codecs
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

import numpy as np

from ingestion.found import Source
from ingestion.refusal import FileRefused
from ingestion.text.blocks import is_utf8
from ingestion.text.codepage import code_page

BAD_LINES_MAX = 1_000_000

_CHUNK_BYTES = 1 << 20
_HEAD_BYTES = 4096
_PRESUMED_BYTES_MIN = 8 << 20
_SURVEY_BYTES_BAD = 100_000
_SAMPLE_BYTES = 64 << 10
_SAMPLE_LINE_BYTES = 2048
_ESCAPES = "lake-bytes"
_HIGH = re.compile(rb"[\x80-\xff]")
_LINE_END = re.compile(rb"\r\n|[\r\n]")
_ESCAPED = re.compile("[\udc00-\udcff]+")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class Text:
    """A file as UTF-8.

    ``path`` is the file itself where it is UTF-8 throughout, else a copy in the source's scratch with the same lines;
    its text begins at the byte ``begin`` (after a byte order mark; a copy has none, so there it is 0). ``encoding`` and
    ``bom`` are of the file as it landed.

    ``bad_lines`` are the physical lines (from 1, ascending, each once) with bytes that could not be decoded: in the
    copy such a byte is the four characters ``\\xNN``. The reader rejects exactly the records that hold one of these
    lines, by the rule ``encoding``. ``notices`` say what was assumed.
    """

    path: Path
    encoding: str = "utf-8"
    bom: bool = False
    begin: int = 0
    bad_lines: Sequence[int] = field(default_factory=lambda: array("q"))
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Survey:
    """How a file that is not UTF-8 would read as UTF-8: characters beyond ASCII, bad bytes, and lines with either."""

    characters: int
    bad: int
    sample: bytes


def presumed_utf8(source: Source) -> Text | None:
    """A large file as UTF-8 where its beginning is, without a look at the rest, which whoever reads it has to see.

    None where `as_utf8` is to judge: it reads the whole file, which takes a tenth of what its parser takes.
    """
    if source.options.encoding is not None or source.path.stat().st_size < _PRESUMED_BYTES_MIN:
        return None
    with source.path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    is_marked = any(head.startswith(mark) for mark, _ in _MARKS)
    if is_marked or wide_encoding(head) is not None or not is_utf8(head[: _whole_characters(head)]):
        return None
    return Text(source.path)


def as_utf8(source: Source) -> Text:
    """The file as UTF-8 text; raises `FileRefused` where its encoding cannot be told or too many lines are damaged.

    A byte order mark says the encoding, else the dataset's pin, else the NULs of UTF-16 and UTF-32, else the whole
    file: UTF-8 where it has more characters of it than bytes that are none, else a code page.
    """
    pinned = source.options.encoding
    with source.path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return _marked(source, encoding, len(mark))
    if pinned is not None:
        return _in(source, _known(pinned), 0, ())
    wide = wide_encoding(head)
    if wide is not None:
        return _in(source, wide, 0, (f"the file is read as {wide.upper()}, judged by its zero bytes",))
    return _judged(source, head)


def _marked(source: Source, encoding: str, begin: int) -> Text:
    pinned = source.options.encoding
    notices: tuple[str, ...] = ()
    if pinned is not None and not encoding.startswith(_known(pinned).removesuffix("-sig")):
        notices = (f"the file begins with the mark of {encoding.upper()} and is read so, not as {pinned}",)
    return _in(source, encoding, begin, notices)


def _in(source: Source, encoding: str, begin: int, notices: tuple[str, ...]) -> Text:
    """The text in a known encoding: the file itself where nothing has to be changed."""
    if encoding == "utf-8" and _is_utf8_throughout(source.path, begin):
        return Text(source.path, encoding, begin > 0, begin, notices=notices)
    return _copied(source, encoding, begin, notices)


def _judged(source: Source, head: bytes) -> Text:
    if _is_utf8_throughout(source.path, 0):
        return Text(source.path)
    survey = _surveyed(source.path)
    if survey.characters > survey.bad:
        return _copied(source, "utf-8", 0, ())
    encoding = code_page(survey.sample, head)
    return _copied(source, encoding, 0, (f"the file is not UTF-8: it is read in the code page {encoding}, a guess",))


def _known(pinned: str) -> str:
    """Python's name of an encoding; raises `FileRefused` where there is none of that name."""
    try:
        "a".encode(pinned)
    except (LookupError, UnicodeError):
        reason = f"lake.toml pins the encoding {pinned!r}, which is not known: use a name such as cp1252 or utf-8"
        raise FileRefused("encoding", reason) from None
    name = codecs.lookup(pinned).name
    return "utf-8" if name == "utf-8-sig" else name


def wide_encoding(head: bytes) -> str | None:
    r"""UTF-16 or UTF-32, by the byte order mark or by the places in which zero bytes stand; None for what has neither.

    >>> wide_encoding("Цена;1\n".encode("utf-16-le")), wide_encoding(b"a,b")
    ('utf-16-le', None)
    """
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    if marked is not None:
        return marked if marked.startswith(("utf-16", "utf-32")) else None
    head = head[: len(head) // 4 * 4]
    zeros = [head[place::4].count(0) / max(1, len(head) // 4) for place in range(4)]
    if min(zeros[2:]) > 0.9 and zeros[0] < 0.1:
        return "utf-32-le"
    if min(zeros[:2]) > 0.9 and zeros[3] < 0.1:
        return "utf-32-be"
    even, odd = (zeros[0] + zeros[2]) / 2, (zeros[1] + zeros[3]) / 2
    ends = head.count(b"\n")
    if odd > 0.15 and even < odd / 4 and head.count(b"\n\0") >= ends / 2:
        return "utf-16-le"
    if even > 0.15 and odd < even / 4 and head.count(b"\0\n") >= ends / 2:
        return "utf-16-be"
    return None


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _is_utf8_throughout(path: Path, begin: int) -> bool:
    """Whether a file is UTF-8 throughout."""
    pending = b""
    with path.open("rb") as file:
        file.seek(begin)
        for chunk in _chunks(file):
            data = pending + chunk if pending else chunk
            pending = b""
            if data.isascii():
                continue
            whole = _whole_characters(data)
            data, pending = data[:whole], data[whole:]
            if not is_utf8(data):
                return False
    return is_utf8(pending)


def _whole_characters(data: bytes) -> int:
    """Where the last character of a piece begins, if it may go on in the next piece."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            return len(data) - back
    return len(data)


def _surveyed(path: Path) -> _Survey:
    """Count characters and bad bytes, up to where so many bytes are bad that more would not change the judgement."""
    decoder = codecs.getincrementaldecoder("utf-8")(_ESCAPES)
    characters = bad = 0
    sample = bytearray()
    with path.open("rb") as file:
        for chunk in _chunks(file):
            if chunk.isascii():
                continue
            found = sum(map(len, _ESCAPED.findall(decoder.decode(chunk))))
            characters += int(np.count_nonzero(np.frombuffer(chunk, np.uint8) >= 0xC2)) if not found else 0
            characters += _characters(chunk) if found else 0
            bad += found
            _sample_lines(chunk, sample)
            if bad > _SURVEY_BYTES_BAD:
                break
    return _Survey(characters, bad, bytes(sample))


def _characters(chunk: bytes) -> int:
    text = chunk.decode("utf-8", "ignore")
    return len(text) - len(text.encode("ascii", "ignore"))


def _sample_lines(chunk: bytes, sample: bytearray) -> None:
    """Add lines with bytes beyond ASCII to the sample, up to its size."""
    at = 0
    while len(sample) < _SAMPLE_BYTES and (high := _HIGH.search(chunk, at)) is not None:
        before = max(chunk.rfind(end, at, high.start()) for end in (b"\n", b"\r"))
        begin = max(before + 1, at, high.start() - _SAMPLE_LINE_BYTES)
        after = _LINE_END.search(chunk, high.start())
        at = min(len(chunk) if after is None else after.end(), begin + 2 * _SAMPLE_LINE_BYTES)
        sample += chunk[begin:at]


def _copied(source: Source, encoding: str, begin: int, notices: tuple[str, ...]) -> Text:
    """Transcode into scratch, line by line the same; a bad byte becomes four characters that name it."""
    lines = _BadLines()
    decoder = codecs.getincrementaldecoder(encoding)(_ESCAPES)
    with (
        source.path.open("rb") as file,
        NamedTemporaryFile(dir=source.scratch, prefix="utf8-", suffix=".txt", delete=False) as copy,
    ):
        file.seek(begin)
        for chunk in _chunks(file):
            copy.write(lines.encoded(decoder.decode(chunk)))
        copy.write(lines.encoded(decoder.decode(b"", final=True)))
    if lines.bad:
        notices += (_damage(lines.bad, encoding),)
    return Text(Path(copy.name), encoding, begin > 0, 0, lines.bad, notices)


def _damage(bad: Sequence[int], encoding: str) -> str:
    where = f"line {bad[0]} holds" if len(bad) == 1 else f"{len(bad):,} lines (the first is line {bad[0]}) hold"
    return f"{where} bytes that are not {encoding.upper()}: their records are set aside"


class _BadLines:
    """Text on its way to UTF-8: counts physical lines, and keeps those in which a byte could not be decoded."""

    def __init__(self) -> None:
        self.bad = array("q")
        self._line = 1
        self._after_cr = False

    def encoded(self, text: str) -> bytes:
        """The next piece of text in UTF-8."""
        try:
            data = text.encode("utf-8")
        except UnicodeEncodeError:
            self._note(text)
            data = _ESCAPED.sub(_legible, text).encode("utf-8")
        self._count(text, 0, len(text))
        return data

    def _note(self, text: str) -> None:
        line, after_cr = self._line, self._after_cr
        at = 0
        for found in _ESCAPED.finditer(text):
            self._count(text, at, found.start())
            at = found.start()
            if not self.bad or self.bad[-1] != self._line:
                self.bad.append(self._line)
        self._line, self._after_cr = line, after_cr
        if len(self.bad) > BAD_LINES_MAX:
            reason = f"more than {BAD_LINES_MAX:,} lines hold bytes that cannot be decoded: pin `encoding` in lake.toml"
            raise FileRefused("encoding", reason, line=self.bad[0])

    def _count(self, text: str, begin: int, end: int) -> None:
        if begin == end:
            return
        ends = text.count("\n", begin, end) + text.count("\r", begin, end) - text.count("\r\n", begin, end)
        self._line += ends - (self._after_cr and text[begin] == "\n")
        self._after_cr = text[end - 1] == "\r"


def _legible(found: re.Match[str]) -> str:
    return "".join(f"\\x{ord(character) - 0xDC00:02X}" for character in found.group())


def _kept_apart(error: UnicodeError) -> tuple[str, int]:
    """Bad bytes as lone surrogates, which no text in any encoding has: they are told from it until it is encoded."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_ESCAPES, _kept_apart)
