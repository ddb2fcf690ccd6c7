"""JSON files, of which there are two kinds: a record a line, and a document."""

from collections.abc import Iterator

from ingestion.formats.jsondocument import read_document
from ingestion.formats.jsonlines import read_lines, sample
from ingestion.formats.lines import BLANK
from ingestion.found import Found, Source
from ingestion.text.encoding import Text, as_utf8


def read_json(source: Source) -> Iterator[Found]:
    """The tables of a JSON file: the arrays of objects in it, or the objects that stand one after another.

    All values are text, as they are written: strings, numbers as their literals, true and false; nested values are
    compact JSON. null and a key that is absent are null; the dialect counts for each column which types it had. A
    record that is no object, is damaged or has a key twice is set aside. Raises `FileRefused` where the brackets of a
    document do not close, and where it holds no record.
    """
    return _read(source, lines_min=2)


def read_ndjson(source: Source) -> Iterator[Found]:
    """The table of a file with a JSON object on each line, read like `read_json`; a single line is enough."""
    return _read(source, lines_min=1)


def read_geojson(source: Source) -> Iterator[Found]:
    """The features of a GeoJSON file: of a collection, one a line, or a single one.

    Properties are columns; the geometry is JSON text in the column ``geometry``. A member of a feature itself, such as
    ``id``, keeps its name where a property has the same. Raises `FileRefused` as `read_json` does.
    """
    return _read(source, lines_min=2)


def _read(source: Source, lines_min: int) -> Iterator[Found]:
    text = as_utf8(source)
    if _is_lines(text, lines_min):
        yield read_lines(source, text)
    else:
        yield from read_document(source, text)


def _is_lines(text: Text, lines_min: int) -> bool:
    """Whether at least half of the first lines look like an object each, and enough of them do."""
    lines = [line.strip(BLANK) for line in sample(text)]
    objects = sum(line.startswith(b"{") and line.endswith(b"}") for line in lines)
    return objects >= lines_min and 2 * objects >= len(lines)
