"""Known damage at known places: what happens to files on their way to an office.

Left out is what no reader can tell from sound text: a file that ends inside its last cell, one stray high byte.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from tests.dirty.files import files
from tests.dirty.tables import WIDE
from tests.dirty.writers import Piece, Written

RECORDS_PER_DAMAGE = 6
BAD_BYTES = {
    "utf-8": b"\xff\xfe",
    "utf-16-le": b"\x00\xd8",
    "utf-16-be": b"\xd8\x00",
    "utf-32-le": b"\xff\xff\xff\x7f",
    "utf-32-be": b"\x7f\xff\xff\xff",
    "cp1252": b"\x81",
    "cp1253": b"\xd2",
}


@dataclass(frozen=True)
class Place:
    """Where damage is done: a record by its place among the pieces, a column, and how far into the cell."""

    piece: int
    column: int
    inside: int


Damage = Callable[[Written, Place], Sequence[Piece] | None]
"""Gives the pieces that stand instead of a record; None where the damage cannot be done there."""


def _cell_changed(written: Written, place: Place, name: str, change: Callable[[str, int], str]) -> Sequence[Piece]:
    """A record with one cell changed after it was written: the others are as they were."""
    piece = written.pieces[place.piece]
    cells = list(piece.cells or ())
    texts = [written.writing.record([cell, cell]) for cell in cells]
    texts = [text[: (len(text) - len(written.writing.delimiter)) // 2] for text in texts]
    text = texts[place.column]
    texts[place.column] = change(text, min(place.inside, len(text)))
    cells[place.column] = change(cells[place.column], min(place.inside, len(cells[place.column])))
    return [Piece("record", written.writing.delimiter.join(texts), tuple(cells), name)]


def _short(written: Written, place: Place) -> Sequence[Piece] | None:
    piece = written.pieces[place.piece]
    if written.table.width < 2:
        return None
    cells = (piece.cells or ())[: max(1, place.column)]
    return None if cells == ("",) else [Piece("record", written.writing.record(cells), None, "short")]


def _long(written: Written, place: Place) -> Sequence[Piece] | None:
    piece = written.pieces[place.piece]
    if piece.text.endswith("\\"):
        return None
    text = piece.text + written.writing.delimiter + ("" if place.inside % 2 else "more")
    return [Piece("record", text, None, "long")]


def _may_pair(written: Written, place: Place) -> bool:
    """Whether a stray quote may close what another opens, with no whole record between: a sound field of many lines."""
    if written.table.width == 1:
        return any("quote" in damage for damage in written.damages)
    before, after = written.pieces[: place.piece], written.pieces[place.piece + 1 :]
    telling = (
        [p.damage for p in side if p.kind == "record" and (not p.damage or "quote" in p.damage)]
        for side in (before[::-1], after)
    )
    return any(next(iter(damages), "") for damages in telling)


def _quote_within(written: Written, place: Place) -> Sequence[Piece] | None:
    quote = written.writing.quote or '"'
    if _may_pair(written, place):
        return None
    return _cell_changed(written, place, "quote within", lambda text, at: text[:at] + quote + text[at:])


def _text_after_quote(written: Written, place: Place) -> Sequence[Piece] | None:
    if not written.writing.quote:
        return None
    quoted = f"{written.writing.quote}%s{written.writing.quote}x"
    return _cell_changed(written, place, "text after quote", lambda text, _: quoted % text.replace('"', ""))


def _space_before_quote(written: Written, place: Place) -> Sequence[Piece] | None:
    if not written.writing.quote or written.table.width == 1:
        return None
    quoted = f" {written.writing.quote}%s{written.writing.quote}"
    return _cell_changed(written, place, "space before quote", lambda text, _: quoted % text.strip('"'))


def _stray_end(written: Written, place: Place) -> Sequence[Piece] | None:
    """A carriage return inside a cell, without quotes: a line end to whoever takes all of them for one."""
    pieces = _split(written, place)
    if pieces is None or set(written.writing.ends) == {"\r"}:
        return None
    return [replace(pieces[0], end="\r", damage="stray end"), replace(pieces[1], damage="stray end")]


def _spaces(written: Written, place: Place) -> Sequence[Piece] | None:
    """A line of nothing but spaces behind a record."""
    if written.writing.delimiter == " ":
        return None
    return [written.pieces[place.piece], Piece("record", " " * (place.inside + 1), None, "spaces")]


def _half_again(written: Written, place: Place) -> Sequence[Piece] | None:
    """The beginning of a record, and then the whole of it: what was written again after a failure."""
    piece = written.pieces[place.piece]
    if written.table.width < 2:
        return None
    text = written.writing.record((piece.cells or ())[:1])
    return [Piece("record", text, None, "half again"), piece] if text else None


def _quote_lost(written: Written, place: Place) -> Sequence[Piece] | None:
    """A quote is gone. Without an escaped one the backslash before it would be text, and the record sound."""
    piece, quote = written.pieces[place.piece], written.writing.quote
    places = [match.start() for match in re.finditer(rf"(?<!\\){quote}", piece.text)] if quote else []
    if not places or _may_pair(written, place):
        return None
    at = places[place.inside % len(places)]
    return [Piece("record", piece.text[:at] + piece.text[at + 1 :], None, "quote lost")]


def _nul(written: Written, place: Place) -> Sequence[Piece]:
    return _cell_changed(written, place, "nul", lambda text, at: text[:at] + "\0" + text[at:])


def _bad_bytes(written: Written, place: Place) -> Sequence[Piece] | None:
    """Bytes that are nothing in the encoding, where enough other characters say what it is."""
    encoding = written.writing.encoding
    if encoding not in BAD_BYTES or sum(letter > "\x7f" for letter in written.text) < 8:
        return None
    piece = written.pieces[place.piece]
    before, after = piece.text[: place.inside].encode(encoding), piece.text[place.inside :].encode(encoding)
    return [replace(piece, damage="bad bytes", raw=before + BAD_BYTES[encoding] + after)]


def _joined(written: Written, place: Place) -> Sequence[Piece] | None:
    if place.piece + 1 >= len(written.pieces) or written.pieces[place.piece + 1].kind != "record":
        return None
    after = written.pieces[place.piece + 1]
    if after.damage or written.table.width == 1:
        return None
    return [Piece("record", written.pieces[place.piece].text + after.text, None, "joined"), Piece("gone", "")]


def _split(written: Written, place: Place) -> Sequence[Piece] | None:
    piece = written.pieces[place.piece]
    at = min(place.inside + 1, len(piece.text) - 1)
    if at < 1 or "\n" in piece.text or "\r" in piece.text or (written.writing.quote or '"') in piece.text:
        return None
    return [Piece("record", piece.text[:at], None, "split"), Piece("record", piece.text[at:], None, "split")]


def _other_delimiter(written: Written, place: Place) -> Sequence[Piece] | None:
    piece, delimiter = written.pieces[place.piece], written.writing.delimiter
    if written.table.width < 3 or written.writing.quote in piece.text:
        return None
    return [Piece("record", piece.text.replace(delimiter, ";" if delimiter == "," else ","), None, "other delimiter")]


def _late_mark(written: Written, place: Place) -> Sequence[Piece] | None:
    """A byte order mark in the middle: two files were copied into one."""
    piece = written.pieces[place.piece]
    cells = piece.cells or ("",)
    marked = replace(piece, text="\ufeff" + piece.text, cells=("\ufeff" + cells[0], *cells[1:]), damage="mark")
    return [marked] if written.writing.encoding in WIDE and place.piece > 0 else None


def _double_end(written: Written, place: Place) -> Sequence[Piece]:
    """A file that went through text mode twice: lines end with CR CR LF."""
    return [replace(written.pieces[place.piece], end="\r\r\n", damage="double end")]


DAMAGES: dict[str, Damage] = {
    "short": _short,
    "long": _long,
    "quote within": _quote_within,
    "text after quote": _text_after_quote,
    "quote lost": _quote_lost,
    "space before quote": _space_before_quote,
    "stray end": _stray_end,
    "spaces": _spaces,
    "half again": _half_again,
    "nul": _nul,
    "bad bytes": _bad_bytes,
    "joined": _joined,
    "split": _split,
    "other delimiter": _other_delimiter,
    "mark": _late_mark,
    "double end": _double_end,
}


def damaged(written: Written, kind: str, place: Place) -> Written:
    """A file after damage; the same file where it cannot be done there."""
    instead = DAMAGES[kind](written, place)
    if instead is None:
        return written
    skipped = sum(piece.kind == "gone" for piece in instead)
    kept = [piece for piece in instead if piece.kind != "gone"]
    pieces = (*written.pieces[: place.piece], *kept, *written.pieces[place.piece + 1 + skipped :])
    return replace(written, pieces=pieces)


def cut_off(written: Written) -> Written:
    """A file that ends in the middle of a record, before its last cell."""
    records = [at for at, piece in enumerate(written.pieces) if piece.kind == "record" and not piece.damage]
    if len(records) < RECORDS_PER_DAMAGE or written.table.width < 3:
        return written
    last = written.pieces[records[-1]]
    text = written.writing.record((last.cells or ())[:-2])
    if not text:
        return written
    pieces = (*written.pieces[: records[-1]], Piece("record", text[: len(text) // 2 + 1], None, "cut off"))
    return replace(written, pieces=pieces, writing=replace(written.writing, last_ends=False))


@st.composite
def damaged_files(draw: st.DrawFn) -> Written:
    """A file of any kind with some damage, so little that most of its records are sound."""
    written = draw(files(RECORDS_PER_DAMAGE + 1))
    records = sum(piece.kind == "record" for piece in written.pieces)
    kinds = draw(st.lists(st.sampled_from(list(DAMAGES)), min_size=1, max_size=max(1, records // RECORDS_PER_DAMAGE)))
    for kind in kinds:
        sound = [at for at, piece in enumerate(written.pieces) if piece.kind == "record" and not piece.damage]
        if len(sound) < RECORDS_PER_DAMAGE:
            break
        place = Place(
            draw(st.sampled_from(sound)), draw(st.integers(0, written.table.width - 1)), draw(st.integers(0, 6))
        )
        written = damaged(written, kind, place)
    if draw(st.integers(0, 9)) == 9:
        written = cut_off(written)
    return written


@st.composite
def long_files(draw: st.DrawFn, size_bytes_min: int = 100_000) -> Written:
    """A file whose damage stands behind all that a reader can sample: its sound records come many times before."""
    written = draw(damaged_files())
    sound = tuple(piece for piece in written.pieces if piece.kind == "record" and not piece.damage)
    first = next(at for at, piece in enumerate(written.pieces) if piece.kind == "record")
    size_bytes = sum(len(piece.text) + 1 for piece in sound)
    times = draw(st.sampled_from([1_700 // len(sound), 1_700 // len(sound), size_bytes_min // size_bytes])) + 1
    pieces = (*written.pieces[:first], *sound * times, *written.pieces[first:])
    return replace(written, pieces=pieces)
