"""The figures that are kept: ``bench/latest.json`` and ``bench/curves.json``, and the picture of both."""

import json
import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.plot import plot
from bench.site import ROOT

LATEST = ROOT / "bench" / "latest.json"
CURVES = ROOT / "bench" / "curves.json"


def keep(file: Path, server: str, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Put what was measured, with when and of which revision, into the latest figures, and draw them."""
    kept = _read(file)
    git = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    about = {"revision": git.stdout.strip(), "date": f"{datetime.now(UTC):%Y-%m-%d}", "cores": os.cpu_count()}
    kept[server] = kept.get(server, {}) | {name: {**figures, **about} for name, figures in found.items()}
    file.write_text(json.dumps(kept, indent=2) + "\n")
    plot(_read(LATEST), _read(CURVES), LATEST.with_suffix(".svg"))


def _read(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text())) if file.exists() else {}
