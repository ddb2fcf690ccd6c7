"""Commands that need no table and no store start without the libraries for them, which take longer than they do."""

import subprocess
import sys

import pytest

from tests.support.stores import ROOT

HEAVY = ("polars", "duckdb", "deltalake", "pyarrow", "boto3", "botocore")


@pytest.mark.parametrize("module", ["lake", "lake.cli.main", "lake.cli.server", "lake.settings"])
def test_it_imports_nothing_heavy(module: str) -> None:
    """So ``lake --help``, ``up``, ``down`` and ``status`` answer at once."""
    script = f"import sys, {module}; print(*sorted(sys.modules.keys() & {set(HEAVY)}))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
