"""Secrets that this process knows are taken out of whatever is written down or sent."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from catalog.errors import UsageError
from lake.local import read_keys
from lake.settings import Settings

_IN_URL = re.compile(r"(?<=://)[^/\s@'\"]+@")
_LENGTH_MIN = 6
"""A shorter value is a word that stands anywhere, and hiding it would tell it."""

Redact = Callable[[Any], Any]


def redactor(settings: Settings) -> Redact:
    """What takes the secrets of this project and of the environment out of texts, also of those in lists and maps."""
    named = {value: f"({name})" for name, value in settings.secrets.items() if len(value) >= _LENGTH_MIN}
    known = named | _keys(settings) | _webhook(settings)
    return lambda value: redacted(value, known)


def redacted(value: Any, known: Mapping[str, str]) -> Any:
    """A value with a name in the place of each secret; of a URL also without whoever logs in.

    >>> redacted({"error": ["no s3cret! at http://me:pw@host/x"]}, {"s3cret!": "(DB_PASSWORD)"})
    {'error': ['no (DB_PASSWORD) at http://(login)@host/x']}
    """
    if isinstance(value, str):
        # The longest first: one secret may begin another.
        for secret in sorted(known, key=len, reverse=True):
            value = value.replace(secret, known[secret])
        return _IN_URL.sub("(login)@", value)
    if isinstance(value, Mapping):
        return {name: redacted(item, known) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item, known) for item in value]
    return value


def _keys(settings: Settings) -> dict[str, str]:
    """The keys to the store, a named one's or the local one's."""
    keys = settings.keys
    elsewhere = {} if keys is None else {keys.access_key: "(access key)", keys.secret_key: "(secret key)"}
    try:
        local = read_keys(settings.state)
    except UsageError:
        local = None
    return elsewhere | ({} if local is None else local.named())


def _webhook(settings: Settings) -> dict[str, str]:
    """The path of the webhook: whoever knows it can post there."""
    hook = settings.outlets().hook
    parts = urlsplit("" if hook is None else hook.url)
    hidden = (parts.path.strip("/"), parts.query)
    return {text: "(webhook)" for text in hidden if len(text) >= _LENGTH_MIN}
