"""One worker as the run sees it: given a job, listened to, watched for time and memory, and ended where it must be."""

import json
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog.errors import MachineError
from catalog.zones import TableName
from lake.promote.outcome import Said, Working
from lake.promote.process import STOP_SECONDS_MAX, Lines, started
from lake.promote.work import Tell

PROCESS_GB = 0.5
"""What a worker takes beside its work: the interpreter, its libraries, rows on their way in and out."""

TELL_SECONDS = 1.0
_WORDS_MAX = 300
_KEEPS_STATE = "its table stays at its last good version"


@dataclass(frozen=True)
class Lost:
    """A job that its worker did not come to the end of, why, and whether more memory might have helped."""

    what: str
    next: str
    for_memory: bool = False


@dataclass
class _Task:
    table: TableName | None
    memory_gb: float
    seconds_max: float
    began: float
    told_seconds: float = 0.0
    peak_bytes: int = 0


class Hand:
    """A worker process that does one thing at a time. Raises `MachineError` where no process can be started."""

    def __init__(self, hello: Mapping[str, Any], tell: Tell) -> None:
        try:
            self._process = started()
        except OSError as error:
            raise MachineError(
                f"no process for a job can be started: {error}", next="let this user have more of them (ulimit -u)"
            ) from None
        self._process.send(hello)
        self._tell = tell
        self._words: deque[str] = deque(maxlen=20)
        self._task: _Task | None = None
        self.has_worked = False

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a job."""
        return self._task is None

    @property
    def is_gone(self) -> bool:
        """Whether its process has ended."""
        return self._process.is_gone

    @property
    def memory_gb(self) -> float:
        """What its job may take; 0 where it has none."""
        return 0.0 if self._task is None else self._task.memory_gb

    @property
    def holds_gb(self) -> float:
        """What its process holds."""
        return self._process.memory_bytes() / 1e9

    @property
    def seconds(self) -> float:
        """How long it has been at its job."""
        return 0.0 if self._task is None else time.monotonic() - self._task.began

    @property
    def peak_bytes(self) -> int:
        """The most memory that it was seen to hold since its job began."""
        return 0 if self._task is None else self._task.peak_bytes

    @property
    def pipes(self) -> tuple[Lines, Lines]:
        """What to wait for."""
        return self._process.answers, self._process.talk

    def begin(self, request: Mapping[str, Any], table: TableName | None, memory_gb: float, seconds_max: float) -> None:
        """Give it a request; of one for a ``table`` is told how it goes, and what it says."""
        self._task = _Task(table, memory_gb, seconds_max, time.monotonic())
        self.has_worked = True
        self._words.clear()
        self._process.send({**request, "memory_gb": memory_gb})
        if table is not None:
            self._tell(Working(table, 0.0, 0))

    def look(self) -> dict[str, Any] | Lost | None:
        """The answer to its request, None while it is at work; to be asked again and again."""
        process, task = self._process, self._task
        # Whether it is gone is asked first: what it said before it went is then read whole.
        is_gone = process.is_gone
        lines, answers = process.talk.take(), process.answers.take()
        if task is None:
            return None
        for line in lines:
            self._words.append(line)
            if task.table is not None:
                self._tell(Said(task.table, line))
        memory_bytes, seconds = process.memory_bytes(), self.seconds
        task.peak_bytes = max(task.peak_bytes, memory_bytes)
        if answers:
            answer: dict[str, Any] = json.loads(answers[0])
            return answer
        if is_gone or not process.answers.is_open:
            return self._ended()
        most_bytes = (task.memory_gb + PROCESS_GB) * 1e9
        if memory_bytes > most_bytes:
            what = f"it held {memory_bytes / 1e6:,.0f} MB of memory, and may hold {most_bytes / 1e6:,.0f} MB"
            return Lost(what, f"raise [compute] memory_gb in lake.toml, or ask for less; {_KEEPS_STATE}", True)
        if seconds > task.seconds_max:
            what = f"it took more than {task.seconds_max:g} s"
            return Lost(what, f'give it more (timeout="2 h"), or [compute] job_seconds_max; {_KEEPS_STATE}')
        if task.table is not None and seconds - task.told_seconds >= TELL_SECONDS:
            task.told_seconds = seconds
            self._tell(Working(task.table, seconds, memory_bytes))
        return None

    def rest(self) -> None:
        """Its job is over."""
        self._task = None

    def dismiss(self) -> None:
        """Let it go: it ends by itself, soon."""
        self._process.dismiss()

    def end(self, *, patiently: bool = False) -> None:
        """See to it that it has ended."""
        self._process.end(STOP_SECONDS_MAX if patiently else 0.0)

    def _ended(self) -> Lost:
        ending = self._process.ending()
        words = next((line.strip() for line in reversed(self._words) if line.strip()), "")[-_WORDS_MAX:]
        said = f": {words}" if words else ""
        return Lost(f"its process ended with {ending}{said}", f"mend the job; {_KEEPS_STATE}", ending == "SIGKILL")
