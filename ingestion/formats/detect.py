"""Files that are not text tables: told by their first bytes or their name, and refused by their own name."""

import codecs
import re
from pathlib import Path, PurePosixPath

from ingestion.refusal import FileRefused

_BY_MAGIC = (
    (b"PK\x03\x04", "a zip archive or an office document"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old office document"),
    (b"$FL2", "an SPSS file"),
    (b"$FL3", "an SPSS file"),
    (b"<stata_dta>", "a Stata file"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"%PDF-", "a PDF document"),
)
_BY_EXTENSION = {
    ".xlsx": "an Excel workbook",
    ".xlsm": "an Excel workbook",
    ".xlsb": "an Excel workbook",
    ".xls": "an Excel workbook",
    ".ods": "an OpenDocument spreadsheet",
    ".parquet": "a Parquet file",
    ".arrow": "an Arrow file",
    ".feather": "an Arrow file",
    ".zip": "a zip archive",
    ".gz": "a gzip file",
    ".bz2": "a bzip2 file",
    ".xz": "an xz file",
    ".zst": "a zstd file",
    ".7z": "a 7z archive",
    ".tar": "a tar archive",
    ".json": "a JSON file",
    ".jsonl": "a JSON file",
    ".ndjson": "a JSON file",
    ".xml": "an XML file",
    ".html": "an HTML page",
    ".htm": "an HTML page",
    ".sav": "an SPSS file",
    ".zsav": "an SPSS file",
    ".por": "an SPSS file",
    ".dta": "a Stata file",
    ".sas7bdat": "a SAS file",
    ".xpt": "a SAS file",
    ".rds": "an R file",
    ".rdata": "an R file",
    ".sqlite": "an SQLite database",
    ".pdf": "a PDF document",
}
_MARKUP = re.compile(rb"<(\?xml|!doctype|html)\b", re.IGNORECASE)
_JSON = re.compile(rb'\{\s*(\}|"[^"\n]*"\s*:)|\[\s*[\[{]')
_UTF16_SAMPLE_BYTES = 1000


def refuse_other_formats(head: bytes, name: str) -> None:
    """Raise `FileRefused` where the first bytes or the extension of a landing key tell another format than text.

    >>> refuse_other_formats(b"PK...", "prices.xlsx")
    Traceback (most recent call last):
    ...
    ingestion.refusal.FileRefused: an Excel workbook is not read yet; it is kept byte for byte in the archive
    """
    extension = PurePosixPath(name).suffix.lower()
    what = _wide_encoding(head) or _BY_EXTENSION.get(extension) or _by_content(head)
    if what is not None:
        raise FileRefused("format", f"{what} is not read yet; it is kept byte for byte in the archive")


def _by_content(head: bytes) -> str | None:
    for magic, what in _BY_MAGIC:
        if head.startswith(magic):
            return what
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if _MARKUP.match(text):
        return "an XML or HTML file"
    return "a JSON file" if _JSON.match(text) else None


def _wide_encoding(head: bytes) -> str | None:
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "text in UTF-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "text in UTF-16"
    sample = head[:_UTF16_SAMPLE_BYTES]
    half = len(sample) // 2
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if half >= 2 and max(even, odd) > 0.6 * half and min(even, odd) < 0.1 * half:
        return "text in UTF-16 without a byte order mark"
    return None


def detect(path: Path, name: str, pinned: str | None) -> str:
    """The format of a file."""
    return pinned or "csv"
