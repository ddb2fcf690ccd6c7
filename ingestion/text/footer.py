"""What may stand below a table: kept back until a row follows, which shows that it was none, or the file ends."""

from dataclasses import dataclass, replace

from ingestion.text.cells import is_note
from ingestion.text.header import is_footer
from ingestion.text.verdict import Accepted, Rejected, Verdict

_REMARK_WORDS_MIN = 3

LINES_MAX = 50
"""So many lines may stand below a table; where there are more, the table itself is in question."""


@dataclass(frozen=True)
class Note:
    """A record that is a footer unless a row follows, the line on which it begins, and its bytes."""

    verdict: Verdict
    number: int
    raw: bytes


class Footer:
    """The notes that are kept back, in order."""

    def __init__(self, delimiter: bytes) -> None:
        self._delimiter = delimiter
        self._notes: list[Note] = []

    def takes(self, verdict: Verdict) -> bool:
        """Whether a record may be part of a footer: words in the first cell alone, or a line that nothing divides.

        Behind such a line any reject is kept back too, so that rejects stay in order.
        """
        if len(self._notes) > LINES_MAX:
            return False
        if isinstance(verdict, Accepted):
            return is_footer([cell.decode() for cell in verdict.fields])
        return bool(self._notes) or self._is_undivided(verdict)

    def keep(self, note: Note) -> None:
        """Keep a record back."""
        self._notes.append(note)

    def released(self) -> list[Note]:
        """What was kept back, as it was judged: a row follows."""
        notes, self._notes = self._notes, []
        return notes

    def below(self, *, has_rows: bool) -> list[tuple[Rejected, int]]:
        """What was kept back, with the lines: the file ends, so these are notes below the table, if there is one."""
        return [(self._judged(note, has_rows=has_rows), note.number) for note in self.released()]

    def _judged(self, note: Note, *, has_rows: bool) -> Rejected:
        if isinstance(note.verdict, Accepted):
            reason = f"line {note.number} looks like a note below the table"
            return Rejected("footer", reason, note.verdict.lines, note.raw)
        if has_rows and self._is_undivided(note.verdict):
            reason = f"line {note.number} looks like a note below the table"
            return replace(note.verdict, rule="footer", message=reason)
        return note.verdict

    def _is_undivided(self, verdict: Rejected) -> bool:
        is_whole = verdict.rule == "width" and bool(self._delimiter) and self._delimiter not in verdict.raw
        return is_whole and _is_remark(verdict.raw.decode().strip())


def _is_remark(text: str) -> bool:
    """Whether a line is more like a remark than like the first value of a record that was cut off.

    >>> _is_remark("______"), _is_remark("Total 12 rows"), _is_remark("West"), _is_remark("2026-01")
    (True, True, False, False)
    """
    return is_note(text) or not text[:1].isalnum() or len(text.split()) >= _REMARK_WORDS_MIN
