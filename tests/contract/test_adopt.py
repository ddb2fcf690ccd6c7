"""``lake show`` and ``lake adopt``: what an automatic table is, and the job that makes the same of it."""

from pathlib import Path

import polars as pl
import pytest

from catalog.errors import NotFound, UsageError
from catalog.objects import Endpoint
from lake import Lake
from lake.reading import open_lake
from tests.support.projects import lake_command, project_on, variables

SALES = """day,shop,amount,paid,open,code
2026-01-02,A,1.5,2026-01-02T10:00:00Z,true,0870
2026-01-03,B,,2026-01-03T11:30:00Z,false,12
2026-01-04,,-2,2026-01-03T11:30:00.5Z,true,
"""


@pytest.fixture
def lake(fast_endpoint: Endpoint, tmp_path: Path) -> Lake:
    project_on(fast_endpoint, tmp_path / "lake")
    lake = open_lake(tmp_path / "lake", variables(fast_endpoint))
    (tmp_path / "sales.csv").write_text(SALES)
    lake.drop([tmp_path / "sales.csv"], "sales")
    assert lake.run().is_published
    return lake


@pytest.mark.parametrize("sql", [False, True])
@pytest.mark.parametrize("has_repeated", [False, True])
def test_an_adopted_table_has_the_same_rows(lake: Lake, tmp_path: Path, sql: bool, has_repeated: bool) -> None:
    """The job that is written gives, right after, the same rows and types; later files come by what is new."""
    if has_repeated:
        (tmp_path / "again.csv").write_text(SALES + "2026-01-05,C,3,2026-01-05T00:00:00Z,true,1\n")
        lake.drop([tmp_path / "again.csv"], "sales")
        lake.run()
    before = lake.at().snapshot("silver.sales")
    assert before.schema == pl.Schema(
        {
            "day": pl.Date(),
            "shop": pl.String(),
            "amount": pl.Float64(),
            "paid": pl.Datetime("us", "UTC"),
            "open": pl.Boolean(),
            "code": pl.String(),
        }
    )
    path = lake.adopt("silver.sales", sql=sql)
    (outcome,) = lake.run().outcomes
    assert (outcome.status, outcome.reason, outcome.rejected) == ("ran", "the job's code changed", 0)
    after = lake.at().snapshot("silver.sales")
    assert after.schema == before.schema
    assert _rows(lake) == sorted(before.scan().collect().rows(), key=repr)
    assert {file.path for file in after.files} == {file.path for file in before.files}
    with pytest.raises(UsageError, match="was not made without a job"):
        lake.adopt("silver.sales")
    assert path.exists()
    (tmp_path / "more.csv").write_text("day,shop,amount,paid,open,code\n2026-02-01,A,7,2026-02-02T10:00:00Z,true,1\n")
    lake.drop([tmp_path / "more.csv"], "sales")
    (outcome,) = lake.run().outcomes
    assert not outcome.how.startswith("whole"), outcome.how
    assert len(_rows(lake)) == before.rows + 1


def test_no_file_is_overwritten(lake: Lake) -> None:
    path = lake.settings.project / "jobs" / "silver" / "sales.sql"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        lake.adopt("silver.sales")
    assert path.read_text() == "mine"


def test_what_a_table_is_is_shown(lake: Lake, fast_endpoint: Endpoint) -> None:
    """The command says on stdout what the API gives; bronze and the catalog's own tables are shown, too."""
    shown = lake.show("silver.sales")
    assert (shown.rows, shown.is_automatic, shown.sources) == (3, True, {"bronze.sales": 0})
    why = dict(shown.columns.select("column", "why").rows())
    assert why["amount"] == "all 2 values fit, 1 empty text is missing; not Int64: '1.5' on line 2 of sales/sales.csv"
    assert why["code"] == "text: '0870' (leading zero) on line 2 of sales/sales.csv"
    done = lake_command(fast_endpoint, lake.settings.project, "show", "silver.sales")
    assert done.returncode == 0, done.stderr
    for said in ("silver.sales  version 0: 3 rows", "nobody wrote a job", "leading zero", "each row once", "1 ''"):
        assert said in done.stdout, done.stdout
    assert lake.show("bronze.sales").rows == 3
    assert lake.show("catalog.ledger").rows == 1
    with pytest.raises(NotFound):
        lake.show("silver.sails")


def _rows(lake: Lake) -> list[tuple[object, ...]]:
    return sorted(lake.read("silver.sales").collect().rows(), key=repr)
