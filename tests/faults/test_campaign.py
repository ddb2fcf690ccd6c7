"""A small campaign of runs that die, on each of the servers; `make faults` runs a long one."""

from pathlib import Path

from catalog.objects import Endpoint
from tests.faults.campaign import Campaign


def test_runs_that_die_leave_every_record_once_and_nothing_half_published(endpoint: Endpoint, tmp_path: Path) -> None:
    """Ten runs that are killed, five on each server: silver and gold belong together at every commit."""
    Campaign(endpoint, tmp_path / "project", seed=1).go(5)
