"""The data: TPC-H by tpchgen-cli, cut in two for what is new, and many small files. Made once, kept in a folder."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

TABLES = ("region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem")
SHARE = 100
"""One order in so many is new."""
EVERY = 10
"""One line in so many comes twice."""
APART = 3_000_000
"""So many lines lie between a line and its duplicate, where the file is long enough."""


def tpch(folder: Path, scale: float, tables: Sequence[str] = TABLES) -> Path:
    """A folder with TPC-H's tables as CSV files, one each; those are made that are not there. Raises `RuntimeError`."""
    made = folder / f"tpch-{scale:g}"
    done = made / "done"
    if not done.exists():
        # What is there may be the half of a file.
        shutil.rmtree(made, ignore_errors=True)
    missing = [table for table in tables if not (made / f"{table}.csv").exists()]
    if missing:
        part = made / "part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _generate(part, scale, missing)
        for table in missing:
            (part / f"{table}.csv").rename(made / f"{table}.csv")
        part.rmdir()
        done.touch()
    return made


def _generate(folder: Path, scale: float, tables: Sequence[str]) -> None:
    command = [str(Path(sys.executable).parent / "tpchgen-cli"), "csv", "-s", f"{scale:g}"]
    told = subprocess.run([*command, "--tables", ",".join(tables), "--output-dir", str(folder)], check=False)
    if told.returncode:
        raise RuntimeError(f"tpchgen-cli ended with {told.returncode}")


def divided(lineitem: Path, folder: Path, *, newest: bool) -> tuple[Path, Path]:
    """The line items of most orders, and of one order in a hundred: of the newest, or of orders from everywhere."""
    old, new = (folder / f"{lineitem.stem}-{'newest' if newest else 'scattered'}-{part}.csv" for part in ("old", "new"))
    if new.exists():
        return old, new
    folder.mkdir(parents=True, exist_ok=True)
    first_new = _last_order(lineitem) * (SHARE - 1) // SHARE
    part = new.with_suffix(".part")
    with lineitem.open("rb") as lines, old.open("wb") as most, part.open("wb") as few:
        header = next(lines)
        most.write(header)
        few.write(header)
        for line in lines:
            order = int(line[: line.index(b",")])
            # Keys of orders are eight numbers in a row, then a gap of 24.
            is_new = order > first_new if newest else order // 32 % SHARE == 0
            (few if is_new else most).write(line)
    part.rename(new)
    return old, new


def _last_order(lineitem: Path) -> int:
    with lineitem.open("rb") as file:
        file.seek(-4096, 2)
        return int(file.read().splitlines()[-1].split(b",")[0])


def with_duplicates(lineitem: Path, apart: int = APART) -> Path:
    """The line items with every tenth line once more, ``apart`` lines later, or at the end where no more come."""
    made = lineitem.with_name(f"{lineitem.stem}-duplicates.csv")
    if made.exists():
        return made
    part = made.with_suffix(".part")
    # A second reader lags behind the first, so that no line is kept in memory.
    with lineitem.open("rb") as lines, lineitem.open("rb") as behind, part.open("wb") as target:
        target.write(next(lines))
        next(behind)
        again = islice(behind, 0, None, EVERY)
        for number, line in enumerate(lines, start=-apart):
            target.write(line)
            if number >= 0 and number % EVERY == 0:
                target.write(next(again))
        target.writelines(again)
    part.rename(made)
    return made


def count_rows(lineitem: Path) -> int:
    """The lines of a CSV file below its header, none of which has a newline in a value."""
    with lineitem.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(2**20), b"")) - 1


def small_files(folder: Path, count: int) -> Path:
    """A folder with so many CSV files of a kilobyte each."""
    made = folder / f"small-{count}"
    if not (made / f"{count - 1:06d}.csv").exists():
        made.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (made / f"{number:06d}.csv").write_text("".join(_kilobyte(number)))
    return made


def _kilobyte(number: int) -> Iterator[str]:
    yield "id,region,value\n"
    for row in range(45):
        yield f"{number * 100 + row},region {row % 7},{number * row % 1000 / 10}\n"
