"""What a published table is: what its job says of it, its columns, what its rules found, and how it was made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from catalog.tables import Snapshot
from catalog.zones import Zone

COLUMNS = pl.Schema(dict.fromkeys(("column", "type", "label", "unit", "pii", "why"), pl.String()))
EXPECTATIONS = pl.Schema(
    {"rule": pl.String(), "action": pl.String(), "broken": pl.Int64(), "judged": pl.Int64(), "message": pl.String()}
)


@dataclass(frozen=True)
class Shown:
    """A table at one version.

    ``columns`` is as `COLUMNS`, ``expectations`` with what they found when it was made as `EXPECTATIONS`; ``sources``
    are the versions that it was made of, ``missing`` counts the texts that were taken for missing, by source and
    column. ``is_automatic``: nobody wrote a job for it, and ``why`` of a column tells how its type was found.
    """

    name: str
    version: int
    rows: int
    size_bytes: int
    description: str
    owner: str
    mode: str
    key: tuple[str, ...]
    columns: pl.DataFrame
    expectations: pl.DataFrame
    sources: Mapping[str, int]
    how: str
    run: str
    rejected: int
    missing: Mapping[str, Mapping[str, Mapping[str, int]]]
    is_automatic: bool


def show(snapshot: Snapshot) -> Shown:
    """What the version's commit and its schema tell; no row is read."""
    told: Mapping[str, Any] = snapshot.metadata
    decision = told.get("decision")
    # A batch of bronze has another idea of what its sources are.
    sources = told.get("sources", {}) if "code" in told else {}
    rejects = told.get("rejects")
    return Shown(
        name=str(snapshot.name),
        version=snapshot.version,
        rows=snapshot.rows,
        size_bytes=snapshot.size_bytes,
        description=told.get("description") or _otherwise(snapshot),
        owner=told.get("owner", ""),
        mode=told.get("mode", ""),
        key=tuple(told.get("key", ())),
        columns=_columns(snapshot, decision),
        expectations=_expectations(told),
        sources={name: state["version"] for name, state in sources.items()},
        how=told.get("how", ""),
        run=told.get("run", ""),
        rejected=rejects["rows"] if rejects else 0,
        missing=told.get("nulls", {}),
        is_automatic=decision is not None,
    )


def _otherwise(snapshot: Snapshot) -> str:
    told = {
        Zone.BRONZE: "what came in files, each value as its file has it, with the file and the line",
        Zone.CATALOG: "the lake's own",
    }
    return told.get(snapshot.name.zone, "")


def _columns(snapshot: Snapshot, decision: Mapping[str, Any] | None) -> pl.DataFrame:
    told: Mapping[str, Any] = snapshot.metadata
    units, pii, known = told.get("units", {}), told.get("pii", ()), snapshot.columns
    found = decision["columns"] if decision else {}
    rows = [
        (
            name,
            str(dtype),
            known.get(name, {}).get("label"),
            units.get(name),
            "yes" if name in pii else None,
            found.get(name, {}).get("why"),
        )
        for name, dtype in snapshot.schema.items()
    ]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def _expectations(told: Mapping[str, Any]) -> pl.DataFrame:
    rows = [
        (each["rule"], each["action"], each["rows"], each.get("judged"), each["message"])
        for each in told.get("findings", ())
    ]
    return pl.DataFrame(rows, schema=EXPECTATIONS, orient="row")
