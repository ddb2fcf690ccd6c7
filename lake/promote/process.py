"""One worker's process: started, sent to, listened to without waiting, weighed, and ended."""

import json
import os
import signal
import site
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import psutil

MODULE = "lake.promote.worker"

STOP_SECONDS_MAX = 5.0
_READ_BYTES = 1 << 16
_LINE_BYTES_MAX = 64 << 20
_MORSEL_ROWS = "50000"
_ROOT = str(Path(__file__).resolve().parents[2])


class Lines:
    """Lines as they come through a pipe, read without waiting."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.pipe = pipe
        self.is_open = True
        self._rest = bytearray()
        os.set_blocking(pipe.fileno(), False)

    def take(self) -> list[str]:
        """The lines that have come to their end; at the pipe's end also what has none."""
        while self.is_open:
            try:
                data = os.read(self.pipe.fileno(), _READ_BYTES)
            except BlockingIOError:
                break
            self._rest += data
            self.is_open = bool(data) and len(self._rest) <= _LINE_BYTES_MAX
        *whole, rest = self._rest.split(b"\n")
        if not self.is_open and rest:
            whole, rest = [*whole, rest], bytearray()
        self._rest = rest
        return [line.decode("utf-8", "replace") for line in whole]


class Process:
    """A worker's process, in a session of its own: what a terminal sends to the run does not reach it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            start_new_session=True,
            bufsize=0,
        )
        self.pid = self._process.pid
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self.answers = Lines(cast("IO[bytes]", self._process.stdout))
        self.talk = Lines(cast("IO[bytes]", self._process.stderr))
        self._watched = psutil.Process(self.pid)

    @property
    def is_gone(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message; to a process that is gone in silence, since its pipes tell of that."""
        rest = memoryview(json.dumps(message).encode() + b"\n")
        with suppress(BrokenPipeError):
            while rest:
                rest = rest[self._stdin.write(rest) :]

    def memory_bytes(self) -> int:
        """The memory that is the process's own: pages of files that it has mapped can be had back at any time."""
        try:
            held = self._watched.memory_info()
        except psutil.Error:
            return 0
        return int(held.rss - getattr(held, "shared", 0))

    def ending(self) -> str:
        """How it ended: ``SIGKILL``, or ``exit code 3``; to be asked when its pipes are closed."""
        try:
            code = self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return "closed pipes"
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def dismiss(self) -> None:
        """Let it end by itself: it has nothing to do, and sees that nothing comes."""
        self._stdin.close()

    def end(self, patience_seconds: float = 0.0) -> None:
        """See to it that it has ended, with all that it started."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_seconds)
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        for pipe in (self._stdin, self.answers.pipe, self.talk.pipe):
            pipe.close()


_prepared: list[Process] = []


def prepare() -> None:
    """Start a process now that a worker is likely to be wanted, while whoever wants it is still being loaded.

    Where it cannot be started, whoever needs one hears of it.
    """
    with suppress(OSError):
        _prepared.append(Process())


def end_prepared() -> None:
    """End what was prepared and is not wanted."""
    while _prepared:
        _prepared.pop().end()


def started() -> Process:
    """The process that was prepared, or a new one. Raises `OSError` where it cannot be started."""
    while _prepared:
        if not (process := _prepared.pop()).is_gone:
            return process
        process.end()
    return Process()


def environment() -> dict[str, str]:
    """A worker's: this process's, which the jobs may use; and where this package is, if it is not installed.

    Polars goes through rows in pieces of half its own size: a table of 16 columns takes 0.3 GB less, and no longer.
    """
    installed = _ROOT in {*site.getsitepackages(), site.getusersitepackages()}
    path = [_ROOT] if not installed else []
    path += filter(None, [os.environ.get("PYTHONPATH")])
    places = {"PYTHONPATH": os.pathsep.join(path)} if path else {}
    return {"POLARS_IDEAL_MORSEL_SIZE": _MORSEL_ROWS, **os.environ, **places}
