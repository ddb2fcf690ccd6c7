"""A landed file read whole: its format told, its archives opened, each of its tables written.

A file of an archive is a file of its own: what is wrong with it costs itself, never its neighbours. Where a reader
fails in the midst of a file, what was written of that file goes.
"""

import importlib
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from ingestion import limits
from ingestion.formats.detect import detect
from ingestion.found import Found, Reader, Source
from ingestion.protocol import Parsed, ParseRequest, Part, Rejected
from ingestion.refusal import FileRefused
from ingestion.write import write_part

READERS: Mapping[str, str] = {
    "csv": "ingestion.text.csvfile:read_csv",
    "fixed": "ingestion.formats.fixed:read_fixed",
    "json": "ingestion.formats.jsonfile:read_json",
    "ndjson": "ingestion.formats.jsonfile:read_ndjson",
    "geojson": "ingestion.formats.geojson:read_geojson",
    "xml": "ingestion.formats.xmlfile:read_xml",
    "parquet": "ingestion.formats.columnar:read_parquet",
    "orc": "ingestion.formats.columnar:read_orc",
    "arrow": "ingestion.formats.columnar:read_arrow",
    "avro": "ingestion.formats.avro:read_avro",
    "xlsx": "ingestion.formats.excel:read_workbook",
    "xls": "ingestion.formats.excel:read_workbook",
    "xlsb": "ingestion.formats.excel:read_workbook",
    "ods": "ingestion.formats.excel:read_workbook",
    "sav": "ingestion.formats.statistics:read_sav",
    "dta": "ingestion.formats.statistics:read_dta",
    "sas7bdat": "ingestion.formats.statistics:read_sas7bdat",
    "xpt": "ingestion.formats.statistics:read_xpt",
}
"""The reader of each format; its module is imported when its first file comes: some take longer than a small file."""

_REASON_CHARACTERS_MAX = 400

_log = logging.getLogger("ingestion.worker")


def read_file(request: ParseRequest) -> Parsed:
    """Read a file into Parquet files below ``request.out``. Raises `FileRefused` where nothing of it can be read.

    Raises the system's own error where the machine is to blame.
    """
    scratch = request.out / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        reading = _Reading(request)
        reading.read(_File(request.path, request.name, scratch))
        return reading.parsed()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def refusal(error: BaseException) -> FileRefused | None:
    """What an error that reading raised says of the file; None where the machine is to blame.

    >>> refusal(ValueError("no such column")).reason
    'the parser failed: no such column'
    """
    if isinstance(error, FileRefused):
        return error
    return None if limits.is_of_the_machine(error) else FileRefused("parser", f"the parser failed: {words(error)}")


def words(error: BaseException) -> str:
    """The first line of an error's message, not too long; its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:_REASON_CHARACTERS_MAX]


@dataclass(frozen=True)
class _File:
    """A file to read: the landed one, or one out of an archive, which ``fragment`` names."""

    path: Path
    name: str
    scratch: Path
    fragment: str = ""


@dataclass
class _Reading:
    """What was read so far of a landed file."""

    request: ParseRequest
    format: str = ""
    parts: list[Part] = field(default_factory=list)
    refused: list[Rejected] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    written: int = 0

    def __post_init__(self) -> None:
        self.tables = dict(self.request.tables)

    def parsed(self) -> Parsed:
        """What was read, as the reply."""
        return Parsed(self.format, tuple(self.parts), tuple(self.refused), tuple(self.kept), tuple(self.notices))

    def read(self, file: _File) -> None:
        """Read one file, whatever it is; raises `FileRefused`."""
        pinned = self.request.policy.read.format
        format_ = detect(file.path, file.name, pinned)
        self.format = self.format or format_
        if format_ == "raw":
            self.kept.append(file.fragment)
        else:
            self._read_tables(file, format_)

    def _read_tables(self, file: _File, format_: str) -> None:
        """Read the tables of one file; those written go again where it proves unreadable."""
        tables, parts = dict(self.tables), len(self.parts)
        try:
            for found in _reader(format_)(self._source(file)):
                self._write(file, found)
        except BaseException:
            for part in self.parts[parts:]:
                _remove(part)
            self.tables, self.parts[parts:] = tables, []
            raise

    def _write(self, file: _File, found: Found) -> None:
        """Write one table. One that is refused costs the file where it is the whole of it, else itself only."""
        fragment = "/".join(filter(None, (file.fragment, found.fragment)))
        try:
            self._take(replace(found, fragment=fragment))
        except (Exception, pl.exceptions.PanicException) as error:
            if not found.fragment:
                raise
            self._refuse(fragment, error)

    def _take(self, found: Found) -> None:
        self.written += 1
        part = write_part(found, self.request, self.written, self.tables)
        try:
            self._require_tolerable(part)
        except FileRefused:
            _remove(part)
            raise
        self.parts.append(part)
        self.tables[part.table] = part.schema

    def _require_tolerable(self, part: Part) -> None:
        """Raise `FileRefused` where more records are bad than the policy allows."""
        policy = self.request.policy
        rows_max, share_max = policy.bad_rows_max, policy.bad_share_max
        if part.rejects is None or part.rejected == 0:
            return
        if rows_max is not None and part.rejected > rows_max:
            allowed = f"{rows_max:,} may be"
        elif part.rejected > share_max * part.records:
            allowed = f"{share_max:.2%} may be"
        else:
            return
        line, message = pl.scan_parquet(part.rejects, glob=False).select("line", "message").head(1).collect().row(0)
        bad = f"{part.rejected:,} of {part.records:,} records are bad, {allowed}"
        raise FileRefused("tolerance", f"{bad}; the first, on line {line}: {message}", line=line)

    def _source(self, file: _File) -> Source:
        limits.limit_output([file.path])
        patches = self.request.patches.get(self._named(file.fragment), {})
        return Source(file.path, file.name, file.scratch, self.request.policy.read, patches)

    def _refuse(self, fragment: str, error: BaseException) -> None:
        """Set a part of the file aside; raises the error again where the machine is to blame for it."""
        refused = refusal(error)
        if refused is None:
            raise error
        if refused is not error:
            _log.error("%s failed", self._named(fragment), exc_info=error)
        self.refused.append(Rejected(refused.rule, refused.reason, refused.line, self._named(fragment)))

    def _named(self, fragment: str) -> str:
        return f"{self.request.name}#{fragment}" if fragment else self.request.name


def _reader(format_: str) -> Reader:
    module, _, function = READERS[format_].partition(":")
    reader: Reader = getattr(importlib.import_module(module), function)
    return reader


def _remove(part: Part) -> None:
    part.path.unlink(missing_ok=True)
    if part.rejects is not None:
        part.rejects.unlink(missing_ok=True)
