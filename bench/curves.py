"""How what the lake takes grows: ``python -m bench.curves [--only CURVE]... [--server minio] [--small] [--largest]``.

Each point is measured once, on a new store. Prints for each step the exponent between neighbours, which is 1 where
twice as much takes twice as long; puts what was measured in full into ``bench/curves.json`` and ``bench/latest.svg``.
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.keep import CURVES as KEPT
from bench.keep import keep
from bench.lines import ALL_ZONES, Scale, kilobytes, nothing_new
from bench.measured import Measured
from bench.site import ROOT, Site, site

EXPONENT_MAX = 1.1
SECONDS_MIN = 2.0
"""What takes less is mostly the start of a process, and its exponent says nothing."""
LARGEST = 100_000


@dataclass(frozen=True)
class Point:
    """What the lake took for so much."""

    size: float
    seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Curve:
    """One curve: what is played at each of its sizes."""

    title: str
    unit: str
    sizes: tuple[float, ...]
    sizes_small: tuple[float, ...]
    play: Callable[[Site, Scale, float], Measured]


def data(here: Site, scale: Scale, factor: float) -> Measured:
    """A run of line items, landing to gold."""
    here.drop([replace(scale, factor=factor).lineitem], "lineitem")
    return here.lake(*ALL_ZONES)


def tables(here: Site, scale: Scale, count: float) -> Measured:
    """A run with nothing new; half of the tables are bronze, each with one of silver, but for a table that is alone."""
    if count == 1:
        here.environment["LAKE_PROMOTE_AUTOMATIC"] = "false"
    return nothing_new(here, scale, max(1, int(count) // 2))


def files(here: Site, scale: Scale, count: float) -> Measured:
    """Files of a kilobyte into one table."""
    here.land(kilobytes(scale, int(count)))
    return here.lake("ingest")


CURVES = {
    "data": Curve("line items, landing to gold", "scale factor", (0.1, 0.3, 1), (0.001, 0.003, 0.01), data),
    "tables": Curve("a run with nothing new", "tables", (1, 10, 100, 1000), (1, 10), tables),
    "files": Curve("small files, landing to bronze", "files", (10, 100, 1000, 10_000), (10, 100), files),
}


def exponent(smaller: Point, larger: Point) -> float:
    """The power of the size by which the seconds grow from one point to the next: 1 is linear.

    >>> exponent(Point(10, 1.0, 0), Point(100, 100.0, 0))
    2.0
    """
    return math.log(larger.seconds / smaller.seconds) / math.log(larger.size / smaller.size)


def row(name: str, unit: str, before: Point | None, point: Point) -> str:
    """One line of the table, which says where a step takes more than its share."""
    said = f"{name:8} {point.size:>9,g} {unit:12} {point.seconds:8.2f} s  {point.peak_bytes / 1e9:5.2f} GB"
    if before is None:
        return said
    power = exponent(before, point)
    is_worse = power > EXPONENT_MAX and point.seconds > SECONDS_MIN
    return f"{said}  exponent {power:5.2f}{'  WORSE THAN LINEAR' if is_worse else ''}"


def measure(name: str, sizes: Sequence[float], scale: Scale, server: str) -> list[Point]:
    """Measure one curve, and say each point as it comes."""
    points: list[Point] = []
    for size in sizes:
        sys.stderr.write(f"{name}: {size:,g} {CURVES[name].unit}\n")
        with site(scale.folder, server) as here:
            taken = CURVES[name].play(here, scale, size)
        point = Point(size, round(taken.seconds, 3), taken.peak_bytes)
        sys.stdout.write(f"{row(name, CURVES[name].unit, points[-1] if points else None, point)}\n")
        sys.stdout.flush()
        points.append(point)
    return points


def main(arguments: Sequence[str]) -> None:
    """Measure, and say what was measured."""
    chosen = _chosen(arguments)
    found = {}
    for name in chosen.only or CURVES:
        curve = CURVES[name]
        sizes = curve.sizes_small if chosen.small else curve.sizes
        if chosen.largest and name == "files":
            sizes = (*sizes, LARGEST)
        points = measure(name, sizes, Scale(chosen.folder.resolve()), chosen.server)
        found[name] = {"title": curve.title, "unit": curve.unit, "points": [asdict(point) for point in points]}
    if not chosen.small:
        keep(KEPT, chosen.server, found)


def _chosen(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.curves", description="Measure how what the lake takes grows.")
    parser.add_argument("--only", action="append", choices=CURVES, help="one curve; repeatable [default: all]")
    parser.add_argument("--server", choices=("minio", "seaweedfs"), default="seaweedfs")
    parser.add_argument("--small", action="store_true", help="little data, to see that it works")
    parser.add_argument("--largest", action="store_true", help=f"{LARGEST:,} files too, which takes long")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench", help="for data and stores")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
