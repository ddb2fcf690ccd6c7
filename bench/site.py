"""A new lake on a store of its own, and beside it the buckets of the script that it is measured against."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import polars as pl

from bench.measured import Measured, measured
from catalog.zones import Zone
from lake.reading import open_lake
from lake.settings import FILE, Settings

ROOT = Path(__file__).parents[1]
SCRIPT_BUCKETS = ("script-landing", "script-archive", "script-lake")


@dataclass(frozen=True)
class Site:
    """A project in ``folder``, with the jobs that are measured, and its running store."""

    folder: Path
    environment: dict[str, str]
    s3: Any
    is_script_first: bool = True

    def in_turn(self, ours: Sequence[str], script: Sequence[str]) -> tuple[Measured, Measured]:
        """A command of the lake and a step of the script, in turns: what comes second finds the machine warm."""
        if self.is_script_first:
            other = self.script(*script)
            return self.lake(*ours), other
        return self.lake(*ours), self.script(*script)

    def require_same(self, table: str) -> None:
        """Raise `RuntimeError` where the lake's table and the script's do not have as many rows."""
        theirs = self.script_rows(table)
        ours = open_lake(self.folder, self.environment).at().snapshot(table).rows
        if ours != theirs:
            raise RuntimeError(f"{table}: the lake has {ours:,} rows, the script {theirs:,}")

    def script_rows(self, table: str) -> int:
        """How many rows the script's table has."""
        options = {name: value for name, value in self.environment.items() if name.startswith("AWS_")}
        frame = pl.scan_delta(f"s3://script-lake/{table.replace('.', '/')}", storage_options=options)
        return int(frame.select(pl.len()).collect().item())

    def lake(self, *arguments: str) -> Measured:
        """One ``lake`` command in the project, measured."""
        return _lake(self.folder, *arguments, environment=self.environment)

    def script(self, *arguments: str) -> Measured:
        """One step of the script, measured."""
        return measured([sys.executable, "-m", "bench.script", *arguments], self.folder, self.environment)

    def drop(self, files: Sequence[Path], dataset: str) -> None:
        """Files into landing, for the lake."""
        self.lake("drop", *map(str, files), "--into", dataset)

    def land(self, files: Mapping[str, Path]) -> None:
        """Many files into landing, for the lake, by their keys."""
        self._put(Settings.load(self.folder, self.environment).endpoint().bucket(Zone.LANDING), files)

    def upload(self, files: Mapping[str, Path]) -> None:
        """Files into landing, for the script, by their keys."""
        self._put("script-landing", files)

    def _put(self, bucket: str, files: Mapping[str, Path]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: self.s3.upload_file(str(files[key]), bucket, key), files))


@contextmanager
def site(folder: Path, server: str, *, is_script_first: bool = True) -> Iterator[Site]:
    """A site on an empty store, which is stopped and removed at the end."""
    project = folder / "site"
    if (project / FILE).exists():
        # Of a measurement that was killed: its store runs on.
        _lake(project, "down")
    shutil.rmtree(project, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    _lake(folder, "init", str(project), "--server", server)
    shutil.copytree(ROOT / "bench" / "jobs", project / "jobs", dirs_exist_ok=True)
    _lake(project, "up")
    try:
        endpoint = Settings.load(project, _environment()).endpoint()
        s3 = boto3.client(
            "s3",
            endpoint_url=endpoint.url,
            aws_access_key_id=endpoint.access_key,
            aws_secret_access_key=endpoint.secret_key,
            region_name="us-east-1",
        )
        for bucket in SCRIPT_BUCKETS:
            s3.create_bucket(Bucket=bucket)
        keys = {
            "AWS_ENDPOINT_URL": endpoint.url,
            "AWS_ACCESS_KEY_ID": endpoint.access_key,
            "AWS_SECRET_ACCESS_KEY": endpoint.secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }
        yield Site(project, _environment() | keys, s3, is_script_first)
    finally:
        _lake(project, "down")
        shutil.rmtree(project, ignore_errors=True)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKE_") or name == "LAKE_CACHE"}
    return kept | {"PYTHONPATH": str(ROOT)}


def _lake(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> Measured:
    return measured([sys.executable, "-m", "lake", *arguments], folder, environment or _environment())
