"""``docs/ingestion.md``, from top to bottom in one lake: files are written, commands run, and say what it says.

Where the page has a ``…`` a command may say anything, to the end of the line: a time, a name of a run.
"""

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from catalog.objects import Endpoint
from lake.cli.main import main
from lake.project import init
from tests.support.projects import variables
from tests.support.stores import ROOT

PAGE = ROOT / "docs" / "ingestion.md"
BLOCK = re.compile(r"(?:^`([\w./-]+)`\n\n)?^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"\s+# exits with (\d)$")


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


def command(line: str) -> str:
    """What one command of the page writes to stdout; it must end as the page says, else with 0.

    The command's own entry is called, in this process: fifty starts of Python take longer than all that they do.
    """
    expected, out = EXIT.search(line), io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    with redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main(shlex.split(EXIT.sub("", line))[1:])
    assert ended.value.code == (int(expected[1]) if expected else 0), line
    out.flush()
    return out.buffer.getvalue().decode("utf-8")


def filled(page: str, folder: Path) -> str:
    """The page with its ``text`` blocks as the commands say them: to be read before it is kept."""
    said = [said for _, said in played(page, folder)]
    return re.sub(r"^```text\n.*?^```", lambda _: f"```text\n{said.pop(0)}```", page, flags=re.MULTILINE | re.DOTALL)
