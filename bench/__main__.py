"""Measure the lake against the script: ``python -m bench [--only LINE]... [--server minio] [--small]``.

Rounds are played in turns, each on a new store; a line is the median of its rounds. Prints a table, and puts what was
measured in full into ``bench/latest.json`` and ``bench/latest.svg``.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.lines import LINES, Line, Round, Scale
from bench.plot import plot
from bench.site import ROOT, site

LATEST = ROOT / "bench" / "latest.json"


def main(arguments: Sequence[str]) -> None:
    """Measure, and say what was measured."""
    chosen = _chosen(arguments)
    folder = chosen.folder.resolve()
    scale = Scale(folder, factor=0.01, files=100, tables=10, commits=30) if chosen.small else Scale(folder)
    found = {}
    for name in chosen.only or LINES:
        rounds = []
        for number in range(1, chosen.rounds + 1):
            sys.stderr.write(f"{name}: round {number} of {chosen.rounds}\n")
            with site(scale.folder, chosen.server) as here:
                rounds.append(LINES[name].play(here, scale))
        found[name] = summary(rounds)
        sys.stdout.write(f"{row(name, LINES[name], found[name])}\n")
        sys.stdout.flush()
    if not chosen.small:
        _keep(chosen.server, found)


def _keep(server: str, found: dict[str, dict[str, float]]) -> None:
    """Put what was measured into the latest figures, and draw them."""
    latest = json.loads(LATEST.read_text()) if LATEST.exists() else {}
    latest[server] = latest.get(server, {}) | found
    LATEST.write_text(json.dumps(latest, indent=2) + "\n")
    plot(latest, LATEST.with_suffix(".svg"))


def _chosen(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure the lake against a script written by hand.")
    parser.add_argument("--only", action="append", choices=LINES, help="one line; repeatable [default: all]")
    parser.add_argument("--server", choices=("minio", "seaweedfs"), default="minio")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="a hundredth of the data, to see that it works")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench", help="for data and stores")
    return parser.parse_args(arguments)


def summary(rounds: Sequence[Round]) -> dict[str, float]:
    """The medians of the rounds, and the highest peak of memory."""
    return {
        "ratio": round(statistics.median(each.ours.seconds / each.other_seconds for each in rounds), 3),
        "seconds": round(statistics.median(each.ours.seconds for each in rounds), 3),
        "other_seconds": round(statistics.median(each.other_seconds for each in rounds), 3),
        "peak_bytes": max(each.ours.peak_bytes for each in rounds),
    }


def row(name: str, line: Line, found: dict[str, float]) -> str:
    """One line of the table."""
    is_met = found["ratio"] <= line.ratio_max and found["peak_bytes"] <= (line.memory_bytes_max or found["peak_bytes"])
    return (
        f"{name:18} {found['ratio']:6.2f} x (at most {line.ratio_max:.2f})  {found['seconds']:7.2f} s  "
        f"other {found['other_seconds']:7.2f} s  {found['peak_bytes'] / 1e9:5.2f} GB  "
        f"{'met' if is_met else 'NOT MET'}  {line.title}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
