"""The measurement measures: processes together, medians in turns, data that is cut without a loss."""

import json
import os
import re
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from bench import peers, tpch
from bench.__main__ import row, summary
from bench.curves import Point, exponent
from bench.curves import row as curve_row
from bench.data import TABLES, count_rows, divided, with_duplicates
from bench.data import tpch as generated
from bench.lines import LINES, Round
from bench.measured import Measured, measured
from bench.plot import plot
from bench.site import ROOT

HOLDS = "import sys, time; kept = bytearray({0}); kept[::4096] = b'x' * len(kept[::4096]); time.sleep(0.4)"


def test_the_memory_of_children_counts(tmp_path: Path) -> None:
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLDS.format(150_000_000)!r}], check=True)"
    found = measured([sys.executable, "-c", child], tmp_path, os.environ)
    assert found.seconds > 0.4
    assert 150_000_000 < found.peak_bytes < 300_000_000


def test_a_command_that_fails_ends_the_measurement(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        measured([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path, os.environ)


def test_a_line_is_the_median_of_its_rounds_and_the_highest_peak() -> None:
    rounds = [Round(Measured(seconds, peak), 2.0) for seconds, peak in ((1.0, 5), (3.0, 9), (1.5, 7))]
    found = summary(rounds, LINES["bronze"])
    assert found == {"ratio": 0.75, "seconds": 1.5, "other_seconds": 2.0, "peak_bytes": 9}
    assert "  met" in row("bronze", LINES["bronze"], found)
    assert "NOT MET" in row("bronze", LINES["bronze"], found | {"ratio": 1.1})
    assert "NOT MET" in row("bronze", LINES["bronze"], found | {"peak_bytes": 1e9})


def test_where_memory_alone_is_measured_it_is_the_ratio() -> None:
    found = summary([Round(Measured(9.0, 2_000_000_000), None)], LINES["sf10"])
    assert found == {"ratio": 0.8, "seconds": 9.0, "peak_bytes": 2_000_000_000}
    assert "  met" in row("sf10", LINES["sf10"], found)


def test_the_page_says_the_limits_that_are_measured() -> None:
    page = (ROOT / "bench" / "README.md").read_text()
    rows = re.findall(r"^\| `(\w+)` .* \| ([^|]+) \|$", page, re.MULTILINE)
    said = {name: [float(number) for number in re.findall(r"[\d.]+", limits)] for name, limits in rows}
    memory = {name: line.memory_bytes_max for name, line in LINES.items() if line.memory_bytes_max}
    assert said == {
        name: [round(line.ratio_max, 2), *([memory[name] / 1e9] if name in memory else [])]
        for name, line in LINES.items()
    }


@pytest.mark.parametrize("newest", [True, False])
def test_line_items_are_cut_in_two(tmp_path: Path, newest: bool) -> None:
    orders = [order for order in range(1, 64_001) if (order - 1) % 32 < 8]
    lines = [f"{order},{line},x\n" for order in orders for line in range(1 + order % 3)]
    (tmp_path / "lineitem.csv").write_text("l_orderkey,l_linenumber,l_comment\n" + "".join(lines))
    old, new = (
        path.read_text().splitlines()[1:] for path in divided(tmp_path / "lineitem.csv", tmp_path, newest=newest)
    )
    assert sorted(old + new) == sorted(line.strip() for line in lines)
    assert 0.008 < len(new) / len(lines) < 0.012
    assert not {line.split(",")[0] for line in old} & {line.split(",")[0] for line in new}


def test_a_table_that_is_missing_is_made_and_what_is_there_stays(tmp_path: Path) -> None:
    folder = generated(tmp_path, 0.001, ["nation"])
    (folder / "nation.csv").write_text("kept")
    assert generated(tmp_path, 0.001) == folder
    assert {path.name for path in folder.iterdir()} == {"done", *(f"{table}.csv" for table in TABLES)}
    assert (folder / "nation.csv").read_text() == "kept"


def test_what_was_left_half_made_is_made_again(tmp_path: Path) -> None:
    folder = generated(tmp_path, 0.001, ["nation"])
    whole = (folder / "nation.csv").read_text()
    (folder / "done").unlink()
    (folder / "nation.csv").write_text(whole[:100])
    generated(tmp_path, 0.001, ["nation"])
    assert (folder / "nation.csv").read_text() == whole


def test_every_query_of_tpch_has_a_published_answer() -> None:
    published = json.loads(tpch.ANSWERS.read_text())["answers"]
    assert list(published) == list(tpch.QUERIES) == [f"q{number:02d}" for number in range(1, 23)]


def test_only_the_published_answer_passes() -> None:
    columns, rows = (
        ["cntrycode", "numcust", "totacctbal"],
        [
            ("13", 888, 6737713.99),
            ("17", 861, 6460573.72),
            ("18", 964, 7236687.40),
            ("23", 892, 6701457.95),
            ("29", 948, 7158866.63),
            ("30", 909, 6808436.13),
            ("31", 922, 6806670.18),
        ],
    )
    tpch.require_published("q22", columns, rows)
    for wrong in (rows[:-1], rows[::-1], [*rows[:-1], ("31", 922, 6806670.19)], []):
        with pytest.raises(RuntimeError, match="q22"):
            tpch.require_published("q22", columns, wrong)


def test_a_row_that_duckdb_does_not_have_is_told() -> None:
    tpch.require_same("q01", [(1, 2.0), (3, None)], [(3, None), (1, Decimal("2.00"))])
    with pytest.raises(RuntimeError, match=r"3\|4"):
        tpch.require_same("q01", [(3, 4)], [(3, 5)])
    with pytest.raises(RuntimeError, match="1 rows of the lake and 2"):
        tpch.require_same("q01", [(3, 4)], [(3, 4), (3, 4)])


@pytest.mark.parametrize(("rows", "apart"), [(200, 50), (203, 50), (20, 50), (50, 50)])
def test_every_tenth_line_comes_twice_and_far_from_itself(tmp_path: Path, rows: int, apart: int) -> None:
    lines = [f"{number},x" for number in range(rows)]
    (tmp_path / "lineitem.csv").write_text("\n".join(["l_orderkey,l_comment", *lines, ""]))
    made = with_duplicates(tmp_path / "lineitem.csv", apart)
    header, *found = made.read_text().splitlines()
    assert header == "l_orderkey,l_comment"
    assert sorted(found) == sorted(lines + lines[::10])
    assert list(dict.fromkeys(found)) == lines
    assert count_rows(made) == len(found)
    assert with_duplicates(tmp_path / "lineitem.csv") == made
    for line in lines[::10]:
        first, second = (place for place, each in enumerate(found) if each == line)
        new_between = len(set(found[first + 1 : second]) - set(found[:first]))
        assert new_between == min(apart, rows - 1 - lines.index(line))


def test_a_step_of_a_curve_is_worse_than_linear_where_it_takes_its_time() -> None:
    before, even, steep, short = Point(10, 2.0, 0), Point(100, 20.0, 0), Point(100, 40.0, 0), Point(100, 1.0, 0)
    assert exponent(before, even) == pytest.approx(1)
    assert exponent(before, steep) == pytest.approx(1.301, abs=0.001)
    assert exponent(before, short) < 0
    assert "exponent" not in curve_row("files", "files", None, before)
    assert "WORSE" not in curve_row("files", "files", before, even)
    assert curve_row("files", "files", before, steep).endswith("exponent  1.30  WORSE THAN LINEAR")
    assert "WORSE" not in curve_row("files", "files", Point(10, 0.01, 0), short)


def test_a_peer_is_the_median_of_its_rounds_under_the_columns_of_the_lines() -> None:
    found = peers.summary(Measured(seconds, peak) for seconds, peak in ((1.0, 5), (3.0, 9_000_000_000), (1.5, 7)))
    assert found == {"seconds": 1.5, "peak_bytes": 9_000_000_000}
    line = row("bronze", LINES["bronze"], {"ratio": 1.0, "seconds": 1.5, "other_seconds": 2.0, "peak_bytes": 9e9})
    said = peers.row("bronze, by dlt", found)
    assert [line.index(figure) for figure in ("1.50 s", "9.00 GB")] == [
        said.index(figure) for figure in ("1.50 s", "9.00 GB")
    ]


def test_a_peer_that_cannot_be_imported_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(peers.MODULES, "dlt", ("json", "no_such_peer"))
    assert peers.lacking(Path(sys.executable), "dlt") == "ModuleNotFoundError: No module named 'no_such_peer'"
    monkeypatch.setitem(peers.MODULES, "dlt", ("json",))
    assert not peers.lacking(Path(sys.executable), "dlt")


def test_the_figures_are_drawn(tmp_path: Path) -> None:
    latest = {"minio": {"bronze": {"ratio": 0.9}}, "seaweedfs": {"bronze": {"ratio": 1.1}, "idle": {"ratio": 0.5}}}
    points = [{"size": 10, "seconds": 1.0, "peak_bytes": 5}, {"size": 100, "seconds": 3.0, "peak_bytes": 5}]
    curve = {"title": "small files", "unit": "files", "points": points}
    plot(latest, {}, tmp_path / "bars.svg")
    plot(latest, {"minio": {"files": curve, "data": curve}, "seaweedfs": {"files": curve}}, tmp_path / "latest.svg")
    bars, both = ((tmp_path / name).read_text().count("<path") for name in ("bars.svg", "latest.svg"))
    assert 10 < bars < both
