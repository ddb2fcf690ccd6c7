"""The careful path: every record of a text table once among the rows, unaltered, or once among the rejects.

A file is seen in pieces of whole lines. Lines that are records by themselves are copied in bulk; from any other line
the tokeniser reads one record, which is accepted or rejected, and reading goes on behind it. Nothing is padded, cut or
mended. At the end the account of lines and bytes must close.
"""

import codecs
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from ingestion.refusal import FileRefused
from ingestion.text.account import LineAccount
from ingestion.text.blocks import Offsets
from ingestion.text.cells import is_note
from ingestion.text.clean import CleanFile
from ingestion.text.dialect import Dialect
from ingestion.text.encoding import Text
from ingestion.text.gate import RECORD_BYTES_MAX
from ingestion.text.head import Head
from ingestion.text.lines import LineRules, Lines, numbered
from ingestion.text.rejects import RejectFile
from ingestion.text.tokens import Grammar
from ingestion.text.verdict import Accepted, Judge, Rejected, Verdict

PIECE_BYTES = 1 << 20

_FOOTER_BYTES_MAX = 1 << 14
_FOOTER_WIDTH_MIN = 3
_COMMENTS_KEPT_MAX = 100
_COMMENT_CHARACTERS_MAX = 1000


@dataclass(frozen=True)
class _Piece:
    """Whole lines of the file: the first has a number and an offset; the ``last`` piece ends with the file."""

    lines: Lines
    number: int
    offset: int
    last: bool


@dataclass(frozen=True)
class _Note:
    """A record that is a footer unless a record that is none follows."""

    fields: list[bytes]
    number: int
    lines: int
    raw: bytes


