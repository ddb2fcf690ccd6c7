"""The model of the batch: its rules hold over random schedules; `python -m tests.model.batch_protocol` tries more."""

import pytest

from tests.model.batch_protocol import check


@pytest.mark.parametrize("first", range(0, 2000, 500))
def test_every_record_is_there_once_whatever_the_schedule(first: int) -> None:
    """Deaths, lost replies, false 404s, twins that disagree, readings anew and files taken back."""
    for seed in range(first, first + 500):
        check(seed)
