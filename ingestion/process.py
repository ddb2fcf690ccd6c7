"""A worker as a process: started without keys, asked, watched for memory and time, and ended."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, cast

import psutil

_TICK_SECONDS = 0.05
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 2.0
_REPLY_BYTES_MAX = 64 << 20
_READ_BYTES = 1 << 16
_LOG = "worker.log"
_LAST_WORDS_MAX = 300
_THREADS_MAX = 4
_INHERITED = ("PATH", "LANG", "POLARS_MAX_THREADS")


class Stopped(Exception):
    """The worker is gone, or was made to go, while it worked; the message says why.

    ``reading`` is the member of an archive that it was at when it went; empty where there was none, or where it was out
    of time, which all members took together.
    """

    reading = ""


class _Late(Stopped):
    """The worker was stopped when its time was over."""


class Unasked(Exception):
    """There is no worker, or it went before it knew what to do, so that no file can be to blame; says why."""


class Worker:
    """One worker process: what is sent to it, what it answers, and what it may take.

    While an answer is waited for, ``meanwhile`` is called now and then.
    """

    def __init__(self, scratch: Path, memory_bytes: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        self._memory_bytes = memory_bytes
        self._meanwhile = meanwhile
        self._why_killed = ""
        with (scratch / _LOG).open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ingestion.worker", str(os.getpid()), str(memory_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=scratch,
                env=_environment(scratch),
                start_new_session=True,
                bufsize=0,
            )
        self._stdin, self._stdout = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        self.pid = self._process.pid
        self._watched = psutil.Process(self.pid)
        self._received = bytearray()
        self._look_at = 0.0
        self.is_ready = False

    def await_ready(self, seconds_max: float) -> None:
        """Wait until it has said that it is ready; raises `Stopped`."""
        if not self.is_ready:
            self.receive(seconds_max)
            self.is_ready = True

    def ask(self, request: Mapping[str, Any], seconds_max: float) -> dict[str, Any]:
        """Send one request and wait for its answer; raises `Stopped`, and `Unasked` where it cannot be sent."""
        self.send(request)
        return self.receive(seconds_max)

    def send(self, request: Mapping[str, Any]) -> None:
        """Send one request; raises `Unasked` where it cannot be sent."""
        message = memoryview(json.dumps(request).encode() + b"\n")
        try:
            while message:
                message = message[self._stdin.write(message) :]
        except OSError:
            raise Unasked(self._ending()) from None

    def receive(self, seconds_max: float) -> dict[str, Any]:
        """Wait for one answer, watching memory and time; raises `Stopped`."""
        deadline, reading = time.monotonic() + seconds_max, ""
        try:
            while (values := _values(self._line(deadline, seconds_max))).get("kind") == "reading":
                reading = str(values.get("file"))
        except Stopped as stopped:
            stopped.reading = "" if isinstance(stopped, _Late) else reading
            raise
        return values

    def resident_bytes(self) -> int:
        """The memory that the process holds; 0 when it has ended."""
        try:
            return 0 if self._process.poll() is not None else self._watched.memory_info().rss
        except psutil.Error:
            return 0

    def stop(self, patience_seconds: float) -> None:
        """End the process: it is asked to, given some time, then killed."""
        self._stdin.close()
        try:
            self._process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()

    def _line(self, deadline: float, seconds_max: float) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            while (end := self._received.find(b"\n")) < 0:
                if selector.select(_TICK_SECONDS):
                    self._take(os.read(self._stdout.fileno(), _READ_BYTES))
                self._watch()
                if time.monotonic() > deadline:
                    raise _Late(f"it needed more than {seconds_max:g} s")
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line

    def _watch(self) -> None:
        """Look at its memory now and then: a look takes as long as a tenth of a small file."""
        if (now := time.monotonic()) < self._look_at:
            return
        self._look_at = now + _TICK_SECONDS
        if self._holds_too_much():
            raise Stopped(self._too_much)
        self._meanwhile()

    def watch(self) -> None:
        """Kill it if it holds too much memory, while nobody waits for its answer: whoever does hears why."""
        if self._holds_too_much():
            self._why_killed = self._too_much
            self._process.kill()

    def _holds_too_much(self) -> bool:
        return self.resident_bytes() > self._memory_bytes

    @property
    def _too_much(self) -> str:
        return f"it needed more than {self._memory_bytes / 1e6:,.0f} MB of memory"

    def _take(self, data: bytes) -> None:
        self._received += data
        if not data:
            raise Stopped(self._ending())
        if len(self._received) > _REPLY_BYTES_MAX:
            raise Stopped("its answer has no end")

    def _ending(self) -> str:
        """Why the process ended by itself."""
        try:
            code = self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return "it closed its pipe"
        if self._why_killed:
            return self._why_killed
        return f"it ended with {signal.Signals(-code).name}" if code < 0 else f"it ended with exit code {code}"


def _values(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise Stopped("it gave an answer that makes no sense")
    return values


def last_words(scratch: Path) -> str:
    """The last line of the worker's log, which goes with the scratch folder; nothing where there is none."""
    try:
        lines = (scratch / _LOG).read_text("utf-8", "replace").split("\n")
    except OSError:
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f" ({last[-_LAST_WORDS_MAX:]})" if last else ""


def _environment(scratch: Path) -> dict[str, str]:
    """What the worker may know: nothing of the parent's environment but a few harmless names, so no keys."""
    threads = str(min(_THREADS_MAX, os.cpu_count() or 1))
    return {
        "LANG": "C.UTF-8",
        "POLARS_MAX_THREADS": threads,
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
        "TMPDIR": str(scratch),
    }
