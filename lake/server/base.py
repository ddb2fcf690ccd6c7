"""What a local server is to the rest of the lake: one interface, two implementations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lake.local import Keys, Local


@dataclass(frozen=True)
class Command:
    """A program to start: its arguments, which any user may read, and its environment, which holds the keys."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)


class LocalServer(Protocol):
    """A program that speaks S3 on this machine, for one lake."""

    @property
    def name(self) -> str:
        """As in ``lake.toml`` and ``server.json``."""
        ...

    @property
    def port_names(self) -> Sequence[str]:
        """The ports that it listens on; ``s3`` is one of them."""
        ...

    @property
    def port_offsets(self) -> Sequence[int]:
        """For each port p it listens on p + each of these: SeaweedFS has its gRPC 10,000 higher."""
        ...

    @property
    def how_to_install(self) -> str:
        """What to type where it is not installed."""
        ...

    def find(self) -> Path | None:
        """The program, or None where it is not installed."""
        ...

    def is_maker_of(self, data: Path) -> bool:
        """Whether this data folder was filled by this server."""
        ...

    def prepare(self, program: Path, local: Local, keys: Keys) -> Command:
        """Make the folders and files that it needs; say how to start it."""
        ...

    def settle(self, program: Path, local: Local, buckets: Sequence[str]) -> None:
        """What is left to do once it answers and has the buckets that must survive a power cut. Raises `StoreError`."""
        ...
