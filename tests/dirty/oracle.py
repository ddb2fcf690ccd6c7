"""Compares what was read with what was written: nothing lost, doubled or altered without a reason.

A record that was written is once in the rows, exactly and with its line, or once in the rejects, with its raw text; or
the whole file is refused. A reader may misunderstand a file, so long as it sets aside what it misunderstood.
"""

import codecs
import re
from collections import Counter
from collections.abc import Iterator

from tests.dirty.cells import is_told
from tests.dirty.outcome import Broken, Read, Refused, Reject
from tests.dirty.tables import WIDE, Cells
from tests.dirty.writers import LINE_END, PLAIN_DELIMITERS, Piece, Placed, Written

REMARKS = (
    "one column",
    "header as row",
    "first record as header",
    "other header, said",
    "extra row",
    "sound rejected",
    "recoded",
)
"""What a reader may do that is not exact, the worst first; all of it leaves a trace."""

_UNICODE = {codecs.lookup(name).name for name in WIDE}
_BEYOND_ASCII = re.compile("[^\x00-\x7f]+")


def judge(written: Written, got: Read | Refused) -> str:
    """The outcome in a word or two; raises `Broken` where something is lost, doubled or altered in silence."""
    if isinstance(got, Refused):
        return f"refused: {got.rule}"
    return _Comparison(written, got).outcome()


