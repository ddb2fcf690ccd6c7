"""Which dataset a landed file belongs to: by patterns in their order, else by its key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import zones
from ingestion.routing import Routes, fits

KEYS = st.text(st.sampled_from("ab/1.*?["), min_size=1, max_size=12)


@given(KEYS)
def test_without_patterns_the_key_decides(key: str) -> None:
    """As ever."""
    assert Routes().dataset_of(key) == zones.dataset_of(key)
    assert Routes({"x": ("no such file",)}).dataset_of(key) == zones.dataset_of(key)


@given(KEYS)
def test_a_star_takes_everything_and_the_first_decides(key: str) -> None:
    """In the order of lake.toml."""
    assert Routes({"first": ("*",), "second": ("*",)}).dataset_of(key) == "first"


@pytest.mark.parametrize(
    ("pattern", "key", "is_one"),
    [
        ("cpi_*.csv", "cpi_1.csv", True),
        ("cpi_*.csv", "any/folder/cpi_1.csv", True),
        ("cpi_*.csv", "CPI_1.csv", False),
        ("cpi_*.csv", "my_cpi_1.csv", False),
        ("post/*", "post/2026/a.csv", True),
        ("post/*/a.csv", "post/2026/01/a.csv", True),
        ("post/*", "letters/post/a.csv", False),
        ("*/a.csv", "a.csv", False),
        ("[0-9][0-9].csv", "x/26.csv", True),
        ("Fläche?.csv", "Fläche1.csv", True),
    ],
)
def test_what_a_pattern_means(pattern: str, key: str, is_one: bool) -> None:
    """With a slash the whole key, without one the name alone."""
    assert fits(pattern, key) is is_one
