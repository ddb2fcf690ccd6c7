"""The careful path: every record of a text table once among the rows, unaltered, or once among the rejects.

A file is seen in pieces of whole lines. Lines that are records by themselves are copied in bulk; from any other line
the tokeniser reads one record, which is accepted or rejected, and reading goes on behind it. Nothing is padded, cut or
mended. At the end the account of lines and bytes must close.
"""

import codecs
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from ingestion.refusal import FileRefused
from ingestion.text.account import LineAccount
from ingestion.text.blocks import RECORD_BYTES_MAX, Flags
from ingestion.text.clean import CleanFile
from ingestion.text.dialect import Dialect
from ingestion.text.encoding import Text
from ingestion.text.footer import Footer, Note
from ingestion.text.head import Head
from ingestion.text.lines import LineRules, Lines, numbered
from ingestion.text.rejects import RejectFile
from ingestion.text.tokens import EdgeQuotes, Grammar
from ingestion.text.verdict import Accepted, Judge, Rejected, Verdict

PIECE_BYTES = 1 << 20

_FOOTER_BYTES_MAX = 1 << 14
_COMMENTS_KEPT_MAX = 100
_COMMENT_CHARACTERS_MAX = 1000


@dataclass
class _Piece:
    """Whole lines of the file, the first of which has a number and an offset.

    ``kept`` are lines to copy as they stand, ``skipped`` those that are no record, ``records`` the accepted ones among
    the others, by the line on which they begin.
    """

    lines: Lines
    number: int
    offset: int
    kept: Flags
    skipped: Flags
    records: dict[int, list[bytes]] = field(default_factory=dict)

    def consume(self, begin: int, end: int) -> None:
        """Lines that a record takes are nothing by themselves."""
        if end > begin:
            self.kept[begin:end] = self.skipped[begin:end] = False


