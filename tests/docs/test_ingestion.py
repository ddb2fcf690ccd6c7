"""``docs/ingestion.md``, from top to bottom in one lake: its files are written, its commands run, and say what it says."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from catalog.objects import Endpoint
from lake.project import init
from tests.support.projects import lake_command
from tests.support.stores import ROOT

PAGE = ROOT / "docs" / "ingestion.md"
BLOCK = re.compile(r"(?:^`([\w./-]+)`\n\n)?^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"\s+# exits with (\d)$")


def test_the_page_does_what_it_shows(fast_endpoint: Endpoint, tmp_path: Path) -> None:
    """A block with a name is a file; ``sh`` runs; ``python`` without a name makes files; ``text`` is what was said."""
    init(tmp_path)
    for shown, said in played(PAGE.read_text(encoding="utf-8"), fast_endpoint, tmp_path):
        assert said == shown


def played(page: str, endpoint: Endpoint, folder: Path) -> Iterator[tuple[str, str]]:
    """Play a page: each ``text`` block with what the commands since the one before it wrote to stdout."""
    said = ""
    for name, language, text in BLOCK.findall(page):
        if name:
            (folder / name).write_text(text, encoding="utf-8")
        elif language == "python":
            subprocess.run([sys.executable, "-c", text], cwd=folder, check=True)
        elif language == "sh":
            said += "".join(command(line, endpoint, folder) for line in text.splitlines())
        else:
            yield text, said
            said = ""


def command(line: str, endpoint: Endpoint, folder: Path) -> str:
    """What one command of the page writes to stdout; it must end as the page says, else with 0."""
    expected = EXIT.search(line)
    done = lake_command(endpoint, folder, *shlex.split(EXIT.sub("", line))[1:])
    assert done.returncode == (int(expected[1]) if expected else 0), f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def filled(page: str, endpoint: Endpoint, folder: Path) -> str:
    """The page with its ``text`` blocks as the commands say them: to be read before it is kept."""
    said = [said for _, said in played(page, endpoint, folder)]
    return re.sub(r"^```text\n.*?^```", lambda _: f"```text\n{said.pop(0)}```", page, flags=re.MULTILINE | re.DOTALL)
