"""Files are told by what they hold: a name that lies is overruled, and what nobody can read is kept raw."""

import io
import zipfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import orc

from ingestion.formats.detect import detect, inner_name
from ingestion.formats.media import media_type
from ingestion.formats.textkind import is_text
from ingestion.text.encoding import wide_encoding

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256))
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"
TABLE = b"id;name\n1;a\n2;b\n"
HTML = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000)


def told(folder: Path, data: bytes, name: str, pinned: str | None = None) -> str:
    path = folder / "file"
    path.write_bytes(data)
    return detect(path, name, pinned)


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def parquet() -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({"a": [1]}).write_parquet(buffer)
    return buffer.getvalue()


def arrow() -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({"a": [1]}).write_ipc(buffer)
    return buffer.getvalue()


def arrow_stream() -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({"a": [1]}).write_ipc_stream(buffer)
    return buffer.getvalue()


def orc_file() -> bytes:
    buffer = io.BytesIO()
    orc.write_table(pa.table({"a": [1]}), buffer)
    return buffer.getvalue()


XLSX = zipped(**{"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>"})
XLSB = zipped(**{"[Content_Types].xml": b"<Types/>", "xl/workbook.bin": b"\x83\x01"})
DOCX = zipped(**{"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<document/>"})
ODS = zipped(mimetype=b"application/vnd.oasis.opendocument.spreadsheet", **{"content.xml": b"<x/>"})
ODT = zipped(mimetype=b"application/vnd.oasis.opendocument.text", **{"content.xml": b"<x/>"})
XLS = OLE + "Workbook\0".encode("utf-16-le")


@pytest.mark.parametrize("name", ["data.csv", "data", "data.pdf", "data.xlsx"])
@pytest.mark.parametrize(
    ("data", "format_"),
    [
        (parquet(), "parquet"),
        (arrow(), "arrow"),
        (arrow_stream(), "arrow"),
        (orc_file(), "orc"),
        (b"Obj\x01\x04\x14avro.codec", "avro"),
        (b"\x1f\x8b\x08\x00", "gz"),
        (b"BZh91AY&SY\x00", "bz2"),
        (b"\xfd7zXZ\x00\x00", "xz"),
        (b"\x28\xb5\x2f\xfd\x04", "zst"),
        (zipped(**{"a.csv": TABLE}), "zip"),
        (bytes(257) + b"ustar\x0000" + bytes(248), "tar"),
        (XLSX, "xlsx"),
        (XLSB, "xlsb"),
        (ODS, "ods"),
        (XLS, "xls"),
        (b"$FL2@(#) SPSS DATA FILE", "sav"),
        (b"$FL3@(#) SPSS DATA FILE", "sav"),
        (b"<stata_dta><header>", "dta"),
        (b"\x72\x02\x01\x00", "dta"),
        (b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!000000", "xpt"),
    ],
)
def test_first_bytes_overrule_a_name_that_lies(tmp_path: Path, data: bytes, format_: str, name: str) -> None:
    assert told(tmp_path, data, name) == format_


@pytest.mark.parametrize(
    ("data", "name", "format_"),
    [
        (TABLE, "prices.xls", "csv"),
        (TABLE, "prices.xlsx", "csv"),
        (TABLE, "prices.csv.gz", "csv"),
        (b'{"a": 1}\n', "prices.json.gz", "json"),
        (XLSX, "prices.xls", "xlsx"),
        (XLS, "prices.xlsx", "xls"),
        (OLE + "EncryptedPackage\0".encode("utf-16-le"), "locked.xlsx", "xlsx"),
        (OLE + "WordDocument\0".encode("utf-16-le"), "letter.doc", "raw"),
        (OLE + "WordDocument\0Workbook\0".encode("utf-16-le"), "letter.doc", "raw"),
        (HTML, "prices.csv", "raw"),
        (HTML, "prices.xls", "raw"),
        (b"<table><tr><td>1</td></tr></table>", "prices.xls", "raw"),
        (b"<table><row>1</row><row>2</row></table>", "prices.xml", "xml"),
    ],
)
def test_a_name_that_lies_about_text_is_overruled(tmp_path: Path, data: bytes, name: str, format_: str) -> None:
    assert told(tmp_path, data, name) == format_


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.tsv", "a.dat", "a.asc", "a", "deep/folder/a.2024", "PAR1.csv"])
@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        b"PAR1;PAR2\n1;2\n",
        b"ORC,kind\n1,2\n",
        b"BZh9,b\n1,2\n",
        b"ARROW1,b\n1,2\n",
        b"MZ,BM\n1,2\n",
        b"<5,>5\n1,2\n",
        b"[id],[name]\n1,2\n",
        b"a,b\n1,\x00\n2,x\n",
        TABLE.decode().encode("utf-16"),
        TABLE.decode().encode("utf-16-le"),
        TABLE.decode().encode("utf-16-be"),
        TABLE.decode().encode("utf-32-le"),
        "Straße;Größe\n1;2\n".encode("cp1252"),
        "Улица;Дом\n1;2\n".encode("cp1251"),
        "名前,値\n1,2\n".encode("shift_jis"),
    ],
)
def test_text_is_a_table_whatever_its_encoding(tmp_path: Path, data: bytes, name: str) -> None:
    assert told(tmp_path, data, name) == "csv"


