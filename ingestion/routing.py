"""Which dataset a landed file belongs to: by the patterns that somebody wrote down, else by its key alone.

Ingesters may go by different patterns, and each must know. So the patterns in force are on the store, as a sequence of
routing epochs: a batch is made in one, and is void where a newer one began before its outcome was agreed on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeAlias

from catalog import zones
from catalog.errors import Conflict
from catalog.formats import opened, stored
from catalog.objects import ObjectStore, Sequence
from catalog.zones import Zone

FORMAT = 1
EPOCHS = "routes"
"""The prefix of the epochs in the catalog bucket. No object stands for epoch 0, which has no patterns."""

TRIES_MAX = 100

SAME_PATTERNS = "give all ingesters the same `files` patterns in lake.toml, then run again: nothing is lost"

Canonical: TypeAlias = list[tuple[str, list[str]]]


@dataclass(frozen=True)
class Routes:
    """The patterns of landing keys, by dataset; the first that fits decides, in the order of the datasets.

    A pattern is as in a shell: ``*`` is any text, ``?`` any character, ``[0-9]`` one of these. With a slash it is
    compared with the whole key (where ``*`` goes over slashes, too), without one with the file's name alone. Capital
    and small letters differ.

    >>> routes = Routes({"prices": ("cpi_*.csv", "post/2026/*")})
    >>> routes.dataset_of("cpi_1.csv"), routes.dataset_of("inbox/cpi_2.csv"), routes.dataset_of("post/2026/a")
    ('prices', 'prices', 'prices')
    >>> routes.dataset_of("Trade 2026-01.csv")
    'trade'
    """

    patterns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def dataset_of(self, key: str) -> str:
        """The dataset of a landing key: by the patterns, else its first folder, or at the root its stem."""
        for dataset, patterns in self.patterns.items():
            if any(fits(pattern, key) for pattern in patterns):
                return dataset
        return zones.dataset_of(key)

    @property
    def canonical(self) -> Canonical:
        """The same for all that route alike: datasets stay in order, since the first that fits decides.

        >>> Routes({"b": ("2*", "1*", "2*"), "a": ()}).canonical
        [('b', ['1*', '2*'])]
        """
        return [(dataset, sorted(set(patterns))) for dataset, patterns in self.patterns.items() if patterns]


def fits(pattern: str, key: str) -> bool:
    """Whether a landing key is one of those that a pattern means.

    >>> fits("*.csv", "a/b.csv"), fits("a/*.csv", "a/b.csv"), fits("b/*.csv", "a/b.csv")
    (True, True, False)
    """
    return fnmatchcase(key if "/" in pattern else key.rpartition("/")[2], pattern)


def newest_epoch(objects: ObjectStore) -> int:
    """The epoch that is now, 0 where nobody ever routed a file by a pattern. Raises `StoreError`."""
    return _epochs(objects).last()


def settle_epoch(objects: ObjectStore, routes: Routes) -> int:
    """The epoch of these routes, which is the newest one when this returns: found, or begun.

    Raises `StoreError`, and `Conflict` after many rivals.
    """
    epochs = _epochs(objects)
    for _ in range(TRIES_MAX):
        newest = epochs.last()
        if _stored_routes(epochs, newest) == routes.canonical:
            return newest
        if epochs.create(newest + 1, stored({"routes": routes.canonical}, version=FORMAT)):
            return newest + 1
    raise Conflict("other ingesters changed the patterns of landing files, again and again", next=SAME_PATTERNS)


def _epochs(objects: ObjectStore) -> Sequence:
    return Sequence(objects, Zone.CATALOG, EPOCHS)


def _stored_routes(epochs: Sequence, number: int) -> Canonical:
    if number == 0:
        return []
    fields = opened(epochs.get(number), newest=FORMAT, what="the patterns of landing files")
    return [(dataset, patterns) for dataset, patterns in fields["routes"]]
