"""The store of the model: versioned landing, create-only objects, routing epochs, and tables with a compare-and-set."""

import random
from dataclasses import dataclass, field
from typing import Any

MARKER = None
TABLES = ("main", "part")
DATASETS = ("x", "y")

Delivery = tuple[str, int]
Row = tuple[str, int, int, str]
"""A key, the landing version of its bytes, the reading that brought the row, and the bytes."""


@dataclass
class Table:
    """A Delta table, whose commit is a compare-and-set: (operation, files added, files removed)."""

    log: list[tuple[int, list[str], list[str]]] = field(default_factory=list)

    def commit(self, base: int, operation: int, added: list[str], removed: list[str]) -> bool:
        if base != len(self.log):
            return False
        self.log.append((operation, added, removed))
        return True

    def live(self) -> list[str]:
        files: list[str] = []
        for _, added, removed in self.log:
            files = [file for file in files if file not in removed] + added
        return files


@dataclass
class Dataset:
    """One dataset's create-only objects, manifests among them, and its tables."""

    objects: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=lambda: {name: Table() for name in TABLES})

    def create(self, name: str, value: Any) -> bool:
        return self.objects.setdefault(name, value) is value

    def last(self) -> int:
        last = 0
        while f"manifest/{last + 1}" in self.objects:
            last += 1
        return last

    def is_done(self, number: int) -> bool:
        return f"done/{number}" in self.objects

    def entries(self) -> list[dict[str, Any]]:
        """The ledger: the entries of every batch that is done, and of the one before it is marked so."""
        found = []
        for number in range(1, self.last() + 1):
            found += self.objects.get(f"account/{number}", {"entries": []})["entries"]
        return found


@dataclass
class Store:
    """Landing, the routings by epoch from 1 on, and the datasets; ``without`` names a rule that nobody keeps."""

    without: str = ""
    landing: dict[Delivery, str | None] = field(default_factory=dict)
    epochs: list[dict[str, str]] = field(default_factory=list)
    datasets: dict[str, Dataset] = field(default_factory=lambda: {name: Dataset() for name in DATASETS})

    def get(self, delivery: Delivery) -> str | None:
        return None if random.random() < 0.02 else self.landing.get(delivery)
