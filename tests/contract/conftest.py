"""What contract tests share."""

import pytest

from catalog.objects import client
from catalog.tables import commit, store
from catalog.tables.options import polars_options


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many tries as ever, with shorter pauses between them; of Polars' own tries, which are many, fewer."""
    monkeypatch.setattr(client, "BACKOFF_SECONDS", 0.005)
    monkeypatch.setattr(client, "BACKOFF_SECONDS_MAX", 0.01)
    monkeypatch.setattr(commit, "PAUSE_SECONDS", 0.005)
    monkeypatch.setattr(store, "polars_options", lambda endpoint: polars_options(endpoint) | {"max_retries": 1})
