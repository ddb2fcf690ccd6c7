"""A landed file read whole: its format told, its archives opened, each of its tables written.

A file of an archive is a file of its own: what is wrong with it costs itself, never its neighbours. Where a reader
fails in the midst of a file, what was written of that file goes.
"""

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import polars as pl

from catalog.zones import identifier, stem_of
from ingestion import limits
from ingestion.formats.allowance import FILE_BYTES_MAX, Allowance, TooMuch, require_depth
from ingestion.formats.archive import FOLDER, Member, measure_zip, members
from ingestion.formats.detect import detect, inner_name
from ingestion.formats.media import media_type
from ingestion.formats.signatures import ARCHIVES, RAW, STREAMS
from ingestion.formats.streams import unpack_stream
from ingestion.found import Found, Source
from ingestion.options import DatasetPolicy
from ingestion.protocol import Parsed, ParseRequest, Part, Rejected
from ingestion.readers import reader_of
from ingestion.refusal import FileRefused
from ingestion.selection import Notes, empty_folders, reason_to_skip
from ingestion.write import write_part

_NO_RECORDS = ("footer", "header")
"""Rules of lines that are set aside and are no bad records: notes below a table, and its header once more."""

TABLES_MAX = 200
"""A document with a key for every region or day is one table in a form of its own, and not thousands."""

_ZIPPED = ("xlsx", "xlsb", "ods")
_MENDABLE = ("csv", "fixed", "json", "ndjson", "geojson", "xlsx", "xls", "xlsb", "ods")

_log = logging.getLogger("ingestion.worker")


def read_file(request: ParseRequest, told: Callable[[str], None] = lambda _: None) -> Parsed:
    """Read a file into Parquet files below ``request.out``. Raises `FileRefused` where nothing of it can be read.

    ``told`` hears of each member of an archive before it is read, by the name that rows have in ``_file``. Raises the
    system's own error where the machine is to blame.
    """
    scratch = request.out / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        reading = _Reading(request, told)
        format_ = reading.read(_File(request.path, request.name, scratch))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    parsed = reading.parsed(format_)
    if not (parsed.parts or parsed.refused or parsed.kept):
        raise FileRefused("empty", "; ".join(("it holds no table that is to be read", *parsed.notices)))
    return parsed


@dataclass(frozen=True)
class _File:
    """A file to read: the landed one, or one out of an archive, which ``fragment`` names.

    ``path`` may lie in ``scratch``, which is this file's own.
    """

    path: Path
    name: str
    scratch: Path
    fragment: str = ""
    depth: int = 1

    def inner(self, name: str, fragment: str) -> "_File":
        """A file that this one holds, in a scratch folder of its own."""
        scratch = self.scratch / "inner"
        scratch.mkdir()
        return _File(scratch / "file", name, scratch, fragment, self.depth + 1)


@dataclass
class _Result:
    """What was read so far of a landed file; ``tables`` grow by what its own parts bring."""

    tables: dict[str, pl.Schema]
    parts: list[Part] = field(default_factory=list)
    refused: list[Rejected] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def mark(self) -> "_Result":
        """The result as it is now."""
        return _Result(dict(self.tables), list(self.parts), list(self.refused), list(self.kept))

    def back_to(self, before: "_Result") -> None:
        """Take back what came since, files and all."""
        for part in self.parts[len(before.parts) :]:
            _remove(part)
        vars(self).update(vars(before))


