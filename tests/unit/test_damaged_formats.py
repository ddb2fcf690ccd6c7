"""A file that is cut off is refused; one in which bits are others is refused or read, never the end of the reader."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.found import DATA

ROOT = Path(__file__).parents[2]
FORMATS = {
    "duckdb.parquet": "parquet",
    "java.orc": "orc",
    "polars.arrow": "arrow",
    "polars.arrows": "arrow",
    "java-deflate.avro": "avro",
    "xlsxwriter.xlsx": "xlsx",
    "libreoffice.xls": "xls",
    "libreoffice.ods": "ods",
    "excel.xlsb": "xlsb",
    "pspp.sav": "sav",
    "pspp.zsav": "sav",
    "pandas114.dta": "dta",
    "pandas118.dta": "dta",
    "iris.sas7bdat": "sas7bdat",
    "haven8.xpt": "xpt",
}
TAKES_ITS_PROCESS_DOWN = {"pspp.zsav"}
"""ReadStat reads beyond its memory where a block's size is another: the worker dies of it, and its file is refused."""

ENDS_WITH_PADDING = {"libreoffice.xls", "iris.sas7bdat"}
SAYS_WHAT_IT_LACKS = {"pandas114.dta"}


@pytest.mark.parametrize("name", FORMATS)
def test_damage(tmp_path: Path, name: str) -> None:
    """In a process of its own, as in the worker."""
    command = [sys.executable, "-m", "tests.support.damage", str(DATA / name), FORMATS[name], str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    if done.returncode:
        assert name in TAKES_ITS_PROCESS_DOWN, done.stderr[-2000:]
        assert done.returncode == -signal.SIGSEGV
    outcomes = [(said["how"], said["outcome"]) for said in map(json.loads, done.stdout.splitlines())]
    assert len(outcomes) > 12
    for how, outcome in outcomes:
        assert outcome.startswith(("refused", "read")), how
        if how.startswith("cut") and not _is_whole(name, how, outcome):
            assert outcome.startswith("refused"), how


def _is_whole(name: str, how: str, outcome: str) -> bool:
    """Whether nothing of the tables is cut off, or the reader says what is."""
    if name in SAYS_WHAT_IT_LACKS and "that the file does not hold" in outcome:
        return True
    return name in ENDS_WITH_PADDING and how == "cut at the last byte"
