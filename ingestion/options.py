"""What a dataset's section of ``lake.toml`` pins about its files, where the files alone do not say it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Column:
    """A column of a fixed-width file: ``start`` counts characters from 1."""

    name: str
    start: int
    width: int


@dataclass(frozen=True)
class ReadOptions:
    """How a dataset's files are read; None, and what is empty, is found out from each file.

    ``format`` is a name of `ingestion.formats.detect`. ``encoding``, ``delimiter``, ``quote`` (empty: none),
    ``escape``, ``comment``, ``skip_lines`` (above the header), ``header_lines`` (0: there is none) and ``names`` (of
    columns without a header) pin a text table's dialect; ``fixed`` is the layout of fixed-width text. ``sheets`` and
    ``members`` choose sheets of a workbook and members of an archive by patterns as in a shell; ``records`` names the
    element of XML, or the key of JSON, that repeats; ``apart`` gives each member of an archive a table of its own.
    """

    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    comment: str | None = None
    skip_lines: int | None = None
    header_lines: int | None = None
    names: tuple[str, ...] = ()
    fixed: tuple[Column, ...] = ()
    sheets: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    records: str | None = None
    apart: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The options as JSON values, those that are set only.

        >>> ReadOptions(delimiter=";", fixed=(Column("a", 1, 2),)).as_dict()
        {'delimiter': ';', 'fixed': [{'name': 'a', 'start': 1, 'width': 2}]}
        """
        unset = vars(ReadOptions())
        values = {name: value for name, value in asdict(self).items() if value != unset[name]}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ReadOptions":
        """The options that `as_dict` gave."""
        tuples: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        if "fixed" in tuples:
            tuples["fixed"] = tuple(Column(**column) for column in tuples["fixed"])
        return cls(**tuples)


@dataclass(frozen=True)
class DatasetPolicy:
    """What becomes of a dataset's files.

    ``on_correction``, for other bytes under an old name: ``replace`` (the old rows go and the new ones come, in one
    commit), ``append`` or ``refuse``. ``on_duplicate``, for the same bytes under another name: ``take``, ``skip`` or
    ``refuse``. ``drift``, for other columns than the table's: ``evolve``, ``rescue``, ``freeze`` or ``quarantine``.
    Beyond ``bad_share_max`` (of its records) or ``bad_rows_max`` a file waits whole.
    """

    on_correction: str = "replace"
    on_duplicate: str = "take"
    drift: str = "evolve"
    bad_share_max: float = 0.1
    bad_rows_max: int | None = None
    read: ReadOptions = field(default_factory=ReadOptions)

    def as_dict(self) -> dict[str, Any]:
        """The policy as JSON values."""
        return {**vars(self), "read": self.read.as_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "DatasetPolicy":
        """The policy that `as_dict` gave."""
        return cls(**{**values, "read": ReadOptions.from_dict(values.get("read", {}))})
