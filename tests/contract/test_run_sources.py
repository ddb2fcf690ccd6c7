"""What a SQL job reads: local files of the lake's own naming, wherever cache and scratch are."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest

from catalog.log import Proposal
from catalog.objects import Endpoint
from catalog.tables import Change, storable
from catalog.zones import TableName
from lake import Lake
from tests.support.projects import project_on
from tests.support.published import publish

PARTS = TableName.parse("silver.parts")
FRAME = pl.DataFrame({"n": [1, 2, 3]})


@pytest.fixture
def lake(fast_endpoint: Endpoint, tmp_path: Path) -> Lake:
    """A lake with one job, in SQL."""
    made = project_on(fast_endpoint, tmp_path / "lake")
    folder = made.settings.project / "jobs" / "gold"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "total.sql").write_text("-- mode: replace\nselect sum(n) as total from silver.parts\n")
    return made


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder on another device than the project's."""
    with TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def total(lake: Lake) -> object:
    result = lake.run()
    assert [outcome.error for outcome in result.outcomes] == [None]
    return lake.read("gold.total").collect().item()


def test_a_path_of_the_log_does_not_become_a_local_path(lake: Lake) -> None:
    """Another program may have named a table's file like this, or worse."""
    written = storable(FRAME.lazy())
    (file,) = lake.store.sink(PARTS, written)
    odd = replace(file, path=f"deep/er/{uuid.uuid4().hex}.parquet")
    body = lake.objects.get(PARTS.zone, f"{PARTS.path}/{file.path}")
    lake.objects.put(PARTS.zone, f"{PARTS.path}/{odd.path}", body)
    made = lake.store.commit(Change(PARTS, uuid.uuid4().hex, None, written.collect_schema(), [odd]))
    lake.log.publish(lake.log.head(), Proposal("one", {PARTS: made.version}, author="me", message="m", run="r"))
    assert total(lake) == 6


def test_the_cache_may_be_on_another_disk(lake: Lake, elsewhere: Path) -> None:
    """Where files cannot be linked to they are copied."""
    lake.settings.state.mkdir(exist_ok=True)
    (lake.settings.state / "cache").symlink_to(elsewhere)
    publish(lake, silver__parts=FRAME)
    assert total(lake) == 6
    assert len(list(elsewhere.glob("*.parquet"))) >= 1