class _Comparison:
    """Goes through what was written, and strikes out what was read."""

    def __init__(self, written: Written, got: Read) -> None:
        self.written = written
        self.got = got
        self.told = is_told(written)
        self.remarks: set[str] = set()
        self.rows = dict(got.rows)
        self.covering = self._covering()
        self.encoding = _codec(str(got.dialect.get("encoding", "utf-8")))

    def outcome(self) -> str:
        """Compare everything; the worst of what is allowed."""
        doubled = [line for line, count in Counter(line for line, _ in self.got.rows).items() if count > 1]
        if doubled:
            raise Broken(f"line {doubled[0]} is the line of several rows")
        if [line for line, _ in self.got.rows] != sorted(self.rows):
            raise Broken("the rows are not in the order of the file")
        if self.got.lines != self.written.lines:
            raise Broken(f"{self.got.lines} lines were counted, there are {self.written.lines}")
        for placed in self.written.placed():
            getattr(self, f"_{placed.piece.kind}")(placed)
        if self.rows:
            line, cells = next(iter(self.rows.items()))
            raise Broken(f"a row that nobody wrote, on line {line}: {cells}")
        self._check_header()
        self._check_lines()
        return next((remark for remark in REMARKS if remark in self.remarks), "exact")

    def _check_lines(self) -> None:
        """The account of lines closes: each is above the table, in a row, in a reject, a comment or blank."""
        lines = self.got.dialect.get("lines")
        if isinstance(lines, dict):
            counted = sum(count for what, count in lines.items() if what != "size_bytes")
            if counted != self.got.lines:
                raise Broken(f"{counted} lines are accounted for, there are {self.got.lines}")

    def _record(self, placed: Placed) -> None:
        if placed.piece.damage:
            self._damaged(placed)
        elif not self._is_row(placed) and not self._is_first_as_header(placed):
            self._check_rejected(placed)
            self.remarks.add("sound rejected")

    def _other(self, placed: Placed) -> None:
        """A line of a second table: a row as it stands, or a reject."""
        if not self._is_row(placed):
            self._check_rejected(placed)

    def _again(self, placed: Placed) -> None:
        """A repeated header is a reject; it may be a row where the first one is, and nothing tells it from data.

        Neither is it told where its letters and marks are others, in the code page that the file was said to be in.
        """
        is_told = self.told and "recoded" not in self.remarks
        if placed.first in self.rows and (is_told or "header as row" not in self.remarks):
            raise Broken(f"the header that is repeated on line {placed.first} became a row")
        if not self._is_row(placed):
            self._check_rejected(placed)

    def _note(self, placed: Placed) -> None:
        if not self._is_extra(placed):
            self._check_rejected(placed)

    def _title(self, placed: Placed) -> None:
        """Text beside a table is a row as it stands, kept with the dialect, among the names, or a reject."""
        if not self._is_extra(placed) and not self._is_kept(placed.first, placed.piece.text):
            self._check_named(placed)

    _comment = _title

    def _blank(self, placed: Placed) -> None:
        if placed.first in self.rows and self.rows[placed.first] == ("",) and self.written.table.width == 1:
            del self.rows[placed.first]

    def _header(self, placed: Placed) -> None:
        if self._is_row(placed):
            if not self.got.said:
                raise Broken(f"the header on line {placed.first} became a row, and nothing says so")
            self.remarks.add("header as row")
        elif not self._is_kept(placed.first, placed.piece.text):
            self._check_named(placed)

    def _damaged(self, placed: Placed) -> None:
        """Each line of a damaged record is a row as it stands, or covered by a reject."""
        whole = self.rows.get(placed.first)
        if whole is not None and (whole in self._accepted(placed.piece) or self._is_raw(whole, placed.piece)):
            self._is_row(placed)
            return
        lines, damage = LINE_END.split(placed.piece.text), f"damage, {placed.piece.damage}"
        for number, text in enumerate(lines, start=placed.first):
            row = self.rows.pop(number, None)
            rest = "\n".join(lines[number - placed.first :])
            if row is not None and row not in self._as_they_stand(text) | {self._literal(rest)}:
                raise Broken(f"{damage}, altered on line {number}: {row}")
            if row is None and (self._is_kept(number, text) or self._is_named(placed.piece)):
                continue
            if row is None and text and number not in self.covering:
                raise Broken(f"{damage}, lost on line {number}: {text!r}")
            if row is not None and number in self.covering:
                raise Broken(f"{damage}, doubled on line {number}: {text!r}")

    def _is_row(self, placed: Placed) -> bool:
        row = self.rows.pop(placed.first, None)
        if row is None:
            return False
        if row not in self._accepted(placed.piece) and not self._is_raw(row, placed.piece):
            was = placed.piece.cells or placed.piece.text
            raise Broken(f"a {placed.piece.kind} became another: {was!r} on line {placed.first} became {row}")
        both = [line for line in range(placed.first, placed.last + 1) if line in self.covering]
        if both:
            raise Broken(f"line {both[0]} is in a row, and in the rejects")
        return True

    def _is_extra(self, placed: Placed) -> bool:
        """Whether what is no record became a row as it stands, in whatever dialect the reader took it for."""
        if placed.first not in self.rows:
            return False
        self.remarks.add("extra row")
        delimiter = str(self.got.dialect["delimiter"])
        if delimiter and self.rows[placed.first] == tuple(placed.piece.text.split(delimiter)):
            del self.rows[placed.first]
            return True
        return self._is_row(placed)

    def _is_first_as_header(self, placed: Placed) -> bool:
        """Whether a reader took the first record for names, and says so, where no column tells them apart."""
        first = next(piece for piece in self.written.pieces if piece.kind == "record")
        taken = placed.piece is first and not self.written.table.head and self.got.header in self._accepted(first)
        is_told = self.told and "one column" not in self.remarks
        if taken and not is_told and self.got.said:
            self.remarks.add("first record as header")
            return True
        return False

    def _is_kept(self, line: int, text: str) -> bool:
        """Whether lines are told with the dialect, as titles above the table or a comment."""
        titles, comments = self.got.dialect.get("titles", ()), self.got.dialect.get("comments", {})
        kept = {text.strip() for text in (*titles, comments.get(str(line), ""))}  # type: ignore[misc, attr-defined]
        lines = [part for part in LINE_END.split(text) if part.strip()]
        return lines != [] and all(any(seen.strip() in kept for seen in self._seen(part)) for part in lines)

    def _is_named(self, piece: Piece) -> bool:
        """Whether all that stands in a piece is among the names, with its quotes where they are said to be text."""
        cells, names = piece.cells or (piece.text,), self.got.dialect["delimiter"] or " "
        names = f" {str(names).join(self.got.header)} {' '.join(self.got.header)}"
        seen = list(self._recoded(cells))
        if self.got.dialect.get("quote") == "" and self.got.said:
            seen.append(self._literal(piece.text))
        return any(map(str.strip, cells)) and any(all(cell in names for cell in cells) for cells in seen)

    def _are_names(self, text: str) -> bool:
        """Whether a line is some of the names as they stand, divided as the reader divided it."""
        delimiter = str(self.got.dialect["delimiter"])
        return {*(text.split(delimiter) if delimiter else [text])} <= {*self.got.header}

    def _check_named(self, placed: Placed) -> None:
        """A piece is among the names, or rejected; where quotes are said to be text, each of its lines by itself."""
        if self._is_named(placed.piece):
            return
        is_apart = self.got.dialect.get("quote") == "" and len(self.got.said) > 0
        for number, text in self._lines(placed):
            is_one = self.got.dialect["delimiter"] == "" and self.rows.get(number) == (text,)
            if is_apart and is_one and number not in self.covering:
                self.remarks.add("extra row")
                del self.rows[number]
            elif not is_apart or number in self.covering or not self._are_names(text):
                self._check_line(number, text)

    def _check_rejected(self, placed: Placed) -> None:
        """Each line of a piece is in the rejects, with its text."""
        for number, text in self._lines(placed):
            self._check_line(number, text)

    def _lines(self, placed: Placed) -> Iterator[tuple[int, str]]:
        for number, text in enumerate(LINE_END.split(placed.piece.text), start=placed.first):
            if text or placed.first == placed.last:
                yield number, text

    def _check_line(self, number: int, text: str) -> None:
        reject = self.covering.get(number)
        if reject is None:
            raise Broken(f"line {number} is lost: {text!r}")
        if not any(_contains(reject.record, seen) for seen in self._seen(text)):
            raise Broken(f"line {number} is rejected as another text: {text!r}, {reject.record!r}")

    def _covering(self) -> dict[int, Reject]:
        """The reject by each physical line that it takes."""
        covering: dict[int, Reject] = {}
        for reject in self.got.rejects:
            if not reject.rule or not reject.message:
                raise Broken(f"line {reject.line} is rejected without a reason")
            for line in range(reject.line, reject.line + len(LINE_END.findall(reject.record.rstrip("\r\n"))) + 1):
                if line in covering:
                    raise Broken(f"line {line} is rejected twice")
                covering[line] = reject
        return covering

    def _check_header(self) -> None:
        expected = self.written.table.names if self.written.table.head else None
        if expected is None or self.got.header in self._spaced({tuple(cells) for cells in self._recoded(expected)}):
            return
        if not self.got.said:
            raise Broken(f"the header is {self.got.header}, not {expected}, and nothing says so")
        self.remarks.add("other header, said")

    def _accepted(self, piece: Piece) -> set[Cells]:
        """The rows that a piece may become."""
        accepted = set(self._recoded(piece.cells)) if piece.cells is not None else set()
        is_narrow = self.got.dialect["delimiter"] == "" and self.written.table.width > 1
        if is_narrow and self.written.writing.delimiter not in PLAIN_DELIMITERS:
            self.remarks.add("one column")
            accepted |= set(self._recoded((piece.text,)))
        if piece.damage or piece.cells is None:
            accepted |= self._as_they_stand(piece.text)
        return self._spaced(accepted)

    def _spaced(self, rows: set[Cells]) -> set[Cells]:
        """The rows, also with the spaces that are left of a comma and a space where the comma alone divides."""
        if self.written.writing.delimiter != ", ":
            return rows
        return rows | {(cells[0], *(f" {cell}" for cell in cells[1:])) for cells in rows}

    def _is_raw(self, row: Cells, piece: Piece) -> bool:
        """Whether a row is a piece with bad bytes, read in a code page that was named, in which they are letters."""
        if piece.raw is None or piece.cells is None or not self.got.said or self.encoding in _UNICODE:
            return False
        return [_BEYOND_ASCII.sub("", cell) for cell in row] == [_BEYOND_ASCII.sub("", cell) for cell in piece.cells]

    def _as_they_stand(self, text: str) -> set[Cells]:
        """The rows that damaged text may be; what was written with a comma and a space may be read with a comma."""
        rows = {self._literal(text), self._unquoted(text)}
        if (self.written.writing.delimiter, self.got.dialect["delimiter"]) == (", ", ","):
            rows.add(tuple(text.split(",")))
        return rows

    def _literal(self, text: str) -> Cells:
        """A record's cells with nothing taken for a quote."""
        cells = text.split(self.written.writing.delimiter) if self.written.table.width > 1 else [text]
        return list(self._recoded(tuple(cells)))[-1]

    def _unquoted(self, text: str) -> Cells:
        """A line that was left of a damaged record, read by itself."""
        quote, delimiter = self.written.writing.quote or '"', re.escape(self.written.writing.delimiter)
        cell = rf"{quote}(?:[^{quote}]|{quote}{quote})*{quote}(?={delimiter}|\Z)|(?:(?!{delimiter}).)*"
        cells = re.findall(rf"(?:\A|{delimiter})({cell})", text, re.DOTALL)
        quoted = [part.startswith(quote) and part.endswith(quote) and len(part) > 1 for part in cells]
        return tuple(
            part[1:-1].replace(quote * 2, quote) if inside else part for part, inside in zip(cells, quoted, strict=True)
        )

    def _recoded(self, cells: Cells) -> Iterator[Cells]:
        """Cells as they are; else as they look in the code page that the reader took the file for, and named."""
        yield cells
        if self.written.writing.encoding not in WIDE and self.got.said:
            seen = tuple("".join(self._seen_as(cell)) for cell in cells)
            if seen != cells:
                self.remarks.add("recoded")
                yield seen

    def _seen(self, text: str) -> Iterator[str]:
        yield text
        yield from self._seen_as(text)

    def _seen_as(self, text: str) -> Iterator[str]:
        yield text.encode(self.written.writing.encoding, "replace").decode(self.encoding, "replace")


def _contains(record: str, text: str) -> bool:
    """Whether a raw record holds a text; what is beyond ASCII may be shown in another way, as it may not be decoded."""
    record, text = LINE_END.sub("\n", record), LINE_END.sub("\n", text)
    parts = _BEYOND_ASCII.split(text)
    return text in record or re.search(".{0,40}?".join(map(re.escape, parts)), record, re.DOTALL) is not None


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise Broken(f"an encoding that nobody knows: {name}") from None
