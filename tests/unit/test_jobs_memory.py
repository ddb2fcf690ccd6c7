"""Memory follows the setting and not the number of keys: measured in a process of its own, on rows on disk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stores import ROOT

KEYS = 3_000_000
SETTING_GB = 0.1
PEAK_BYTES_MAX = 250_000_000
"""Above what the process has at the start: the setting, and what Polars reads ahead and has on its way to the disk."""

PREPARE = f"""
import sys, threading, time, uuid
from pathlib import Path
import polars as pl, psutil
from lake.promote.memory import Room, bulk, matching
from lake.promote.measure import measure
from lake import expect

def write(frames):
    kept = []
    for frame in frames:
        path = Path(sys.argv[1]) / f"{{uuid.uuid4().hex}}.parquet"
        frame.sink_parquet(path, engine="streaming", row_group_size=50_000)
        kept.append(pl.scan_parquet(path, glob=False))
    return kept

def keep(frame):
    return write([frame])[0]

rows = keep(pl.LazyFrame().select(i=pl.int_range({KEYS})).select(k=pl.lit("key-") + pl.col("i").hash().cast(pl.String)))
room = Room({SETTING_GB}, write)
process = psutil.Process()
before, peaks = process.memory_info().rss, []

def watch():
    while True:
        peaks.append(process.memory_info().rss)
        time.sleep(0.01)

threading.Thread(target=watch, daemon=True).start()
"""

WORK = {
    "the new rows of an upsert": """
size = bulk(rows)
new = matching(rows, rows.select(k=pl.col("k") + "x"), ["k"], "anti", room, room.passes(size.rows, size.width))
keep(new)
""",
    "wide rows that are looked up": """
import lake.promote.memory as memory
wide = keep(rows.with_columns((pl.col("k") + str(n)).alias(f"c{n}") for n in range(4)))
few = keep(rows.filter(pl.col("k").hash() % 10 == 0).select("k"))
before = process.memory_info().rss
peaks.clear()
keep(memory.matched(wide, few, ["k"], "semi"))
""",
    "values that come twice, taken out": """
twice = pl.concat([rows, rows])
(found,) = measure(twice, [expect.unique("k", action="quarantine")], {}, room)
assert found.rows == 2 * found.values
""",
    "free text that is not allowed": """
(found,) = measure(rows, [expect.in_set("k", ["a"], action="warn")], {}, room)
assert len(found.examples) == 10
""",
}


@pytest.mark.parametrize("work", WORK)
def test_work_on_many_keys_stays_within_the_setting(work: str, tmp_path: Path) -> None:
    script = PREPARE + WORK[work] + "print(max(peaks) - before)"
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert int(told.stdout) < PEAK_BYTES_MAX
