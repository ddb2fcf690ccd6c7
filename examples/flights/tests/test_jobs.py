"""Jobs are functions of frames: tried here as a run tries them, without a store."""

import polars as pl
import pytest

from lake import errors
from lake.testing import run_job


def test_a_route_that_a_month_lacks_has_ended() -> None:
    flights = pl.DataFrame({"month": [1, 3], "carrier": ["UA", "AA"], "origin": ["EWR", "JFK"], "dest": ["IAH", "MIA"]})
    routes = run_job("silver.routes", {"silver.flights": flights}).rows
    assert routes.sort("month").select("carrier", "valid_from", "valid_to").rows() == [("UA", 1, 3), ("AA", 3, None)]


def test_an_airline_without_a_name_is_refused() -> None:
    airlines = pl.DataFrame({"carrier": ["UA"], "name": [None]}, schema_overrides={"name": pl.String})
    with pytest.raises(errors.ExpectationFailed, match="name"):
        run_job("silver.airlines", {"bronze.airlines": airlines})
