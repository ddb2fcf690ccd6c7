"""Gold: results by name, built from silver."""

import polars as pl

from lake import Source, expect, job

LATE_MINUTES = 15


@job(
    "gold.delays_by_month",
    key=["month"],
    expect=[expect.rule("a share", pl.col("late_share").is_between(0, 1))],
)
def delays_by_month(flights: Source["silver.flights"]) -> pl.LazyFrame:
    """Flights, cancellations and departure delays in minutes by month; late is more than a quarter of an hour."""
    left = pl.col("dep_delay").is_not_null()
    return (
        flights.group_by("month")
        .agg(
            flights=pl.len(),
            cancelled=left.not_().sum(),
            mean_dep_delay=pl.col("dep_delay").mean(),
            late_share=(pl.col("dep_delay") > LATE_MINUTES).mean(),
        )
        .sort("month")
    )
