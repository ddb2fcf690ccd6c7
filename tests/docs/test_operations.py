"""``docs/operations.md``, from top to bottom in one lake: files are written, commands run, and say what it says."""

import json
import os
import re
from pathlib import Path

import pytest

from catalog.objects import Endpoint
from lake.project import init
from tests.docs.test_ingestion import BLOCK, command
from tests.support.projects import variables
from tests.support.stores import ROOT

PAGE = ROOT / "docs" / "operations.md"
VARYING = ((r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME"), (r"/\S*/jobs/", "jobs/"))


@pytest.mark.timeout(600)
def test_the_page_does_what_it_shows(fast_endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``text`` is what the commands before it wrote to stdout, but for times; the alert went out once."""
    for name in filter(lambda name: name.startswith("LAKE_"), dict(os.environ)):
        monkeypatch.delenv(name)
    for name, value in variables(fast_endpoint).items():
        monkeypatch.setenv(name, value)
    init(tmp_path)
    monkeypatch.chdir(tmp_path)
    said = ""
    for name, language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if name:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        elif language == "sh":
            said = "".join(map(command, text.splitlines()))
        else:
            assert plain(said) == text
    assert "alerts.command" in said
    (alert,) = (tmp_path / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(alert)["tables"] == ["gold.share"]


def plain(said: str) -> str:
    """What was said without what differs each time."""
    for pattern, instead in VARYING:
        said = re.sub(pattern, instead, said)
    return said
