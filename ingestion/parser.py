"""The parent's side of parsing: one worker at a time, watched, killed at its limits, and started again.

A file that hangs its worker, fills its memory or kills it costs that file only: it is refused, and the next request has
a new worker. Where the machine is to blame no file is: a worker that cannot start, or that finds no room for what it
writes, is a `MachineError`.
"""

import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

import polars as pl
import psutil
import pyarrow as pa

from catalog.errors import DataRefused, MachineError
from ingestion.options import DatasetPolicy
from ingestion.protocol import Failed, Parsed, ParseRequest, Rejected, parse_request_json, reply, schema_json

__all__ = ["ParseRequest", "Parsed", "Parser", "ParserLimits", "Rejected"]

_TICK_SECONDS = 0.05
_START_SECONDS_MAX = 60.0
_STOP_SECONDS_MAX = 2.0
_REPLY_BYTES_MAX = 64 << 20
_READ_BYTES = 1 << 16
_LOG = "worker.log"
_LAST_WORDS_MAX = 300
_THREADS_MAX = 4
_TABLE = re.compile(r"[a-z0-9_]{0,100}")
_INHERITED = ("PATH", "LANG", "POLARS_MAX_THREADS")


@dataclass(frozen=True)
class ParserLimits:
    """What one request may take: resident memory in bytes, time in seconds."""

    memory_bytes: int
    seconds_max: float


class _Stopped(Exception):
    """The worker is gone, or was made to go, while it worked; the message says why."""


class _Unasked(Exception):
    """There is no worker, or it went before it knew what to do, so that no file can be to blame; says why."""


