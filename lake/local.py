"""What is remembered of the local store between commands: ``.lake/server.json`` and ``.lake/keys.json``.

A process is known by its pid and by when it started: pids are reused, and a stranger is never taken for the server.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import psutil

from catalog.errors import UsageError
from catalog.objects.endpoint import Endpoint

FORMAT = 1
REGION = "us-east-1"
"""What both servers sign for: a local store is in no region."""

STATE_FILE = "server.json"
KEYS_FILE = "keys.json"


@dataclass(frozen=True)
class Keys:
    """The keys of a local store, made at random at its first start; no representation shows them."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    signing: Mapping[str, str] = field(repr=False)

    def named(self) -> dict[str, str]:
        """Each key, and what is shown in its place.

        >>> Keys("a1", "s1", {"WEED_JWT_SIGNING_KEY": "j1"}).named()
        {'a1': '(access key)', 's1': '(secret key)', 'j1': '(WEED_JWT_SIGNING_KEY)'}
        """
        signing = {key: f"({name})" for name, key in self.signing.items()}
        return {self.access_key: "(access key)", self.secret_key: "(secret key)"} | signing


@dataclass(frozen=True)
class Process:
    """A process that cannot be mistaken for another: a pid, and when it started."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """The process that has this pid now; None if there is none, or it is dead and not yet buried."""
        started = _started(pid)
        return None if started is None else cls(pid, started)

    def is_running(self) -> bool:
        """Whether it still runs: the pid alone would also be true of a stranger."""
        return _started(self.pid) == self.started


@dataclass(frozen=True)
class Local:
    """Which server this lake has, where it listens, and its process if it was started.

    ``folder`` is where the lake was when the server started: in a copy of a project the server is the original's.
    ``scratch`` is a folder with a shorter path, for sockets, where the folder's own is too long.
    """

    folder: Path
    server: str
    ports: Mapping[str, int]
    process: Process | None = None
    scratch: Path | None = None

    @property
    def url(self) -> str:
        """Where S3 is spoken."""
        return f"http://127.0.0.1:{self.ports['s3']}"

    @property
    def sockets(self) -> Path:
        """Where unix sockets go."""
        return self.folder if self.scratch is None else self.scratch

    @property
    def data(self) -> Path:
        """Where the server keeps everything."""
        return self.folder / "data"

    def is_running(self) -> bool:
        """Whether its process is alive; whether it answers is another question."""
        return self.process is not None and self.process.is_running()

    def endpoint(self, bucket_prefix: str) -> Endpoint:
        """The store as a client sees it, with this lake's keys; raises `UsageError` when the keys are gone."""
        keys = read_keys(self.folder)
        if keys is None:
            raise UsageError(f"{self.folder / KEYS_FILE} is gone", next="lake down, then lake up, which makes new keys")
        return Endpoint(self.url, keys.access_key, keys.secret_key, REGION, bucket_prefix)


def read_local(folder: Path) -> Local | None:
    """What is remembered in this state folder; None before the first start; raises `UsageError` when it is damaged."""
    raw = _read(folder / STATE_FILE)
    if raw is None:
        return None
    try:
        ports = {str(name): int(port) for name, port in raw["ports"].items()}
        process = Process(int(raw["process"]["pid"]), str(raw["process"]["started"])) if raw["process"] else None
        moved = str(raw["folder"]) != str(folder)
        scratch = Path(raw["scratch"]) if raw["scratch"] else None
        if moved:
            return Local(folder, str(raw["server"]), ports)
        return Local(folder, str(raw["server"]), ports, process, scratch)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(folder / STATE_FILE) from error


def write_local(local: Local) -> None:
    """Remember it, all or nothing."""
    _write(
        local.folder / STATE_FILE, asdict(local) | {"folder": str(local.folder), "scratch": str(local.scratch or "")}
    )


def read_keys(folder: Path) -> Keys | None:
    """The keys in this state folder, None before the first start; raises `UsageError` when the file is damaged."""
    raw = _read(folder / KEYS_FILE)
    if raw is None:
        return None
    try:
        signing = {str(name): str(value) for name, value in raw["signing"].items()}
        return Keys(str(raw["access_key"]), str(raw["secret_key"]), signing)
    except (KeyError, TypeError, AttributeError):
        # The cause is left out: it could quote the file.
        raise _damaged(folder / KEYS_FILE) from None


def write_keys(folder: Path, keys: Keys) -> None:
    """Keep the keys in a file that only its owner can read."""
    _write(folder / KEYS_FILE, asdict(keys))


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, all or nothing, on disk before it has its name."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        raise _damaged(path) from None
    if not isinstance(raw, dict) or not isinstance(raw.get("format"), int):
        raise _damaged(path)
    if raw["format"] > FORMAT:
        raise UsageError(
            f"{path} was written by a newer lake (format {raw['format']})", next="use that version of lake"
        )
    return raw


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_private(path, json.dumps({"format": FORMAT, **content}, indent=2) + "\n")


def _damaged(path: Path) -> UsageError:
    return UsageError(
        f"{path} is damaged", next=f"delete it, then lake up: the data is not in it, it is in {path.parent / 'data'}"
    )


def _started(pid: int) -> str | None:
    """When a process started, in a form that a change of the clock does not alter; None if it is not alive."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return _started_without_proc(pid)
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else f"{boot}/{fields[19]}"


def _started_without_proc(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return None
