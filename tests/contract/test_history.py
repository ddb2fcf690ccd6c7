"""The catalog's commits, newest first, as many as are asked for."""

import pytest

from catalog.log import Pin, Proposal
from catalog.objects import Endpoint
from catalog.zones import TableName
from lake import Lake
from tests.support.projects import lake_command, project_on
from tests.support.proxy import Proxy

COMMITS = 6
FLIGHTS = TableName.parse("silver.flights")


@pytest.fixture
def lake(fast_proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of six commits, each of which published another version of one table; reached by the proxy."""
    made = project_on(fast_proxy.endpoint, tmp_path_factory.mktemp("history") / "lake")
    for number in range(COMMITS):
        proposal = Proposal(f"o{number}", {FLIGHTS: number}, author="me", message=f"m{number}", run=f"r{number}")
        made.log.publish(made.log.head(), proposal)
    return made


def read(proxy: Proxy) -> set[str]:
    """The commits that were read since the log was emptied."""
    return {request.target for request in proxy.log if request.method == "GET" and "/commits/0" in request.target}


@pytest.mark.parametrize(
    ("limit", "numbers"), [(None, [6, 5, 4, 3, 2, 1]), (2, [6, 5]), (6, [6, 5, 4, 3, 2, 1]), (99, [6, 5, 4, 3, 2, 1])]
)
def test_no_more_than_asked_for(lake: Lake, limit: int | None, numbers: list[int]) -> None:
    """All of them without a limit."""
    assert [commit.number for commit in lake.history(limit)] == numbers


def test_an_empty_lake_has_none(fast_endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> None:
    """With or without a limit."""
    empty = project_on(fast_endpoint, tmp_path_factory.mktemp("empty") / "lake")
    assert empty.history() == empty.history(3) == []


def test_a_short_list_reads_little(lake: Lake, fast_proxy: Proxy) -> None:
    """The command shows what each commit changed, and that there are more, out of two commits beyond those shown."""
    fast_proxy.log.clear()
    done = lake_command(fast_proxy.endpoint, lake.settings.project, "history", "--limit", "2")
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == ["6", "5"]
    assert all(line.endswith("silver.flights") for line in done.stdout.splitlines()[2:])
    assert "the first 2 rows" in done.stderr
    assert len(read(fast_proxy)) == 4


def test_a_list_for_a_program_is_whole(lake: Lake, fast_proxy: Proxy) -> None:
    """CSV has all commits, the first of all with what it published."""
    done = lake_command(fast_proxy.endpoint, lake.settings.project, "history", "--format", "csv", "--limit", "2")
    lines = done.stdout.splitlines()[1:]
    assert [line.split(",")[0] for line in lines] == ["6", "5", "4", "3", "2", "1"]
    assert all(line.endswith("silver.flights") for line in lines)
    assert lake.log.at(1).tables == {"silver.flights": Pin(FLIGHTS.path, 0)}
