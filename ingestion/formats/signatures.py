"""What tells formats apart: the bytes at a file's beginning, and the extension of its name."""

import re

RAW = "raw"
"""The format of what is kept and not read."""

STREAMS = ("gz", "bz2", "xz", "zst")
"""Formats that hold one file without a name of its own."""

ARCHIVES = ("zip", "tar")
"""Formats that hold files."""

MAGIC: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), format_)
    for pattern, format_ in (
        (rb"\x1f\x8b\x08", "gz"),
        (rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", "bz2"),
        (rb"\xfd7zXZ\x00", "xz"),
        (rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", "zst"),
        (rb".{257}ustar", "tar"),
        (rb"Obj\x01", "avro"),
        (rb"ARROW1\x00\x00|FEA1.*\x00|\xff{4}..\x00\x00.\x00{3}", "arrow"),
        (rb"\$FL[23]@\(#\)", "sav"),
        (rb"<stata_dta>|[\x69\x6c\x6e\x6f\x71\x72\x73][\x01\x02]\x01", "dta"),
        (rb"\x00{12}\xc2\xea\x81\x60\xb3\x14\x11\xcf\xbd\x92\x08\x00\x09\xc7\x31\x8c\x18\x1f\x10\x11", "sas7bdat"),
        (rb"HEADER RECORD\*{7}LIB", "xpt"),
    )
)
"""Beginnings that no text has; a zip archive and an old office document are told by what they hold."""

ZIP = re.compile(rb"PK(\x03\x04|\x05\x06|\x07\x08)")
OLE = re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")

DOCUMENTS = (b"%PDF-", b"{\\rtf", b"%!PS")
"""Beginnings of documents that pass for text."""

BOOKS = {".xlsx": "xlsx", ".xlsm": "xlsx", ".xltx": "xlsx", ".xltm": "xlsx", ".xls": "xls", ".xlt": "xls"}
BOOKS |= {".xlsb": "xlsb", ".ods": "ods", ".ots": "ods"}

BINARY_EXTENSIONS = BOOKS | {
    ".parquet": "parquet",
    ".parq": "parquet",
    ".pq": "parquet",
    ".avro": "avro",
    ".orc": "orc",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".sav": "sav",
    ".zsav": "sav",
    ".dta": "dta",
    ".sas7bdat": "sas7bdat",
    ".xpt": "xpt",
    ".xport": "xpt",
    ".zip": "zip",
    ".tar": "tar",
}
"""A file of such a name that is not what it says is refused by that format's reader, which says why."""

STREAM_EXTENSIONS = {
    ".gz": "",
    ".gzip": "",
    ".bz2": "",
    ".xz": "",
    ".zst": "",
    ".zstd": "",
    ".tgz": ".tar",
    ".tbz": ".tar",
    ".tbz2": ".tar",
    ".txz": ".tar",
    ".tzst": ".tar",
}
"""What is in place of a stream's extension in the name of the file that it holds."""

TEXT_EXTENSIONS = {
    ".json": "json",
    ".topojson": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".ldjson": "ndjson",
    ".geojsonl": "ndjson",
    ".geojson": "geojson",
    ".xml": "xml",
    ".rdf": "xml",
    ".gml": "xml",
    ".kml": "xml",
    ".gpx": "xml",
}

PACKAGES = frozenset(
    f".{extension}"
    for extensions in (
        "docx docm dotx pptx ppsx odt odp odg epub pages numbers key vsdx pbix twbx",
        "jar apk whl xpi rds rda rdata npz kmz qgz svgz",
    )
    for extension in extensions.split()
)
"""Files that are archives inside, and not tables."""

PROSE_EXTENSIONS = frozenset(
    f".{extension}"
    for extensions in (
        "md rst tex bib html htm xhtml mht mhtml rtf ps eps eml ics vcf srt log url",
        "py ipynb r rmd qmd rproj sql do ado sas sps spv m jl c h cpp java js ts go rs pl rb php sh bat ps1 vbs",
        "css svg yaml yml toml ini cfg conf env prj qpj cpg qml qgs sld pem sig md5 sha1 sha256 por",
    )
    for extension in extensions.split()
)
"""Text that is no table: prose, programs, settings, what goes with a map or a checksum."""

PROSE_NAMES = re.compile(
    r"(read[ _-]?me|lies[ _-]?mich|lisez[ _-]?moi|l[eé]e?me|leia[ _-]?me|leggimi|licen[sc]e|lizenz|copying|copyright"
    r"|change[ _-]?log|notice|makefile|dockerfile)([ ._-].*)?",
    re.IGNORECASE,
)
"""Names of files that come with data and hold none, whatever their extension."""
