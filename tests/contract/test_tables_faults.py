"""A table's commit when the store stumbles: made exactly once, or an error after which it may be tried again."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import polars as pl
import pytest

from catalog.errors import AccessRefused, Conflict, NotFound, StoreError
from catalog.objects import Endpoint, ObjectStore
from catalog.tables import Tables, store_faults
from tests.support.delta import append, change, fresh_name, head, held, make, numbers
from tests.support.proxy import Proxy

COMMIT = r"/_delta_log/\d{20}\.json"

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def through(proxy: Proxy) -> Tables:
    return Tables(ObjectStore(proxy.endpoint))


@pytest.fixture
def direct(endpoint: Endpoint) -> Tables:
    return Tables(ObjectStore(endpoint))


@pytest.mark.parametrize("times", [1, None])
def test_a_lost_reply_of_a_commit(times: int | None, proxy: Proxy, through: Tables, direct: Tables) -> None:
    """The commit is found by its operation, of a new table as of an old one; its rows are there once."""
    name = fresh_name()
    proxy.drop_reply("PUT", COMMIT, times=times)
    first = make(through, numbers(1), name)
    proxy.clear()
    proxy.drop_reply("PUT", COMMIT, times=times)
    second = append(through, first, numbers(2))
    assert (first.version, second.version, head(direct, name).version) == (0, 1, 1)
    assert held(direct, name) == [1, 2]


def test_a_lost_reply_while_a_rival_was_first(proxy: Proxy, through: Tables, direct: Tables) -> None:
    """A rival's commit is not taken for one's own."""
    first = make(through, numbers(1))
    proxy.on_request(lambda _: append(direct, first, numbers(7)), "PUT", COMMIT)
    proxy.drop_reply("PUT", COMMIT)
    with pytest.raises(Conflict, match="another writer was first"):
        append(through, first, numbers(2))
    assert held(direct, first.name) == [1, 7]


def test_a_lost_reply_under_a_rivals_commit(proxy: Proxy, through: Tables, direct: Tables) -> None:
    """One's own commit is found also when another stands on top of it by the time that one asks."""
    first = make(through, numbers(1))
    proxy.drop_reply("PUT", COMMIT, times=None)
    proxy.on_request(lambda _: append(direct, head(direct, first.name), numbers(7)), "GET", r"/0{19}1\.json")
    assert append(through, first, numbers(2)).version == 1
    assert held(direct, first.name) == [1, 2, 7]


def test_a_commit_that_the_store_then_denies(proxy: Proxy, through: Tables, direct: Tables) -> None:
    """A 404 that is not true, after a lost reply, does not make the commit twice."""
    first = make(through, numbers(1))
    proxy.drop_reply("PUT", COMMIT)
    proxy.answer(404, "GET", r"/0{19}1\.json", times=2)
    assert append(through, first, numbers(2)).version == 1
    assert held(direct, first.name) == [1, 2]


def test_a_store_that_is_busy(proxy: Proxy, through: Tables, direct: Tables) -> None:
    """Several 503 delay a commit, and that is all."""
    name = fresh_name()
    rule = proxy.answer(503, "PUT", COMMIT, times=4)
    first = make(through, numbers(1), name)
    proxy.answer(503, "PUT", COMMIT, times=4)
    append(through, first, numbers(2))
    assert rule.left == 0
    assert held(direct, name) == [1, 2]


def test_a_commit_altered_in_flight(proxy: Proxy, through: Tables, direct: Tables) -> None:
    """The store refuses it, since delta-rs sends a checksum: an unreadable entry of the log would end the table."""
    first = make(through, numbers(1))
    proxy.alter(lambda body: b"[" + body[1:], "PUT", COMMIT)
    append(through, first, numbers(2))
    assert held(direct, first.name) == [1, 2]


def test_data_altered_in_flight(proxy: Proxy, through: Tables, direct: Tables) -> None:
    """The store refuses it, since Polars sends a checksum."""
    rule = proxy.alter(lambda body: body[:10] + bytes([body[10] ^ 1]) + body[11:], "PUT", r"/part-")
    first = make(through, numbers(1))
    assert rule.hits == 1
    assert held(direct, first.name) == [1]


