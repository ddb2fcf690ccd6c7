"""The worker: does one job after the other in a process of its own, and ends with the process that started it.

It reads one JSON message a line from its standard input: first what it works with, keys to the store included, then a
job at a time; it answers each job with one JSON line. What a job or a library prints goes to standard error, line by
line. `lake.promote.pool` is the other side.
"""

import ctypes
import json
import os
import queue
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from catalog.errors import DataRefused, JobFailed, LakeError, MachineError
from catalog.objects import Endpoint, ObjectStore
from catalog.tables import Snapshot, Tables
from catalog.zones import TableName
from lake.filecache import FileCache
from lake.machine import machine_error
from lake.promote.automatic import automatic_job
from lake.promote.compare import compare
from lake.promote.declare import Job
from lake.promote.desk import Desk
from lake.promote.find import read_jobs
from lake.promote.localfiles import linked
from lake.promote.outcome import RunOptions, error_to_dict
from lake.promote.preview import Ahead, preview
from lake.promote.task import Task

_PR_SET_PDEATHSIG = 1


class _Requests:
    """What comes through the pipe; its end is the end of the parent, or of the work."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._came: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._pending = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while (message := self._came.get()) is not None:
            yield message

    def done(self) -> None:
        """One message more is done with: to be said before it is answered, since then the parent may close the pipe."""
        self._pending -= 1

    def _listen(self) -> None:
        for line in self._pipe:
            self._pending += 1
            self._came.put(json.loads(line))
        if self._pending:
            # The parent is gone: so is whoever wants the answer.
            os.killpg(os.getpgrp(), signal.SIGKILL)
        self._came.put(None)


class _Session:
    """What all jobs of this worker share."""

    def __init__(self, hello: Mapping[str, Any], folder: Path) -> None:
        self._jobs = Path(hello["jobs"])
        self._run = str(hello["run"])
        self._folder = folder
        self._objects = ObjectStore(Endpoint(**hello["endpoint"]))
        self._tables = Tables(self._objects)
        self._cache = FileCache(Path(hello["cache"]), int(hello["cache_bytes"]))
        self._open = cache(self._tables.open)

    @contextmanager
    def _desk(self, memory_gb: float) -> Iterator[Desk]:
        """What a job works with; its copies of files are there as long as the job needs them."""
        with self._cache.lease(self._objects) as lease:
            files = partial(linked, lease, self._folder)
            yield Desk(self._tables, self._objects, self._folder, files, self._run, memory_gb)

    def job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do the job that is asked for, on the versions that are named."""
        job, inputs, pin = self._read(request)
        with self._desk(float(request["memory_gb"])) as desk:
            outcome, _ = Task(job, inputs, pin, desk).run(request["reason"], RunOptions.from_dict(request["options"]))
        return {"outcome": outcome.to_dict()}

    def compare(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make the version to be, under names that tell it is none, and compare it with the published one."""
        stem = str(request["stem"])
        folder = self._folder / stem
        folder.mkdir(parents=True)
        with self._desk(float(request["memory_gb"])) as desk:
            trial = replace(desk, tables=Tables(self._objects, stem), run=stem)
            found = compare(Task(*self._read(request), trial), request["reason"], int(request["limit"]))
        return {"difference": found.save(folder), "folder": str(folder)}

    def preview(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Look ahead at some jobs, for so many seconds."""
        jobs, until = [], time.monotonic() + float(request["seconds"])
        for asked in request["jobs"]:
            changing = frozenset(map(TableName.parse, asked["changing"]))
            jobs.append(Ahead(*self._read(asked), changing))
        found = preview(jobs, self._tables, only_errors=request["only_errors"], until=until)
        return {"previews": {str(name): told.to_dict() for name, told in found.items()}}

    def _read(self, request: Mapping[str, Any]) -> tuple[Job, dict[TableName, Snapshot], Snapshot | None]:
        names = {TableName.parse(name): version for name, version in request["inputs"].items()}
        job = self._job(request)
        pin = None if request["pin"] is None else self._open(job.table, request["pin"])
        return job, {name: self._snapshot(name, version) for name, version in names.items()}, pin

    def _job(self, request: Mapping[str, Any]) -> Job:
        """Read its file again; all files, where a helper of another file declares it."""
        if request["source"]:
            return automatic_job(TableName.parse(request["source"]))
        table, path = TableName.parse(request["table"]), Path(request["path"])
        try:
            found = [job for job in read_jobs(self._jobs, [path]) if job.table == table]
            found = found or [job for job in read_jobs(self._jobs) if job.table == table]
        except LakeError as error:
            raise JobFailed(f"{table}: its file changed while the run began: {error.what}", next=error.next) from None
        if not found or found[0].code != request["code"]:
            raise JobFailed(f"{table}: its job changed while the run began ({path})", next="run again")
        return found[0]

    def _snapshot(self, name: TableName, version: int) -> Snapshot:
        snapshot = self._open(name, version)
        if snapshot is None:
            raise MachineError(f"{name} is gone from the store", next="bring the store back from a backup")
        return snapshot


def _answer(session: _Session, request: Mapping[str, Any]) -> dict[str, Any]:
    """Do what is asked; whatever it raises is told of."""
    try:
        return {"job": session.job, "compare": session.compare, "preview": session.preview}[request["kind"]](request)
    except LakeError as error:
        return {"error": error_to_dict(error)}
    except BaseException as error:  # noqa: BLE001 - a fault of the lake's own; one job's, in any case
        traceback.print_exc()
        told = machine_error(error) or DataRefused(
            f"{request.get('table', 'a job')}: {type(error).__name__}: {error}",
            next="a fault of the lake: its lines above tell where",
        )
        return {"error": error_to_dict(told)}


def _end_with(parent_pid: int) -> None:
    """End when the parent does, however it ends; leave no core behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep standard input and output for messages: a job reads nothing, and what it prints is talk."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    return requests, answers


def main(arguments: list[str]) -> None:
    """Serve jobs until the pipe is closed; ``arguments`` is the parent's pid."""
    pipe, answers = _own_pipes()
    _end_with(int(arguments[0]))
    requests = _Requests(pipe)
    messages = iter(requests)
    hello = next(messages)
    requests.done()
    # Jobs find and import what they would in the process of whoever started the run, which may be older than its jobs.
    os.environ.clear()
    os.environ.update(hello["environment"])
    if hello["folder"]:
        with suppress(OSError):
            os.chdir(hello["folder"])
    sys.path[:] = hello["path"]
    session = _Session(hello, Path(hello["scratch"]) / f"worker-{os.getpid()}")
    for request in messages:
        rest = memoryview(json.dumps(_answer(session, request)).encode() + b"\n")
        requests.done()
        while rest:
            rest = rest[answers.write(rest) :]
    _end_children()


def _end_children() -> None:
    """End what jobs have started and left: nobody else would."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()


if __name__ == "__main__":
    main(sys.argv[1:])
