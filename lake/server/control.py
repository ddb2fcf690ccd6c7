"""Start, watch and stop the local store of a project: the verbs behind ``lake up``, ``down`` and ``status``."""

import fcntl
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from tempfile import mkdtemp

from catalog.errors import StoreError, UsageError
from catalog.objects import ObjectStore
from catalog.zones import Zone
from lake.local import Keys, Local, Process, read_keys, read_local, write_keys, write_local
from lake.server import process
from lake.server.base import LocalServer
from lake.server.health import OK, health
from lake.server.minio import MinIO
from lake.server.seaweedfs import SeaweedFS
from lake.settings import Settings

SERVERS: dict[str, LocalServer] = {server.name: server for server in (MinIO(), SeaweedFS())}
PROGRAMS = ("minio", "weed")
STARTS_MAX = 3

# A unix socket's path may have 108 bytes; names such as /f.sock come on top of the folder's.
_SOCKET_FOLDER_BYTES_MAX = 90
_DURABLE = (Zone.BRONZE, Zone.CATALOG)

Say = Callable[[str], None]


class State(StrEnum):
    """What a look at the store finds."""

    UP = "up"
    DOWN = "down"
    CRASHED = "crashed"
    SILENT = "silent"


@dataclass(frozen=True)
class Status:
    """What ``lake status`` knows of the store, without any key."""

    state: State
    server: str
    url: str
    health: str
    pid: int | None = None
    data: Path | None = None


def up(settings: Settings, say: Say) -> Status:
    """Start the local store unless it runs, and make the buckets that are missing, wherever the store is.

    Of two at once the second waits, then finds it running. Raises `UsageError` when the server is not installed or the
    data is another server's, and `StoreError` when it does not answer in time; what was started is stopped then.
    """
    if not settings.is_local:
        endpoint = settings.endpoint()
        say(f"nothing to start: the store is {endpoint.url or 'AWS S3'} ({settings.get('store.endpoint').source})")
        ObjectStore(endpoint).ensure_buckets()
        return status(settings)
    with _alone(settings.state, say):
        server = choose(settings)
        local = read_local(settings.state)
        if local is not None and local.is_running():
            _await(local, settings)
            say(f"{server.name} is already running at {local.url}")
        else:
            if local is not None and local.process is not None:
                say(f"{server.name} is not running although nobody stopped it: starting it again")
            local = _start(server, local, settings, say)
            say(f"{server.name} is running at {local.url}, its data in {local.data}")
        endpoint = settings.endpoint()
        ObjectStore(endpoint).ensure_buckets()
        server.settle(_program(server), local, [endpoint.bucket(zone) for zone in _DURABLE])
    return status(settings)


def down(settings: Settings, say: Say) -> bool:
    """Stop the local store and wait for its end; False when there was nothing to stop."""
    if not settings.is_local:
        say("nothing to stop: the store is not one that the lake started")
        return False
    if not settings.state.is_dir():
        say("nothing to stop: this lake's store was never started")
        return False
    with _alone(settings.state, say):
        local = read_local(settings.state)
        running = _running(settings.state, local)
        for found in running:
            process.stop(found)
        if local is not None:
            _forget_process(local)
    say(f"stopped {settings.server.value or 'the store'}" if running else "nothing to stop: the store is not running")
    return bool(running)


def status(settings: Settings) -> Status:
    """Look at the store; changes nothing, and takes seconds at most also when the store is frozen."""
    if not settings.is_local:
        endpoint = settings.endpoint()
        found = health(endpoint)
        state = State.UP if found == OK or not endpoint.url else State.SILENT
        return Status(state, "remote", endpoint.url or "AWS S3", found)
    local = read_local(settings.state)
    if local is None:
        return Status(State.DOWN, str(settings.server.value) or "not chosen yet", "-", "was never started")
    if not local.is_running():
        state, words = (
            (State.DOWN, "is stopped") if local.process is None else (State.CRASHED, "ended without being stopped")
        )
        return Status(state, local.server, local.url, words, data=local.data)
    found = health(local.endpoint(settings.bucket_prefix))
    pid = local.process.pid if local.process is not None else None
    return Status(State.UP if found == OK else State.SILENT, local.server, local.url, found, pid, local.data)


def choose(settings: Settings) -> LocalServer:
    """The server of this lake: the one whose data is there, else the one named, else MinIO where it is installed.

    Raises `UsageError` when the one that is named is not the one whose data is there.
    """
    data = settings.state / "data"
    named = settings.get("store.server")
    maker = next((server for server in SERVERS.values() if server.is_maker_of(data)), None)
    if maker is not None and named.value not in {"", maker.name}:
        raise UsageError(
            f"the data in {data} was made by {maker.name}, but {named.source} says {named.value}",
            next=f"say {maker.name} there; or try {named.value} in a project folder of its own: lake init DIR",
        )
    if maker is not None:
        return maker
    name = str(settings.server.value)
    if name:
        return SERVERS[name]
    return next((server for server in SERVERS.values() if server.find() is not None), SERVERS["seaweedfs"])


