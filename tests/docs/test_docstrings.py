"""The examples in docstrings are true."""

import doctest
import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import catalog
import ingestion
import lake


def modules() -> Iterator[str]:
    """Every module of the three rooms; ``__main__`` would run the command."""
    for room in (catalog, ingestion, lake):
        yield room.__name__
        for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if not found.name.endswith("__main__"):
                yield found.name


@pytest.mark.parametrize("name", list(modules()))
def test_the_examples_of_a_module_are_true(name: str) -> None:
    """Each gives what it says; a module without examples has nothing to prove."""
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_examples_are_found() -> None:
    """The search reaches all three rooms: each has at least three modules with examples."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    with_examples = [
        name for name in modules() if any(test.examples for test in finder.find(importlib.import_module(name)))
    ]
    for room in ("catalog.", "ingestion.", "lake."):
        assert len([name for name in with_examples if name.startswith(room)]) >= 3
