"""What the tests of faults share."""

import pytest

from catalog.objects import store


@pytest.fixture(autouse=True)
def no_file_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes are read while they are archived, as a large file is."""
    monkeypatch.setattr(store, "CHECKED_BYTES_MIN", 0)
