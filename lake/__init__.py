"""What people touch: the command line, the Python API, jobs and the local server.

The names below are loaded when they are first used, so that ``import lake`` and ``lake --help`` do not import Polars.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalog import errors
    from lake.inspection import inspect
    from lake.promote import expect
    from lake.promote.declare import Source, job
    from lake.promote.dependent import by_key, by_row, whole
    from lake.promote.outcome import RunOptions
    from lake.reading import Lake, View
    from lake.reading import open_lake as open

_HOMES = {
    "errors": ("catalog.errors", ""),
    "Lake": ("lake.reading", "Lake"),
    "View": ("lake.reading", "View"),
    "open": ("lake.reading", "open_lake"),
    "RunOptions": ("lake.promote.outcome", "RunOptions"),
    "Source": ("lake.promote.declare", "Source"),
    "by_key": ("lake.promote.dependent", "by_key"),
    "by_row": ("lake.promote.dependent", "by_row"),
    "expect": ("lake.promote.expect", ""),
    "inspect": ("lake.inspection", "inspect"),
    "job": ("lake.promote.declare", "job"),
    "whole": ("lake.promote.dependent", "whole"),
}

__all__ = [
    "Lake",
    "RunOptions",
    "Source",
    "View",
    "by_key",
    "by_row",
    "errors",
    "expect",
    "inspect",
    "job",
    "open",
    "whole",
]


def __getattr__(name: str) -> Any:
    """Load a name of the API from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lake' has no attribute {name!r}; it has {', '.join(__all__)}")
    module, attribute = _HOMES[name]
    loaded = importlib.import_module(module)
    return getattr(loaded, attribute) if attribute else loaded
