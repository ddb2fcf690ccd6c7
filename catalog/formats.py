"""What is written as JSON on the store says its format, and what is read is asked for it first."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from catalog.errors import UsageError

FORMAT = "format"


def stored(value: Mapping[str, Any], *, version: int) -> bytes:
    """A value as it is stored, with the version of its format; times as ISO 8601.

    >>> stored({"archived": [0]}, version=1)
    b'{\\n "format": 1,\\n "archived": [\\n  0\\n ]\\n}'
    """
    body = {FORMAT: version} | dict(value)
    return json.dumps(body, default=datetime.isoformat, ensure_ascii=False, indent=1).encode()


def opened(body: bytes, *, newest: int, what: str) -> dict[str, Any]:
    """A stored value without its format's version. Raises `UsageError` where that is newer than ``newest``.

    >>> opened(b'{"format": 1, "archived": [0]}', newest=1, what="an outcome")
    {'archived': [0]}
    """
    return readable(json.loads(body), newest=newest, what=what)


def moment(text: str) -> datetime:
    """A time as `stored` wrote it, in UTC.

    >>> moment("2026-01-31T12:00:00+01:00").isoformat()
    '2026-01-31T11:00:00+00:00'
    """
    return datetime.fromisoformat(text).astimezone(UTC)


def readable(value: Mapping[str, Any], *, newest: int, what: str) -> dict[str, Any]:
    """The same for a value that was read already, as a commit's metadata is."""
    fields = dict(value)
    found = fields.pop(FORMAT, None)
    if not isinstance(found, int) or found > newest:
        raise UsageError(
            f"{what} is in format {found}, and this version of the lake reads formats up to {newest}",
            next="update the lake; nothing was changed",
        )
    return fields