def _program(server: LocalServer) -> Path:
    found = server.find()
    if found is None:
        raise UsageError(f"{server.name} is not installed", next=server.how_to_install)
    return found


def _start(server: LocalServer, before: Local | None, settings: Settings, say: Say) -> Local:
    """Start it; where a port was taken between our look and the server's, once more with others."""
    program, keys = _program(server), _keys(settings.state)
    for orphan in process.holders(PROGRAMS, settings.state / "data"):
        say(f"ending a {server.name} that an interrupted lake up left behind (pid {orphan.pid})")
        process.stop(orphan)
    for attempt in range(STARTS_MAX):
        local = _place(server, before, settings.state, say)
        command = server.prepare(program, local, keys)
        local = replace(local, process=process.start(command, _log(local)))
        try:
            write_local(local)
            _await(local, settings)
        except BaseException as error:
            _undo(local)
            lost_a_port = isinstance(error, StoreError) and not process.are_free(
                local.ports.values(), server.port_offsets
            )
            if not lost_a_port or attempt + 1 == STARTS_MAX:
                raise
            before = local
        else:
            return local
    raise AssertionError("unreachable")


def _place(server: LocalServer, before: Local | None, folder: Path, say: Say) -> Local:
    """Where it shall listen: at the ports that it had, if they are free."""
    if before is not None:
        _forget_process(before)
    ports = dict(before.ports) if before is not None and set(before.ports) == set(server.port_names) else None
    if ports is None or not process.are_free(ports.values(), server.port_offsets):
        if ports is not None:
            say(f"a port that {server.name} had is taken by another program: choosing others")
        ports = process.free_ports(server.port_names, server.port_offsets)
    short = len(str(folder).encode()) <= _SOCKET_FOLDER_BYTES_MAX
    return Local(folder, server.name, ports, None, None if short else Path(mkdtemp(prefix="lake-")))


def _await(local: Local, settings: Settings) -> None:
    """Wait until the server answers to its keys; raises `StoreError` with the end of its log when it does not."""
    deadline = time.monotonic() + settings.startup_seconds
    endpoint = local.endpoint(settings.bucket_prefix)
    while local.process is not None and process.is_alive(local.process):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        if health(endpoint, min(left, 3.0)) == OK:
            return
        time.sleep(0.05)
    keys = read_keys(local.folder)
    hidden = {} if keys is None else keys.named()
    alive = local.process is not None and process.is_alive(local.process)
    what = f"did not answer within {settings.startup_seconds:g} s" if alive else "ended as it started"
    raise StoreError(
        f"{local.server} {what}; the end of its log:\n{process.tail(_log(local), hidden)}",
        next=f"read {_log(local)}; if the machine is only slow, raise [store] startup_seconds in lake.toml; "
        "if it hangs: lake down, then lake up",
    )


def _undo(local: Local) -> None:
    if local.process is not None:
        process.stop(local.process)
    _forget_process(local)


def _forget_process(local: Local) -> None:
    """Write down that it does not run, and tidy up what only a running one needs: two sockets at most, never more."""
    if local.scratch is not None:
        for left in local.scratch.glob("?.sock"):
            left.unlink()
        with suppress(OSError):
            local.scratch.rmdir()
    write_local(replace(local, process=None, scratch=None))


def _running(folder: Path, local: Local | None) -> list[Process]:
    known = [local.process] if local is not None and local.process is not None and local.is_running() else []
    return known or process.holders(PROGRAMS, folder / "data")


def _keys(folder: Path) -> Keys:
    """The lake's keys, made at random the first time."""
    keys = read_keys(folder)
    if keys is None:
        names = ("SIGNING_KEY", "SIGNING_READ_KEY", "FILER_SIGNING_KEY", "FILER_SIGNING_READ_KEY")
        signing = {f"WEED_JWT_{name}": secrets.token_hex(32) for name in names}
        keys = Keys(f"lake{secrets.token_hex(8)}", secrets.token_hex(20), signing)
        write_keys(folder, keys)
    return keys


def _log(local: Local) -> Path:
    return local.folder / "logs" / f"{local.server}.log"


@contextmanager
def _alone(folder: Path, say: Say) -> Iterator[None]:
    """One ``up`` or ``down`` at a time; the lock ends with its process, however that ends."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another lake up or lake down is at work here: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
