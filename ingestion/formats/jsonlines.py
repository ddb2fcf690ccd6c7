"""JSON with a record on each line: a damaged line costs itself and no other."""

from collections.abc import Mapping, Set

from ingestion.formats.geojson import FEATURES, is_feature
from ingestion.formats.jsonrecords import PLAIN, Origin, Records, RecordTable
from ingestion.formats.jsontext import Fault, Value, decode, decode_several, many_values
from ingestion.formats.lines import BLANK, Batch, count_lines, line_batches
from ingestion.found import Found, Source
from ingestion.text.encoding import Text

_SAMPLE_BYTES = 1 << 20
_SAMPLE_LINES_MAX = 100


def read_lines(source: Source, text: Text) -> Found:
    """The table of a file with a record on each line, or several; blank lines are none.

    The account is of lines: those that are not blank, counted by their bytes, are rows or rejects.
    """
    lines, filled = count_lines(text.path, text.begin)
    first = [value for value in decode(sample(text)) if type(value) is not Fault]
    shape = FEATURES if first and all(map(is_feature, first)) else PLAIN
    table = RecordTable(source, "lines", shape)
    more = 0
    bad_lines = frozenset(text.bad_lines) - source.patches.keys()
    for batch in line_batches(text.path, text.begin):
        kept = _filled(batch, source.patches)
        records = _records(kept, bad_lines)
        more += len(records.values) - len(kept.items)
        table.take(records)
    dialect = {"form": "lines", "encoding": text.encoding, "bom": text.bom, "blank_lines": lines - filled}
    return table.found(Origin(filled + more, lines, dialect=dialect, notices=text.notices))


def sample(text: Text) -> list[bytes]:
    """The first lines of a file that are not blank and are whole."""
    with text.path.open("rb") as file:
        file.seek(text.begin)
        raw = file.read(_SAMPLE_BYTES)
        is_whole = len(raw) < _SAMPLE_BYTES
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return [line for line in (lines if is_whole else lines[:-1]) if line.strip(BLANK)][:_SAMPLE_LINES_MAX]


def _filled(batch: Batch, patches: Mapping[int, str]) -> Batch:
    """The lines that are not blank, with what a person wrote in place of some."""
    if not patches and all(item.strip(BLANK) for item in batch.items):
        return batch
    kept = [(item, line) for item, line in zip(batch.items, batch.lines, strict=True) if item.strip(BLANK)]
    items = [patches[line].encode() if line in patches else item for item, line in kept]
    return Batch(items, [line for _, line in kept])


def _records(batch: Batch, bad_lines: Set[int]) -> Records:
    """What the lines hold; a line may hold several records, and is set aside whole where one of them is damaged."""
    with many_values():
        values = decode(batch.items)
    if bad_lines.isdisjoint(batch.lines) and not any(type(value) is Fault for value in values):
        return Records(batch.lines, batch.items, values)
    found = [
        (line, item, one)
        for line, item, value in zip(batch.lines, batch.items, values, strict=True)
        for one in _values_of_line(line, item, value, bad_lines)
    ]
    return Records(*map(list, zip(*found, strict=True)))


def _values_of_line(line: int, item: bytes, value: Value | Fault, bad_lines: Set[int]) -> list[Value | Fault]:
    if line in bad_lines:
        return [Fault("encoding", f"line {line} has bytes that are not text in the file's encoding")]
    return (decode_several(item) or [value]) if type(value) is Fault else [value]
