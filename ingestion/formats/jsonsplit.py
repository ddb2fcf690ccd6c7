"""JSON documents divided by their brackets alone: what a document is made of, and the items of a long array in batches.

The outline counts a value's items without parsing them, which is what the rows are held against.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingestion.formats.jsonmarks import COMMA, Marks, MarkScanner
from ingestion.formats.jsontext import DEPTH_MAX
from ingestion.formats.lines import BLANK, Batch, line_at, line_ends, read_blocks, refuse_long
from ingestion.refusal import FileRefused
from ingestion.text.blocks import Flags, Offsets

MEMBERS_MAX = 10_000

_HEAD_BYTES = 1 << 12
_OBJECT = ord("{")
_CLOSER = {"{": b"}", "[": b"]"}
_KEY = re.compile(rb'\s*("(?:[^"\\]|\\.)*")\s*:', re.DOTALL)


@dataclass(frozen=True)
class Value:
    """A value of a document: the bytes from ``begin`` to ``end``, and its first character as ``kind``.

    An array has ``items``, of which ``objects`` are objects; ``key`` is a member's.
    """

    begin: int
    end: int
    kind: str
    items: int = 0
    objects: int = 0
    key: str = ""


@dataclass(frozen=True)
class _Child:
    begin: int
    end: int
    commas: int
    objects: int


def top_values(path: Path, begin: int) -> tuple[Value, int]:
    """The first value of a file from an offset on, and how many there are: one, unless documents are concatenated.

    Raises FileRefused where the brackets do not close or nest too deep, or where text stands outside of them.
    """
    first: Value | None = None
    count, last = 0, begin
    for child in _children(path, Value(begin, path.stat().st_size, ""), 0):
        first = first or _value(path, child)
        count, last = count + 1, child.end
    _refuse_text_after(path, last)
    if first is None:
        raise FileRefused("empty", "the file holds no record")
    if first.kind not in {"{", "["}:
        line = line_at(path, first.begin)
        raise FileRefused("json", f"line {line} begins with {first.kind!r}, not with a bracket", line=line)
    return first, count


def members(path: Path, value: Value) -> list[Value]:
    """The members of an object; raises FileRefused where there is a key twice, or far too many of them."""
    found: dict[str, Value] = {}
    for child in _children(path, value, 1):
        key, begin = _key(path, child)
        if key in found:
            reason = f"the key {key!r} stands twice in one object: only one of its values could be kept"
            raise FileRefused("duplicate-key", reason, line=line_at(path, child.begin))
        if len(found) == MEMBERS_MAX:
            raise FileRefused("columns", f"an object has more than {MEMBERS_MAX:,} keys: its keys seem to be data")
        found[key] = _value(path, child, begin, key)
    return list(found.values())


def items(path: Path, array: Value) -> Iterator[Batch]:
    """The items of an array in batches; text that is left out between two commas is an item that is blank."""
    batches = _divide(path, array, 1)
    first = next(batches, None)
    if first is not None and (array.items or any(first.items)):
        yield first
    yield from batches


def documents(path: Path, begin: int) -> Iterator[Batch]:
    """The values of a file that stand one after another without commas, in batches."""
    return _divide(path, Value(begin, path.stat().st_size, ""), 0)


def text_of(path: Path, value: Value, bytes_max: int) -> str:
    """The text of a value, cut after so many bytes."""
    return _bytes(path, value.begin, min(value.end, value.begin + bytes_max)).decode("utf-8", "ignore").strip()


def _children(path: Path, value: Value, level: int) -> Iterator[_Child]:
    """What a container holds (level 1), or a file (level 0), with the number of items of each, less one."""
    begin, commas, objects = value.begin + level, 0, 0
    for offset, _, marks in _marked(path, value):
        ends = np.flatnonzero(_is_end(marks, level))
        commas_to = np.cumsum((marks.byte == COMMA) & (marks.depth == level + 1))
        objects_to = np.cumsum((marks.byte == _OBJECT) & (marks.depth == level + 2))
        for at, commas_before, objects_before in zip(
            marks.at[ends].tolist(), commas_to[ends].tolist(), objects_to[ends].tolist(), strict=True
        ):
            end = offset + at + 1 - level
            yield _Child(begin, end, commas + commas_before, objects + objects_before)
            begin, commas, objects = end + level, -commas_before, -objects_before
        if marks.at.size:
            commas, objects = commas + int(commas_to[-1]), objects + int(objects_to[-1])


def _divide(path: Path, value: Value, level: int) -> Iterator[Batch]:
    """What a container holds (level 1), or a file (level 0), as text."""
    pending, line = b"", line_at(path, value.begin + level)
    skipped = level
    for _, raw, marks in _marked(path, value):
        ends = marks.at[_is_end(marks, level)] + 1 - level - skipped + len(pending)
        pending += raw[skipped:]
        skipped = 0
        if not ends.size:
            refuse_long(pending, line)
            continue
        yield _batch(pending, ends, level, line)
        done = int(ends[-1]) + level
        line += line_ends(pending[:done]).size
        pending = pending[done:]


def _batch(raw: bytes, ends: Offsets, level: int, line: int) -> Batch:
    begins = np.concatenate(([0], ends[:-1] + level)).tolist()
    found = [raw[begin:end].lstrip(BLANK) for begin, end in zip(begins, ends.tolist(), strict=True)]
    at = ends - np.fromiter(map(len, found), np.intp, len(found))
    return Batch([item.rstrip(BLANK) for item in found], (line + np.searchsorted(line_ends(raw), at)).tolist())


def _is_end(marks: Marks, level: int) -> Flags:
    """Which marks end what stands at this level: its closing bracket, or the comma behind it or its container's end."""
    closes: Flags = marks.is_closer() & (marks.depth == 0)
    return closes | ((marks.byte == COMMA) & (marks.depth == 1)) if level else closes


