"""Named points between two requests, at which a test may let the process die.

Nothing is armed in production: `reach` calls what a test has put into ``armed``, which is nothing by default.
"""

from collections.abc import Callable

POINTS = (
    "epoch.settled",
    "landing.listed",
    "manifest.created",
    "delivery.archived",
    "outcome.created",
    "data.parsed",
    "data.uploaded",
    "account.created",
    "bronze.committed",
    "ledger.committed",
    "delivery.cleared",
    "batch.done",
    "table.sunk",
    "table.committed",
    "catalog.published",
)

armed: Callable[[str], None] | None = None


def reach(point: str) -> None:
    """Say that a point is reached; the name is one of `POINTS`.

    >>> seen = []
    >>> reach("batch.done")
    >>> seen
    []
    """
    if armed is not None:
        armed(point)
