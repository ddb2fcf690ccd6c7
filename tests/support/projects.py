"""Lake projects for the tests, on the stores that the fixtures start."""

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from catalog.objects import Endpoint
from lake import Lake
from lake.project import init
from lake.reading import open_lake
from tests.support.stores import ROOT, environment

SECONDS_MAX = 60.0
"""How long a command may take to end."""


def variables(endpoint: Endpoint) -> dict[str, str]:
    """The environment that points a project at a store."""
    return {
        "LAKE_STORE_ENDPOINT": endpoint.url,
        "LAKE_STORE_ACCESS_KEY": endpoint.access_key,
        "LAKE_STORE_SECRET_KEY": endpoint.secret_key,
        "LAKE_STORE_BUCKET_PREFIX": endpoint.bucket_prefix,
    }


def project_on(endpoint: Endpoint, folder: Path, *, example: str | None = None) -> Lake:
    """A project in a folder, open, on this store."""
    init(folder, example=example)
    return open_lake(folder, variables(endpoint))


def lake_command(
    endpoint: Endpoint | None, folder: Path, *arguments: str, more: Mapping[str, str] | None = None, limits: str = ":"
) -> subprocess.CompletedProcess[str]:
    """The real ``lake`` command in a project's folder; with an endpoint, on that store; after a ``limits`` of sh."""
    return subprocess.run(
        ["sh", "-c", f'{limits}; exec "$@"', "sh", sys.executable, "-m", "lake", *arguments],
        cwd=folder,
        env=_environ(endpoint) | dict(more or {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def start_lake(endpoint: Endpoint, folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """The same, started and not waited for; what it says on stderr can be read line by line."""
    return subprocess.Popen(
        [sys.executable, "-m", "lake", *arguments],
        cwd=folder,
        env=_environ(endpoint) | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Heard:
    """A command that was started: what it has said so far on stderr, and how it ends."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[str] = []

    def hears(self, text: str) -> str:
        """Read until a line has this text."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if text in line:
                return line
        raise AssertionError("".join(self.said))

    def stop(self, how: signal.Signals) -> int:
        """Stop it as a person does, or a system; its exit code."""
        self.process.send_signal(how)
        return self.ends()

    def ends(self) -> int:
        """Wait for its end; its exit code."""
        # Not by communicate(), which passes over lines that `hears` has in its buffer.
        assert self.process.stderr is not None
        self.said += self.process.stderr.read().splitlines()
        return self.process.wait(SECONDS_MAX)


Command = Callable[..., str]


def commands_in(endpoint: Endpoint, folder: Path) -> Command:
    """The real command in a project: what it said on both channels, where it ended with ``code``."""

    def command(*arguments: str, code: int = 0) -> str:
        done = lake_command(endpoint, folder, *arguments)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    return command


def _environ(endpoint: Endpoint | None) -> dict[str, str]:
    said = {name: value for name, value in environment("").items() if name != "LAKE_STORE_SERVER"}
    return said | (variables(endpoint) if endpoint else {}) | {"PYTHONPATH": str(ROOT)}