@pytest.mark.parametrize(
    ("data", "name", "format_"),
    [
        (b'{"a": 1}\n{"a": 2}\n', "a.txt", "ndjson"),
        (b'{"a": 1}\r\n\r\n{"a": 2}\r\n', "a.json", "ndjson"),
        (b'{"a": 1}\n', "a.jsonl", "ndjson"),
        (b'{"a": 1}\n', "a.json", "json"),
        (b'{\n  "a": 1\n}\n', "a.json", "json"),
        (b'{\n  "a": 1\n}\n', "a.jsonl", "json"),
        (b'[{"a": 1},\n {"a": 2}]', "a", "json"),
        (b"\xef\xbb\xbf[\n]", "a.json", "json"),
        ('[{"a": "ä"}]'.encode("utf-16"), "a.txt", "json"),
        (b'{"type": "FeatureCollection", "features": []}', "a.json", "geojson"),
        (b'{"features": [], "type": "FeatureCollection"}', "a.geojson", "geojson"),
        (b'<?xml version="1.0"?>\n<rows><row/></rows>', "a.txt", "xml"),
        (b"<!-- made by hand --><rows><row/></rows>", "a.xml", "xml"),
        (b"<rows><row/></rows>\n", "a", "xml"),
        (b'<?xml version="1.0"?><svg xmlns="x"/>', "a.xml", "raw"),
        (b'<?xml version="1.0"?><html xmlns="x"/>', "a.xml", "raw"),
    ],
)
def test_json_and_xml_are_told_by_their_shape(tmp_path: Path, data: bytes, name: str, format_: str) -> None:
    assert told(tmp_path, data, name) == format_


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (PDF, "report.pdf"),
        (PDF, "report.csv"),
        (PNG, "map.png"),
        (PNG, "data.csv"),
        (bytes(range(256)) * 10, "data.txt"),
        (DOCX, "notes.docx"),
        (DOCX, "notes.zip"),
        (ODT, "notes.odt"),
        (b"\x1f\x8b\x08\x00", "model.rds"),
        (b"# Notes\n", "NOTES.md"),
        (b"print(1)\n", "load.py"),
        (b"select 1;\n", "load.sql"),
        (b"Dear colleague,\n", "README.txt"),
        (b"Hallo,\n", "Liesmich"),
        (b"", "empty.pdf.md"),
    ],
)
def test_what_is_no_table_is_kept_raw(tmp_path: Path, data: bytes, name: str) -> None:
    assert told(tmp_path, data, name) == "raw"


@pytest.mark.parametrize(
    ("data", "name", "format_"),
    [
        (b"", "a.csv", "csv"),
        (b"", "a.json", "csv"),
        (b"", "a.xlsx", "xlsx"),
        (b"PK\x03\x04 cut off", "a.xlsx", "xlsx"),
        (b"PK\x03\x04 cut off", "a.zip", "zip"),
        (parquet()[:-20], "a.parquet", "parquet"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a.parquet", "parquet"),
        (PNG, "a.sav", "sav"),
    ],
)
def test_a_damaged_file_goes_to_the_reader_that_can_say_what_is_wrong(
    tmp_path: Path, data: bytes, name: str, format_: str
) -> None:
    assert told(tmp_path, data, name) == format_


@pytest.mark.parametrize(
    ("data", "name", "pinned", "format_"),
    [
        (TABLE, "a.json", "csv", "csv"),
        (TABLE, "a.log", "csv", "csv"),
        (TABLE, "a.csv", "fixed", "fixed"),
        (TABLE, "a.csv", "raw", "raw"),
        (zipped(**{"a.csv": TABLE}), "a.zip", "fixed", "zip"),
        (zipped(**{"a.csv": TABLE}), "a.zip", "raw", "raw"),
        (TABLE, "a.csv", "zip", "csv"),
        (PDF, "a.pdf", "csv", "raw"),
        (TABLE, "readme.txt", "csv", "raw"),
    ],
)
def test_a_pinned_format_holds_for_tables_and_for_members(
    tmp_path: Path, data: bytes, name: str, pinned: str, format_: str
) -> None:
    assert told(tmp_path, data, name, pinned) == format_


def test_a_beginning_made_to_waste_time_does_not(tmp_path: Path) -> None:
    """Comments before the markup are passed over once each, however many there are."""
    assert told(tmp_path, b"<!---->" * 40_000 + b"x", "a.csv") == "csv"
    assert told(tmp_path, b"[" * 300_000, "a.json") == "json"


def test_names_of_what_a_compressed_file_holds() -> None:
    assert inner_name("in/Prices 2024.CSV.GZ") == "in/Prices 2024.CSV"
    assert inner_name("all.tar.xz") == "all.tar"
    assert inner_name("all.TGZ") == "all.tar"
    assert inner_name("prices") == "prices"


def test_text_in_wide_encodings_is_told_without_a_byte_order_mark() -> None:
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        assert wide_encoding("Fläche;Wert\n1;2\n".encode(encoding)) == encoding
    assert wide_encoding(bytes(1000)) is None
    assert not is_text(bytes(1000))


@pytest.mark.parametrize(
    ("data", "name", "media"),
    [
        (PDF, "x.bin", "application/pdf"),
        (PNG, "x", "image/png"),
        (b"# Notes\n", "x.md", "text/markdown"),
        (b"x = 1\n", "x.py", "text/x-python"),
        (HTML, "prices.xls", "text/html"),
        (b"hello\n", "README", "text/plain"),
        (bytes(range(256)), "x", "application/octet-stream"),
        (b"7z\xbc\xaf\x27\x1c\x00", "x.7z", "application/x-7z-compressed"),
    ],
)
def test_a_raw_file_has_a_media_type(tmp_path: Path, data: bytes, name: str, media: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert media_type(path, name) == media
