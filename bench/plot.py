"""The latest figures as a picture: what the lake takes, as a share of what it may take."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from bench.lines import LINES


def plot(latest: Mapping[str, Mapping[str, Mapping[str, float]]], target: Path) -> None:
    """Draw the lines of each server as bars, those that keep to their limit end left of 1."""
    figure = Figure(figsize=(9, 0.6 * len(LINES) + 1), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / max(1, len(latest))
    for place, (server, found) in enumerate(latest.items()):
        named = [
            (number, found[name]["ratio"] / line.ratio_max)
            for number, (name, line) in enumerate(LINES.items())
            if name in found
        ]
        axes.barh([number + place * height for number, _ in named], [share for _, share in named], height, label=server)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(range(len(LINES)), [line.title for line in LINES.values()])
    axes.invert_yaxis()
    axes.set_xlabel("seconds, as a share of what the line may take")
    axes.legend()
    figure.savefig(target)
