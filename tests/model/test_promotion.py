"""A sample of the random histories of promotion; ``python -m tests.model.promotion`` runs as many as one likes."""

from pathlib import Path

import pytest

from catalog.objects import Endpoint
from tests.model.promotion import histories, kinds_of
from tests.model.promotion_jobs import RECIPES


@pytest.mark.parametrize("mode", sorted({recipe.mode for recipe in RECIPES}))
def test_a_table_made_in_part_equals_one_made_whole(fast_endpoint: Endpoint, tmp_path: Path, mode: str) -> None:
    """One history of each of the mode's recipes."""
    work = [(7 + number, recipe) for recipes in kinds_of([mode]).values() for number, recipe in enumerate(recipes)]
    for ways in histories(fast_endpoint, tmp_path, work):
        assert sum(ways.values()) >= 3
