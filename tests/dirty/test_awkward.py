"""Files as offices, programs and accidents leave them come to exactly what is written beside them."""

from pathlib import Path

import pytest

from tests.dirty.accidents import ACCIDENTS
from tests.dirty.awkward import Awkward
from tests.dirty.offices_europe import EUROPE
from tests.dirty.offices_world import WORLD
from tests.dirty.outcome import Refused
from tests.dirty.reading import read

AWKWARD = (*EUROPE, *WORLD, *ACCIDENTS)


@pytest.mark.parametrize("awkward", AWKWARD, ids=[awkward.name for awkward in AWKWARD])
def test_an_awkward_file_comes_to_what_it_holds(tmp_path: Path, awkward: Awkward) -> None:
    got = read(awkward.data, tmp_path, awkward.options)
    assert not isinstance(got, Refused), got
    assert dict(got.rows) == dict(awkward.rows), got.rejects
    assert [line for line, _ in got.rows] == list(awkward.rows)
    assert [reject.line for reject in got.rejects] == list(awkward.rejects)
    assert all(text in reject.record for text, reject in zip(awkward.rejects.values(), got.rejects, strict=True))
    assert all(reject.rule and reject.message for reject in got.rejects)
    if awkward.header is None:
        assert got.said
    else:
        assert got.header == awkward.header


def test_one_odd_byte_after_six_million_costs_its_record_or_is_said(tmp_path: Path) -> None:
    """A reader that saw the first five megabytes only would take the file for ASCII."""
    records = 400_000
    body = b"".join(b"%d,Ann,%d\n" % (number, number % 90) for number in range(records))
    got = read(b"id,name,value\n" + body + b"400000,Zo\xeb,7\n400001,Bob,8\n", tmp_path)
    assert not isinstance(got, Refused), got
    assert got.rows[: records : records - 1] == ((2, ("0", "Ann", "0")), (400_001, ("399999", "Ann", "39")))
    assert got.rows[-1] == (400_003, ("400001", "Bob", "8"))
    odd = [row for row in got.rows if row[0] == 400_002]
    assert (odd == [(400_002, ("400000", "Zoë", "7"))] and got.said) or [reject.line for reject in got.rejects] == [
        400_002
    ]
    assert len(got.rows) + len(got.rejects) == records + 2
