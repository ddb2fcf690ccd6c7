"""Which function reads which format."""

import importlib
from collections.abc import Mapping

from ingestion.found import Reader

READERS: Mapping[str, str] = {
    "csv": "ingestion.text.csvfile:read_csv",
    "fixed": "ingestion.formats.fixed:read_fixed",
    "json": "ingestion.formats.jsonfile:read_json",
    "ndjson": "ingestion.formats.jsonfile:read_ndjson",
    "geojson": "ingestion.formats.jsonfile:read_geojson",
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


def reader_of(format_: str) -> Reader:
    """The reader of a format. Its module is imported when its first file comes: some take longer than a small file."""
    module, _, function = READERS[format_].partition(":")
    reader: Reader = getattr(importlib.import_module(module), function)
    return reader
