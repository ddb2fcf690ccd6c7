"""One small file of each format that is read, made by a common library: the same two rows in each."""

import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import fastavro
import polars as pl
import pyarrow as pa
import pyreadstat
import xlsxwriter
import xlwt
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P
from pyarrow import orc

ROWS = [{"id": 1, "name": "Ähre"}, {"id": 2, "name": "b"}]
FRAME = pl.DataFrame(ROWS)


def _written(write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path)
        return path.read_bytes()


def _buffered(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def _cells() -> list[list[object]]:
    return [list(ROWS[0]), *(list(row.values()) for row in ROWS)]


def _xlsx(buffer: io.BytesIO) -> None:
    with xlsxwriter.Workbook(buffer) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(_cells()):
            sheet.write_row(number, 0, row)


def _xls(buffer: io.BytesIO) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet1")
    for number, row in enumerate(_cells()):
        for column, cell in enumerate(row):
            sheet.write(number, column, cell)
    book.save(buffer)


def _ods(buffer: io.BytesIO) -> None:
    document = OpenDocumentSpreadsheet()
    table = Table(name="Sheet1")
    for row in _cells():
        line = TableRow()
        for cell in row:
            kind = {"valuetype": "float", "value": cell} if isinstance(cell, int) else {"valuetype": "string"}
            stored = TableCell(**kind)
            stored.addElement(P(text=str(cell)))
            line.addElement(stored)
        table.addElement(line)
    document.spreadsheet.addElement(table)
    document.save(buffer)


def _avro(buffer: io.BytesIO) -> None:
    fields = [{"name": "id", "type": "long"}, {"name": "name", "type": "string"}]
    fastavro.writer(buffer, {"type": "record", "name": "row", "fields": fields}, ROWS)


def _geojson() -> bytes:
    features = [
        {"type": "Feature", "properties": row, "geometry": {"type": "Point", "coordinates": [1, 2]}} for row in ROWS
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def _xml() -> bytes:
    rows = "".join(f"<row><id>{row['id']}</id><name>{row['name']}</name></row>" for row in ROWS)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<rows>{rows}</rows>'.encode()


SAMPLES: dict[str, bytes] = {
    "csv": "id;name\n1;Ähre\n2;b\n".encode("cp1252"),
    "json": json.dumps(ROWS).encode(),
    "ndjson": "".join(f"{json.dumps(row)}\n" for row in ROWS).encode(),
    "geojson": _geojson(),
    "xml": _xml(),
    "parquet": _buffered(FRAME.write_parquet),
    "arrow": _buffered(FRAME.write_ipc),
    "orc": _buffered(lambda buffer: orc.write_table(pa.table(FRAME.to_dict(as_series=False)), buffer)),
    "avro": _buffered(_avro),
    "xlsx": _buffered(_xlsx),
    "xls": _buffered(_xls),
    "ods": _buffered(_ods),
    "sav": _written(lambda path: pyreadstat.write_sav(FRAME, str(path))),
    "dta": _written(lambda path: pyreadstat.write_dta(FRAME, str(path))),
    "xpt": _written(lambda path: pyreadstat.write_xport(FRAME, str(path))),
}
"""By format; no common library writes .xlsb or .sas7bdat."""
