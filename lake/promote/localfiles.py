"""Local copies of a table's files, where a SQL job may read them."""

import errno
import os
import shutil
from pathlib import Path

from catalog.tables import Snapshot
from lake.filecache import Lease


def linked(lease: Lease, scratch: Path, snapshot: Snapshot) -> list[Path]:
    """A snapshot's files out of the cache, linked to below the scratch folder, which is all that a SQL job reaches.

    They have the cache's names: those in the table's log may be any path.
    """
    folder = scratch / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for cached in lease.files(snapshot):
        target = folder / cached.name
        files.append(target)
        if target.exists():
            continue
        try:
            os.link(cached, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # Whole or not at all: a later job takes what is there.
            copied = Path(shutil.copyfile(cached, target.with_suffix(".part")))
            copied.rename(target)
    return files
