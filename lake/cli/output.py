"""Rows as text: tables for people, CSV and JSON lines for programs. Pure: what is written where is the command's."""

from collections.abc import Sequence

import polars as pl
from rich.cells import cell_len, set_cell_size

from catalog.errors import UsageError

MISSING = "∅"
"""A missing value in a table for people; the text NULL is common in dirty data, and empty text is shown as nothing."""

CELL_WIDTH_MIN = 12
"""A column of a table that is too wide for the terminal is cut down to this, not further."""

GAP = "  "


def as_table(frame: pl.DataFrame, width: int | None = None) -> str:
    """Rows in columns below their names; with a ``width``, cut to it, or each row as a block of lines.

    >>> print(as_table(pl.DataFrame({"carrier": ["UA", None], "flights": [58665, 7]})))
    carrier  flights
    -------  -------
    UA         58665
    ∅              7
    """
    cells = {series.name: [_visible(value) for value in series] for series in _texts(frame)}
    natural = [max(map(cell_len, (_visible(name), *column))) for name, column in cells.items()]
    widths = natural if width is None else fit(natural, width)
    if widths is None:
        return _blocks(cells, frame.height, width or 0)
    right = [dtype.is_numeric() for dtype in frame.schema.values()]
    lines = [list(map(_visible, cells)), ["-" * size for size in widths], *map(list, zip(*cells.values(), strict=True))]
    return "\n".join(
        GAP.join(
            _padded(text, size, to_right) for text, size, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def fit(widths: Sequence[int], width: int) -> list[int] | None:
    """The columns' widths with the widest cut until all fit; None where they do not at their least.

    >>> fit([5, 40, 20], 60), fit([5, 40, 20], 20)
    ([5, 31, 20], None)
    """
    fitted = list(widths)
    room = width - len(GAP) * (len(fitted) - 1)
    while sum(fitted) > room:
        widest = fitted.index(max(fitted))
        if fitted[widest] <= CELL_WIDTH_MIN:
            return None
        fitted[widest] -= 1
    return fitted


def as_csv(frame: pl.DataFrame, *, header: bool) -> str:
    r"""Rows by RFC 4180, lines ending in ``\n``: a missing value is nothing, an empty text is ``""``.

    Times are ISO 8601, bytes are hex, and what is nested is JSON.

    >>> as_csv(pl.DataFrame({"a": ["x,y", "", None]}), header=True)
    'a\n"x,y"\n""\n\n'
    """
    return plain(frame).write_csv(include_header=header)


def as_jsonl(frame: pl.DataFrame) -> tuple[str, int]:
    """Rows as one JSON object a line, and how many numbers JSON lacks (NaN, infinities), which are written as null.

    Whole decimals are numbers, others text with all their digits; times are ISO 8601, bytes are hex.

    >>> as_jsonl(pl.DataFrame({"a": [1.5, float("nan")]}))
    ('{"a":1.5}\\n{"a":null}\\n', 1)
    """
    floats = [series for series in frame if series.dtype.is_float()]
    lost = sum(int((~series.is_finite()).sum()) for series in floats)
    whole = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Decimal) and dtype.scale == 0]
    return plain(frame.with_columns(pl.col(whole).cast(pl.Int128)), nested=False).write_ndjson(), lost


def plain(frame: pl.DataFrame, *, nested: bool = True) -> pl.DataFrame:
    """The rows with numbers, truth values and text only: times as ISO 8601, bytes as hex; what is nested as JSON.

    Raises `UsageError` for bytes inside of what is nested, which JSON does not hold.
    """
    for name, dtype in frame.schema.items():
        if dtype.is_nested() and "Binary" in str(dtype):
            raise UsageError(f"column {name!r} holds bytes in {dtype}", next="write it as Parquet: --format parquet")
    return frame.with_columns(_plain(name, dtype, nested) for name, dtype in frame.schema.items())


def _plain(name: str, dtype: pl.DataType, nested: bool) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.f" + ("%:z" if dtype.time_zone else "")).str.replace(
            r"\+00:00$", "Z"
        )
    if isinstance(dtype, pl.Time):
        return column.dt.strftime("%H:%M:%S%.f")
    if isinstance(dtype, pl.Binary):
        return column.bin.encode("hex")
    if nested and dtype.is_nested():
        inside = pl.struct(column.alias("x")).struct.json_encode()
        return pl.when(column.is_not_null()).then(inside.str.slice(len('{"x":')).str.head(-1)).alias(name)
    return column


def _texts(frame: pl.DataFrame) -> pl.DataFrame:
    return plain(frame).cast(pl.String)


def _visible(text: str | None) -> str:
    return MISSING if text is None else visible(text)


def visible(text: str) -> str:
    """Text as a terminal may show it: what steers the terminal is spelled out."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _padded(text: str, width: int, right: bool) -> str:
    if cell_len(text) > width:
        return set_cell_size(text, width - 1) + "…"
    space = " " * (width - cell_len(text))
    return space + text if right else text + space


def _blocks(cells: dict[str, list[str]], rows: int, width: int) -> str:
    """Each row as a block of lines, a column a line: what is left of a table that is too wide for the terminal."""
    names = [_visible(name) for name in cells]
    margin = max(map(cell_len, names))
    room = max(CELL_WIDTH_MIN, width - margin - len(GAP))
    blocks = []
    for row in range(rows):
        values = [column[row] for column in cells.values()]
        cut = [_padded(value, min(room, cell_len(value)), False) for value in values]
        lines = [_padded(name, margin, False) + GAP + value for name, value in zip(names, cut, strict=True)]
        blocks.append("\n".join([f"-- row {row + 1} --", *lines]))
    return "\n".join(blocks) or GAP.join(names)
