"""What an XML document is made of, by the paths of its elements, and which of them are its records."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ingestion.formats.xmlevents import XmlEncoding, parse
from ingestion.refusal import FileRefused

PATHS_MAX = 10_000
DEPTH_MAX = 200

_NAMED_MAX = 10


@dataclass(eq=False)
class Node:
    """All elements with one path.

    There are ``count`` of them, in ``parents`` parents, at most ``most`` in one; ``texts`` is zero where none of them
    has text of its own but blanks.
    """

    name: str
    parent: "Node | None" = None
    children: dict[str, "Node"] = field(default_factory=dict)
    attributes: set[str] = field(default_factory=set)
    count: int = 0
    parents: int = 0
    most: int = 0
    texts: int = 0

    @property
    def path(self) -> tuple["Node", ...]:
        """The nodes from the root to this one."""
        return (*self.parent.path, self) if self.parent is not None else (self,)

    def __str__(self) -> str:
        return "/".join(node.name for node in self.path)

    def walk(self) -> Iterator["Node"]:
        """This node and all below it."""
        yield self
        for child in self.children.values():
            yield from child.walk()


@dataclass(frozen=True)
class Outline:
    """A document's paths, what its elements and attributes are called without prefixes, and how many lines it has."""

    root: Node
    lines: int
    namespaces: dict[str, str]

    def names(self) -> dict[str, str]:
        """The name of each tag and attribute (which begins with @): without its prefix where that leaves it unique."""
        found = {name for node in self.root.walk() for name in (node.name, *(f"@{at}" for at in node.attributes))}
        plain = Counter(_local(name) for name in found)
        return {name: _local(name) if plain[_local(name)] == 1 else name for name in found}


class _Surveyor:
    """Counts the elements of a document by their paths."""

    def __init__(self, line: Callable[[], int]) -> None:
        self.line = line
        self.namespaces: dict[str, str] = {}
        self.top = self._node = Node("")
        self._siblings: dict[Node, int] = {}
        self._paths = 0
        self._open: list[tuple[Node, dict[Node, int]]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        node = self._node.children.get(name)
        if node is None:
            node = self._new(name)
        siblings = self._siblings
        siblings[node] = number = siblings.get(node, 0) + 1
        node.count += 1
        if number == 1:
            node.parents += 1
        node.most = max(node.most, number)
        if attributes and not attributes.keys() <= node.attributes:
            self._look_at(node, attributes)
        self._open.append((self._node, siblings))
        self._node, self._siblings = node, {}

    def text(self, text: str) -> None:
        if not text.isspace():
            self._node.texts += 1

    def end(self, _: str) -> None:
        self._node, self._siblings = self._open.pop()

    def _new(self, name: str) -> Node:
        self._require_room()
        if len(self._open) >= DEPTH_MAX:
            line = self.line()
            raise FileRefused("depth", f"line {line} nests elements more than {DEPTH_MAX} deep", line=line)
        node = Node(name, self._node if self._open else None)
        self._node.children[name] = node
        return node

    def _look_at(self, node: Node, attributes: dict[str, str]) -> None:
        for name in attributes.keys() - node.attributes:
            if is_namespace(name):
                self.namespaces[name] = attributes[name]
            else:
                self._require_room()
                node.attributes.add(name)

    def _require_room(self) -> None:
        self._paths += 1
        if self._paths > PATHS_MAX:
            line = self.line()
            reason = (
                f"line {line}: there are more than {PATHS_MAX:,} paths of elements and attributes: they seem to be data"
            )
            raise FileRefused("columns", reason, line=line)


def survey(path: Path, encoding: XmlEncoding) -> Outline:
    """The outline of a document; raises FileRefused where it is malformed or not to be trusted."""
    surveyor = parse(path, encoding, _Surveyor)
    (root,) = surveyor.top.children.values()
    return Outline(root, surveyor.line(), surveyor.namespaces)


def record_nodes(outline: Outline, named: str | None) -> list[Node]:
    """The elements that are records, by their paths, the most frequent first.

    These are the elements that ``named`` names (a tag, or the end of a path), or else the outermost ones of which there
    are several in one parent and that hold anything. One that holds nothing but others of which the same is true, and
    attributes, gives way to those. Where no element repeats, it is the outermost that holds more than one thing. Raises
    FileRefused where there is none.
    """
    if named is not None:
        return _named(outline, named)
    found = sorted(_repeated(outline.root), key=lambda node: -node.count) or [_single(outline.root)]
    if found == [outline.root] and not _holds_anything(outline.root):
        raise FileRefused("empty", f"the document has no element that could be a record, only <{outline.root.name}>")
    return found


def is_namespace(attribute: str) -> bool:
    """Whether an attribute declares a namespace."""
    return attribute == "xmlns" or attribute.startswith("xmlns:")


def _repeated(node: Node) -> Iterator[Node]:
    if node.most > 1 and _holds_anything(node):
        yield _innermost(node)
        return
    for child in node.children.values():
        yield from _repeated(child)


def _innermost(node: Node) -> Node:
    """The records within an element that is no more than a frame with attributes around them, and never empty."""
    if node.texts or len(node.children) != 1:
        return node
    (child,) = node.children.values()
    if child.parents < node.count or not _holds_anything(child):
        return node
    inner = _innermost(child)
    return inner if inner.most > 1 else node


def _single(node: Node) -> Node:
    while not node.attributes and not node.texts and len(node.children) == 1:
        (child,) = node.children.values()
        if not _holds_anything(child):
            break
        node = child
    return node


def _holds_anything(node: Node) -> bool:
    return bool(node.children or node.attributes)


def _named(outline: Outline, named: str) -> list[Node]:
    wanted = named.strip("/").split("/")
    found = list(_matching(outline.root, wanted))
    if not found:
        tags = list(dict.fromkeys(_local(node.name) for node in outline.root.walk() if node.most > 1))
        known = ", ".join(tags[:_NAMED_MAX]) or "none"
        reason = f"there is no element {named!r}, which lake.toml names as records; elements that repeat: {known}"
        raise FileRefused("records", reason)
    return sorted(found, key=lambda node: -node.count)


def _matching(node: Node, wanted: list[str]) -> Iterator[Node]:
    last = node.path[-len(wanted) :]
    if len(last) == len(wanted) and all(name in {n.name, _local(n.name)} for n, name in zip(last, wanted, strict=True)):
        yield node
        return
    for child in node.children.values():
        yield from _matching(child, wanted)


def _local(name: str) -> str:
    """A name without its prefix; the @ of an attribute stays."""
    sign = "@" if name.startswith("@") else ""
    return sign + name.removeprefix("@").rpartition(":")[2]