class Parser:
    """Parses files in a worker process that has limits and no keys. A context manager: the worker ends with it.

    ``scratch`` is a folder of the caller's, the worker's working directory; the log of the latest is ``worker.log``
    there. To be used from one thread: the kernel ends a worker together with the thread that started it.
    """

    def __init__(self, scratch: Path, limits: ParserLimits) -> None:
        self._scratch = scratch.resolve()
        self._limits = limits
        self._worker: _Worker | None = None

    def __enter__(self) -> "Parser":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker, if there is one."""
        self._end(_STOP_SECONDS_MAX)

    @property
    def worker_pid(self) -> int | None:
        """The process id of the running worker; None where none was started yet."""
        return None if self._worker is None else self._worker.pid

    def parse(self, request: ParseRequest) -> Parsed | Rejected:
        """Read one file into Parquet files below ``request.out``; where it is refused that folder is gone afterwards.

        Raises `MachineError` where the machine and not the file is to blame; there is no ``request.out`` then either.
        """
        made: Parsed | Rejected | None = None
        try:
            made = self._outcome(request)
        finally:
            if not isinstance(made, Parsed):
                shutil.rmtree(request.out, ignore_errors=True)
        return made

    def inspect(self, path: Path, name: str, policy: DatasetPolicy) -> Parsed | Rejected:
        """Read one file as if it were the first of its dataset; its parts lie in the scratch folder, and go with it.

        Raises `MachineError` where the machine and not the file is to blame.
        """
        out = Path(tempfile.mkdtemp(prefix="inspect-", dir=self._scratch))
        return self.parse(ParseRequest(path, name, out, "inspect", datetime.now(UTC), policy=policy))

    def combine(self, paths: Sequence[Path], out: Path, schema: pl.Schema) -> int:
        """Write the rows of several Parquet files of one table, in order, to one with ``schema``; returns how many.

        A column that a file lacks is null in its rows. Raises `DataRefused` where the worker cannot (a file has another
        column, or one of another type), `MachineError` where the machine is to blame; there is no ``out`` then.
        """
        rows: int | None = None
        try:
            rows = self._combined(paths, out, schema)
        finally:
            if rows is None:
                out.unlink(missing_ok=True)
        return rows

    def _outcome(self, request: ParseRequest) -> Parsed | Rejected:
        try:
            outcome = reply(self._ask(parse_request_json(request)))
            if isinstance(outcome, Parsed):
                _require_honest(outcome, request)
        except _Stopped as stopped:
            return Rejected("worker", f"the parser was stopped: {stopped}", None)
        except (KeyError, TypeError, ValueError, AttributeError, pa.ArrowException):
            self._end(0)
            return Rejected("worker", "the parser was stopped: it gave an answer that makes no sense", None)
        if isinstance(outcome, Failed):
            raise self._no_room(outcome.reason)
        return outcome

    def _combined(self, paths: Sequence[Path], out: Path, schema: pl.Schema) -> int:
        said: object
        request = {
            "kind": "combine",
            "paths": [str(path.absolute()) for path in paths],
            "out": str(out.absolute()),
            "schema": schema_json(schema),
        }
        try:
            values = self._ask(request)
            if values.get("kind") == "combined":
                return int(values["rows"])
            said = values.get("reason", "no reason given")
        except _Stopped as stopped:
            values, said = {}, stopped
        if values.get("kind") == "failed":
            raise self._no_room(said)
        raise DataRefused(
            f"{len(paths)} parsed files could not be made one: {said}",
            next=f"give the parser more than {self._limits.memory_bytes:,} bytes and {self._limits.seconds_max:g} s",
        )

    def _no_room(self, said: object) -> MachineError:
        return MachineError(
            f"the parser cannot work in {self._scratch}: {said}",
            next="make room on that disk (df), or raise what a process may have (ulimit -a), then run again",
        )

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request to a worker that is ready and wait for the answer; raises `_Stopped`, `MachineError`."""
        try:
            return self._ready_worker().ask(request, self._limits.seconds_max)
        except OSError as error:
            self._end(0)
            raise self._no_room(error) from None
        except _Unasked as gone:
            self._end(0)
            raise MachineError(
                f"the parser has no worker: {gone}",
                next=f"see that {sys.executable} runs, give it more memory where that is what it lacks, then run again",
            ) from None
        except BaseException:
            self._end(0)
            raise

    def _ready_worker(self) -> "_Worker":
        """The running worker, or a new one: in the place of one that ended since, or that still holds much memory."""
        if self._worker is not None and self._worker.resident_bytes() in range(1, self._limits.memory_bytes // 2):
            return self._worker
        self.close()
        try:
            self._worker = _Worker(self._scratch, self._limits.memory_bytes)
            self._worker.receive(_START_SECONDS_MAX)
        except (OSError, _Stopped) as why:
            raise _Unasked(f"{why}{_last_words(self._scratch)}") from None
        return self._worker

    def _end(self, patience_seconds: float) -> None:
        if self._worker is not None:
            self._worker.stop(patience_seconds)
            self._worker = None


class _Worker:
    """One worker process: what is sent to it, what it answers, and what it may take."""

    def __init__(self, scratch: Path, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
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
        self._received = b""

    def ask(self, request: Mapping[str, Any], seconds_max: float) -> dict[str, Any]:
        """Send one request and wait for its answer; raises `_Stopped`, and `_Unasked` where it cannot be sent."""
        message = memoryview(json.dumps(request).encode() + b"\n")
        try:
            while message:
                message = message[self._stdin.write(message) :]
        except OSError:
            raise _Unasked(self._ending()) from None
        return self.receive(seconds_max)

    def receive(self, seconds_max: float) -> dict[str, Any]:
        """Wait for one answer, watching memory and time; raises `_Stopped`."""
        line = self._line(time.monotonic() + seconds_max, seconds_max)
        try:
            values = json.loads(line)
        except ValueError:
            raise _Stopped("it gave an answer that makes no sense") from None
        if not isinstance(values, dict):
            raise _Stopped("it gave an answer that makes no sense")
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
            while b"\n" not in self._received:
                if selector.select(_TICK_SECONDS):
                    self._take(os.read(self._stdout.fileno(), _READ_BYTES))
                if self.resident_bytes() > self._memory_bytes:
                    raise _Stopped(f"it needed more than {self._memory_bytes / 1e6:,.0f} MB of memory")
                if time.monotonic() > deadline:
                    raise _Stopped(f"it needed more than {seconds_max:g} s")
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _take(self, data: bytes) -> None:
        self._received += data
        if not data:
            raise _Stopped(self._ending())
        if len(self._received) > _REPLY_BYTES_MAX:
            raise _Stopped("its answer has no end")

    def _ending(self) -> str:
        """Why the process ended by itself."""
        try:
            code = self._process.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return "it closed its pipe"
        return f"it ended with {signal.Signals(-code).name}" if code < 0 else f"it ended with exit code {code}"


def _require_honest(parsed: Parsed, request: ParseRequest) -> None:
    """Raise ValueError where the reply names a file that is not the worker's own, or a table that is not the dataset's.

    Hostile input may have taken the worker over: what it says is not followed to other files of this machine.
    """
    folder = request.out.resolve()
    for part in parsed.parts:
        for path in filter(None, (part.path, part.rejects)):
            if not (path.resolve().is_relative_to(folder) and path.is_file()):
                raise ValueError(f"{path} is not a file in {folder}")
        if _TABLE.fullmatch(part.table) is None:
            raise ValueError(f"{part.table!r} is not a part of a table's name")
    for file in (*(part.file for part in parsed.parts), *(refused.file for refused in parsed.refused)):
        if file != request.name and not file.startswith(f"{request.name}#"):
            raise ValueError(f"{file!r} is not a part of {request.name!r}")


def _last_words(scratch: Path) -> str:
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
