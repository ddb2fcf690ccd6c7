"""A worker that is stopped for a while, so that something can happen to it at a moment that a test chooses."""

import fcntl
import os
import signal
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil


def freeze(pid: int) -> None:
    """Stop a process; on return it does nothing any more."""
    os.kill(pid, signal.SIGSTOP)
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
        time.sleep(0.01)


def end(pid: int, how: signal.Signals = signal.SIGKILL) -> None:
    """End a process that is frozen."""
    os.kill(pid, how)
    os.kill(pid, signal.SIGCONT)


def once_asked(pid: int, happening: Callable[[], object]) -> threading.Thread:
    """Freeze a worker so that it cannot answer, and let something happen to it once it has been asked."""
    freeze(pid)

    def wait_until_asked() -> None:
        with open(f"/proc/{pid}/fd/0", "rb") as asked:
            while struct.unpack("i", fcntl.ioctl(asked, termios.FIONREAD, bytes(4)))[0] == 0:
                time.sleep(0.01)
        happening()

    thread = threading.Thread(target=wait_until_asked, daemon=True)
    thread.start()
    return thread


@contextmanager
def while_it_works(pid: int, happening: Callable[[], object]) -> Iterator[None]:
    """Around one request: what happens to the worker in the midst of it."""
    thread = once_asked(pid, happening)
    yield
    thread.join()
