"""What to do next about what waits: always something, and never a placeholder."""

import ast
import re
from typing import Any

import pytest

from lake.advice import next_step
from tests.support.stores import ROOT

ROW = {
    "id": "prices/00000001/000000:1",
    "table": "bronze.prices__notes",
    "stage": "ingest",
    "file": "prices/a.xlsx#notes",
    "line": 3,
    "rule": "width",
    "record": None,
    "archived_as": "raw/prices/00000001/000000",
    "status": "waiting",
    "done_by": None,
}


def rules() -> set[str]:
    """Every rule by which the code refuses a file."""
    found = set()
    for path in (ROOT / "ingestion").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("FileRefused", "Rejected"):
                found |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    return found


@pytest.mark.parametrize("rule", [*sorted(rules()), "a rule of tomorrow"])
@pytest.mark.parametrize("record", [None, "1;2;3"])
def test_there_is_something_to_do_about_every_rule(rule: str, record: str | None) -> None:
    """A command with this row's own names, or what to ask the supplier for."""
    step = next_step(ROW | {"rule": rule, "record": record})
    assert not re.search(r"[{}]", step)
    assert "lake quarantine replay" in step or "drop it" in step
    assert "prices__notes" not in step or "--table" in step


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"record": "1;2"}, "lake quarantine replay prices/00000001/000000:1 --record"),
        ({"rule": "encoding"}, "[datasets.prices] encoding"),
        ({"rule": "tolerance"}, "bad_share_max"),
        ({"rule": "schema"}, "lake columns --table bronze.prices__notes"),
        ({"rule": "worker"}, "worker_memory_gb"),
        ({"stage": "promote", "table": "silver.prices", "record": "{}"}, "lake run"),
        ({"status": "done", "done_by": "prices/00000002/000000"}, "prices/00000002/000000 took its place"),
    ],
)
def test_the_advice_fits_the_rule(change: dict[str, Any], told: str) -> None:
    """Whatever else the row is."""
    assert told in next_step(ROW | change)
