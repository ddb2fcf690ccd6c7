"""What lies in landing, in order: the oldest version of a key first, and what a marker withdraws."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from catalog.objects import VersionInfo
from ingestion.landing import in_order

SAME_SECOND = datetime(2026, 7, 1, tzinfo=UTC)


def versions(markers: list[bool]) -> list[VersionInfo]:
    """Versions of one key as a store lists them, the newest first; SeaweedFS tells their times in whole seconds."""
    newest = len(markers)
    return [VersionInfo("a/1.csv", f"v{newest - i}", 1, "", SAME_SECOND, marker) for i, marker in enumerate(markers)]


def test_versions_of_a_key_come_oldest_first() -> None:
    """In the store's order: times do not tell one from the other, and ids may be random."""
    assert [delivery.version_id for delivery in in_order(versions([False] * 3))] == ["v1", "v2", "v3"]


def test_a_marker_withdraws_what_is_older_and_itself() -> None:
    """A file that comes after a delete is a delivery like any other."""
    deliveries = in_order(versions([False, True, False, True, False]))
    assert [delivery.is_withdrawn for delivery in deliveries] == [True, True, True, True, False]
    assert [delivery.is_marker for delivery in deliveries] == [False, True, False, True, False]


@given(st.lists(st.booleans()))
def test_every_version_is_there_once_and_only_markers_above_it_withdraw_it(markers: list[bool]) -> None:
    """Nothing is dropped or doubled, and each version's fate depends on the markers above it alone."""
    deliveries = in_order(versions(markers))
    assert [delivery.is_marker for delivery in deliveries] == markers[::-1]
    for index, delivery in enumerate(deliveries):
        assert delivery.is_withdrawn == any(later.is_marker for later in deliveries[index:])
        assert delivery.version == versions(markers)[::-1][index]
