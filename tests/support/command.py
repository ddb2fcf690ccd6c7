"""The real ``lake`` command, in a project folder of its own."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from catalog.objects import ObjectStore
from lake.local import Local, Process, read_local
from lake.server import control
from lake.settings import Settings
from tests.support.stores import ROOT, environment


@dataclass
class Project:
    """A lake project with a local server, and the ``lake`` command in it."""

    folder: Path
    server: str
    environ: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "lake", *arguments],
            cwd=self.folder,
            env=environment(self.server) | {"PYTHONPATH": str(ROOT)} | self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def lake(self, *arguments: str, code: int = 0) -> str:
        """Run one command; what it said on both channels."""
        with self.start(*arguments) as child:
            out, err = child.communicate()
        said = out + err
        assert child.returncode == code, said
        assert "Traceback" not in said
        return said

    def up(self) -> None:
        """``lake up`` where only its effect matters, without the seconds that a command of its own takes."""
        control.up(Settings.load(self.folder, environment(self.server)), lambda _: None)

    def down(self) -> None:
        control.down(Settings.load(self.folder, {}), lambda _: None)

    @property
    def state(self) -> Path:
        return self.folder / ".lake"

    @property
    def local(self) -> Local:
        found = read_local(self.state)
        assert found is not None
        return found

    @property
    def process(self) -> Process:
        found = self.local.process
        assert found is not None
        return found

    @property
    def store(self) -> ObjectStore:
        return ObjectStore(Settings.load(self.folder, {}).endpoint())
