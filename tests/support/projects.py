"""Lake projects for the tests, on the stores that the fixtures start."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from catalog.objects import Endpoint
from lake import Lake
from lake.project import init
from lake.reading import open_lake
from tests.support.stores import ROOT, environment


def variables(endpoint: Endpoint) -> dict[str, str]:
    """The environment that points a project at a store."""
    return {
        "LAKE_STORE_ENDPOINT": endpoint.url,
        "LAKE_STORE_ACCESS_KEY": endpoint.access_key,
        "LAKE_STORE_SECRET_KEY": endpoint.secret_key,
        "LAKE_STORE_BUCKET_PREFIX": endpoint.bucket_prefix,
    }


def project_on(endpoint: Endpoint, folder: Path, *, example: str | None = None) -> Lake:
    """A project in a folder, open, on this store."""
    init(folder, example=example)
    return open_lake(folder, variables(endpoint))


def lake_command(
    endpoint: Endpoint | None, folder: Path, *arguments: str, more: Mapping[str, str] | None = None, limits: str = ":"
) -> subprocess.CompletedProcess[str]:
    """The real ``lake`` command in a project's folder; with an endpoint, on that store; after a ``limits`` of sh."""
    return subprocess.run(
        ["sh", "-c", f'{limits}; exec "$@"', "sh", sys.executable, "-m", "lake", *arguments],
        cwd=folder,
        env=_environ(endpoint) | dict(more or {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def start_lake(endpoint: Endpoint, folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """The same, started and not waited for; what it says on stderr can be read line by line."""
    return subprocess.Popen(
        [sys.executable, "-m", "lake", *arguments],
        cwd=folder,
        env=_environ(endpoint) | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _environ(endpoint: Endpoint | None) -> dict[str, str]:
    said = {name: value for name, value in environment("").items() if name != "LAKE_STORE_SERVER"}
    return said | (variables(endpoint) if endpoint else {}) | {"PYTHONPATH": str(ROOT)}
