"""Measure the lake against the script: ``python -m bench [--only LINE]... [--server minio] [--peers]``.

Rounds are played in turns, each on a new store; a line is the median of its rounds. Prints a table, and puts what was
measured in full into ``bench/latest.json`` and ``bench/latest.svg``.
"""

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import peers
from bench.keep import LATEST, keep
from bench.lines import LINES, Line, Round, Scale
from bench.site import ROOT, site


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
            with site(scale.folder, chosen.server, is_script_first=number % 2 == 1) as here:
                rounds.append(LINES[name].play(here, scale))
        found[name] = summary(rounds, LINES[name])
        sys.stdout.write(f"{row(name, LINES[name], found[name])}\n")
        sys.stdout.flush()
    if not chosen.small:
        keep(LATEST, chosen.server, found)
    if chosen.peers:
        by_peers = peers.measure(scale, chosen.server, chosen.rounds)
        if not chosen.small:
            keep(LATEST, chosen.server, {"peers": by_peers})


def _chosen(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure the lake against a script written by hand.")
    parser.add_argument("--only", action="append", choices=LINES, help="one line; repeatable [default: all]")
    parser.add_argument("--server", choices=("minio", "seaweedfs"), default="seaweedfs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="a hundredth of the data, to see that it works")
    parser.add_argument("--peers", action="store_true", help="what others take for bronze, too")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench", help="for data and stores")
    return parser.parse_args(arguments)


def summary(rounds: Sequence[Round], line: Line) -> dict[str, float]:
    """The medians of the rounds, and the highest peak; the ratio is of memory where nothing else took any time."""
    seconds = statistics.median(each.ours.seconds for each in rounds)
    others = [each.other_seconds for each in rounds if each.other_seconds is not None]
    peak = max(each.ours.peak_bytes for each in rounds)
    if others:
        pairs = zip(rounds, others, strict=True)
        ratio = statistics.median(each.ours.seconds / other for each, other in pairs)
        found = {"ratio": ratio, "seconds": seconds, "other_seconds": statistics.median(others)}
    else:
        found = {"ratio": peak / (line.memory_bytes_max or peak), "seconds": seconds}
    return {name: round(value, 3) for name, value in found.items()} | {"peak_bytes": peak}


def row(name: str, line: Line, found: Mapping[str, float]) -> str:
    """One line of the table."""
    is_met = found["ratio"] <= line.ratio_max and found["peak_bytes"] <= (line.memory_bytes_max or found["peak_bytes"])
    other = f"other {found['other_seconds']:7.2f} s" if "other_seconds" in found else " " * 15
    return (
        f"{name:18} {found['ratio']:6.2f} x (at most {line.ratio_max:.2f})  {found['seconds']:7.2f} s  {other}  "
        f"{found['peak_bytes'] / 1e9:5.2f} GB  {'met' if is_met else 'NOT MET'}  {line.title}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