@pytest.mark.parametrize("is_made", [True, False])
def test_a_store_that_goes_away_in_the_middle(
    is_made: bool, proxy: Proxy, through: Tables, direct: Tables, endpoint: Endpoint
) -> None:
    """An error of the store, whether the commit was made or not; the same change tried again is made once."""
    first = make(through, numbers(1))
    intent = change(through, first.name, first, numbers(2))
    proxy.on_request(lambda _: proxy.drop_request("*", "", times=None), "PUT", COMMIT)
    (proxy.drop_reply if is_made else proxy.drop_request)("PUT", COMMIT)
    with pytest.raises(StoreError, match="next: lake status") as raised:
        through.commit(intent)
    assert endpoint.secret_key not in str(raised.value)
    proxy.clear()
    assert head(direct, first.name).version == int(is_made)
    assert through.commit(intent).version == 1
    assert through.commit(intent).version == 1
    assert held(direct, first.name) == [1, 2]


@contextmanager
def interrupted(proxy: Proxy, fault: str, version: int) -> Iterator[None]:
    """The commit of a version meets a fault, and the store says nothing of commits from then on."""
    target = rf"/_delta_log/{version:020d}\.json"
    proxy.on_request(lambda _: proxy.answer(503, "*", COMMIT, times=None), "PUT", target)
    getattr(proxy, fault)("PUT", target)
    yield
    proxy.clear()


@pytest.mark.parametrize("fault", ["drop_reply", "drop_request"])
@pytest.mark.parametrize("step", [1, 2])
def test_every_step_of_a_change_of_schema(step: int, fault: str, fast_proxy: Proxy, fast_endpoint: Endpoint) -> None:
    """Commits of a change that takes several are each made once; it may be tried again from any of them."""
    through, direct = (Tables(ObjectStore(each)) for each in (fast_proxy.endpoint, fast_endpoint))
    times = pl.LazyFrame({"t": ["2020-01-01"]}).select(pl.col("t").str.to_datetime())
    first = make(through, numbers(1))
    intent = change(through, first.name, first, times, replacing=True)
    with interrupted(fast_proxy, fault, step), pytest.raises(StoreError):
        through.commit(intent)
    made = through.commit(intent)
    assert (made.version, made.schema) == (2, pl.Schema({"t": pl.Datetime("us")}))
    assert head(direct, first.name).files == made.files
    assert made.scan().collect().height == 1


@pytest.mark.parametrize("fault", ["drop_reply", "drop_request"])
@pytest.mark.parametrize("step", [1, 2])
def test_every_step_of_new_columns(step: int, fault: str, fast_proxy: Proxy, fast_endpoint: Endpoint) -> None:
    """Columns, then rows: each commit is made once, whichever reply is lost, and both may be tried again."""
    through, direct = (Tables(ObjectStore(each)) for each in (fast_proxy.endpoint, fast_endpoint))
    wide = pl.LazyFrame({"n": [2], "t": [datetime(2020, 1, 1)]})
    first = make(through, numbers(1))
    intent = change(through, first.name, first, wide, columns={"t": {"label": "T"}})
    with interrupted(fast_proxy, fault, step), pytest.raises(StoreError):
        through.commit(intent)
    assert held(direct, first.name) in ([1], [1, 2])
    made = through.commit(intent)
    assert (made.version, made.schema, made.columns) == (2, wide.collect_schema(), {"t": {"label": "T"}})
    assert head(direct, first.name).files == made.files
    assert held(direct, first.name) == [1, 2]


def test_a_rival_who_widens_first(fast_proxy: Proxy, fast_endpoint: Endpoint) -> None:
    """The same column by two at once: one is refused before its rows come, and starts again on the wider table."""
    through, direct = (Tables(ObjectStore(each)) for each in (fast_proxy.endpoint, fast_endpoint))
    first = make(through, numbers(1))
    wide, rival = (pl.LazyFrame({"n": [n], "m": [n]}) for n in (2, 7))
    fast_proxy.on_request(lambda _: append(direct, first, rival), "PUT", r"/0{19}1\.json")
    with pytest.raises(Conflict):
        append(through, first, wide)
    assert held(direct, first.name) == [1, 7]
    append(through, head(direct, first.name), wide)
    assert held(direct, first.name) == [1, 2, 7]


