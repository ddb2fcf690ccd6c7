"""The model of the batch: its rules hold over random schedules; `python -m tests.model.batch_protocol` tries more."""

import pytest

from tests.model.batch_protocol import RULES, check


@pytest.mark.parametrize("first", range(0, 2000, 500))
def test_every_record_is_there_once_whatever_the_schedule(first: int) -> None:
    """Deaths, lost replies, false 404s, twins that disagree, other patterns, readings anew and files taken back."""
    try_all(range(first, first + 500))


@pytest.mark.parametrize("rule", RULES)
def test_without_any_one_of_the_rules_of_patterns_it_does_not_hold(rule: str) -> None:
    """Each is needed: without it some schedule takes a delivery twice, or into a table that forgets it."""
    with pytest.raises(AssertionError, match="seed"):
        try_all(range(3000), rule)


def try_all(seeds: range, without: str = "") -> None:
    """Go through these schedules."""
    for seed in seeds:
        check(seed, without)
