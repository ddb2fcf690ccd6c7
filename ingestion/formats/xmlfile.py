"""XML files: the elements that repeat are rows, and what stands around them is told."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import cast

from ingestion.columns import labels
from ingestion.formats.jsontext import many_values
from ingestion.formats.rowfile import RowFile, stored_names
from ingestion.formats.xmlevents import XmlEncoding, encoding_of, parse
from ingestion.formats.xmloutline import Node, Outline, is_namespace, record_nodes, survey
from ingestion.formats.xmlrecords import Element, Fields, Key, column_name, fields
from ingestion.found import Found, Source
from ingestion.refusal import FileRefused
from ingestion.text.blocks import RECORD_BYTES_MAX

_ROWS_MAX = 10_000
_CELLS_MAX = 2_000_000
_BATCH_BYTES = 4 << 20
_ELEMENT_BYTES = 200
_SHOWN_MAX = 10
_VALUES_MAX = 100
_VALUE_CHARACTERS_MAX = 200


def read_xml(source: Source) -> Iterator[Found]:
    """The tables of an XML document: one for each element that repeats, the most frequent first.

    Attributes are columns ``@name``, children columns by their names, what is nested by its path ``a/b``; a child of
    which a record has several is a JSON array. An element that is there and empty is empty text, an absent one null.
    What stands around the records is in the account of the first table. Raises `FileRefused` where the document is
    malformed, declares entities, or has no records.
    """
    encoding = encoding_of(source.path, source.options.encoding)
    outline = survey(source.path, encoding)
    nodes = record_nodes(outline, source.options.records)
    groups = [[node] for node in nodes] if source.options.records is None else [nodes]
    tables = [_Table(source, number, group) for number, group in enumerate(groups)]
    of_node = {node: table for table in tables for node in table.nodes}
    with many_values():
        collector = parse(source.path, encoding, partial(_Collector, outline, of_node))
    parts = _part_names(groups)
    for table, part in zip(tables, parts, strict=True):
        yield table.found(outline, encoding, part, _Around(outline, nodes, collector.around) if not part else None)


class _Table:
    """The rows of the records with certain paths."""

    def __init__(self, source: Source, number: int, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self._rows = RowFile(source.scratch, f"elements-{number}")
        self._waiting: list[Fields] = []
        self._lines: list[int] = []
        self._size_bytes = 0

    def add(self, line: int, row: Fields, size_bytes: int) -> None:
        """Add a row; a batch of them is written when it is large enough."""
        self._waiting.append(row)
        self._lines.append(line)
        self._size_bytes += size_bytes
        is_wide = len(self._waiting) * max(len(row), self._rows.width) > _CELLS_MAX
        if is_wide or len(self._waiting) >= _ROWS_MAX or self._size_bytes >= _BATCH_BYTES:
            self._write()

    def found(self, outline: Outline, encoding: XmlEncoding, part: str, around: "_Around | None") -> Found:
        """The table, once the document was read; its records were counted when the document was surveyed."""
        self._write()
        names = outline.names()
        header = {key: column_name(cast(Key, key), names) for key in self._rows.keys}
        stored = stored_names(header)
        return Found(
            rows=self._rows.scan(stored),
            header=tuple(header.values()),
            records=sum(node.count for node in self.nodes),
            format="xml",
            lines=outline.lines if around is not None else 0,
            part=part,
            fragment=part,
            dialect={
                "encoding": encoding.name,
                "records": ", ".join(map(str, self.nodes)),
                "namespaces": outline.namespaces,
                **({"around": around.values} if around is not None else {}),
            },
            metadata=labels(header.values(), stored.values()),
            notices=(*encoding.notices, *around.notices()) if around is not None else (),
            check=partial(self._rows.check, stored),
        )

    def _write(self) -> None:
        keys = dict.fromkeys(chain.from_iterable(self._waiting))
        self._rows.write(self._lines, {key: [row.get(key) for row in self._waiting] for key in keys})
        self._waiting, self._lines, self._size_bytes = [], [], 0


class _Collector:
    """Builds each record, and hands it to its table when it ends; of the rest it keeps the first values."""

    def __init__(self, outline: Outline, tables: Mapping[Node, _Table], line: Callable[[], int]) -> None:
        self.around: dict[str, str] = {}
        self._line = line
        self._root = outline.root
        self._has_namespaces = bool(outline.namespaces)
        self._tables = tables
        self._in_rows = {above for node in tables for above in node.path[:-1] if above.count > 1}
        self._record: list[Element] = []
        self._outside: list[Element] = []
        self._size_bytes = self._begin = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if attributes and self._has_namespaces:
            attributes = {name: value for name, value in attributes.items() if not is_namespace(name)}
        if self._record:
            parent = self._record[-1]
            element = Element(parent.node.children[name], attributes)
            parent.children.append(element)
            self._record.append(element)
            self._grow(_ELEMENT_BYTES + sum(map(len, attributes.values())) if attributes else _ELEMENT_BYTES)
            return
        element = Element(self._outside[-1].node.children[name] if self._outside else self._root, attributes)
        if element.node in self._tables:
            self._record.append(element)
            self._begin = self._line()
        else:
            self._outside.append(element)

    def text(self, text: str) -> None:
        element = self._record[-1] if self._record else self._outside[-1]
        if element.node.children and text.isspace():
            return
        if self._record:
            element.text += text
            self._grow(len(text))
        elif len(element.text) < _VALUE_CHARACTERS_MAX:
            element.text += text[:_VALUE_CHARACTERS_MAX]

    def end(self, _: str) -> None:
        if not self._record:
            self._keep(self._outside.pop())
            return
        element = self._record.pop()
        if not self._record:
            above = tuple(outer for outer in self._outside if outer.node in self._in_rows)
            self._tables[element.node].add(self._begin, fields(element, above), self._size_bytes)
            self._size_bytes = 0

    def _grow(self, size_bytes: int) -> None:
        self._size_bytes += size_bytes
        if self._size_bytes > RECORD_BYTES_MAX:
            line = self._begin
            reason = f"the element on line {line} is longer than {RECORD_BYTES_MAX:,} bytes"
            raise FileRefused("record-size", f"{reason}: name smaller ones as records in lake.toml", line=line)

    def _keep(self, element: Element) -> None:
        attributes = element.attributes if element.node not in self._in_rows else {}
        values = {f"{element.node}/@{name}": value for name, value in attributes.items()}
        if element.text and not element.text.isspace():
            values[str(element.node)] = element.text
        for path, value in values.items():
            if len(self.around) < _VALUES_MAX:
                self.around.setdefault(path, value[:_VALUE_CHARACTERS_MAX])


class _Around:
    """What stands around the records of a document: the first value of each path, and how many elements there are."""

    def __init__(self, outline: Outline, records: Sequence[Node], values: Mapping[str, str]) -> None:
        self.values = dict(values)
        self._root = outline.root
        self._records = set(records)
        self._above = {node for record in records for node in record.path[:-1]}

    def notices(self) -> list[str]:
        """What is left out of the rows, and what was taken for the records without being told."""
        said = []
        elements = self._left_out()
        if elements:
            more = f" and {len(elements) - _SHOWN_MAX:,} more" if len(elements) > _SHOWN_MAX else ""
            shown = ", ".join(f"{path} ({count:,})" for path, count in list(elements.items())[:_SHOWN_MAX])
            said.append(f"the document holds more than its records, which is in the account only: {shown}{more}")
        if all(node.count == 1 for node in self._records):
            said.append(f"no element repeats: {', '.join(map(str, self._records))} is taken for the record")
        return said

    def _left_out(self) -> Counter[str]:
        return Counter({str(node): node.count for node in self._nodes(self._root) if self._is_left_out(node)})

    def _is_left_out(self, node: Node) -> bool:
        if node not in self._above:
            return True
        return node.texts > 0 or (bool(node.attributes) and node.count == 1)

    def _nodes(self, node: Node) -> Iterator[Node]:
        if node in self._records:
            return
        yield node
        for child in node.children.values() if node in self._above else ():
            yield from self._nodes(child)


def _part_names(groups: Sequence[Sequence[Node]]) -> list[str]:
    """The tag of each table's records, or its path where another has the same; the first table is the main one."""
    tags = Counter(group[0].name for group in groups)
    names = [group[0].name if tags[group[0].name] == 1 else str(group[0]) for group in groups]
    return ["", *names[1:]]
