"""A few hundred files of every kind, the same ones each time; `campaign` tries as many others as one likes."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.dirty.cells import is_told
from tests.dirty.damage import damaged_files, long_files
from tests.dirty.files import files, plain_files
from tests.dirty.oracle import judge
from tests.dirty.outcome import Refused
from tests.dirty.pins import pins
from tests.dirty.reading import read
from tests.dirty.writers import PLAIN_DELIMITERS, Written

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def fixed(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dirty")


@fixed(150)
@given(written=plain_files())
def test_an_undamaged_table_is_read(folder: Path, written: Written) -> None:
    """Nothing of it is lost or altered; with an everyday delimiter it is not refused either."""
    got = read(written.data, folder)
    judge(written, got)
    if written.writing.delimiter in PLAIN_DELIMITERS and written.table.width > 1 and is_told(written):
        assert not isinstance(got, Refused), got


@fixed(150)
@given(written=files())
def test_what_stands_beside_a_table_neither_hides_nor_alters_it(folder: Path, written: Written) -> None:
    judge(written, read(written.data, folder))


@fixed(300)
@given(written=damaged_files())
def test_damage_is_set_aside_with_a_reason_and_harms_no_other_record(folder: Path, written: Written) -> None:
    judge(written, read(written.data, folder))


@fixed(8)
@given(written=long_files())
def test_damage_behind_the_sample_is_noticed_too(folder: Path, written: Written) -> None:
    judge(written, read(written.data, folder))


@fixed(100)
@given(written=files())
def test_what_is_pinned_is_not_guessed(folder: Path, written: Written) -> None:
    """With its dialect in ``lake.toml`` no file is refused or misunderstood, whatever it looks like."""
    got = read(written.data, folder, pins(written))
    assert judge(written, got) in {"exact", "extra row", "sound rejected"}
