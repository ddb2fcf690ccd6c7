"""A worker that is started before the run knows what for: it does jobs as one that is started then, or goes."""

import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psutil
import pytest

from catalog.objects import Endpoint
from lake import Lake
from lake.cli.main import main
from lake.promote import process
from tests.support.projects import project_on
from tests.support.published import publish

TELLING = """
import os
from pathlib import Path

import polars as pl

from lake import Source, job

TOLD = open(Path(__file__).with_name("told"), "w")


@job("gold.telling")
def telling(parts: Source["silver.parts"]) -> pl.LazyFrame:
    if parts.collect_schema():
        print(os.getpid(), os.environ.get("SHOP_WORD"), os.getcwd(), file=TOLD)
    return parts
"""


@pytest.fixture
def lake(fast_endpoint: Endpoint, tmp_path: Path) -> Lake:
    """A lake with a table, and a job that tells of its process in a file that it never closes."""
    made = project_on(fast_endpoint, tmp_path / "lake")
    publish(made, silver__parts=pl.DataFrame({"n": [1, 2, 3]}))
    folder = made.settings.project / "jobs"
    folder.mkdir(exist_ok=True)
    (folder / "telling.py").write_text(TELLING)
    return made


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """What a test has prepared goes with it."""
    yield
    process.end_prepared()


def told(lake: Lake) -> list[str]:
    """The worker's pid, a word of its environment, its folder."""
    return (lake.settings.project / "jobs" / "told").read_text().split()


def test_it_works_in_the_environment_of_the_run(lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not in that of the moment when it was started; and what it has not written to its files yet is not lost."""
    process.prepare()
    (prepared,) = process._prepared
    monkeypatch.setenv("SHOP_WORD", "open")
    monkeypatch.chdir(tmp_path)
    (outcome,) = lake.run(["gold.telling"]).outcomes
    assert outcome.status == "ran"
    assert told(lake) == [str(prepared.pid), "open", str(tmp_path)]


def test_one_that_has_died_is_replaced(lake: Lake) -> None:
    """The run hears nothing of it."""
    process.prepare()
    (prepared,) = process._prepared
    psutil.Process(prepared.pid).kill()
    prepared._process.wait()
    (outcome,) = lake.run(["gold.telling"]).outcomes
    assert outcome.status == "ran"
    assert told(lake)[0] != str(prepared.pid)


@pytest.mark.parametrize("arguments", [("promote", "gold.telling"), ("run", "gold.telling", "--no-such-option")])
def test_a_command_that_fails_leaves_none(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """As one in a folder that is no project."""
    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(SystemExit):
        main(["-C", str(tmp_path), *arguments])
    assert process._prepared == []
    assert {child.pid for child in psutil.Process().children()} == before


@pytest.mark.parametrize(
    ("arguments", "is_prepared"),
    [
        (("promote", "gold.telling"), True),
        (("promote", "--full", "gold.telling"), True),
        (("promote",), False),
        (("promote", "--jobs", "4"), False),
        (("run", "--partition", "month=2026.1"), False),
        (("tables", "gold.telling"), False),
    ],
)
def test_it_is_prepared_where_tables_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], is_prepared: bool
) -> None:
    """A run that may have nothing to do starts none."""
    seen: list[int] = []
    monkeypatch.setattr(process, "prepare", lambda: seen.append(os.getpid()))
    with pytest.raises(SystemExit):
        main(["-C", str(tmp_path), *arguments])
    assert bool(seen) is is_prepared
