"""``docs/operations.md``, from top to bottom in one lake: files are written, commands run, and say what it says."""

import json
import re
from pathlib import Path

import pytest

from tests.support.pages import BLOCK, command
from tests.support.stores import ROOT

PAGE = ROOT / "docs" / "operations.md"
VARYING = ((r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME"), (r"/\S*/jobs/", "jobs/"))


@pytest.mark.timeout(600)
def test_the_page_does_what_it_shows(project: Path) -> None:
    """``text`` is what the commands before it wrote to stdout, but for times; the alert went out once."""
    said = ""
    for name, language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if name:
            (project / name).parent.mkdir(exist_ok=True)
            (project / name).write_text(text, encoding="utf-8")
        elif language == "sh":
            said = "".join(map(command, text.splitlines()))
        else:
            assert plain(said) == text
    assert "alerts.command" in said
    (alert,) = (project / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(alert)["tables"] == ["gold.share"]


def plain(said: str) -> str:
    """What was said without what differs each time."""
    for pattern, instead in VARYING:
        said = re.sub(pattern, instead, said)
    return said
