"""The five zones, their buckets, and the names of tables."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from catalog.errors import UsageError


class Zone(StrEnum):
    """A zone is a bucket of its own, so that each can have its own keys."""

    LANDING = "landing"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    CATALOG = "catalog"


TABLE_ZONES = (Zone.BRONZE, Zone.SILVER, Zone.GOLD, Zone.CATALOG)

INNER = "__lake_"
"""Columns whose names begin so are the lake's own while it works on rows; no table has one."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,126}")
_LENGTH_MAX = 60
_PART = "__"
"""Between a dataset and a part of it in a table's name: no dataset has two of these in a row."""


@dataclass(frozen=True, order=True)
class TableName:
    """A table's name: its zone and its name in the zone, in lower case.

    >>> TableName.parse("silver.flights")
    TableName(zone=<Zone.SILVER: 'silver'>, name='flights')
    >>> str(TableName(Zone.GOLD, "delays"))
    'gold.delays'
    """

    zone: Zone
    name: str

    def __str__(self) -> str:
        return f"{self.zone}.{self.name}"

    @property
    def path(self) -> str:
        """Where the table lies in its zone's bucket, so that a lake can be moved."""
        return f"tables/{self.name}"

    @classmethod
    def parse(cls, text: str) -> "TableName":
        """Read ``zone.name``; raises `UsageError` when it is not one."""
        zone, dot, name = text.partition(".")
        zones = [str(z) for z in TABLE_ZONES]
        if not dot or zone not in zones or _NAME.fullmatch(name) is None:
            raise UsageError(
                f"not a table name: {text!r}",
                next=f"write zone.name: a zone out of {', '.join(zones)}; a name of lower-case letters, digits and _",
            )
        return cls(Zone(zone), name)


def bronze_table(dataset: str, part: str = "") -> TableName:
    """The bronze table of a dataset, or of a part of it, such as a workbook's second sheet.

    >>> str(bronze_table("prices")), str(bronze_table("prices", "notes"))
    ('bronze.prices', 'bronze.prices__notes')
    """
    return TableName(Zone.BRONZE, f"{dataset}{_PART}{part}" if part else dataset)


def parted(name: str) -> tuple[str, str]:
    """A bronze table's dataset, and the part that it holds: empty for the main one.

    >>> parted("prices"), parted("prices__notes")
    (('prices', ''), ('prices', 'notes'))
    """
    dataset, _, part = name.partition(_PART)
    return dataset, part


def dataset_of(key: str) -> str:
    """The dataset that a landing key belongs to: its first folder, or at the root its stem without digits.

    >>> dataset_of("flights/2013/jan.csv"), dataset_of("Prices 2024-01.csv"), dataset_of("2024.csv")
    ('flights', 'prices', 'd2024')
    >>> dataset_of("Fläche/a.csv"), dataset_of("人口/a.csv")
    ('flache', 'd_6909fc6a')
    """
    folder, slash, _ = key.partition("/")
    return identifier(folder) if slash else stem_of(key)


def stem_of(name: str) -> str:
    """A file's name without its extensions and the digits and dates at its end, as an identifier.

    >>> stem_of("Prices 2024-01.csv"), stem_of("2024.csv")
    ('prices', 'd2024')
    """
    stem = name.split(".", maxsplit=1)[0]
    return identifier(re.sub(r"[\d\W_]+$", "", stem) or stem)


def identifier(text: str) -> str:
    """The text as a name: lower case, accents off; where letters or a long end are lost, a digest keeps it apart.

    >>> identifier("Table 1 (EUR)"), identifier("2024")
    ('table_1_eur', 'd2024')
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if name and name[0].isdigit():
        name = f"d{name}"
    if not name or len(name) > _LENGTH_MAX or any(c.isalnum() and not c.isascii() for c in plain):
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        name = f"{name[: _LENGTH_MAX - 9].rstrip('_') or 'd'}_{digest}"
    return name
