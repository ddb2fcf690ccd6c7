"""The parent's side of parsing: one worker at a time, watched, killed at its limits, and started again.

A file that hangs its worker, fills its memory or kills it costs that file only: it is refused, and the next request has
a new worker. Where the machine is to blame no file is: a worker that cannot start, or that finds no room for what it
writes, is a `MachineError`.
"""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import polars as pl
import pyarrow as pa

from catalog.errors import DataRefused, MachineError
from ingestion.options import DatasetPolicy
from ingestion.process import START_SECONDS_MAX, STOP_SECONDS_MAX, Stopped, Unasked, Worker, last_words
from ingestion.protocol import (
    ExcerptRequest,
    Failed,
    Parsed,
    ParseRequest,
    Rejected,
    parse_request_json,
    reply,
    schema_json,
)

__all__ = ["ParseRequest", "Parsed", "Parser", "ParserLimits", "Rejected"]

_DEADLY_MAX = 3
"""So many members of an archive may end a worker before the archive is refused whole."""
_TABLE = re.compile(r"[a-z0-9_]{0,100}")


@dataclass(frozen=True)
class ParserLimits:
    """What one request may take: resident memory in bytes, time in seconds."""

    memory_bytes: int
    seconds_max: float


class Parser:
    """Parses files in a worker process that has limits and no keys. A context manager: the worker ends with it.

    ``scratch`` is a folder of the caller's, the worker's working directory; the log of the latest is ``worker.log``
    there. To be used from one thread: the kernel ends a worker together with the thread that started it.
    """

    def __init__(self, scratch: Path, limits: ParserLimits) -> None:
        self._scratch = scratch.resolve()
        self._limits = limits
        self._worker: Worker | None = None
        self._begun: ParseRequest | None = None
        self._neighbour: Parser | None = None

    def __enter__(self) -> "Parser":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker, if there is one."""
        self._end(STOP_SECONDS_MAX)

    def warm_up(self) -> None:
        """Start a worker for what is likely to come, and do not wait for it: whoever asks it hears what went wrong."""
        if self._worker is None:
            with suppress(Unasked):
                self._start()

    def begin(self, request: ParseRequest) -> None:
        """Let the worker read a file that is likely to be asked for next, and do not wait: `parse` takes the answer.

        Where there is no worker to do it yet, one is started, and `parse` reads the file.
        """
        self._forget()
        if self._worker is None or not (self._worker.is_ready and self._is_fit(self._worker)):
            self.warm_up()
            return
        with suppress(Unasked):
            self._worker.send(parse_request_json(request))
            self._begun = request

    def pair(self, other: "Parser") -> None:
        """Let each of the two look after what the other has begun."""
        self._neighbour, other._neighbour = other, self

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

    def excerpt(self, wanted: ExcerptRequest) -> str:
        """The lines of one record, as they lie in a landed file, at most a megabyte of them.

        Raises `DataRefused` where the file has no such lines or ends its worker, `MachineError`.
        """
        try:
            values = self._ask(wanted.json())
        except Stopped as stopped:
            raise DataRefused(f"the parser was stopped: {stopped}", next="lake raw FILE gives the bytes") from None
        if values.get("kind") == "failed":
            raise self._no_room(values.get("reason"))
        if values.get("kind") != "excerpt":
            raise DataRefused(str(values.get("reason", "no reason given")), next="lake raw FILE gives the bytes")
        return str(values["text"])

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
        """Ask, and where a member of an archive ended the worker ask again for the others, a few times."""
        while True:
            try:
                return self._attempt(request)
            except Stopped as stopped:
                reason, deadly = f"the parser was stopped: {stopped}", stopped.reading
            if not deadly or deadly in request.deadly or len(request.deadly) == _DEADLY_MAX:
                return Rejected("worker", reason, None)
            shutil.rmtree(request.out, ignore_errors=True)
            request = replace(request, deadly={**request.deadly, deadly: reason})

    def _attempt(self, request: ParseRequest) -> Parsed | Rejected:
        """Ask once; raises `Stopped`, `MachineError`."""
        values = self._answer_begun(request)
        if values is None:
            values = self._ask(parse_request_json(request))
        try:
            outcome = reply(values)
            if isinstance(outcome, Parsed):
                _require_honest(outcome, request)
        except (KeyError, TypeError, ValueError, AttributeError, pa.ArrowException):
            self._end(0)
            raise Stopped("it gave an answer that makes no sense") from None
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
        except Stopped as stopped:
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

    def _answer_begun(self, request: ParseRequest | None) -> dict[str, Any] | None:
        """The answer to this request, if it is what was begun; nothing is left of another one. Raises `Stopped`."""
        begun, self._begun = self._begun, None
        if begun is None or self._worker is None:
            return None
        is_asked = begun == request
        try:
            values = self._worker.receive(self._limits.seconds_max)
        except BaseException as error:
            self._end(0)
            if is_asked or not isinstance(error, Stopped):
                raise
            values = None
        if not is_asked:
            shutil.rmtree(begun.out, ignore_errors=True)
            return None
        return values

    def _forget(self) -> None:
        """Await and drop what was begun, if it was not asked for."""
        if self._begun is not None:
            self._answer_begun(None)

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request to a worker that is ready and wait for the answer; raises `Stopped`, `MachineError`."""
        self._forget()
        try:
            return self._ready_worker().ask(request, self._limits.seconds_max)
        except OSError as error:
            self._end(0)
            raise self._no_room(error) from None
        except Unasked as gone:
            self._end(0)
            raise MachineError(
                f"the parser has no worker: {gone}",
                next=f"see that {sys.executable} runs, give it more memory where that is what it lacks, then run again",
            ) from None
        except BaseException:
            self._end(0)
            raise

    def _ready_worker(self) -> Worker:
        """The running worker, or a new one: in the place of one that ended since, or that still holds much memory."""
        worker = self._worker
        if worker is None or not self._is_fit(worker):
            self.close()
            worker = self._start()
        try:
            worker.await_ready(START_SECONDS_MAX)
        except (OSError, Stopped) as why:
            raise Unasked(f"{why}{last_words(self._scratch)}") from None
        return worker

    def _look_aside(self) -> None:
        """While this one is waited for, nobody else sees what the neighbour's worker takes for what was begun."""
        other = self._neighbour
        if other is not None and other._begun is not None and other._worker is not None:
            other._worker.watch()

    def _is_fit(self, worker: Worker) -> bool:
        return worker.resident_bytes() in range(1, self._limits.memory_bytes // 2)

    def _start(self) -> Worker:
        try:
            self._worker = Worker(self._scratch, self._limits.memory_bytes, self._look_aside)
        except OSError as error:
            raise Unasked(str(error)) from None
        return self._worker

    def _end(self, patience_seconds: float) -> None:
        self._begun = None
        if self._worker is not None:
            self._worker.stop(patience_seconds)
            self._worker = None


def _require_honest(parsed: Parsed, request: ParseRequest) -> None:
    """Raise ValueError where the reply names a file that is not the worker's own, or a table that is not the dataset's.

    Hostile input may have taken the worker over: what it says is not followed to other files of this machine.
    """
    folder = os.path.realpath(request.out) + os.sep
    for part in parsed.parts:
        for path in filter(None, (part.path, part.rejects)):
            if not (os.path.realpath(path).startswith(folder) and path.is_file()):
                raise ValueError(f"{path} is not a file in {folder}")
        if _TABLE.fullmatch(part.table) is None:
            raise ValueError(f"{part.table!r} is not a part of a table's name")
    for file in (*(part.file for part in parsed.parts), *(refused.file for refused in parsed.refused)):
        if file != request.name and not file.startswith(f"{request.name}#"):
            raise ValueError(f"{file!r} is not a part of {request.name!r}")
