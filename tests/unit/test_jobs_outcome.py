"""Outcomes and options go from process to process as JSON, and come back the same."""

import json
from datetime import UTC, datetime

import pytest

from catalog import errors
from catalog.errors import LakeError
from catalog.zones import TableName
from lake.promote.outcome import Outcome, RunOptions, error_from_dict, error_to_dict

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
KINDS = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, LakeError)]


def test_an_outcome_survives_the_way() -> None:
    """Every field, whatever its type."""
    outcome = Outcome(
        TableName.parse("silver.sales"),
        "ran",
        "never built",
        version=3,
        rows_in=10,
        rows_out=9,
        rejected=1,
        warnings=("a is absent",),
        nulls={"bronze.sales": {"a": {"NA": 2}}},
        where="jobs/silver.py:7",
        started_at=MOMENT,
        seconds=0.5,
        attempts=2,
        bytes_in=100,
        bytes_out=50,
        memory_peak_bytes=1 << 20,
        how="by row of bronze.sales",
        read={TableName.parse("bronze.sales"): 4},
        rows_read=2,
    )
    assert Outcome.from_dict(json.loads(json.dumps(outcome.to_dict()))) == outcome


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_an_error_stays_of_its_kind(kind: type[LakeError]) -> None:
    """So that whoever handles it does what it calls for."""
    again = error_from_dict(json.loads(json.dumps(error_to_dict(kind("what", next="next")))))
    assert (type(again), again.what, again.next) == (kind, "what", "next")


def test_options_survive_the_way() -> None:
    options = RunOptions(
        full=True, since=MOMENT, partition={"month": "2026-01"}, tables=("silver.a",), all_or_nothing=True, jobs_max=3
    )
    assert RunOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options