class _Reading:
    """Reads one landed file."""

    def __init__(self, request: ParseRequest, told: Callable[[str], None]) -> None:
        self._request = request
        self._told = told
        self._options = request.policy.read
        self._allowance = Allowance(request.path.stat().st_size)
        self._result = _Result(dict(request.tables))
        self._notes = Notes()
        self._written = 0

    def parsed(self, format_: str) -> Parsed:
        """What was read, as the reply."""
        made = self._result
        named = {part.file for part in made.parts} | {refused.file for refused in made.refused}
        for unused in sorted(self._request.patches.keys() - named):
            self._notes.add("corrected, and not among what was read", unused)
        return Parsed(format_, tuple(made.parts), tuple(made.refused), tuple(made.kept), tuple(self._notes.lines()))

    def read(self, file: _File) -> str:
        """Read one file and say what it is: ``csv.gz``, say. Raises `FileRefused`: then nothing of it is there."""
        pinned = self._options.format or ("fixed" if self._options.fixed else None)
        format_ = detect(file.path, file.name, pinned)
        if format_ in STREAMS:
            return f"{self._read_stream(file, format_)}.{format_}"
        if format_ in ARCHIVES:
            self._read_archive(file, format_)
        elif format_ == RAW:
            self._result.kept.append(file.fragment)
            self._notes.add(f"kept and not read, {media_type(file.path, file.name)}", file.fragment)
        else:
            self._read_tables(file, format_)
        return format_

    def _read_stream(self, file: _File, format_: str) -> str:
        """Read what a compressed file holds in its place."""
        require_depth(file.depth)
        inner = file.inner(inner_name(file.name), file.fragment)
        limits.limit_file_size(FILE_BYTES_MAX)
        try:
            unpack_stream(file.path, format_, inner.path, self._allowance, file.depth)
            return self.read(inner)
        finally:
            shutil.rmtree(inner.scratch, ignore_errors=True)

    def _read_archive(self, file: _File, format_: str) -> None:
        """Read the members of an archive one after another, each on disk alone."""
        require_depth(file.depth)
        before = self._result.mark()
        folders: list[str] = []
        files: list[str] = []
        try:
            for member in members(file.path, format_, self._allowance, file.depth):
                (folders if member.kind == FOLDER else files).append(member.name)
                if member.kind != FOLDER:
                    self._read_member(file, member)
        except BaseException:
            self._result.back_to(before)
            raise
        for folder in empty_folders(folders, files):
            self._notes.add("empty folders", folder)

    def _read_member(self, file: _File, member: Member) -> None:
        """Read one member: what is wrong with it costs it alone. Raises `TooMuch`, which costs them all."""
        fragment = _joined(file.fragment, member.name)
        if reason := reason_to_skip(member, fragment, self._options.members):
            self._notes.add(reason, fragment)
            return
        if member.leads_out:
            self._notes.add("read, though its path leads out of the archive", fragment)
        inner = file.inner(member.name, fragment)
        self._told(self._named(fragment))
        try:
            if end := self._request.deadly.get(self._named(fragment)):
                raise FileRefused("worker", end)
            limits.limit_file_size(FILE_BYTES_MAX)
            member.unpack(inner.path)
            self.read(inner)
        except TooMuch:
            raise
        except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001 - hostile input may raise anything
            self._refuse(fragment, error)
        finally:
            shutil.rmtree(inner.scratch, ignore_errors=True)

    def _read_tables(self, file: _File, format_: str) -> None:
        """Read the tables of one file; those written go again where it proves unreadable."""
        source = self._source(file, format_)
        if (source.patches or source.patches_apart) and format_ not in _MENDABLE:
            raise FileRefused("patch", f"a {format_} file has no records that could be given another text")
        if format_ in _ZIPPED:
            measure_zip(file.path, self._allowance, file.depth)
        limits.limit_output([file.path])
        before = self._result.mark()
        try:
            for found in reader_of(format_)(source):
                self._write(file, found)
        except BaseException:
            self._result.back_to(before)
            raise

    def _source(self, file: _File, format_: str) -> Source:
        """What the reader is given, with a person's corrections of this file and of its parts, such as a sheet.

        The file has its format for a suffix, which some libraries look at.
        """
        path = file.scratch / f"source.{format_}"
        path.symlink_to(file.path.absolute())
        named = self._named(file.fragment)
        inner = f"{named}/" if file.fragment else f"{named}#"
        patches = self._request.patches
        apart = {name.removeprefix(inner): lines for name, lines in patches.items() if name.startswith(inner)}
        return Source(path, file.name, file.scratch, self._options, patches.get(named, {}), apart)

    def _write(self, file: _File, found: Found) -> None:
        """Write one table. One that is refused costs the file where it is the whole of it, else itself only."""
        fragment = _joined(file.fragment, found.fragment)
        try:
            self._take(replace(found, fragment=fragment, part=self._part(file, found)))
        except (Exception, pl.exceptions.PanicException) as error:
            if not found.fragment:
                raise
            self._refuse(fragment, error)

    def _part(self, file: _File, found: Found) -> str:
        """Which table of the dataset takes the rows: where members have tables apart, the member's name says."""
        if not self._options.apart or not file.fragment:
            return found.part
        stem = stem_of(PurePosixPath(file.fragment).name)
        return f"{stem} {found.part}" if found.part else stem

    def _take(self, found: Found) -> None:
        self._require_few_tables(found)
        self._written += 1
        part = write_part(found, self._request, self._written, self._result.tables)
        try:
            _require_tolerable(part, self._request.policy)
        except FileRefused:
            _remove(part)
            raise
        self._result.parts.append(part)
        self._result.tables[part.table] = part.schema

    def _require_few_tables(self, found: Found) -> None:
        tables = {part.table for part in self._result.parts}
        if len(tables) >= TABLES_MAX and found.part and identifier(found.part) not in tables:
            reason = f"a file may fill {TABLES_MAX} tables: say what repeats, [datasets.X] records, or leave apart out"
            raise FileRefused("tables", reason)

    def _refuse(self, fragment: str, error: BaseException) -> None:
        """Set a part of the file aside; raises the error again where the machine is to blame for it."""
        refused = limits.refusal(error)
        if refused is None:
            raise error
        if refused is not error:
            _log.error("%s failed", self._named(fragment), exc_info=error)
        self._result.refused.append(Rejected(refused.rule, refused.reason, refused.line, self._named(fragment)))

    def _named(self, fragment: str) -> str:
        return f"{self._request.name}#{fragment}" if fragment else self._request.name


def _require_tolerable(part: Part, policy: DatasetPolicy) -> None:
    """Raise `FileRefused` where more records are bad than the policy allows; a footer is no bad record."""
    if part.rejects is None:
        return
    rejects = pl.scan_parquet(part.rejects, glob=False).filter(~pl.col("rule").is_in(_NO_RECORDS))
    bad = rejects.select(pl.len()).collect().item()
    if policy.bad_rows_max is not None and bad > policy.bad_rows_max:
        allowed = f"{policy.bad_rows_max:,} may be"
    elif bad > policy.bad_share_max * part.records:
        allowed = f"{policy.bad_share_max:.2%} may be"
    else:
        return
    line, message = rejects.select("line", "message").head(1).collect().row(0)
    reason = f"{bad:,} of {part.records:,} records are bad, {allowed}; the first, on line {line}: {message}"
    raise FileRefused("tolerance", reason, line=line)


def _joined(*fragments: str) -> str:
    return "/".join(filter(None, fragments))


def _remove(part: Part) -> None:
    part.path.unlink(missing_ok=True)
    if part.rejects is not None:
        part.rejects.unlink(missing_ok=True)
