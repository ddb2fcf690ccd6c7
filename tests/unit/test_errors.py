"""The tree of errors: each can be handled by its kind, ends the command with its code, and says what to do next."""

import pickle
from collections.abc import Iterator

import pytest

from catalog import errors
from catalog.errors import (
    AccessRefused,
    Conflict,
    DataRefused,
    ExitCode,
    ExpectationFailed,
    JobFailed,
    LakeError,
    NotFound,
    SchemaRefused,
    StoreError,
    TypeRefused,
    UnsafeStore,
    UsageError,
)


def family(error: type[LakeError]) -> Iterator[type[LakeError]]:
    yield error
    for child in error.__subclasses__():
        yield from family(child)


OURS = [error for error in family(LakeError) if error.__module__ == errors.__name__]


def test_exit_codes_are_what_scripts_rely_on() -> None:
    """0 ok, 1 data refused, 2 usage, 3 store, 4 conflict."""
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4]
    codes = {1: (DataRefused, SchemaRefused, TypeRefused, ExpectationFailed, JobFailed), 3: (StoreError, AccessRefused)}
    codes |= {2: (UsageError, NotFound, UnsafeStore), 4: (Conflict,)}
    assert {int(error.exit_code): error for group in codes.values() for error in group}.keys() == codes.keys()
    for code, group in codes.items():
        assert {int(error.exit_code) for error in group} == {code}


def test_every_kind_is_its_own() -> None:
    """A program can tell errors apart by ``kind``, whatever their words."""
    kinds = [error.kind for error in OURS]
    assert len(set(kinds)) == len(kinds)


def test_the_tree_is_drawn_as_it_is() -> None:
    """Each error, with its exit code, is in the picture at the top of the module."""
    drawn = (errors.__doc__ or "").split()
    assert [error.__name__ for error in OURS if error.__name__ not in drawn] == []
    branches = {"DataRefused": 1, "UsageError": 2, "StoreError": 3, "Conflict": 4}
    assert {name: int(drawn[drawn.index(name) + 1]) for name in branches} == branches
    assert {name: int(getattr(errors, name).exit_code) for name in branches} == branches


@pytest.mark.parametrize("error", OURS)
def test_what_and_next_are_in_its_words(error: type[LakeError]) -> None:
    """On two lines; one line where there is nothing to do."""
    assert str(error("what is wrong", next="what to do")) == "what is wrong\n  next: what to do"
    assert str(error("what is wrong")) == "what is wrong"
    assert (error("what", next="do").what, error("what", next="do").next) == ("what", "do")


@pytest.mark.parametrize("error", OURS)
def test_it_passes_between_processes(error: type[LakeError]) -> None:
    """Nothing of it is lost on the way from a worker."""
    sent = pickle.loads(pickle.dumps(error("what", next="do")))
    assert (type(sent), str(sent), sent.next) == (error, "what\n  next: do", "do")


def test_what_is_not_found_is_a_key_error() -> None:
    """Whoever looks things up by name may catch what lookups raise."""
    with pytest.raises(KeyError, match="no table"):
        raise NotFound("no table of that name")
    assert not issubclass(StoreError, KeyError)
