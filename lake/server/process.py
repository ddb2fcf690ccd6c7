"""Processes and ports of this machine: start one that outlives its parent, stop it, find a port that is free."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from lake.local import Process
from lake.server.base import Command

STOP_SECONDS = 5.0
LOG_BYTES_MAX = 8 * 1024**2
_BEGIN = "--- started by lake up"

# Below the ports that Linux hands to outgoing connections (32768 up), also when 10,000 is added.
_PORTS = range(20_000, 22_700)

_children: list[subprocess.Popen[bytes]] = []
"""Kept so that one that dies while we run is buried, and none is reported as forgotten."""


def start(command: Command, log: Path) -> Process:
    """Start a program in a session of its own, so that it outlives this one, with all that it says going to ``log``."""
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if log.is_file() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".log.1"))
    environment = {"HOME": str(Path.home()), "PATH": os.defpath, **command.environment}
    with log.open("ab") as output:
        output.write(f"\n{_BEGIN} {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode())
        output.flush()
        child = subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=log.parent,
            start_new_session=True,
        )
    _children.append(child)
    return Process.of(child.pid) or Process(child.pid, "it died at once")


def stop(process: Process, seconds: float = STOP_SECONDS) -> None:
    """Ask it to end (SIGTERM), and after ``seconds`` end it (SIGKILL); a stranger with its pid is left alone."""
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, STOP_SECONDS)):
        if not process.is_running():
            return
        os.kill(process.pid, number)
        deadline = time.monotonic() + patience
        while is_alive(process) and time.monotonic() < deadline:
            time.sleep(0.02)


def is_alive(process: Process) -> bool:
    """Whether it still runs; a child of ours that has ended is buried first."""
    for child in _children:
        child.poll()
    return process.is_running()


def holders(names: Iterable[str], data: Path) -> list[Process]:
    """The servers at work on this data folder, known or not: a ``lake up`` that was killed may have left one."""
    wanted = set(names)
    found = []
    for candidate in psutil.process_iter(["pid", "cmdline"]):
        arguments = candidate.info["cmdline"] or [""]
        if Path(arguments[0]).name in wanted and {str(data), f"-dir={data}"} & set(arguments):
            process = Process.of(candidate.info["pid"])
            if process is not None:
                found.append(process)
    return found


def free_ports(names: Sequence[str], offsets: Sequence[int]) -> dict[str, int]:
    """A port for each name that nobody listens on now, nor on it plus each offset."""
    candidates = random.SystemRandom().sample(_PORTS, len(_PORTS))
    free = (port for port in candidates if are_free([port], offsets))
    return {name: next(free) for name in names}


def are_free(ports: Iterable[int], offsets: Sequence[int]) -> bool:
    """Whether nobody listens on any of these ports, nor on them plus each offset."""
    return all(_is_free(port + offset) for port in ports for offset in offsets)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: connections of an earlier run that linger are no obstacle, a listener is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def tail(log: Path, secrets: Mapping[str, str], lines: int = 12) -> str:
    """What a program said last since it was started, without anything secret and without Go's stacks."""
    try:
        text = log.read_bytes()[-50_000:].decode(errors="replace")
    except FileNotFoundError:
        return "(nothing)"
    for secret, name in secrets.items():
        text = text.replace(secret, name)
    said = text.rpartition(_BEGIN)[2].partition("\n")[2].partition("\ngoroutine ")[0]
    return "\n".join(f"    {line}" for line in said.rstrip().splitlines()[-lines:]) or "    (nothing)"
