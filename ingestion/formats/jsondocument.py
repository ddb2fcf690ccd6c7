"""JSON documents: the arrays of objects that they hold, each a table, and what stands beside them."""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from ingestion.formats.geojson import FEATURES
from ingestion.formats.jsonrecords import PLAIN, Origin, Records, RecordTable, Shape
from ingestion.formats.jsonsplit import Value as Place
from ingestion.formats.jsonsplit import documents, items, members, text_of, top_values
from ingestion.formats.jsontext import Fault, decode, many_values
from ingestion.formats.lines import Batch, count_lines, line_at, line_ends
from ingestion.found import Found, Source
from ingestion.refusal import FileRefused
from ingestion.text.encoding import Text

_BESIDE_BYTES_MAX = 1000
_SHOWN_MAX = 10
_LEVELS_MAX = 4

Members: TypeAlias = dict[str, Place]


@dataclass(frozen=True)
class _Outline:
    """The arrays of records in a document, by their path, the longest first, and the text of what is beside them."""

    arrays: Mapping[str, Place] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    shape: Shape = PLAIN


def read_document(source: Source, text: Text) -> Iterator[Found]:
    """The tables of a document; raises `FileRefused` where it is not closed, or holds no record."""
    first, count = top_values(text.path, text.begin)
    lines, _ = count_lines(text.path, text.begin)
    outline = _outline(text.path, first, count, source.options.records)
    dialect = {"encoding": text.encoding, "bom": text.bom}
    if not outline.arrays:
        origin = Origin(count, lines, dialect={"form": "objects", **dialect}, notices=text.notices)
        yield _table(source, text, documents(text.path, text.begin), origin, outline.shape)
    for number, (path, array) in enumerate(outline.arrays.items()):
        about = {**dialect, "form": "array", "records": path}
        origin = Origin(array.items, number=number, part=path, dialect=about)
        if number == 0:
            notices = (*text.notices, *_left_out(outline.beside))
            origin = Origin(array.items, lines, dialect={**about, "beside": dict(outline.beside)}, notices=notices)
        yield _table(source, text, items(text.path, array), origin, outline.shape)


def _outline(path: Path, value: Place, count: int, named: str | None) -> _Outline:
    if value.kind == "[":
        _require_records(path, value, count)
        return _Outline({"": value})
    inside = _members(path, value, named)
    kind = text_of(path, inside["type"], _BESIDE_BYTES_MAX) if "type" in inside else ""
    if count > 1 or kind == '"Feature"':
        return _Outline(shape=FEATURES if kind == '"Feature"' else PLAIN)
    if kind == '"FeatureCollection"' and "features" in inside:
        named = "features"
    arrays = {key: member for key, member in inside.items() if _is_table(key, member, named)}
    if named is not None:
        _require_named(path, inside, named)
    if not arrays:
        if inside and all(_is_empty(path, member) for member in inside.values()):
            raise FileRefused("empty", "the document holds empty arrays only, and no record")
        return _Outline()
    beside = {key: text_of(path, member, _BESIDE_BYTES_MAX) for key, member in inside.items() if key not in arrays}
    shape = FEATURES if kind == '"FeatureCollection"' else PLAIN
    return _Outline(dict(sorted(arrays.items(), key=lambda array: -array[1].items)), beside, shape)


def _members(path: Path, value: Place, named: str | None, level: int = 1) -> Members:
    """An object's members by their path; where the records are in the only object among them, those of that one."""
    found: Members = {member.key: member for member in members(path, value)}
    if level == _LEVELS_MAX or named in found or (named is None and any(member.objects for member in found.values())):
        return found
    frames = [key for key, member in found.items() if member.kind == "{" and _leads_to(key, named)]
    if len(frames) != 1:
        return found
    (frame,) = frames
    rest = named and named.removeprefix(f"{frame}/")
    inside = _members(path, found[frame], rest, level + 1)
    if rest not in inside and not any(member.objects for member in inside.values()):
        return found
    del found[frame]
    return found | {f"{frame}/{key}": member for key, member in inside.items()}


