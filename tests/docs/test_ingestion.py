"""``docs/ingestion.md``, from top to bottom in one lake: files are written, commands run, and say what it says.

Where the page has a ``…`` a command may say anything, to the end of the line: a time, a name of a run.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pages import BLOCK, command
from tests.support.stores import ROOT

PAGE = ROOT / "docs" / "ingestion.md"


@pytest.mark.timeout(600)
def test_the_page_does_what_it_shows(project: Path) -> None:
    """A block with a name is a file; ``sh`` runs; ``python`` without a name makes files; ``text`` is what was said."""
    for shown, said in played(PAGE.read_text(encoding="utf-8"), project):
        assert said == shown or re.fullmatch(re.escape(shown).replace("…", "[^\n]+"), said), said


def played(page: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Play a page: each ``text`` block with what the commands since the one before it wrote to stdout."""
    said = ""
    for name, language, text in BLOCK.findall(page):
        if name:
            (folder / name).write_text(text, encoding="utf-8")
        elif language == "python":
            subprocess.run([sys.executable, "-c", text], cwd=folder, check=True)
        elif language == "sh":
            said += "".join(map(command, text.splitlines()))
        else:
            yield text, said
            said = ""


def filled(page: str, folder: Path) -> str:
    """The page with its ``text`` blocks as the commands say them: to be read before it is kept."""
    said = [said for _, said in played(page, folder)]
    return re.sub(r"^```text\n.*?^```", lambda _: f"```text\n{said.pop(0)}```", page, flags=re.MULTILINE | re.DOTALL)
