"""TPC-H's 22 queries over a lake, the second time in one process, and by DuckDB over the same files.

Run in a project whose silver tables are TPC-H's; prints a JSON object of seconds: ``second`` (the lake) and ``duckdb``
(over files on the local disk, again). The queries are in ``bench/sql``, with the parameters that TPC-H validates by.
Raises `RuntimeError` where the lake does not answer as DuckDB does, or, run with ``published``, as TPC-H publishes
for scale factor 1.
"""

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

import lake
from bench.data import TABLES
from bench.queries import copied

QUERIES = {file.stem: file.read_text() for file in sorted(Path(__file__).with_name("sql").glob("*.sql"))}
ANSWERS = Path(__file__).with_name("answers.json")

_NUMBER = re.compile(r"-?\d+\.\d+")
_RANDOM_TEXT = ("_address", "_comment")


def written(values: Sequence[object]) -> str:
    """A row as answers are compared: numbers rounded to two decimals, values joined.

    >>> written([Decimal("37734107.00"), 25.522005853257337, "17", 4])
    '37734107|25.52|17|4'
    """
    return "|".join(_rounded(str(value)) for value in values)


def _rounded(text: str) -> str:
    if not _NUMBER.fullmatch(text):
        return text
    return str(Decimal(text).quantize(Decimal("0.01"), ROUND_HALF_UP)).rstrip("0").rstrip(".")


def digest(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The checksum of a whole answer, without addresses and comments, which are not the same in every dbgen."""
    kept = [place for place, column in enumerate(columns) if not column.endswith(_RANDOM_TEXT)]
    return sha256("\n".join(written([row[place] for place in kept]) for row in rows).encode()).hexdigest()


def require_published(name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Raise `RuntimeError` where an answer is not the one that TPC-H publishes for scale factor 1."""
    published: dict[str, Any] = json.loads(ANSWERS.read_text())["answers"][name]
    first = written(rows[0]) if rows else ""
    found = {"rows": len(rows), "first": first, "sha256": digest(columns, rows)}
    expected = published | {"first": written(published["first"].split("|"))}
    if found != expected:
        raise RuntimeError(f"{name}: the lake's answer is {found}, and TPC-H's {expected}")


def require_same(name: str, ours: Sequence[Sequence[object]], theirs: Sequence[Sequence[object]]) -> None:
    """Raise `RuntimeError` where the lake's rows are not DuckDB's, in whatever order: rows of one rank have none."""
    mine, other = (sorted(map(written, rows)) for rows in (ours, theirs))
    if mine != other:
        told = f"{len(mine)} rows of the lake and {len(other)} of DuckDB"
        only = sorted(set(mine) ^ set(other))[:2]
        raise RuntimeError(f"{name}: {told} are not the same, such as {only}")


def _seconds(run: Callable[[str], object], sql: str) -> float:
    began = time.perf_counter()
    run(sql)
    return time.perf_counter() - began


def main(arguments: Sequence[str]) -> None:
    """Ask everything twice of both, and time the second time."""
    here = lake.open().at()
    told = {"second": 0.0, "duckdb": 0.0}
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        connection.execute("create schema silver")
        for table, files in copied(here, Path(folder), TABLES).items():
            connection.execute(f"create view silver.{table} as from {files}")
        for name, sql in QUERIES.items():
            answer: pl.DataFrame = here.query(sql).collect()
            require_same(name, answer.rows(), connection.sql(sql).fetchall())
            if "published" in arguments:
                require_published(name, answer.columns, answer.rows())
        for sql in QUERIES.values():
            # In turns, so that what else the machine does is in both.
            told["second"] += _seconds(lambda text: here.query(text).collect(), sql)
            told["duckdb"] += _seconds(lambda text: connection.sql(text).fetchall(), sql)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
