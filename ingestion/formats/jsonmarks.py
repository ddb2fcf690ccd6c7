"""The brackets, commas and colons of JSON text that stand outside its strings, and how deep: found without parsing."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion.text.blocks import Bytes, Flags, Offsets

QUOTE, COMMA, COLON = 0x22, 0x2C, 0x3A
OPENERS, CLOSERS = b"{[", b"}]"

_BACKSLASH = 0x5C
_OPENS, _CLOSES, _DIVIDES = 1, -1, 2

_ROLES = np.zeros(256, np.int8)
_ROLES[list(OPENERS)] = _OPENS
_ROLES[list(CLOSERS)] = _CLOSES
_ROLES[[COMMA, COLON]] = _DIVIDES


@dataclass(frozen=True)
class Marks:
    """Where a block's marks are, which bytes, and how deep it is after each.

    ``depth`` is 1 after the first opening bracket. ``inside`` says of each byte of the block whether it is in a string
    (of quotes: the opening one).
    """

    at: Offsets
    byte: Bytes
    depth: npt.NDArray[np.int64]
    inside: Flags

    def is_opener(self) -> Flags:
        """Which marks are opening brackets."""
        flags: Flags = _ROLES[self.byte] == _OPENS
        return flags

    def is_closer(self) -> Flags:
        """Which marks are closing brackets."""
        flags: Flags = _ROLES[self.byte] == _CLOSES
        return flags


class MarkScanner:
    """Finds the marks of a text that is given block by block.

    >>> marks = MarkScanner().take(b'{"a:": [1, 2]}')
    >>> bytes(marks.byte), marks.depth.tolist()
    (b'{:[,]}', [1, 1, 2, 2, 1, 0])
    """

    def __init__(self) -> None:
        self.depth = 0
        self.in_string = False
        self._escaped = False

    def take(self, block: bytes) -> Marks:
        """The marks of the next block."""
        body = np.frombuffer(block, np.uint8)
        is_quote = body == QUOTE
        if self._escaped or b"\\" in block:
            is_quote[self._escaped_in(body)] = False
        inside = np.bitwise_xor.accumulate(is_quote.view(np.uint8)).view(np.bool_)
        if self.in_string:
            inside = ~inside
        at = np.flatnonzero((_ROLES[body] != 0) & ~inside)
        byte = body[at]
        roles = _ROLES[byte]
        depth = self.depth + np.cumsum(np.where(roles == _DIVIDES, 0, roles), dtype=np.int64)
        if depth.size:
            self.depth = int(depth[-1])
        if inside.size:
            self.in_string = bool(inside[-1])
        return Marks(at, byte, depth, inside)

    def _escaped_in(self, body: Bytes) -> Offsets:
        """Which bytes are taken by a backslash before them; of a run of backslashes every second one is."""
        at: Offsets = np.flatnonzero(body == _BACKSLASH)
        at = at[at > 0] if self._escaped else at
        order = np.arange(at.size)
        begin = np.maximum.accumulate(np.where(np.diff(at, prepend=-2) != 1, order, 0))
        taken: Offsets = at[(order - begin) % 2 == 0] + 1
        if self._escaped:
            taken = np.insert(taken, 0, 0)
        self._escaped = bool(taken.size) and int(taken[-1]) == body.size
        return taken[taken < body.size]
