"""Real stores for the tests: both servers, started by the lake itself, once a session, in folders of their own."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from catalog.objects import Endpoint, ObjectStore
from lake.server import control
from lake.server.install import find_minio
from lake.settings import Settings

ROOT = Path(__file__).parents[2]
SERVERS = ("seaweedfs", "minio")

_numbers = itertools.count(1)


def environment(server: str) -> dict[str, str]:
    """This process's environment, without what it says of another lake, choosing this server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKE_") or name == "LAKE_CACHE"}
    return kept | {"LAKE_STORE_SERVER": server}


@contextmanager
def running(server: str, folder: Path) -> Iterator[Endpoint]:
    """A real server with its data in ``folder``; stopped at the end."""
    if server == "minio":
        assert find_minio() is not None, "MinIO is not installed: run make minio"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lake.toml").touch()
    settings = Settings.load(folder, environment(server))
    said: list[str] = []
    with _stopped_when_we_die(folder, server):
        try:
            control.up(settings, said.append)
            yield settings.endpoint()
        finally:
            control.down(settings, said.append)


@contextmanager
def _stopped_when_we_die(folder: Path, server: str) -> Iterator[None]:
    """Servers outlive whoever starts them; a test session that is killed shall leave none all the same.

    The pipe's only writer is this process: its end, of whatever kind, is the end of ``cat``.
    """
    script = 'cat >/dev/null; exec "$0" -m lake --project "$1" down'
    with subprocess.Popen(
        ["sh", "-c", script, sys.executable, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=environment(server),
        start_new_session=True,
    ):
        yield


def lake_on(endpoint: Endpoint) -> Endpoint:
    """The same store with five new, empty buckets under a prefix that no other test has."""
    fresh = replace(endpoint, bucket_prefix=f"t{next(_numbers):04}-")
    ObjectStore(fresh).ensure_buckets()
    return fresh


class Stores:
    """The servers of one test session, each started when the first test asks for it."""

    def __init__(self, folder_of: Callable[[str], Path], stack: ExitStack) -> None:
        self._folder_of = folder_of
        self._stack = stack
        self._endpoints: dict[str, Endpoint] = {}

    def __call__(self, server: str) -> Endpoint:
        """Where that server answers."""
        if server not in self._endpoints:
            self._endpoints[server] = self._stack.enter_context(running(server, self._folder_of(server)))
        return self._endpoints[server]
