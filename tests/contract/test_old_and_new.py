"""What stands decides: not what came once and went, and no old delivery goes before a newer one."""

from dataclasses import replace

from catalog.ledger import Fate
from catalog.objects import Endpoint
from ingestion.options import DatasetPolicy
from ingestion.retake import Replay, replay, retract
from tests.faults.bench import Bench
from tests.faults.checks import readable


def _under(bench: Bench, **choices: object) -> None:
    bench.policy = replace(bench.policy, default=DatasetPolicy(**choices))  # type: ignore[arg-type]


def _ids(bench: Bench) -> list[str]:
    return sorted(bench.rows("a")["id"].to_list())


def _drop(bench: Bench, key: str, body: bytes) -> None:
    bench.drop(key, body)
    bench.ingest()


def test_bytes_that_were_taken_back_are_no_duplicate(fast_endpoint: Endpoint) -> None:
    """A file that was retracted, or corrected, is no reason to skip its bytes under another name."""
    bench = Bench(fast_endpoint)
    _under(bench, on_duplicate="skip")
    _drop(bench, "a/x.csv", readable(1))
    retract(bench.tables, bench.policy, ["a/x.csv"])
    _drop(bench, "a/y.csv", readable(1))
    assert _ids(bench) == ["1"]
    _drop(bench, "a/y.csv", readable(2))
    _drop(bench, "a/z.csv", readable(1))
    assert _ids(bench) == ["1", "2"]
    _drop(bench, "a/w.csv", readable(1))
    assert (_ids(bench), bench.ledger()[-1].fate) == (["1", "2"], Fate.KNOWN)


def test_bytes_that_a_later_version_replaced_in_this_batch_are_no_duplicate(fast_endpoint: Endpoint) -> None:
    """Two versions of one name and the first one's bytes under another, all at once."""
    bench = Bench(fast_endpoint)
    _under(bench, on_duplicate="skip")
    for key, body in (("a/x.csv", readable(1)), ("a/x.csv", readable(2)), ("a/y.csv", readable(1))):
        bench.drop(key, body)
    bench.ingest()
    assert _ids(bench) == ["1", "2"]


def test_bytes_that_were_replaced_are_not_known_when_corrections_are_added(fast_endpoint: Endpoint) -> None:
    """What a correction replaced may come again after the policy changed."""
    bench = Bench(fast_endpoint)
    _drop(bench, "a/x.csv", readable(1))
    _drop(bench, "a/x.csv", readable(2))
    _under(bench, on_correction="append")
    _drop(bench, "a/x.csv", readable(1))
    assert _ids(bench) == ["1", "2"]


def test_an_old_delivery_that_is_read_again_replaces_no_newer_one(fast_endpoint: Endpoint) -> None:
    """Both stand, by a policy that was; under today's, a reading of the older takes its own rows' place alone."""
    bench = Bench(fast_endpoint)
    _under(bench, on_correction="append")
    _drop(bench, "a/x.csv", readable(1))
    _drop(bench, "a/x.csv", readable(2))
    _under(bench, on_correction="replace")
    replay(bench.tables, bench.policy, [Replay(bench.ledger()[0].delivery)])
    assert _ids(bench) == ["1", "2"]
    _drop(bench, "a/x.csv", readable(3))
    assert _ids(bench) == ["3"]


def test_a_newer_delivery_that_waits_goes_on_waiting(fast_endpoint: Endpoint) -> None:
    """Two versions of a name wait; the older one passes when it is read again alone, and the newer one still waits."""
    bench = Bench(fast_endpoint)
    _under(bench, bad_rows_max=0)
    _drop(bench, "a/x.csv", b"id,note\n1,a\n2,b,c\n3,d\n")
    _drop(bench, "a/x.csv", b"id,note\n4,a\n5,b,c\n6,d\n")
    _under(bench, bad_share_max=0.9)
    first, second = (entry.delivery for entry in bench.ledger())
    replay(bench.tables, bench.policy, [Replay(first)])
    waits = bench.quarantine().filter(status="waiting")["delivery"].to_list()
    assert second in waits
    replay(bench.tables, bench.policy, [Replay(second)])
    assert _ids(bench) == ["4", "6"]


def test_what_was_mended_outlives_a_reading_that_was_refused(fast_endpoint: Endpoint) -> None:
    """A replay that fails whole leaves the rows and what was mended of them."""
    bench = Bench(fast_endpoint)
    _under(bench, bad_share_max=0.9)
    _drop(bench, "a/x.csv", b"id,note\n1,a\n2\n3\n4,d\n5,e\n")
    delivery = bench.ledger()[0].delivery
    replay(bench.tables, bench.policy, [Replay(delivery, {"a/x.csv": {3: "2,b"}})])
    _under(bench, bad_rows_max=0)
    replay(bench.tables, bench.policy, [Replay(delivery)])
    _under(bench, bad_share_max=0.9)
    replay(bench.tables, bench.policy, [Replay(delivery)])
    assert _ids(bench) == ["1", "2", "4", "5"]
