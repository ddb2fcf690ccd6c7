"""A record as it lies in a landed file: its physical lines, out of the archives around them, in their encoding."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ingestion import limits
from ingestion.formats.allowance import FILE_BYTES_MAX, Allowance, require_depth
from ingestion.formats.archive import members
from ingestion.formats.detect import detect, inner_name
from ingestion.formats.lines import BLANK, line_batches
from ingestion.formats.signatures import ARCHIVES, RAW, STREAMS
from ingestion.formats.streams import unpack_stream
from ingestion.formats.textkind import is_text
from ingestion.found import Source
from ingestion.options import ReadOptions
from ingestion.protocol import ExcerptRequest
from ingestion.refusal import FileRefused
from ingestion.text.encoding import as_utf8

LINES_MAX = 1000
TEXT_BYTES_MAX = 1 << 20

_TEXT = ("csv", "json", "ndjson", "geojson", "xml")
_HEAD_BYTES = 64 << 10


def excerpt(wanted: ExcerptRequest, scratch: Path) -> str:
    """The lines of a record. Raises `FileRefused` where the file has no lines, or none of that number."""
    format_, path = _opened(wanted, scratch)
    if format_ not in _TEXT:
        raise FileRefused("format", f"a {format_} file has no lines: {wanted.line} is the number of a row")
    source = Source(path, wanted.name, scratch, ReadOptions(encoding=wanted.dialect.get("encoding")))
    found = _record(_lines(source, wanted), format_, wanted.dialect)
    if not found:
        raise FileRefused("line", f"the file ends before line {wanted.line}")
    return b"\n".join(found)[:TEXT_BYTES_MAX].decode("utf-8", "replace")


def _opened(wanted: ExcerptRequest, scratch: Path) -> tuple[str, Path]:
    """The file that the lines are in, unpacked, and its format."""
    path, name, fragment = wanted.path, wanted.name, wanted.fragment
    allowance = Allowance(path.stat().st_size)
    limits.limit_file_size(FILE_BYTES_MAX)
    depth = 0
    while (format_ := detect(path, name)) in (*STREAMS, *ARCHIVES):
        depth += 1
        require_depth(depth)
        inner = scratch / f"inner-{depth}"
        if format_ in STREAMS:
            unpack_stream(path, format_, inner, allowance, depth)
            name = inner_name(name)
        else:
            name = _unpacked(path, format_, fragment, inner, (allowance, depth))
            fragment = fragment[len(name) + 1 :]
        path = inner
    with path.open("rb") as file:
        is_legible = is_text(file.read(_HEAD_BYTES))
    return "csv" if format_ == RAW and is_legible else format_, path


def _unpacked(path: Path, format_: str, fragment: str, to: Path, allowed: tuple[Allowance, int]) -> str:
    """Unpack the member that a fragment begins with; its name."""
    allowance, depth = allowed
    for member in members(path, format_, allowance, depth):
        if not member.kind and f"{fragment}/".startswith(f"{member.name}/"):
            member.unpack(to)
            return member.name
    raise FileRefused(
        "archive", f"the archive has no member {fragment!r}" if fragment else "name a member: FILE#MEMBER"
    )


def _lines(source: Source, wanted: ExcerptRequest) -> Iterator[bytes]:
    """The lines from the wanted one up to where the next record begins, no more than are shown."""
    text = as_utf8(source)
    stop = min(wanted.stop or wanted.line + LINES_MAX, wanted.line + LINES_MAX)
    for batch in line_batches(text.path, text.begin):
        if batch.lines[-1] < wanted.line:
            continue
        for line, item in zip(batch.lines, batch.items, strict=True):
            if line >= stop:
                return
            if line >= wanted.line:
                yield item


def _record(lines: Iterator[bytes], format_: str, dialect: Mapping[str, Any]) -> list[bytes]:
    """As many of the lines as belong to the record that begins on the first of them."""
    quote = str(dialect.get("quote") or "\0").encode()
    escaped = re.compile(rb"\\.") if dialect.get("escape") == "backslash" else None
    taken: list[bytes] = []
    quotes = 0
    for line in lines:
        taken.append(line)
        quotes += (escaped.sub(b"", line) if escaped else line).count(quote)
        if format_ == "csv" and quotes % 2 == 0:
            break
        if format_ == "ndjson" or (format_ != "csv" and _is_object(line) and len(taken) == 1):
            break
    while len(taken) > 1 and not taken[-1].strip(BLANK):
        taken.pop()
    return taken


def _is_object(line: bytes) -> bool:
    """Whether an object of JSON begins and ends on a line."""
    text = line.strip(BLANK + b",")
    return text.startswith(b"{") and text.endswith(b"}")
