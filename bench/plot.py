"""The latest figures as a picture: what the lake takes, as a share of what it may take, and how it grows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.lines import LINES

CURVES_INCHES = 3.2
COLOURS = {"minio": "C0", "seaweedfs": "C1"}


def plot(latest: Mapping[str, Mapping[str, Any]], curves: Mapping[str, Mapping[str, Any]], target: Path) -> None:
    """Draw the lines of each server as bars, those that keep to their limit end left of 1; below them the curves."""
    names = list(dict.fromkeys(name for found in curves.values() for name in found))
    bars_inches = 0.6 * len(LINES) + 1
    figure = Figure(figsize=(12, bars_inches + CURVES_INCHES * bool(names)), layout="constrained")
    heights = (bars_inches, CURVES_INCHES) if names else (bars_inches,)
    # Each row lays itself out: the long titles of the lines take no room from the curves.
    rows = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _bars(rows[0].subplots(), latest)
    for place, name in enumerate(names, start=1):
        drawn = {server: found[name] for server, found in curves.items() if name in found}
        _curve(rows[1].add_subplot(1, len(names), place), drawn)
    figure.savefig(target)


def _bars(axes: Axes, latest: Mapping[str, Mapping[str, Any]]) -> None:
    height = 0.8 / max(1, len(latest))
    for place, (server, found) in enumerate(latest.items()):
        named = [
            (number, found[name]["ratio"] / line.ratio_max)
            for number, (name, line) in enumerate(LINES.items())
            if name in found
        ]
        heights = [number + place * height for number, _ in named]
        axes.barh(heights, [share for _, share in named], height, label=server, color=COLOURS[server])
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(range(len(LINES)), [line.title for line in LINES.values()])
    axes.invert_yaxis()
    axes.set_xlabel("seconds, as a share of what the line may take")
    axes.legend()


def _curve(axes: Axes, drawn: Mapping[str, Mapping[str, Any]]) -> None:
    """One curve of each server, and dashed what it would be if all its points cost as much per size as the last."""
    for server, curve in drawn.items():
        sizes = [point["size"] for point in curve["points"]]
        seconds = [point["seconds"] for point in curve["points"]]
        axes.plot(sizes, seconds, marker="o", label=server, color=COLOURS[server])
        linear = [seconds[-1] * size / sizes[-1] for size in sizes]
        axes.plot(sizes, linear, linestyle="--", linewidth=1, color=COLOURS[server])
        axes.set_title(curve["title"])
        axes.set_xlabel(curve["unit"])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylabel("seconds (dashed: linear)")
    axes.legend()
