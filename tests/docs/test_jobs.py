"""``docs/jobs.md``: its files make a lake, its commands run in it, and they say what the page says."""

import re
import shlex
from pathlib import Path

from catalog.objects import Endpoint
from lake.project import init
from tests.support.projects import lake_command
from tests.support.stores import ROOT

PAGE = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
FILE = re.compile(r"^`([\w/]+\.(?:csv|py|sql))`\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_page_s_jobs_give_what_the_page_shows(fast_endpoint: Endpoint, tmp_path: Path) -> None:
    """Each command succeeds; what they write to stdout, as data, is the page's last block."""
    files = FILE.findall(PAGE)
    blocks = BLOCK.findall(PAGE)
    (script,) = [text for language, text in blocks if language == "sh"]
    (shown,) = [text for language, text in blocks if language == "text"]
    assert len(files) + 2 == len(blocks), "every block is a file, the commands, or what they say"
    init(tmp_path)
    for name, text in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    said, talk = "", ""
    for line in script.splitlines():
        done = lake_command(fast_endpoint, tmp_path, *shlex.split(line)[1:])
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        said, talk = said + done.stdout, talk + done.stderr
    assert said == shown
    assert "1 value is absent from silver.shops: C (1 row)" in talk
