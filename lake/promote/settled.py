"""The types of an automatic table, settled before it is made: kept while all rows fit, found anew where they do not."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from catalog.tables import Snapshot, Tables
from catalog.zones import TableName
from lake.promote.check import Finding
from lake.promote.declare import Inferred, Job
from lake.promote.expect import Action
from lake.promote.increment import as_read
from lake.promote.infer import RESCUED, Column, Evidence, decide, survey
from lake.promote.make import Made
from lake.promote.names import counted

ONCE = "each row once"
"""What an automatic table promises beside its types."""

DECISION = "decision"
"""Under this name a version's metadata has what was found of its columns."""


@dataclass(frozen=True)
class Settled:
    """A job that can be run, and why its table must be made whole; empty where nothing says so."""

    job: Job
    why_whole: str = ""
    source: Snapshot | None = None
    columns: Mapping[str, Column] | None = None
    evidence: Mapping[str, Evidence] | None = None

    def told(self, made: Made) -> Made:
        """The version to be, with what was found of an automatic table's columns and what became of its rows."""
        if self.source is None or self.columns is None or self.evidence is None:
            return made
        empties = {name: {"": column.empties} for name, column in self.columns.items() if column.empties}
        return replace(
            made,
            nulls={str(self.source.name): empties} if empties else {},
            findings=(*made.findings, *_findings(self.source, sum(file.rows for file in made.files), self.why_whole)),
            told={
                DECISION: {
                    "columns": {name: {"type": str(c.type), "why": c.why} for name, c in self.columns.items()},
                    "evidence": {name: each.to_dict() for name, each in self.evidence.items()},
                }
            },
            columns={name: about for name, about in self.source.columns.items() if name in self.columns},
        )


def settle_types(job: Job, inputs: Mapping[TableName, Snapshot], pin: Snapshot | None, tables: Tables) -> Settled:
    """The job with the types of its columns, where they are to be found in the data; any other job as it is.

    Reads what came to the source since the pin, or all of it where rows went. Raises `StoreError`.
    """
    if not isinstance(job.body, Inferred):
        return Settled(job)
    source = inputs[job.body.source]
    told = pin.metadata.get(DECISION) if pin is not None and pin.metadata.get("code") == job.code else None
    evidence = _evidence(source, told, pin, tables)
    columns = decide(source.schema, evidence)
    schema = pl.Schema({name: column.type for name, column in columns.items()})
    settled = replace(job, body=Inferred(job.body.source, schema))
    why = _changes(told["columns"], columns) if told else ""
    return Settled(settled, why, source, columns, evidence)


def _evidence(
    source: Snapshot, told: Mapping[str, Any] | None, pin: Snapshot | None, tables: Tables
) -> dict[str, Evidence]:
    read = pin.metadata.get("sources", {}).get(str(source.name)) if pin else None
    before = as_read(source.name, read, tables) if told and read else None
    if before is None or told is None or before.schema != source.schema:
        return survey(source.scan())
    known = {name: Evidence.from_dict(each) for name, each in told["evidence"].items()}
    there, here = ({file.path for file in each.files} for each in (before, source))
    if there - here:
        return survey(source.scan())
    came = replace(source, files=tuple(file for file in source.files if file.path not in there))
    return survey(came.scan(), known, before.rows) if came.files else known


def _changes(before: Mapping[str, Mapping[str, str]], columns: Mapping[str, Column]) -> str:
    """What is another type now than in the published version, column by column; empty where all are the same."""
    said = []
    for name, column in columns.items():
        if name not in before:
            said += [f"{RESCUED} is {column.why}"] if name == RESCUED else []
        elif (earlier := before[name]["type"]) != str(column.type):
            why = column.why.partition(": ")[2] if column.type == pl.String() else f"it is {column.type}, {column.why}"
            said.append(f"column {name} is no longer {earlier}: {why or column.why}")
    gone = [name for name in before if name == RESCUED and name not in columns]
    return "; ".join([*said, *(f"{name} is empty now" for name in gone)])


def _findings(source: Snapshot, rows: int, why_whole: str) -> list[Finding]:
    """What became of the rows: ``rows`` of them are in the table."""
    repeated = source.rows - rows
    are = "is" if repeated == 1 else "are"
    told = f"{counted(repeated, 'row')} of {source.name} {are} the same as another one"
    found = [Finding(ONCE, Action.WARN, repeated, f"{told}, and left out" if repeated else "", source.rows)]
    return [*found, Finding("types", Action.WARN, 0, why_whole, source.rows)] if why_whole else found
