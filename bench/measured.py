"""A command as it is measured: by the clock, and by the memory of all its processes together.

Memory is looked at twenty times a second: what is held for a shorter time may be missed.
"""

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.05


@dataclass(frozen=True)
class Measured:
    """Seconds by the clock, the peak of the memory of a command and its children, and what it wrote to stdout."""

    seconds: float
    peak_bytes: int
    said: str = ""


def measured(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Measured:
    """Run a command to its end. Raises `RuntimeError` with its last words where it fails."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        memory = _Memory(process.pid)
        memory.start()
        said, complaint = process.communicate()
        seconds = time.perf_counter() - began
        memory.ended.set()
        memory.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{complaint[-2000:]}")
    return Measured(seconds, memory.peak_bytes, said)


GROWTH_MIN = 1.01
"""Pages are weighed where all that the processes hold has grown by so much: to weigh a gigabyte takes 13 ms of a core,
and would slow down what is measured."""


class _Memory(threading.Thread):
    """Looks again and again at what a tree of processes holds; pages that several share count once (PSS)."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self.ended = threading.Event()
        self.peak_bytes = 0
        self._most_bytes = 0.0

    def run(self) -> None:
        while not self.ended.wait(SAMPLE_SECONDS):
            with suppress(psutil.NoSuchProcess):
                tree = [self._root, *self._root.children(recursive=True)]
                if (held_bytes := sum(map(_held_bytes, tree))) > GROWTH_MIN * self._most_bytes:
                    self.peak_bytes = max(self.peak_bytes, sum(map(_weighed_bytes, tree)))
                    # What was held for a moment, and is not weighed, must not hide what comes after it.
                    self._most_bytes = min(held_bytes, sum(map(_held_bytes, tree)))


def _held_bytes(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return int(process.memory_info().rss)
    return 0


def _weighed_bytes(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return int(process.memory_full_info().pss)
    return 0