def test_a_rival_between_two_steps(proxy: Proxy, through: Tables, direct: Tables) -> None:
    """Who commits between the steps of a change of schema keeps the rows; the change is refused."""
    first = make(through, numbers(1))
    times = pl.LazyFrame({"t": ["2020-01-01"]}).select(pl.col("t").str.to_datetime())
    proxy.on_request(lambda _: append(direct, head(direct, first.name), numbers(7)), "PUT", r"/0{19}2\.json")
    intent = change(through, first.name, first, times, replacing=True)
    for _ in range(2):
        with pytest.raises(Conflict):
            through.commit(intent)
    assert held(direct, first.name) == [1, 7]


def test_a_checkpoint_that_cannot_be_written(proxy: Proxy, through: Tables, direct: Tables) -> None:
    """The commit stands, and is not made again."""
    proxy.answer(503, "PUT", "checkpoint", times=None)
    snapshot = make(through, numbers(0))
    for number in range(1, 12):
        snapshot = append(through, snapshot, numbers(number))
    assert proxy.seen("PUT", "checkpoint") != []
    assert held(direct, snapshot.name) == list(range(12))
    assert head(direct, snapshot.name).version == 11


@pytest.mark.parametrize(("status", "error"), [(503, StoreError), (403, AccessRefused), (404, NotFound)])
def test_a_table_that_cannot_be_asked_for_is_not_absent(
    status: int, error: type[Exception], proxy: Proxy, through: Tables
) -> None:
    """None means that there is no table; a store that does not answer, refuses or denies its bucket is an error."""
    first = make(through, numbers(1))
    proxy.answer(status, "*", f"{first.name.path}|list-type", times=None)
    with pytest.raises(error):
        through.open(first.name)


def test_wrong_keys(endpoint: Endpoint, direct: Tables) -> None:
    """Refused as such by every verb, in words that hold no key."""
    first = make(direct, numbers(1))
    intent = change(direct, first.name, first, numbers(2))
    calls: list[Callable[[Tables], object]] = [
        lambda refused: refused.open(first.name),
        lambda refused: refused.open(first.name, 0),
        lambda refused: refused.sink(first.name, numbers(3)),
        lambda refused: refused.commit(replace(intent, base=None)),
    ]
    for bad in (replace(endpoint, secret_key="s" * 40), replace(endpoint, access_key="a" * 20, secret_key="s" * 40)):
        for call in calls:
            with pytest.raises(AccessRefused) as raised:
                call(Tables(ObjectStore(bad)))
            assert not re.search(f"{bad.secret_key}|{bad.access_key}", f"{raised.value} {raised.value!r}")
    assert held(direct, first.name) == [1]


class TestSink:
    def test_a_store_that_does_not_take_the_rows(self, proxy: Proxy, through: Tables) -> None:
        """An error of the store, not of Polars."""
        proxy.answer(503, "*", "/part-", times=None)
        with pytest.raises(StoreError, match="silver"):
            through.sink(fresh_name(), numbers(1))

    def test_what_the_frame_raises_passes(self, direct: Tables) -> None:
        """The error of a job's own code is the job's, also when it looks like one of a file."""

        def fail(_: pl.DataFrame) -> pl.DataFrame:
            raise FileNotFoundError("mine")

        with pytest.raises(FileNotFoundError, match="mine"):
            direct.sink(fresh_name(), numbers(1).map_batches(fail))

    def test_a_scan_of_a_store_that_does_not_answer(self, proxy: Proxy, through: Tables) -> None:
        """Whoever collects a scan says so, and gets an error of the lake."""
        first = make(through, numbers(1))
        proxy.answer(403, "GET", "/part-", times=None)
        with pytest.raises(AccessRefused, match="cannot read the numbers"), store_faults("read the numbers"):
            first.scan().collect()
        proxy.clear()
        proxy.answer(404, "GET", "/part-", times=None)
        with pytest.raises(NotFound), store_faults("read the numbers"):
            first.scan().collect()
