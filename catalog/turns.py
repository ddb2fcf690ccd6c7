"""The turns of a schedule: one object says which time was served last, who is at it, and what it came to.

Every step is a compare-and-set on that object, so of several servers one takes a turn, and whoever comes later finds
what was served, also after a kill. There is one object for a schedule, whatever the number of its turns.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from catalog.errors import NotFound
from catalog.formats import moment, opened, stored
from catalog.objects import ObjectStore
from catalog.zones import Zone

FORMAT = 1
FOLDER = "schedules/"


@dataclass(frozen=True)
class Turn:
    """A schedule's newest turn, or, as number 0, that it is served from ``at`` on.

    ``due`` is the time that it serves, ``tries`` counts the turns that were taken for it; the process that took it is
    known as `catalog.register.Begun` has it. ``beats`` grows while the run is at work. ``seen`` is the published
    version of each table whose change calls for a turn. ``status`` is ok, failed or interrupted; none at work.
    """

    number: int
    at: datetime
    host: str
    space: str
    pid: int
    started: str
    due: datetime | None = None
    tries: int = 1
    beats: int = 0
    seen: Mapping[str, int] = field(default_factory=dict)
    ended: datetime | None = None
    status: str = ""
    run: str = ""

    @property
    def is_at_work(self) -> bool:
        """Whether its end is not written down."""
        return self.ended is None


class Turns:
    """The turns of one schedule, by a name that changes with the times that it names."""

    def __init__(self, objects: ObjectStore, name: str) -> None:
        self._objects = objects
        self._key = f"{FOLDER}{name}.json"

    def newest(self) -> tuple[Turn, str] | None:
        """The newest turn, and what it is known by to `put`; None before the first. Raises `StoreError`."""
        try:
            body, etag = self._objects.get_with_etag(Zone.CATALOG, self._key)
        except NotFound:
            return None
        return _turn(opened(body, newest=FORMAT, what="the turn of a schedule")), etag

    def put(self, turn: Turn, etag: str | None) -> str | None:
        """Put a turn in the place of the one known by ``etag`` (None: of none); None where another was first.

        Raises `StoreError`.
        """
        return self._objects.replace(Zone.CATALOG, self._key, stored(asdict(turn), version=FORMAT), etag)


def _turn(fields: Mapping[str, Any]) -> Turn:
    times = {name: fields[name] and moment(fields[name]) for name in ("at", "due", "ended")}
    return Turn(**{**fields, **times})
