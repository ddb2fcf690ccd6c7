"""What a run says of itself, in every commit and on the record: which it is, by whom, with which code."""

import os
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

from catalog.log import Proposal
from catalog.zones import TableName
from lake.workspace import Workspace


@dataclass(frozen=True)
class Signature:
    """What every commit of a run says of it: which run, by whom, with which revision of the project."""

    run: str
    author: str
    revision: str

    @classmethod
    def new(cls, lake: Workspace) -> "Signature":
        """The signature of a run that begins."""
        return cls(uuid.uuid4().hex[:12], _user(), _revision(lake.settings.project))

    def proposal(self, message: str, heads: Mapping[TableName, int], pins: Mapping[TableName, int]) -> Proposal:
        """What the run proposes to publish."""
        return Proposal(
            operation=uuid.uuid4().hex,
            pins=pins,
            heads=heads,
            author=self.author,
            message=message,
            run=self.run,
            revision=self.revision,
        )


def _user() -> str:
    """Who runs this; a number where the system has no name for it, as in a container."""
    try:
        return getuser()
    except (KeyError, OSError):
        return f"uid{os.getuid()}"


def _revision(project: Path) -> str:
    """The project's revision in git, with a + where something is not committed; empty where it is in none."""
    try:
        told = subprocess.run(
            ["git", "-C", str(project), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip()
