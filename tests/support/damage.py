"""Reads damaged copies of a file, each in its turn: a program of its own, for a reader may take its process down.

``python -m tests.support.damage FILE FORMAT FOLDER`` prints a JSON object a copy: how it was damaged, and the outcome.
"""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from ingestion.refusal import FileRefused
from tests.support.found import tables

CUTS, FLIPS = 12, 12


def damaged(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Copies that are cut off, and copies in which some bytes are others; the same ones each time."""
    chance = random.Random(len(data))
    for cut in range(1, CUTS + 1):
        end = len(data) * cut // (CUTS + 1)
        yield f"cut at {end}", data[:end]
    yield "cut at the last byte", data[:-1]
    for _ in range(FLIPS):
        changed = bytearray(data)
        places = [chance.randrange(len(data)) for _ in range(3)]
        for place in places:
            changed[place] ^= 1 << chance.randrange(8)
        yield f"flipped at {places}", bytes(changed)


def outcome(path: Path, format_: str, folder: Path) -> str:
    """What the worker makes of a file: rows, a refusal, or an error, which it takes for one."""
    try:
        found = tables(folder, path, format_)
    except FileRefused as refused:
        return f"refused: {refused.rule}: {refused.reason}"
    except (Exception, pl.exceptions.PanicException) as error:
        return f"raised: {type(error).__name__}: {error}"
    return f"read: {[(table.found.records, list(table.found.notices)) for table in found]}"


def main(name: str, format_: str, folder: str) -> None:
    path = Path(folder) / "damaged"
    for how, data in damaged(Path(name).read_bytes()):
        path.write_bytes(data)
        print(json.dumps({"how": how, "outcome": outcome(path, format_, Path(folder))}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