def _marked(path: Path, value: Value) -> Iterator[tuple[int, bytes, Marks]]:
    """The blocks of a value with their marks; raises FileRefused where they do not fit each other."""
    scanner = MarkScanner()
    for offset, raw in read_blocks(path, value.begin, value.end):
        marks = scanner.take(raw)
        if marks.depth.size:
            _refuse_bad_depth(path, offset, marks)
        yield offset, raw, marks
    if scanner.in_string or scanner.depth:
        where = "within a string" if scanner.in_string else f"before brackets close, {scanner.depth} deep"
        raise FileRefused("truncated", f"the file ends {where}: it is cut off, or a quote or bracket is damaged")


def _refuse_bad_depth(path: Path, offset: int, marks: Marks) -> None:
    if marks.depth.max() > DEPTH_MAX:
        line = line_at(path, offset + int(marks.at[np.argmax(marks.depth > DEPTH_MAX)]))
        raise FileRefused("depth", f"line {line} nests brackets more than {DEPTH_MAX} deep", line=line)
    if marks.depth.min() < 0:
        line = line_at(path, offset + int(marks.at[np.argmax(marks.depth < 0)]))
        raise FileRefused("json", f"line {line} closes a bracket that was not opened", line=line)


def _refuse_text_after(path: Path, offset: int) -> None:
    for begin, raw in read_blocks(path, offset):
        text = raw.lstrip(BLANK)
        if text:
            line = line_at(path, begin + len(raw) - len(text))
            raise FileRefused("json", f"line {line} has text outside of brackets: {text[:20]!r}", line=line)


def _value(path: Path, child: _Child, begin: int | None = None, key: str = "") -> Value:
    begin = child.begin if begin is None else begin
    head = _bytes(path, begin, min(child.end, begin + _HEAD_BYTES))
    text = head.lstrip(BLANK)
    begin += len(head) - len(text)
    kind = text[:1].decode("latin-1")
    if kind in _CLOSER and not _bytes(path, max(begin, child.end - _HEAD_BYTES), child.end).rstrip(BLANK).endswith(
        _CLOSER[kind]
    ):
        raise FileRefused("json", f"the bracket {kind} is not closed by its like", line=line_at(path, begin))
    items = child.commas + 1 if kind == "[" and (child.commas or child.objects) else 0
    return Value(begin, child.end, kind, items, child.objects if items else 0, key)


def _key(path: Path, child: _Child) -> tuple[str, int]:
    """A member's key, and where its value begins."""
    match = _KEY.match(_bytes(path, child.begin, min(child.end, child.begin + _HEAD_BYTES)))
    if match is None:
        line = line_at(path, child.begin)
        raise FileRefused("json", f"a member of the object on line {line} has no key", line=line)
    try:
        return str(json.loads(match[1])), child.begin + match.end()
    except ValueError as error:
        raise FileRefused("json", f"a key is not JSON: {error}", line=line_at(path, child.begin)) from None


def _bytes(path: Path, begin: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(begin)
        return file.read(end - begin)
