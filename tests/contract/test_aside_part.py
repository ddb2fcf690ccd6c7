"""What is set aside of a file that was read is said, be it a record or a whole sheet."""

import io
import zipfile

from catalog.objects import Endpoint
from tests.faults.bench import Bench


def test_a_member_that_is_refused_is_named_in_the_notice(fast_endpoint: Endpoint) -> None:
    """The file was taken in, and a part of it was not: its entry says so."""
    bench = Bench(fast_endpoint)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("a.csv", "id,note\n1,a\n")
        archive.writestr("b.csv", "x,y,z\n1,2,3\n")
    bench.drop("a/all.zip", body.getvalue())
    bench.ingest()
    [entry] = bench.ledger()
    assert entry.rows == 1
    assert "a/all.zip#b.csv is set aside" in (entry.notice or "")
