"""JSON text to values that lose nothing: numbers as they are written, no key twice, nested values as compact text."""

import gc
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from json.encoder import encode_basestring as _quoted
from typing import Any, TypeAlias

import numpy as np

from ingestion.formats.jsonmarks import COLON, Marks, MarkScanner
from ingestion.formats.lines import BLANK
from ingestion.text.blocks import Offsets

DEPTH_MAX = 200
"""Deeper nesting than this is no data: it is made to exhaust the parser's stack."""

Value: TypeAlias = Any
"""Text, a number's literal (bytes), True, False, None, or a list or dict of values."""

_BLANKS = frozenset(BLANK.decode())
_FEW = 64
_JOINED_BYTES_MAX = 8 << 20
_BLOCK_BYTES = 1 << 20
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_TYPE_NAMES = {
    str: "string",
    bytes: "number",
    bool: "boolean",
    dict: "object",
    list: "array",
    type(None): "null",
}
_WORDS = {None: "null", True: "true", False: "false"}
_NUMBERS = {bytes}
_AS_FOUND = {str, bytes, type(None)}


@dataclass(frozen=True)
class Fault:
    """Why a record is set aside, and by which rule."""

    rule: str
    message: str


class _KeyTwice(ValueError):
    pass


def _no_key_twice(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    values = dict(pairs)
    if len(values) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise _KeyTwice(f"the key {twice!r} stands twice in one object: only one of its values could be kept")
    return values


_LITERALS = {"parse_int": str.encode, "parse_float": str.encode, "parse_constant": str.encode}
_FAST = json.JSONDecoder(**_LITERALS)  # type: ignore[arg-type]
_STRICT = json.JSONDecoder(**_LITERALS, object_pairs_hook=_no_key_twice)  # type: ignore[arg-type]


def decode(items: Sequence[bytes]) -> list[Value | Fault]:
    """The value of each text, or what is wrong with it; NaN and Infinity pass for numbers.

    Many texts are parsed at once where their brackets prove that none reaches into the next; what fails is divided
    until it is found.

    >>> decode([b'{"a": 1.10}', b'{"a": 1, "a": 2}'])[0]
    {'a': b'1.10'}
    >>> decode([b'{"a": 1.10}', b'{"a": 1, "a": 2}'])[1].rule
    'duplicate-key'
    """
    if len(items) > 1:
        values = _decode_together(items)
        if values is not None:
            return values
    if len(items) <= _FEW:
        return [_decode_one(item) for item in items]
    step = max(_FEW, len(items) // _FEW)
    return [value for begin in range(0, len(items), step) for value in decode(items[begin : begin + step])]


def decode_several(item: bytes) -> list[Value]:
    """The objects of a text that has nothing but objects, one after another; none where anything is wrong with it.

    >>> decode_several(b'{"a": 1} {"a": 2}'), decode_several(b'{"a": 1} {"a": ')
    ([{'a': b'1'}, {'a': b'2'}], [])
    """
    if _is_too_deep(item) or _SURROGATE.search(item):
        return []
    text, at, values = item.strip(BLANK).decode(), 0, []
    try:
        while at < len(text):
            value, at = _STRICT.raw_decode(text, at)
            while at < len(text) and text[at] in _BLANKS:
                at += 1
            values.append(value)
    except ValueError:
        return []
    return values if all(type(value) is dict for value in values) else []


@contextmanager
def many_values() -> Iterator[None]:
    """A block that makes many values and no cycles of them: the garbage collector waits."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def compact(value: Value) -> str:
    """A value as JSON text without blanks, its numbers as they were written.

    >>> compact({"a": [b"1.10", "x", None, True]})
    '{"a":[1.10,"x",null,true]}'
    """
    kind = type(value)
    if kind is str:
        return _quoted(value)
    if kind is bytes:
        return str(value, "ascii")
    if kind is list:
        if set(map(type, value)) == _NUMBERS:
            return f"[{b','.join(value).decode()}]"
        return f"[{','.join([compact(item) for item in value])}]"
    if kind is dict:
        return f"{{{','.join([f'{_quoted(key)}:{compact(item)}' for key, item in value.items()])}}}"
    return _WORDS[value]


def as_texts(values: Sequence[Value], types: Counter[str]) -> Sequence[str | bytes | None]:
    """A column's values as text, and their JSON types added to ``types``; null is no text.

    >>> types = Counter()
    >>> as_texts([b"1", "1", True, None], types), dict(types)
    ([b'1', '1', 'true', None], {'number': 1, 'string': 1, 'boolean': 1, 'null': 1})
    """
    kinds = Counter(map(type, values))
    for kind, count in kinds.items():
        types[_TYPE_NAMES[kind]] += count
    if kinds.keys() <= _AS_FOUND:
        return values
    return [value if type(value) in _AS_FOUND else compact(value) for value in values]


def _decode_together(items: Sequence[bytes]) -> list[Value | Fault] | None:
    """The values of texts that are parsed as one array; None where that could hide what is wrong with one of them."""
    if sum(map(len, items)) > _JOINED_BYTES_MAX:
        return None
    joined = b",".join(items)
    if _SURROGATE.search(joined):
        return None
    ends = np.cumsum(np.fromiter((len(item) + 1 for item in items), np.intp, len(items))) - 2
    marks = MarkScanner().take(joined)
    if not _is_divided(marks, ends):
        return None
    try:
        values = _FAST.decode(f"[{joined.decode()}]")
    except ValueError:
        return None
    is_flat = set(map(type, values)) == {dict} and int(np.count_nonzero(marks.is_opener())) == len(values)
    members = sum(map(len, values)) if is_flat else _count_members(_nested(values))
    if len(values) != len(items) or members != int(np.count_nonzero(marks.byte == COLON)):
        return None
    return list(values)


def _is_divided(marks: Marks, ends: Offsets) -> bool:
    """Whether all brackets and quotes are closed where a text ends, and none closes what it did not open."""
    if not marks.at.size or marks.depth.max() > DEPTH_MAX or marks.depth.min() < 0:
        return False
    last = np.searchsorted(marks.at, ends, "right") - 1
    is_open = (last < 0) | (marks.depth[last] != 0) | marks.inside[ends]
    return not is_open.any()


def _count_members(values: list[Value]) -> int:
    """How many keys these lists and dicts have, with all that is in them."""
    count = 0
    while values:
        inner: list[Value] = []
        for value in values:
            if type(value) is dict:
                count += len(value)
                inner += value.values()
            else:
                inner += value
        values = _nested(inner)
    return count


def _nested(values: Iterable[Value]) -> list[Value]:
    return [value for value in values if type(value) is dict or type(value) is list]


def _decode_one(item: bytes) -> Value | Fault:
    text = item.strip(BLANK)
    if _is_too_deep(text):
        return Fault("depth", f"brackets are nested more than {DEPTH_MAX} deep")
    try:
        value = _STRICT.decode(text.decode())
        if _SURROGATE.search(text):
            compact(value).encode()
    except _KeyTwice as error:
        return Fault("duplicate-key", str(error))
    except json.JSONDecodeError as error:
        return Fault("json", f"not JSON: {error.msg} at character {error.pos + 1} of the record")
    except UnicodeEncodeError:
        return Fault("surrogate", "an escape is half of a surrogate pair, which is no character")
    return value


def _is_too_deep(text: bytes) -> bool:
    if text.count(b"[") + text.count(b"{") <= DEPTH_MAX:
        return False
    scanner = MarkScanner()
    blocks = (text[begin : begin + _BLOCK_BYTES] for begin in range(0, len(text), _BLOCK_BYTES))
    return any(bool((scanner.take(block).depth > DEPTH_MAX).any()) for block in blocks)
