"""Whether a file tells its header from its data: the one thing about it that a reader can only infer."""

import re

from tests.dirty.tables import NULLS
from tests.dirty.writers import Written

_TYPED = re.compile(
    r"[-+]?\d+([.,]\d+)?%?|[-+]?\d{1,3}([., \u00a0\u202f]\d{3})*([.,]\d+)?|\d\d([./])\d\d\4\d{4}|\d{4}-\d\d-\d\d"
    r"|\d{4}M\d\d|[\d.]+e\+\d+|[-\d]+T[\d:]+Z"
)
_SHARE = 0.95


def is_told(written: Written) -> bool:
    """Whether a column holds numbers or dates in nearly all records, damaged ones not counted."""
    rows = [piece.cells for piece in written.pieces if piece.kind == "record" and piece.cells is not None]
    strays = sum(piece.kind not in {"record", "header", "blank"} or piece.damage != "" for piece in written.pieces)
    for column in range(written.table.width):
        cells = [row[column] for row in rows if row[column] not in NULLS]
        typed = sum(_TYPED.fullmatch(cell) is not None for cell in cells)
        first = bool(rows) and _TYPED.fullmatch(rows[0][column]) is not None
        if first and typed >= 3 and typed >= _SHARE * (len(cells) + strays):
            return True
    return False
