"""A sample of the random histories of promotion; ``python -m tests.model.promotion`` runs as many as one likes."""

from pathlib import Path

import pytest

from catalog.objects import Endpoint
from tests.model.promotion import kinds_of, on_a_lake
from tests.model.promotion_jobs import RECIPES


@pytest.mark.parametrize("mode", sorted({recipe.mode for recipe in RECIPES}))
def test_a_table_made_in_part_equals_one_made_whole(fast_endpoint: Endpoint, tmp_path: Path, mode: str) -> None:
    """One history of each of the mode's recipes; some runs make only a part, where the mode's jobs allow it."""
    for (_, kind), recipes in kinds_of([mode]).items():
        ways = [way for seed, each in enumerate(recipes, 7) for way in on_a_lake(fast_endpoint, tmp_path, seed, each)]
        is_in_part = any(way.partition(": ")[2].startswith(kind) for way in ways)
        assert is_in_part is (kind != "on the whole"), ways
