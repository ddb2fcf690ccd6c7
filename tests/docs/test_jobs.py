"""``docs/jobs.md``: its files make a lake, its commands run in it, and they say what the page says."""

import re
import shlex
from pathlib import Path

import pytest

from catalog.objects import Endpoint
from lake.project import init
from lake.promote.declare import Mode
from lake.promote.sqlrules import FORMS
from tests.support.pages import BLOCK
from tests.support.projects import lake_command
from tests.support.stores import ROOT

PAGE = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")


@pytest.mark.timeout(600)
def test_the_page_s_jobs_give_what_the_page_shows(fast_endpoint: Endpoint, tmp_path: Path) -> None:
    """From top to bottom: a file is written, commands succeed, and a text is what they have written to stdout."""
    init(tmp_path)
    said, talk, shown = "", "", 0
    for name, language, text in BLOCK.findall(PAGE):
        if name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        elif language == "sh":
            for line in text.splitlines():
                done = lake_command(fast_endpoint, tmp_path, *shlex.split(line)[1:])
                assert done.returncode == 0, f"{line}\n{done.stderr}"
                said, talk = said + done.stdout, talk + done.stderr
        else:
            assert (language, said) == ("text", text), "every block is a file, commands, or what they say"
            said, shown = "", shown + 1
    assert (said, shown) == ("", 8)
    assert "1 value is absent from silver.shops: C (1 row)" in talk


def test_the_page_shows_every_mode_and_every_rule() -> None:
    modes, rules = re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE), re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE)
    assert {*Mode} <= {*modes}
    assert {*FORMS} <= {*rules}
