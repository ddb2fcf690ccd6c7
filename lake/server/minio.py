"""MinIO, the reference: one process, one folder, one port and a console that is switched off."""

from collections.abc import Sequence
from pathlib import Path

from lake.local import Keys, Local
from lake.server.base import Command
from lake.server.install import find_minio


class MinIO:
    """``minio server`` from PATH, or from the cache where ``lake minio`` put it."""

    name = "minio"
    port_names = ("s3", "console")
    port_offsets = (0,)
    how_to_install = "make minio (or: lake minio)"

    def find(self) -> Path | None:
        """``minio`` on PATH, or in the cache."""
        return find_minio()

    def is_maker_of(self, data: Path) -> bool:
        """MinIO's own bucket is there from the first start on."""
        return (data / ".minio.sys").is_dir()

    def prepare(self, program: Path, local: Local, keys: Keys) -> Command:
        """Make the data folder; the keys go by the environment, which other users cannot read."""
        local.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        address, console = (f"127.0.0.1:{local.ports[name]}" for name in ("s3", "console"))
        arguments = ("server", "--quiet", "--address", address, "--console-address", console, str(local.data))
        environment = {
            "MINIO_ROOT_USER": keys.access_key,
            "MINIO_ROOT_PASSWORD": keys.secret_key,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        }
        return Command((str(program), *arguments), environment)

    def settle(self, program: Path, local: Local, buckets: Sequence[str]) -> None:
        """Nothing: MinIO writes to the disk before it answers."""
