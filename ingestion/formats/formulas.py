"""Formulas of .xlsx that have no result in the file: a reader sees empty cells where Excel shows values."""

import re
import zipfile
from pathlib import Path
from typing import IO

_SHEETS = "xl/worksheets/"
_READ_BYTES = 1 << 20
_CELL_BYTES_MAX = 1 << 16
_FORMULA = b"<f"
_WITHOUT_RESULT = re.compile(rb"<f\b(?:[^>]*/>|[^>]*[^>/]>[^<]*</f>|>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>")


def without_result(path: Path) -> int:
    """How many cells hold a formula and no value: a program that does not calculate wrote them."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.startswith(_SHEETS) and name.endswith(".xml")]
        return sum(_count(archive.open(name)) for name in names)


def _count(sheet: IO[bytes]) -> int:
    count, kept = 0, b""
    with sheet:
        while data := sheet.read(_READ_BYTES):
            data = kept + data
            end = data.rfind(b"</c>") + len(b"</c>")
            kept = data[end:][-_CELL_BYTES_MAX:]
            if _FORMULA in data:
                count += len(_WITHOUT_RESULT.findall(data, 0, end))
    return count
