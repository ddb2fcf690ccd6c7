"""The README's commands, run as a newcomer would run them: in a fresh clone, in order."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stores import ROOT, environment

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(README)
SHELL = [text for language, text in BLOCKS if language == "sh"]
PYTHON = [text for language, text in BLOCKS if language == "python"]
SQL = [text for language, text in BLOCKS if language == "sql"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files that git has or would take, in a folder of their own; stores that were started there are stopped."""
    folder = tmp_path_factory.mktemp("clone") / "lake"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
            (folder / name).chmod((ROOT / name).stat().st_mode)
    yield folder
    for settings in folder.rglob("lake.toml"):
        if (settings.parent / ".lake").exists():
            run(folder, f".venv/bin/lake -C {settings.parent} down")


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """A shell script as a newcomer's shell would run it; it must succeed."""
    environ = {
        name: value for name, value in environment("").items() if name not in {"LAKE_STORE_SERVER", "VIRTUAL_ENV"}
    }
    done = subprocess.run(
        ["bash", "-euc", script], cwd=folder, env=environ, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def published(output: str) -> dict[str, int]:
    """Rows by table, as the demo prints them."""
    return {
        name: int(rows.replace(",", ""))
        for name, rows in re.findall(r"^  ((?:bronze|silver|gold)\.\w+) +([\d,]+) +\d+$", output, re.MULTILINE)
    }


KNOWN = {
    "bronze.flights": 336_776,
    "silver.flights": 336_776,
    "silver.airlines": 16,
    "silver.airports": 1_458,
    "silver.planes": 3_322,
    "silver.weather": 26_115,
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("store", ["seaweedfs", "minio"])
def test_the_demo_publishes_the_known_numbers_and_then_finds_nothing_new(clone: Path, store: str) -> None:
    """From a fresh clone to published gold, on either server; the second time says that nothing is new."""
    demo = SHELL[0].strip()
    assert demo == "make demo"
    first = run(clone, f"{demo} STORE={store}")
    assert KNOWN.items() <= published(first.stdout).items()
    assert "BQN, PSE, SJU, STT" in first.stderr
    assert "8,255 'NA'" in first.stderr
    assert all(f"  {number}. " in first.stdout for number in (1, 2, 3))
    second = run(clone, f"{demo} STORE={store}")
    assert "nothing is new" in second.stderr
    assert published(second.stdout) == published(first.stdout)


@pytest.mark.timeout(600)
def test_the_commands_do_what_the_readme_says(clone: Path) -> None:
    """Looking around, breaking something, putting it back, a lake of one's own with the README's two jobs."""
    broken = run(clone, "\n".join(SHELL[:3]))
    assert broken.stdout.rstrip().splitlines()[-3:] == ["310771", "count_star()", "336776"]
    assert "ragged.csv" in broken.stdout
    mended = run(clone, "source .venv/bin/activate; cd demo/seaweedfs\n" + SHELL[3].replace("lake down", "lake tables"))
    assert re.search(r"^silver\.flights +\d+ +336776 ", mended.stdout, re.MULTILINE)
    python = PYTHON[0].replace("lk.at(1)", "print(lk.at(1)")
    python = re.sub(r'(print\(lk\.at\(1\)\.read\("silver\.flights"\))', r"\1.collect().height)", python)
    (clone / "example.py").write_text(python, encoding="utf-8")
    assert run(clone, ".venv/bin/python example.py").stdout.strip() == "336776"


@pytest.mark.timeout(600)
def test_a_lake_of_ones_own(clone: Path) -> None:
    """The README's own small lake, with its job in Python and its job in SQL."""
    own = SHELL[4].replace("lake down", "true")
    made = run(clone, "make setup\nsource .venv/bin/activate\n" + own)
    assert "2026-01-02" in made.stdout
    jobs = clone / "my-lake" / "jobs"
    (jobs / "gold").mkdir()
    (jobs / "prices.py").write_text(PYTHON[1], encoding="utf-8")
    (jobs / "gold" / "prices_by_month.sql").write_text(SQL[0], encoding="utf-8")
    query = "lake query 'select price from gold.prices_by_month' --format csv"
    told = run(clone, f"source .venv/bin/activate; cd my-lake; lake run; {query}; lake down")
    assert told.stdout.split() == ["price", "1.225"]


def test_every_block_is_run() -> None:
    """No block of the README stands outside these tests."""
    assert (len(SHELL), len(PYTHON), len(SQL)) == (5, 2, 1)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
