"""Bringing MinIO: what is there is taken; a build is made once, whole or not at all.

The real build takes minutes and is what ``make minio`` does on a new machine; here a program in the place of ``go``
puts the MinIO that is installed where ``go install`` would, slowly.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.errors import UsageError
from lake.server.install import MINIO_VERSION, cached_minio, find_minio, go_on_path, install_minio
from tests.support.stores import ROOT

GO = """#!/bin/sh
if [ "$1" = version ]; then echo "go version {version} linux/amd64"; exit; fi
echo "$$" >> "{started}"
env > "{seen}"
[ -e "{broken}" ] && {{ echo "cannot reach the proxy"; exit 1; }}
head -c 1000 "{minio}" > "$GOBIN/minio"
sleep {seconds}
cp "{minio}" "$GOBIN/minio"
chmod 755 "$GOBIN/minio"
"""


class Workshop:
    """A PATH with a Go on it and an empty cache."""

    def __init__(self, folder: Path, version: str = "go1.25.1", seconds: float = 0.5) -> None:
        found = find_minio()
        assert found is not None, "MinIO is not installed: run make minio"
        self.minio, self.bin = found, folder / "bin"
        self.started, self.broken, self.seen = folder / "started", folder / "broken", folder / "seen"
        self.bin.mkdir()
        self.environ = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "LAKE_CACHE": str(folder / "cache"),
            "PYTHONPATH": str(ROOT),
        }
        self.go(version, seconds)

    def go(self, version: str, seconds: float) -> None:
        files = {"minio": self.minio, "started": self.started, "broken": self.broken, "seen": self.seen}
        text = GO.format(version=version, seconds=seconds, **files)
        (self.bin / "go").write_text(text, encoding="utf-8")
        (self.bin / "go").chmod(0o755)

    def start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "lake", "minio"]
        return subprocess.Popen(
            command, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
        )

    @property
    def builds(self) -> int:
        return len(self.started.read_text().splitlines()) if self.started.exists() else 0


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def test_one_on_path_is_taken(workshop: Workshop) -> None:
    """Nothing is built."""
    (workshop.bin / "minio").symlink_to(workshop.minio)
    assert find_minio(workshop.environ) == workshop.bin / "minio"
    assert install_minio(lambda _: None, workshop.environ) == workshop.bin / "minio"
    assert workshop.builds == 0


def test_a_build_is_kept_by_version(workshop: Workshop) -> None:
    """It says how long it takes, and is found from then on."""
    said: list[str] = []
    built = install_minio(said.append, workshop.environ)
    assert built == cached_minio(workshop.environ) == find_minio(workshop.environ)
    assert built.parent.name == MINIO_VERSION
    assert built.read_bytes() == workshop.minio.read_bytes()
    assert "three to five minutes" in said[0]
    assert said[-1].startswith("built MinIO in")
    assert install_minio(said.append, workshop.environ) == built
    assert workshop.builds == 1


def test_a_build_sees_no_keys(workshop: Workshop) -> None:
    """It runs code of strangers: it gets what finds them, and nothing else of the environment."""
    let_through = {"GOPROXY": "direct", "PIP_INDEX_URL": "i", "https_proxy": "p", "SSL_CERT_FILE": "c", "LANG": "C"}
    kept_here = {
        "LAKE_STORE_SECRET_KEY": "hush",
        "AWS_SECRET_ACCESS_KEY": "hush",
        "GOOGLE_APPLICATION_CREDENTIALS": "hush",
        "WEED_JWT_SIGNING_KEY": "hush",
    }
    install_minio(lambda _: None, workshop.environ | let_through | kept_here)
    seen = dict(line.split("=", 1) for line in workshop.seen.read_text().splitlines())
    assert let_through.items() <= seen.items()
    assert kept_here.keys().isdisjoint(seen)


def test_of_two_at_once_one_builds(workshop: Workshop) -> None:
    """The second waits for the first and takes what it made."""
    children = [workshop.start() for _ in range(2)]
    said = [child.communicate() for child in children]
    assert [child.returncode for child in children] == [0, 0], said
    assert {out.strip() for out, _ in said} == {str(cached_minio(workshop.environ))}
    assert workshop.builds == 1


def test_a_build_that_is_killed_leaves_nothing_half_made(workshop: Workshop) -> None:
    """Neither something that looks like MinIO, nor a folder for ever."""
    workshop.go("go1.25.1", seconds=600)
    with workshop.start() as child:
        _until(lambda: any(cached_minio(workshop.environ).parent.glob("building-*/minio")))
        os.killpg(child.pid, signal.SIGKILL)
    assert find_minio(workshop.environ) is None
    workshop.go("go1.25.1", seconds=0)
    install_minio(lambda _: None, workshop.environ)
    assert sorted(path.name for path in cached_minio(workshop.environ).parent.iterdir()) == ["lock", "minio"]


def test_a_build_that_fails_says_why(workshop: Workshop) -> None:
    """With what Go said, and what to do instead; nothing is left."""
    workshop.broken.touch()
    with pytest.raises(UsageError, match="cannot reach the proxy") as refused:
        install_minio(lambda _: None, workshop.environ)
    assert "LAKE_STORE_SERVER=seaweedfs" in refused.value.next
    assert [path.name for path in cached_minio(workshop.environ).parent.iterdir()] == ["lock"]


@pytest.mark.parametrize(
    ("version", "good"), [("go1.19.8", False), ("go1.24.0", True), ("go1.26.8", True), ("go1.27.0", False)]
)
def test_a_go_that_is_not_known_to_build_it_is_passed_over(tmp_path: Path, version: str, good: bool) -> None:
    """Debian's own is too old."""
    workshop = Workshop(tmp_path, version)
    assert (go_on_path(workshop.environ) is not None) == good
    shutil.rmtree(workshop.bin)
    assert go_on_path(workshop.environ | {"PATH": str(workshop.bin)}) is None


def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.02)
