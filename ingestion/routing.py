"""Which dataset a landed file belongs to: by the patterns that somebody wrote down, else by its key alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from catalog import zones


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


def fits(pattern: str, key: str) -> bool:
    """Whether a landing key is one of those that a pattern means.

    >>> fits("*.csv", "a/b.csv"), fits("a/*.csv", "a/b.csv"), fits("b/*.csv", "a/b.csv")
    (True, True, False)
    """
    return fnmatchcase(key if "/" in pattern else key.rpartition("/")[2], pattern)
