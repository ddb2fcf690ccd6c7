"""Files of every family with records that are known, for tests that count what became of them."""

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

Record = tuple[str, ...]
Table = tuple[Record, ...]


@dataclass(frozen=True)
class Sample:
    """A file, the records that it holds, and how many more are damaged."""

    body: bytes
    records: tuple[Record, ...]
    damaged: int = 0


MADE: dict[bytes, Sample] = {}
"""Every sample that was made, by its bytes: so a file that was dropped tells what it holds."""

FILLERS = 30


def sample(form: str, *ids: object) -> Sample:
    """A file of this form, one of `FORMS`, with a record ``id``, ``note`` for each of these."""
    return make(form, ("id", "note"), [(str(i), f"note {i}") for i in ids])


def make(form: str, columns: Record, records: Sequence[Record]) -> Sample:
    """A file of this form with these records; a dirty one has more of them, so that the damage is a small share."""
    is_dirty = form == "dirty csv"
    fillers = [(f"x{i}", *records[0][1:]) for i in range(FILLERS)] if is_dirty else []
    held = (*records, *fillers)
    made = Sample(FORMS[form]((columns, *held)), held, 2 if is_dirty else 0)
    return MADE.setdefault(made.body, made)


def _csv(table: Table) -> bytes:
    return b"".join(",".join(row).encode() + b"\n" for row in table)


def _dirty_csv(table: Table) -> bytes:
    """One record more that is too short, and one that is too long."""
    lines = _csv(table).splitlines(keepends=True)
    long = ",".join(["far", "too", "long", *table[0]]).encode()
    return b"".join([*lines[:5], b"short\n", *lines[5:9], long + b"\n", *lines[9:]])


def _utf16(table: Table) -> bytes:
    return _csv(table).decode().replace(",", ";").encode("utf-16")


def _parquet(table: Table) -> bytes:
    schema = pa.schema([(name, pa.string()) for name in table[0]])
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(_dicts(table), schema), out)
    return out.getvalue()


def _xlsx(table: Table) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet("all")
        for row, record in enumerate(table):
            for column, text in enumerate(record):
                sheet.write_string(row, column, text)
    return out.getvalue()


def _ndjson(table: Table) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in _dicts(table))


def _json(table: Table) -> bytes:
    return json.dumps(_dicts(table)).encode()


def _xml(table: Table) -> bytes:
    rows = ("".join(f"<{name}>{text}</{name}>" for name, text in record.items()) for record in _dicts(table))
    return ('<?xml version="1.0"?><all>' + "".join(f"<one>{row}</one>" for row in rows) + "</all>").encode()


def _gzip(table: Table) -> bytes:
    return gzip.compress(_csv(table), mtime=0)


def _zip(table: Table) -> bytes:
    """Two members, half of the records in each, and a third that is no table."""
    out, half = io.BytesIO(), len(table) // 2 + 1
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("one.csv"), _csv(table[:half]))
        archive.writestr(zipfile.ZipInfo("more/two.csv"), _csv((table[0], *table[half:])))
        archive.writestr(zipfile.ZipInfo("readme.pdf"), b"%PDF-1.4\n%%EOF\n")
    return out.getvalue()


def _tar(table: Table) -> bytes:
    out, body = io.BytesIO(), _csv(table)
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("all.csv")
        member.size = len(body)
        archive.addfile(member, io.BytesIO(body))
    return out.getvalue()


def _dicts(table: Table) -> list[dict[str, str]]:
    return [dict(zip(table[0], record, strict=True)) for record in table[1:]]


FORMS: dict[str, Callable[[Table], bytes]] = {
    "csv": _csv,
    "dirty csv": _dirty_csv,
    "utf-16": _utf16,
    "parquet": _parquet,
    "xlsx": _xlsx,
    "ndjson": _ndjson,
    "json": _json,
    "xml": _xml,
    "gzip": _gzip,
    "zip": _zip,
    "tar": _tar,
}
"""How each form is written: a table is its column names and its records. A file's name need not tell its form."""
