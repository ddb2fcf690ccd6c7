"""What others take for the line ``bronze``, each that can be imported in an environment of their own.

The environment is made where it is asked for, out of ``requirements/peers.txt``: ``make setup`` knows nothing of it.
"""

import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.data import count_rows
from bench.lines import Scale
from bench.measured import Measured, measured
from bench.site import ROOT, Site, site

REQUIREMENTS = ROOT / "requirements" / "peers.txt"
MODULES = {
    "duckdb": ("duckdb", "duckdb_extension_httpfs", "deltalake"),
    "dlt": ("dlt", "duckdb", "deltalake", "s3fs"),
    "sail": ("pysail", "pyspark"),
}


def environment(folder: Path) -> Path:
    """The Python of the peers' environment, which is made again where what it is made of has changed."""
    python, made = folder / "bin" / "python", folder / "made-of.txt"
    wanted = REQUIREMENTS.read_text()
    if not made.exists() or made.read_text() != wanted:
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True)
        install = [uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes"]
        subprocess.run([*install, "-r", str(REQUIREMENTS)], check=True)
        made.write_text(wanted)
    return python


def lacking(python: Path, peer: str) -> str:
    """Why a peer cannot be imported, in one line; nothing where it can."""
    found = subprocess.run(
        [str(python), "-c", f"import {', '.join(MODULES[peer])}"], capture_output=True, text=True, check=False
    )
    return found.stderr.strip().splitlines()[-1] if found.returncode else ""


def play(peer: str, python: Path, here: Site, lineitem: Path) -> Measured:
    """One CSV file from landing to bronze by a peer. Raises `RuntimeError` where its rows are not those of the file."""
    here.upload({lineitem.name: lineitem})
    command = [str(python), "-m", "bench.peerscript", peer, lineitem.name]
    taken = measured(command, here.folder, here.environment)
    rows, wanted = here.script_rows("bronze.lineitem"), count_rows(lineitem)
    if rows != wanted:
        raise RuntimeError(f"{peer}: {rows:,} rows, {wanted:,} in the file")
    return taken


def measure(scale: Scale, server: str, rounds: int) -> dict[str, dict[str, float]]:
    """Measure each peer that can be imported, in rounds on new stores, and say what was found as it comes."""
    python = environment(scale.folder / "peers")
    found = {}
    for peer in MODULES:
        if why := lacking(python, peer):
            sys.stderr.write(f"{peer} cannot be measured: {why}\n")
            continue
        taken = []
        for number in range(1, rounds + 1):
            sys.stderr.write(f"bronze, by {peer}: round {number} of {rounds}\n")
            with site(scale.folder, server) as here:
                taken.append(play(peer, python, here, scale.lineitem))
        found[f"bronze, by {peer}"] = summary(taken)
        sys.stdout.write(f"{row(f'bronze, by {peer}', summary(taken))}\n")
        sys.stdout.flush()
    return found


def summary(taken: Iterable[Measured]) -> dict[str, float]:
    """The median of the seconds, and the highest peak."""
    rounds = list(taken)
    seconds = statistics.median(each.seconds for each in rounds)
    return {"seconds": round(seconds, 3), "peak_bytes": max(each.peak_bytes for each in rounds)}


def row(name: str, found: Mapping[str, float]) -> str:
    """One line of the table, with the columns of the others'."""
    return f"{name:18} {'':23}  {found['seconds']:7.2f} s  {'':15}  {found['peak_bytes'] / 1e9:5.2f} GB"
