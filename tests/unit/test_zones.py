"""Names: of tables, and of the dataset that a landing key belongs to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import UsageError
from catalog.objects import Endpoint
from catalog.zones import TABLE_ZONES, TableName, Zone, bronze_table, dataset_of, parted

KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=200)


def test_every_zone_is_a_bucket_of_its_own() -> None:
    """With the prefix that makes names unique on AWS."""
    endpoint = Endpoint("", "access", "secret", bucket_prefix="team-")
    assert [endpoint.bucket(zone) for zone in Zone] == [
        "team-landing",
        "team-bronze",
        "team-silver",
        "team-gold",
        "team-catalog",
    ]


def test_tables_are_in_every_zone_but_landing() -> None:
    """Landing holds what people drop."""
    assert [f"{zone}" for zone in TABLE_ZONES] == ["bronze", "silver", "gold", "catalog"]


@pytest.mark.parametrize(
    "text", ["bronze.flights", "silver.f", "gold.delays_2013", "catalog.ledger", "gold." + "a" * 127]
)
def test_a_table_name_is_read_as_it_is_written(text: str) -> None:
    """Its path lies below one folder of its zone's bucket."""
    name = TableName.parse(text)
    assert str(name) == text
    assert name.path == f"tables/{name.name}"
    assert TableName(name.zone, name.name) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "flights",
        "silver.",
        ".flights",
        "silver.Flights",
        "silver.1st",
        "silver._hidden",
        "silver.two words",
        "silver.a.b",
        "silver.a/b",
        "silver.../gold/x",
        "silver.flights\n",
        "silver.größe",
        "gold." + "a" * 128,
        "landing.flights",
        "platinum.flights",
        "SILVER.flights",
    ],
)
def test_what_is_no_table_name_is_refused(text: str) -> None:
    """With the text as it was written, and how one is written."""
    with pytest.raises(UsageError, match="write zone") as raised:
        TableName.parse(text)
    assert repr(text) in str(raised.value)


@settings(deadline=None)
@given(KEYS)
def test_every_landing_key_has_a_dataset_that_can_be_a_table(key: str) -> None:
    """Whatever a supplier calls a file or a folder, and always the same one."""
    dataset = dataset_of(key)
    assert TableName.parse(f"bronze.{dataset}").name == dataset
    assert dataset_of(key) == dataset


@settings(deadline=None)
@given(KEYS.filter(lambda text: "/" not in text), KEYS)
def test_files_of_one_folder_are_one_dataset(folder: str, name: str) -> None:
    """Whatever is below it."""
    assert dataset_of(f"{folder}/{name}") == dataset_of(f"{folder}/other.csv")


def test_files_of_a_series_are_one_dataset() -> None:
    """At the root the digits at the end of a name number the deliveries of one dataset."""
    names = ["prices.csv", "prices_2024.csv", "Prices 2024-01.csv", "prices-2024-02.csv.gz", "PRICES (3).csv"]
    assert {dataset_of(name) for name in names} == {"prices"}
    assert dataset_of("costs.csv") == "costs"


@pytest.mark.parametrize("length", range(40, 70))
def test_a_long_folder_is_never_taken_for_a_part_of_a_shorter_one(length: int) -> None:
    """A name that is cut where two words meet has no two underscores before its digest."""
    dataset = dataset_of(f"{'a' * length} {'b' * 30}/x.csv")
    assert parted(bronze_table(dataset, "notes").name) == (dataset, "notes")
