"""A file of each family, through the whole of ingestion on both servers: every record once, whatever its form."""

import pytest

from catalog.objects import Endpoint
from tests.faults.bench import Bench
from tests.faults.checks import check_once
from tests.faults.samples import FORMS, sample


@pytest.fixture
def bench(endpoint: Endpoint) -> Bench:
    """A lake on each of the servers."""
    return Bench(endpoint)


def test_every_form_goes_in_once_whatever_its_name_says(bench: Bench) -> None:
    """One dataset of all forms: a correction may have another form than the file that it corrects."""
    for number, form in enumerate(FORMS):
        bench.drop(f"a/{number}.csv", sample(form, *range(number * 100, number * 100 + 9)).body)
        bench.drop(f"b/same.{form.split()[-1]}", sample(form, number).body)
    bench.ingest()
    check_once(bench)
    for number, form in enumerate(FORMS):
        bench.drop(f"a/{len(FORMS) - number}.csv", sample(form, *range(2000 + number, 2040)).body)
    bench.ingest()
    check_once(bench)
    assert bench.ingest() == []
