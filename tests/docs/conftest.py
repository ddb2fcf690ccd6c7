"""What the tests of the guide's pages share."""

import os
from pathlib import Path

import pytest

from catalog.objects import Endpoint
from lake.project import init
from tests.support.projects import variables


@pytest.fixture
def project(fast_endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new lake project, which is where this process is."""
    for name in filter(lambda name: name.startswith("LAKE_"), dict(os.environ)):
        monkeypatch.delenv(name)
    for name, value in variables(fast_endpoint).items():
        monkeypatch.setenv(name, value)
    init(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
