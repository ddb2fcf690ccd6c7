"""What a run says as it goes, as JSON lines on this machine: one file a run, and one for the runs that did nothing."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from catalog.errors import NotFound
from lake.redact import Redact

IDLE = "idle.jsonl"
"""The runs that did nothing have a line each in this file."""

LOGGER = logging.getLogger("lake")
"""A job may log below it: ``logging.getLogger("lake.job")`` goes into the log of the run."""

FILE_BYTES_MAX = 32 * 1024**2
FILES_MAX = 3
"""A run's log is cut at this size; the file before it is kept, and the one before that, and no more."""

IDLE_BYTES_MAX = 1024**2


class JsonLines(logging.Formatter):
    """A record as one JSON object, without secrets: when, level, run, event, message, and its own fields."""

    def __init__(self, run: str, redact: Redact) -> None:
        super().__init__()
        self._run = run
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "run": self._run,
            "event": getattr(record, "event", record.name),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(self._redact(line), ensure_ascii=False, default=str)


class _File(RotatingFileHandler):
    """A file of lines; one that cannot be written, for want of room, is no reason to disturb the run."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Go on."""


class RunLog:
    """The log of one run: below ``folder``, by the run's id."""

    def __init__(self, folder: Path, run: str, redact: Redact) -> None:
        self.path = folder / f"{run}.jsonl"
        self.redact = redact
        self._idle = folder / IDLE
        self._formatter = JsonLines(run, redact)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Within, what is logged below `LOGGER` goes to the file."""
        with suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = _handler(self.path, FILE_BYTES_MAX, self._formatter)
        level = LOGGER.level
        LOGGER.addHandler(handler)
        LOGGER.setLevel(min(level or logging.INFO, logging.INFO))
        try:
            yield
        finally:
            LOGGER.removeHandler(handler)
            handler.close()

    def say(self, level: int, event: str, message: str, *, error: BaseException | None = None, **fields: Any) -> None:
        """Log an event of the run, with fields of its own; of an error with its traceback.

        Whoever else listens to this logger hears no secret either.
        """
        extra = {"event": event, "fields": self.redact(fields)}
        LOGGER.getChild("run").log(level, "%s", self.redact(message), exc_info=error, extra=extra)

    def append(self, level: int, event: str, message: str, **fields: Any) -> None:
        """Add a line when the run is over."""
        self._write(self.path, FILE_BYTES_MAX, level, (event, message, fields))

    def nothing(self, message: str, **fields: Any) -> None:
        """The run did nothing: a line in the file for such runs takes the place of its own."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        self._write(self._idle, IDLE_BYTES_MAX, logging.INFO, ("idle", message, fields))

    def _write(self, path: Path, bytes_max: int, level: int, said: tuple[str, str, dict[str, Any]]) -> None:
        event, message, fields = said
        record = logging.LogRecord("lake.run", level, "", 0, message, None, None)
        record.event, record.fields = event, fields
        handler = _handler(path, bytes_max, self._formatter)
        handler.emit(record)
        handler.close()


def read_log(folder: Path, run: str) -> Iterator[dict[str, Any]]:
    """The lines of a run's log, oldest first; a line that a crash cut off is left out. Raises `NotFound`."""
    path = folder / f"{run}.jsonl"
    files = [path.with_name(f"{path.name}.{number}") for number in range(FILES_MAX, 0, -1)]
    there = [file for file in (*files, path) if file.is_file()]
    if not there:
        raise NotFound(
            f"no log of run {run} on this machine, in {folder}",
            next="lake runs show says on which machine it ran; logs are kept for [logs] keep_days",
        )
    for file in there:
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    yield dict(json.loads(line))
                except ValueError:
                    continue


def sweep(folder: Path, days: float, bytes_max: int) -> None:
    """Delete the logs that are older than so many days, and of the others the oldest beyond so much room."""
    oldest = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    room = bytes_max
    with suppress(OSError):
        for modified, size_bytes, path in sorted(_files(folder), reverse=True):
            room -= size_bytes
            if modified < oldest or room < 0:
                path.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    for path in folder.glob("*.jsonl*"):
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        yield found.st_mtime, found.st_size, path


def _handler(path: Path, bytes_max: int, formatter: logging.Formatter) -> logging.Handler:
    handler = _File(path, maxBytes=bytes_max, backupCount=FILES_MAX - 1, encoding="utf-8", delay=True)
    handler.setFormatter(formatter)
    return handler
