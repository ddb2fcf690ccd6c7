"""The plan of a batch: what is stored comes back, names sort in order, and a newer format is refused."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import UsageError
from ingestion.manifest import Delivery, Manifest, decode, encode, now
from ingestion.options import Column, DatasetPolicy, ReadOptions

BEGUN = datetime(2026, 7, 1, 12, 30, 15, 250_000, tzinfo=UTC)

times = st.datetimes(
    min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(timezone(timedelta(hours=2)))
)
patches = st.dictionaries(st.text(), st.dictionaries(st.integers(1), st.text()))
deliveries = st.builds(
    Delivery, st.text(), st.text(), st.integers(0), times, st.booleans(), st.booleans(), patches=patches
)
options = st.builds(
    ReadOptions,
    delimiter=st.none() | st.text(),
    skip_lines=st.none() | st.integers(0),
    names=st.lists(st.text()).map(tuple),
    fixed=st.lists(st.builds(Column, st.text(), st.integers(1), st.integers(1))).map(tuple),
    apart=st.booleans(),
)
policies = st.builds(
    DatasetPolicy,
    on_correction=st.sampled_from(["replace", "append", "refuse"]),
    bad_share_max=st.floats(0, 1),
    bad_rows_max=st.none() | st.integers(0),
    read=options,
)
manifests = st.builds(
    Manifest,
    dataset=st.from_regex(r"[a-z][a-z0-9_]{0,62}", fullmatch=True),
    number=st.integers(1, 99_999_999),
    deliveries=st.lists(deliveries, max_size=3).map(tuple),
    versions=st.dictionaries(st.text(), st.integers(0)),
    begun_at=times,
    policy=policies,
    epoch=st.integers(0),
    run=st.text(),
)


@given(manifests)
def test_what_is_stored_comes_back(manifest: Manifest) -> None:
    """Whatever the keys are called, whatever the policy pins; a version of 0 stays 0, and none stays none."""
    assert decode(encode(manifest)) == manifest


@given(manifests, manifests)
def test_names_sort_as_batches_and_deliveries_do(one: Manifest, other: Manifest) -> None:
    """The ledger is sorted by a delivery's name, so its order is that of the deliveries of a dataset."""
    if one.dataset == other.dataset and one.number != other.number:
        assert (one.delivery(999_999) < other.delivery(0)) == (one.number < other.number)
    assert one.delivery(9) < one.delivery(10)


def test_a_plan_of_a_newer_lake_is_refused() -> None:
    """An older lake does not guess what a newer one meant."""
    body = json.loads(encode(Manifest("a", 1, (), {}, BEGUN, DatasetPolicy()))) | {"format": 4}
    with pytest.raises(UsageError, match="format 4"):
        decode(json.dumps(body).encode())


def test_a_plan_of_an_older_lake_is_read() -> None:
    """Format 1 had one table a dataset, and one policy."""
    old = {"format": 1, "dataset": "a", "number": 7, "bronze_version": 0, "begun_at": BEGUN.isoformat()}
    delivery = {"key": "a/x.csv", "version_id": "v", "size_bytes": 3, "modified": BEGUN.isoformat()}
    old |= {"on_correction": "append", "begun_by": "host:1", "deliveries": [delivery | {"is_marker": False}]}
    read = decode(json.dumps(old).encode())
    assert (read.name, read.versions, read.policy) == ("a/00000007", {"a": 0}, DatasetPolicy(on_correction="append"))
    assert read.deliveries == (Delivery("a/x.csv", "v", 3, BEGUN),)


def test_who_is_waited_for() -> None:
    """Another process of this machine that is alive; not this one, not one that has died, nor one elsewhere."""
    host = Manifest("a", 1, (), {}, BEGUN, DatasetPolicy()).begun_by.rpartition(":")[0]
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        begun = {
            name: Manifest("a", 1, (), {}, BEGUN, DatasetPolicy(), begun_by=by).is_begun_by_a_living_process()
            for name, by in {
                "this": f"{host}:{os.getpid()}",
                "other": f"{host}:{other.pid}",
                "elsewhere": f"not-{host}:{other.pid}",
            }.items()
        }
        gone = Manifest("a", 1, (), {}, BEGUN, DatasetPolicy(), begun_by=f"{host}:{other.pid}")
    assert begun == {"this": False, "other": True, "elsewhere": False}
    assert not gone.is_begun_by_a_living_process()


def test_the_time_of_a_batch_is_in_whole_milliseconds() -> None:
    """As Delta tables and JSON both keep it."""
    assert now().microsecond % 1000 == 0
    assert now().tzinfo is UTC