def _leads_to(key: str, named: str | None) -> bool:
    return named is None or named.startswith(f"{key}/")


def _is_table(key: str, member: Place, named: str | None) -> bool:
    return member.objects > 0 and named in {None, key}


def _require_named(path: Path, inside: Members, named: str) -> None:
    if named not in inside:
        known = ", ".join(key for key, member in inside.items() if member.objects) or "none"
        reason = f"there is no array of objects {named!r}, which should hold the records; there are: {known}"
        raise FileRefused("records", f"{reason}; name the right one as records in lake.toml")
    _require_records(path, inside[named], 1)


def _require_records(path: Path, array: Place, count: int) -> None:
    line = line_at(path, array.begin)
    if count > 1:
        raise FileRefused("records", "the file holds several arrays one after another", line=line)
    if _is_empty(path, array):
        raise FileRefused("empty", f"the array on line {line} holds no record", line=line)
    if not array.objects:
        raise FileRefused("records", f"the value on line {line} holds no objects, which would be records", line=line)


def _is_empty(path: Path, value: Place) -> bool:
    return value.kind == "[" and not value.items and not text_of(path, value, _BESIDE_BYTES_MAX)[1:-1].strip()


def _table(source: Source, text: Text, batches: Iterable[Batch], origin: Origin, shape: Shape) -> Found:
    table = RecordTable(source, f"records-{origin.number}", shape)
    patches = dict(source.patches_apart.get(origin.part, {}) if origin.part else source.patches)
    bad_lines = frozenset(text.bad_lines) - patches.keys()
    for batch, is_alone in _alone(batches):
        table.take(_records(batch, is_alone, bad_lines, patches))
    if patches:
        line = min(patches)
        reason = f"no record stands alone on line {line}, and none there is damaged: the text for it was not used"
        raise FileRefused("patch", reason, line=line)
    return table.found(origin)


def _alone(batches: Iterable[Batch]) -> Iterator[tuple[Batch, list[bool]]]:
    """Batches, and which of their records begin on a line of their own."""
    held, before = None, 0
    for batch in chain(batches, (None,)):
        if held is not None:
            lines = [before, *held.lines, batch.lines[0] if batch is not None else 0]
            yield held, [a != b != c for a, b, c in zip(lines, lines[1:], lines[2:], strict=False)]
            before = held.lines[-1]
        held = batch


def _records(batch: Batch, is_alone: list[bool], bad_lines: Set[int], patches: dict[int, str]) -> Records:
    """A batch's records. What a person wrote for a line replaces the record that is alone there, or a damaged one."""
    items = [
        patches.pop(line).encode() if alone and line in patches else item
        for item, line, alone in zip(batch.items, batch.lines, is_alone, strict=True)
    ]
    with many_values():
        values = decode(items)
    if bad_lines:
        values = [
            _encoding_fault(item, line, bad_lines) or value
            for item, line, value in zip(items, batch.lines, values, strict=True)
        ]
    for number, line in enumerate(batch.lines if patches else ()):
        if line in patches and type(values[number]) is Fault:
            items[number] = patches.pop(line).encode()
            values[number] = decode([items[number]])[0]
    return Records(batch.lines, items, values)


def _encoding_fault(item: bytes, line: int, bad_lines: Set[int]) -> Fault | None:
    if bad_lines.isdisjoint(range(line, line + line_ends(item).size + 1)):
        return None
    return Fault("encoding", f"the record on line {line} has bytes that are not text in the file's encoding")


def _left_out(beside: Mapping[str, str]) -> list[str]:
    if not beside:
        return []
    more = f" and {len(beside) - _SHOWN_MAX:,} more" if len(beside) > _SHOWN_MAX else ""
    shown = ", ".join(list(beside)[:_SHOWN_MAX])
    return [f"the document holds more than its records, which is in the account only: {shown}{more}"]
