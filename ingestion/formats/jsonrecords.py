"""Records of JSON on their way into one table: objects become rows, everything else is set aside with its text."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, TypeAlias, cast

from ingestion.columns import labels
from ingestion.formats.jsontext import Fault, Value, as_texts, many_values
from ingestion.formats.rowfile import COLUMNS_MAX, RowFile, stored_names
from ingestion.found import Found, Source
from ingestion.text.rejects import RejectFile

Fields: TypeAlias = dict[Any, Value]

_CELLS_MAX = 4_000_000
_MIXED_SHOWN_MAX = 5
_NAMES = {str: "text", bytes: "a number", bool: "true or false", list: "an array", type(None): "null"}


@dataclass(frozen=True)
class Records:
    """Of each record the line on which it begins, its text, and its value or what is wrong with it."""

    lines: Sequence[int]
    items: Sequence[bytes]
    values: Sequence[Value | Fault]


@dataclass(frozen=True)
class Shape:
    """How an object becomes a row: its fields by key, or why it is none, and the columns in their order, with names."""

    fields: Callable[[Fields], Fields | Fault]
    header: Callable[[Sequence[Hashable]], dict[Hashable, str]]
    format: str = "json"


PLAIN = Shape(lambda record: record, lambda keys: {key: str(key) for key in keys})


@dataclass(frozen=True)
class Origin:
    """What is known of a table before its records are read: its number in the file, and what `Found` says of it."""

    records: int
    lines: int = 0
    number: int = 0
    part: str = ""
    dialect: Mapping[str, object] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


class RecordTable:
    """Collects the records of one table, in the order of the file."""

    def __init__(self, source: Source, name: str, shape: Shape = PLAIN) -> None:
        self._shape = shape
        self._rows = RowFile(source.scratch, name)
        self._rejects = RejectFile(source.scratch / f"{name}-rejects.parquet")
        self._types: dict[Hashable, Counter[str]] = {}

    @property
    def records(self) -> int:
        """How many records became rows or were set aside."""
        return self._rows.rows + self._rejects.count

    def take(self, records: Records) -> None:
        """Add records."""
        with many_values():
            if self._shape is PLAIN and set(map(type, records.values)) == {dict}:
                rows, lines = cast("Sequence[Fields]", records.values), records.lines
            else:
                rows, lines = self._divide(records)
            self._write(rows, lines)

    def found(self, origin: Origin) -> Found:
        """The table, once all its records were taken."""
        header = self._shape.header(self._rows.keys)
        stored = stored_names(header)
        rejects, _ = self._rejects.close()
        types = {stored[key]: self._seen(key) for key in header}
        return Found(
            rows=self._rows.scan(stored),
            header=tuple(header.values()),
            records=origin.records,
            format=self._shape.format,
            rejects=rejects,
            lines=origin.lines,
            part=origin.part,
            fragment=origin.part,
            dialect={**origin.dialect, "types": types},
            metadata=labels(header.values(), stored.values()),
            notices=(*origin.notices, *_mixed(types)),
            check=partial(self._rows.check, stored),
        )

    def _divide(self, records: Records) -> tuple[Sequence[Fields], Sequence[int]]:
        """The rows and their lines; everything else is set aside."""
        rows: list[Fields] = []
        lines: list[int] = []
        for line, text, value in zip(records.lines, records.items, records.values, strict=True):
            fields = self._fields(value)
            if isinstance(fields, Fault):
                self._rejects.add(line, fields.rule, fields.message, text.decode("utf-8", "backslashreplace"))
            else:
                rows.append(fields)
                lines.append(line)
        return rows, lines

    def _fields(self, value: Value | Fault) -> Fields | Fault:
        if type(value) is dict:
            return self._shape.fields(value)
        if type(value) is Fault:
            return value
        return Fault("record", f"the record is {_NAMES[type(value)]}, not an object")

    def _write(self, rows: Sequence[Fields], lines: Sequence[int]) -> None:
        """Write rows column by column; what is far wider than it is filled, in halves."""
        present = Counter(chain.from_iterable(rows))
        if len(rows) > 1 and len(rows) * min(len(present), COLUMNS_MAX) > _CELLS_MAX:
            half = len(rows) // 2
            self._write(rows[:half], lines[:half])
            self._write(rows[half:], lines[half:])
            return
        columns = {}
        for key, count in present.items():
            types = self._types.setdefault(key, Counter())
            columns[key] = as_texts([row.get(key) for row in rows], types)
            types["null"] -= len(rows) - count
        self._rows.write(lines, columns)

    def _seen(self, key: Hashable) -> dict[str, int]:
        """How often a column was which JSON type, and how often its key was absent."""
        types = {name: count for name, count in self._types[key].items() if count}
        absent = self._rows.rows - sum(types.values())
        return {**types, "absent": absent} if absent else types


def _mixed(types: Mapping[str, Mapping[str, int]]) -> list[str]:
    """A notice of columns that were of several types, which their text no longer tells."""
    several = {}
    for name, counts in types.items():
        seen = [f"{kind} {count:,}" for kind, count in counts.items() if kind not in {"null", "absent"}]
        if len(seen) > 1:
            several[name] = ", ".join(seen)
    if not several:
        return []
    shown = "; ".join(f"{name} ({seen})" for name, seen in list(several.items())[:_MIXED_SHOWN_MAX])
    more = f" and {len(several) - _MIXED_SHOWN_MAX} more" if len(several) > _MIXED_SHOWN_MAX else ""
    return [f"columns with values of several JSON types, all kept as text: {shown}{more}"]