class CarefulReader:
    """Reads one file into a file of clean records and one of rejects; ``comments`` has the first few by their lines."""

    def __init__(self, text: Text, dialect: Dialect, head: Head, out: tuple[CleanFile, RejectFile]) -> None:
        self._text = text
        self._head = head
        self._clean, self._rejects = out
        grammar, width = Grammar.of(dialect), len(dialect.header)
        self._judge = Judge(grammar, width, [row.cells for row in head.rows], dialect.comment.encode())
        apart = b"\0" + (b"\\" if grammar.escapes else b"") + self._clean.marks
        self._rules = LineRules(grammar, width, dialect.comment.encode(), apart)
        self._patches: Mapping[int, str] = {}
        self._patched: list[int] = []
        self._notes: list[_Note] = []
        self._footer_offset = 0
        self.account = LineAccount(above=head.lines, size_bytes=head.offset - text.begin)
        self.patches_used = 0
        self.comments: dict[int, str] = {}

    def read(self, patches: Mapping[int, str], piece_bytes: int = PIECE_BYTES) -> LineAccount:
        """Read the whole file; raises `FileRefused` where a line has no end or the account does not close."""
        self._patches, self._patched = patches, sorted(patches)
        with self._text.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            is_narrow = self._judge.width < _FOOTER_WIDTH_MIN
            self._footer_offset = size if is_narrow else max(0, size - _FOOTER_BYTES_MAX)
            file.seek(self._head.offset)
            self._read_pieces(file, piece_bytes)
        self._settle_notes()
        self.account.close(*self._measured())
        return self.account

    def _read_pieces(self, file: BinaryIO, piece_bytes: int) -> None:
        number, offset, pending, last = self._head.lines + 1, self._head.offset, b"", False
        while not last:
            chunk = file.read(max(piece_bytes, len(pending)))
            last = not chunk
            pending += chunk
            cut = len(pending) if last else _cut(pending)
            if not cut:
                if len(pending) > RECORD_BYTES_MAX:
                    raise _endless(number)
                continue
            is_ended = pending[cut - 1 : cut] in {b"\n", b"\r"}
            piece = _Piece(Lines(pending[:cut] if is_ended else pending + b"\n", self._rules), number, offset, last)
            taken = self._take(piece)
            consumed = min(int(piece.lines.starts[taken]), cut)
            self.account.size_bytes += consumed
            number, offset, pending = number + taken, offset + consumed, pending[consumed:]

    def _take(self, piece: _Piece) -> int:
        """Read the records of a piece; how many of its lines are done with: not a record that may go on behind it."""
        at, lines = 0, piece.lines
        longest = int(np.argmax(np.diff(lines.starts)))
        if lines.starts[longest + 1] - lines.starts[longest] > RECORD_BYTES_MAX:
            raise _endless(piece.number + longest)
        skipped, apart = self._divide(piece)
        for line in apart.tolist():
            if line < at:
                continue
            verdict = self._judge.of_line(lines, line, piece.number + line, piece.last)
            if verdict is None:
                self._copy(piece, at, line, skipped)
                return int(line)
            self._copy(piece, at, line, skipped)
            self._settle(self._patch(verdict, piece.number + line), piece, line)
            at = line + verdict.lines
        self._copy(piece, at, len(lines), skipped)
        return len(lines)

    def _divide(self, piece: _Piece) -> tuple[Offsets, Offsets]:
        """The lines that are nothing at the beginning of a record, and those that the tokeniser is to read."""
        lines = piece.lines
        skipped = lines.is_comment & ~lines.is_divided
        if self._rules.width > 1:
            skipped |= lines.is_blank
        apart = ~lines.is_sound | lines.is_apart | lines.is_comment
        apart[lines.starts[:-1] + piece.offset >= self._footer_offset] = True
        apart[numbered(self._text.bad_lines, piece.number, len(lines))] = True
        for row in self._head.rows:
            apart[lines.equal_to(row.raw)] = True
            apart[lines.equal_to(codecs.BOM_UTF8 + row.raw)] = True
            apart[lines.quoted_like(row.cells)] = True
        apart[numbered(self._patched, piece.number, len(lines))] = True
        apart &= ~skipped
        return np.flatnonzero(skipped), np.flatnonzero(apart)

    def _copy(self, piece: _Piece, begin: int, end: int, skipped: Offsets) -> None:
        """Copy lines up to another, but for those that are nothing, which are counted."""
        if begin == end:
            return
        low, high = np.searchsorted(skipped, [begin, end])
        which = np.arange(begin, end)
        if high > low:
            comments = skipped[low:high][piece.lines.is_comment[skipped[low:high]]]
            for line in comments[: _COMMENTS_KEPT_MAX - len(self.comments)].tolist():
                self.comments[piece.number + line] = piece.lines.raw(line, line + 1).decode()[:_COMMENT_CHARACTERS_MAX]
            self.account.comments += comments.size
            self.account.blank += int(high - low) - comments.size
            which = np.delete(which, skipped[low:high] - begin)
        if which.size:
            self._release_notes()
            self._clean.copy(piece.lines, which, piece.number)
            self.account.rows += which.size

    def _patch(self, verdict: Verdict, number: int) -> Verdict:
        """The verdict on the text that was given for the record on a line, or the one on the record itself."""
        text = self._patches.get(number)
        if text is None:
            return verdict
        self.patches_used += 1
        return self._judge.of_patch(text, number, verdict.lines)

    def _settle(self, verdict: Verdict, piece: _Piece, at: int) -> None:
        number = piece.number + at
        is_patched = number in self._patches
        if not is_patched and numbered(self._text.bad_lines, number, verdict.lines).size:
            reason = f"the record on line {number} holds bytes that are not {self._text.encoding}"
            verdict = Rejected("encoding", reason, verdict.lines, piece.lines.raw(at, at + verdict.lines))
        if isinstance(verdict, Rejected):
            self._reject(verdict, number)
        elif piece.offset + piece.lines.starts[at] >= self._footer_offset and _is_footer(verdict.fields):
            raw = piece.lines.raw(at, at + verdict.lines)
            self._notes.append(_Note(verdict.fields, number, verdict.lines, raw))
        else:
            self._release_notes()
            self._accept(verdict, number)

    def _accept(self, accepted: Accepted, number: int) -> None:
        self._clean.add(accepted.fields, number)
        self.account.rows += accepted.lines

    def _reject(self, rejected: Rejected, number: int) -> None:
        self._rejects.add(number, rejected.rule, rejected.message, rejected.raw.decode())
        self.account.rejects += rejected.lines

    def _release_notes(self) -> None:
        """Records that read like notes are rows where others follow."""
        for note in self._notes:
            self._accept(Accepted(note.fields, note.lines), note.number)
        self._notes.clear()

    def _settle_notes(self) -> None:
        for note in self._notes:
            reason = f"line {note.number} looks like a note below the table"
            self._reject(Rejected("footer", reason, note.lines, note.raw), note.number)
        self._notes.clear()

    def _measured(self) -> tuple[int, int]:
        """The lines and bytes of the file, counted by themselves."""
        lines, size, before = 0, 0, b"\n"
        with self._text.path.open("rb") as file:
            file.seek(self._text.begin)
            while chunk := file.read(1 << 20):
                lines += chunk.count(b"\n") + chunk.count(b"\r") - chunk.count(b"\r\n")
                lines -= before == b"\r" and chunk.startswith(b"\n")
                size += len(chunk)
                before = chunk[-1:]
        return lines + (before not in {b"\n", b"\r"}), size


def _is_footer(fields: list[bytes]) -> bool:
    return is_note(fields[0].decode()) and not any(field.strip() for field in fields[1:])


def _cut(data: bytes) -> int:
    """Where the last line ends of which it is certain where it ends: a line feed may follow a final return."""
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1


def _endless(line: int) -> FileRefused:
    reason = f"line {line} is longer than {RECORD_BYTES_MAX:,} bytes"
    return FileRefused("record-size", reason, line=line)
