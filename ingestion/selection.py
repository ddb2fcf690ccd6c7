"""Which members of an archive are read, and what is said of those that are not."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from ingestion.formats.archive import Member
from ingestion.formats.detect import inner_name
from ingestion.formats.signatures import ARCHIVES

_SYSTEM = re.compile(r"(.*/)?(__MACOSX/.*|\.DS_Store|thumbs\.db|desktop\.ini|\._[^/]*|~\$[^/]*)", re.IGNORECASE)
_NAMES_MAX = 5


class Notes:
    """What is to be said of a file's members: each thing once, with the members that it is said of.

    >>> notes = Notes()
    >>> for number in range(7): notes.add("not read, a link", f"{number}.csv")
    >>> notes.lines()
    ['not read, a link: 0.csv, 1.csv, 2.csv, 3.csv, 4.csv and 2 more']
    """

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def add(self, what: str, name: str) -> None:
        """Something is to be said of a member; of a file that is no member, whose name is empty, it is said alone."""
        self._names.setdefault(what, []).append(name)

    def lines(self) -> list[str]:
        """One line for each thing."""
        return [f"{what}: {_listed(names)}" if any(names) else what for what, names in self._names.items()]


def reason_to_skip(member: Member, path: str, patterns: Sequence[str]) -> str:
    """Why a member is not read; empty where it is. ``path`` leads to it through the archives around it.

    A member that is an archive is opened whatever the patterns say: they are about what it holds.
    """
    if member.kind:
        return f"not read, {member.kind}"
    if _SYSTEM.fullmatch(member.name):
        return "not read, the operating system's own"
    return "" if _is_archive(path) or is_chosen(path, patterns) else "not read, not among the members"


def is_chosen(path: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns, if there are any, is of a member's path or of its name, packed or unpacked.

    >>> is_chosen("2024/jan.csv.gz", ["*.csv"]), is_chosen("2024/jan.csv", ["2023/*"])
    (True, False)
    """
    names = {path, PurePosixPath(path).name}
    names |= {inner_name(name) for name in names}
    return not patterns or any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def empty_folders(folders: Iterable[str], files: Sequence[str]) -> list[str]:
    """The folders of an archive that hold no file of it.

    >>> empty_folders(["a/", "b/", "./"], ["a/x.csv"])
    ['b/']
    """
    ordered = sorted(files)
    return [folder for folder in folders if folder.strip("./") and not _has_prefix(ordered, folder)]


def _has_prefix(ordered: Sequence[str], prefix: str) -> bool:
    place = bisect_left(ordered, prefix)
    return place < len(ordered) and ordered[place].startswith(prefix)


def _is_archive(path: str) -> bool:
    return PurePosixPath(inner_name(path)).suffix.lower().removeprefix(".") in ARCHIVES


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_MAX
    return ", ".join(names[:_NAMES_MAX]) + (f" and {more:,} more" if more > 0 else "")
