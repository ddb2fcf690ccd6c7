"""Elements of XML as rows: attributes, children and what is nested in them as columns, by their path."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from ingestion.formats.xmloutline import Node

Key: TypeAlias = tuple[str, ...]
Fields: TypeAlias = dict[Key, str]

_OWN_TEXT = "#text"
_ABOVE = "^"


class Element:
    """An element with what it holds; ``text`` is its own, without the blanks that stand between children."""

    __slots__ = ("attributes", "children", "node", "text")

    def __init__(self, node: Node, attributes: dict[str, str]) -> None:
        self.node = node
        self.attributes = attributes
        self.text = ""
        self.children: list[Element] = []


def fields(record: Element, above: tuple[Element, ...] = ()) -> Fields:
    """A record's values by the path to each, and the attributes of the elements around it.

    A child of which any element has several is a JSON array wherever it stands, so that a column is one thing.
    """
    found: Fields = {
        (_ABOVE, element.node.name, f"@{name}"): value
        for element in above
        for name, value in element.attributes.items()
    }
    if _says_text(record):
        found[(_OWN_TEXT,)] = record.text
    found.update(_inside(record, ()))
    return found


def _inside(element: Element, path: Key) -> Iterator[tuple[Key, str]]:
    for name, value in element.attributes.items():
        yield (*path, f"@{name}"), value
    several: dict[str, list[Any]] = {}
    for child in element.children:
        name = child.node.name
        if child.node.most > 1:
            several.setdefault(name, []).append(_nested(child))
            continue
        if _says_text(child):
            yield (*path, name), child.text
        if child.children or child.attributes:
            yield from _inside(child, (*path, name))
    for name, values in several.items():
        yield (*path, name), json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _says_text(element: Element) -> bool:
    """Whether an element's text is a value: there is some, its like have some, or it has nothing else to say."""
    node = element.node
    if element.text:
        return True
    return not element.children and (node.texts > 0 or not element.attributes)


def _nested(element: Element) -> Any:
    """An element as a JSON value: text where that is all it ever holds, else an object."""
    if not (element.node.children or element.node.attributes):
        return element.text
    values: dict[str, Any] = {f"@{name}": value for name, value in element.attributes.items()}
    if element.text:
        values[_OWN_TEXT] = element.text
    for child in element.children:
        name, value = child.node.name, _nested(child)
        if child.node.most > 1:
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    return values


def column_name(key: Key, names: Mapping[str, str]) -> str:
    """What a column is called: the path to its values, with names as short as they are unique.

    >>> column_name(("x:address", "@x:kind"), {"x:address": "address", "@x:kind": "@kind"})
    'address/@kind'
    """
    return "/".join(names.get(name, name) for name in key if name != _ABOVE)