class CarefulReader:
    """Reads one file into a file of clean records and one of rejects; ``comments`` has the first few by their lines.

    Where quotes are text, and this is not ``certain``, they may enclose line ends all the same.
    """

    def __init__(
        self, text: Text, dialect: Dialect, head: Head, out: tuple[CleanFile, RejectFile], *, certain: bool = False
    ) -> None:
        self._text = text
        self._head = head
        self._clean, self._rejects = out
        grammar, width = Grammar.of(dialect), len(dialect.header)
        edges = None if grammar.quote or certain else EdgeQuotes(grammar.delimiter, width)
        self._judge = Judge(grammar, width, [row.cells for row in head.rows], dialect.comment.encode(), edges)
        apart = b"\0" + (b"\\" if grammar.escapes else b"") + self._clean.marks
        self._rules = LineRules(grammar, width, dialect.comment.encode(), apart, edges)
        self._patches: Mapping[int, str] = {}
        self._patched: list[int] = []
        self._footer = Footer(grammar.delimiter)
        self._footer_offset = 0
        self.account = LineAccount(
            above=head.lines - len(head.doubtful),
            rejects=len(head.doubtful),
            size_bytes=head.offset - text.begin,
        )
        self.patches_used = 0
        self.comments: dict[int, str] = {}

    def read(self, patches: Mapping[int, str], piece_bytes: int = PIECE_BYTES) -> LineAccount:
        """Read the whole file; raises `FileRefused` where a line has no end or the account does not close."""
        self._patches, self._patched = patches, sorted(patches)
        for number, line in self._head.doubtful.items():
            reason = f"line {number} stands above the table: a title, or a damaged record"
            self._rejects.add(number, "header", reason, line)
        with self._text.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            self._footer_offset = max(0, size - _FOOTER_BYTES_MAX)
            file.seek(self._head.offset)
            self._read_pieces(file, piece_bytes)
        for rejected, number in self._footer.below(has_rows=self._clean.records > 0):
            self._reject(rejected, number)
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
            lines = Lines(pending[:cut] if is_ended else pending + b"\n", self._rules)
            taken = self._take(lines, number, offset, last)
            consumed = min(int(lines.starts[taken]), cut)
            self.account.size_bytes += consumed
            number, offset, pending = number + taken, offset + consumed, pending[consumed:]

    def _take(self, lines: Lines, number: int, offset: int, last: bool) -> int:
        """Read the records of a piece; how many of its lines are done with: not a record that may go on behind it."""
        longest = int(np.argmax(np.diff(lines.starts)))
        if lines.starts[longest + 1] - lines.starts[longest] > RECORD_BYTES_MAX:
            raise _endless(number + longest)
        apart, skipped = self._divide(lines, number, offset)
        piece = _Piece(lines, number, offset, ~(apart | skipped), skipped)
        at, taken = 0, len(lines)
        for line in np.flatnonzero(apart).tolist():
            if line < at:
                continue
            verdict = self._judge.of_line(lines, line, number + line, last)
            if verdict is None:
                taken = line
                break
            at = line + verdict.lines
            piece.consume(line + 1, at)
            self._settle(self._patch(verdict, number + line), piece, line)
        piece.consume(taken, len(lines))
        self._keep(piece)
        return taken

    def _divide(self, lines: Lines, number: int, offset: int) -> tuple[Flags, Flags]:
        """The lines that the tokeniser is to read, and those that are nothing at the beginning of a record."""
        skipped = lines.is_comment
        if skipped.any():
            skipped = skipped & ~lines.is_divided
        if self._rules.width > 1:
            skipped = skipped | lines.is_blank
        apart = ~lines.is_sound | lines.is_apart | lines.is_comment
        apart[lines.starts[:-1] + offset >= self._footer_offset] = True
        apart[numbered(self._text.bad_lines, number, len(lines))] = True
        for row in self._head.rows:
            apart[lines.equal_to(row.raw)] = True
            apart[lines.equal_to(codecs.BOM_UTF8 + row.raw)] = True
            apart[lines.quoted_like(row.cells)] = True
        apart[numbered(self._patched, number, len(lines))] = True
        return apart & ~skipped, skipped

    def _keep(self, piece: _Piece) -> None:
        """Write the rows of a piece that is done with, and count its lines that are no records."""
        self._clean.take(piece.lines, piece.kept, piece.records, piece.number)
        self.account.rows += int(np.count_nonzero(piece.kept))
        comments = np.flatnonzero(piece.skipped & piece.lines.is_comment)
        for line in comments[: _COMMENTS_KEPT_MAX - len(self.comments)].tolist():
            self.comments[piece.number + line] = piece.lines.raw(line, line + 1).decode()[:_COMMENT_CHARACTERS_MAX]
        self.account.comments += comments.size
        self.account.blank += int(np.count_nonzero(piece.skipped)) - comments.size

    def _patch(self, verdict: Verdict, number: int) -> Verdict:
        """The verdict on the text that was given for the record on a line, or the one on the record itself."""
        text = self._patches.get(number)
        if text is None:
            return verdict
        self.patches_used += 1
        return self._judge.of_patch(text, number, verdict.lines)

    def _settle(self, verdict: Verdict, piece: _Piece, at: int) -> None:
        number = piece.number + at
        is_bad = len(self._text.bad_lines) > 0 and number not in self._patches
        if is_bad and numbered(self._text.bad_lines, number, verdict.lines).size:
            reason = f"the record on line {number} holds bytes that are not {self._text.encoding}"
            verdict = Rejected("encoding", reason, verdict.lines, piece.lines.raw(at, at + verdict.lines))
        if piece.offset + piece.lines.bounds[at][0] >= self._footer_offset and self._footer.takes(verdict):
            self._footer.keep(Note(verdict, number, piece.lines.raw(at, at + verdict.lines)))
            return
        for note in self._footer.released():
            self._decide(note.verdict, piece, note.number)
        self._decide(verdict, piece, number)

    def _decide(self, verdict: Verdict, piece: _Piece, number: int) -> None:
        if isinstance(verdict, Rejected):
            self._reject(verdict, number)
        else:
            self._accept(verdict, piece, number)

    def _accept(self, accepted: Accepted, piece: _Piece, number: int) -> None:
        """A row; a note that turned out to be one may stand above the piece."""
        self.account.rows += accepted.lines
        if number < piece.number:
            self._clean.add(accepted.fields, number)
        else:
            piece.records[number - piece.number] = accepted.fields

    def _reject(self, rejected: Rejected, number: int) -> None:
        self._rejects.add(number, rejected.rule, rejected.message, rejected.raw.decode())
        self.account.rejects += rejected.lines

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


def _cut(data: bytes) -> int:
    """Where the last line ends of which it is certain where it ends: a line feed may follow a final return."""
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1


def _endless(line: int) -> FileRefused:
    reason = f"line {line} is longer than {RECORD_BYTES_MAX:,} bytes"
    return FileRefused("record-size", reason, line=line)
