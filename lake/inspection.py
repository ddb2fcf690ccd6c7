"""What would be understood of a file, before anything is ingested: needs no store, and leaves nothing behind."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from catalog.errors import UsageError
from catalog.zones import dataset_of
from ingestion.columns import LAKE_COLUMNS
from ingestion.formats.signatures import ARCHIVES, STREAMS
from ingestion.found import REJECTS
from ingestion.options import DatasetPolicy
from ingestion.parser import Parsed, Parser, ParserLimits, Rejected
from ingestion.protocol import Part
from lake.options import KEYS
from lake.settings import Settings
from lake.workspace import limits_of

ROWS_SHOWN = 5
REJECTS_SHOWN = 5
_TOLERANCE = "tolerance"

_DEFAULT_LIMITS = ParserLimits(
    int(float(KEYS["ingest.worker_memory_gb"].default) * 1e9), float(KEYS["ingest.worker_seconds_max"].default)
)


@dataclass(frozen=True)
class Table:
    """One table of a file: its first rows as they would be in bronze, and some records that would be set aside.

    ``part`` is empty for the dataset's main table; ``file`` names the part of the file; ``dialect`` is that of a text
    table; ``labels`` are what the file says of columns, by stored name. ``rejected_by`` counts the records that would
    be set aside by rule; ``first_rejects`` has the first of each rule, and then those that follow.
    """

    part: str
    file: str
    records: int
    rows: int
    rejected: int
    first_rows: pl.DataFrame
    first_rejects: pl.DataFrame
    dialect: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    rejected_by: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Inspection:
    """What would be understood of a file: its format and tables; what of it would be refused, and what kept raw.

    ``refused`` are reasons by the part's name; empty is the file itself. ``intolerable`` are the tables of those parts
    that would be refused for their number of bad records, as they would be if any number were allowed.
    """

    path: Path
    dataset: str
    format: str
    tables: tuple[Table, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    intolerable: tuple[Table, ...] = ()

    def toml(self) -> str:
        """The lines for ``lake.toml`` that pin what was found; empty where there is nothing to pin."""
        lines = [f"{name} = {_toml(value)}" for name, value in pins(self).items()]
        return "\n".join([f"[datasets.{self.dataset}]", *lines, ""]) if lines else ""


def inspect(path: str | Path, dataset: str | None = None, settings: Settings | None = None) -> Inspection:
    """Read a file as an ingest would, in a worker with the same limits, and say what was understood.

    With ``settings`` as these say of the dataset, which is the one named, or the one that the file's name means;
    without, by the defaults. Raises `UsageError` where the file is not one, `MachineError`.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise UsageError(f"{path} {what}", next="name a file")
    if dataset is None:
        dataset = dataset_of(path.name) if settings is None else settings.routes().dataset_of(path.name)
    policy = DatasetPolicy() if settings is None else settings.policy(dataset)
    with tempfile.TemporaryDirectory(prefix="lake-inspect-") as scratch:
        limits = _DEFAULT_LIMITS if settings is None else limits_of(settings)
        with Parser(Path(scratch), limits) as parser:
            found = _inspection(path, dataset, made := parser.inspect(path, path.name, policy))
            if beyond := _beyond_tolerance(made):
                lenient = replace(policy, bad_share_max=1, bad_rows_max=None)
                again = _inspection(path, dataset, parser.inspect(path, path.name, lenient))
                wanted = [table for table in again.tables if table.file in beyond or "" in beyond]
                found = replace(found, format=found.format or again.format, intolerable=tuple(wanted))
        return found


def pins(found: Inspection) -> dict[str, Any]:
    """The settings that pin what was found, by key."""
    if not found.tables:
        return {}
    is_packed = found.format.rpartition(".")[2] in (*STREAMS, *ARCHIVES)
    pinned: dict[str, Any] = {} if is_packed else {"format": found.format}
    dialects = [table.dialect for table in found.tables if table.dialect.get("delimiter")]
    every = [_dialect_pins(dialect) for dialect in dialects]
    if dialects and (is_packed or found.format == "csv"):
        # What holds for one member of an archive and not for another is not to be pinned for both.
        pinned |= {name: value for name, value in every[0].items() if all(pin.get(name) == value for pin in every)}
    if found.format in ("xlsx", "xls", "xlsb", "ods") and _keep_apart(found.tables):
        pinned["sheets"] = [table.file.partition("#")[2] for table in found.tables]
    return pinned


def _keep_apart(sheets: Sequence[Table]) -> bool:
    """Whether several sheets stay what they are when they are chosen: those of one header become one table then."""
    are_one = len({sheet.part for sheet in sheets}) == 1
    return len(sheets) > 1 and (are_one or len({tuple(sheet.first_rows.columns) for sheet in sheets}) > 1)


def _dialect_pins(dialect: Mapping[str, Any]) -> dict[str, Any]:
    pinned = {name: dialect[name] for name in ("encoding", "delimiter", "quote") if name in dialect}
    if dialect.get("escape", "double") != "double":
        pinned["escape"] = dialect["escape"]
    if dialect.get("comment"):
        pinned["comment"] = dialect["comment"]
    if not dialect.get("header_rows", 1):
        return pinned | {"header_lines": 0, "names": list(dialect["columns"])}
    skipped = dialect.get("header_line", 1) - 1
    return pinned | ({"skip_lines": skipped} if skipped else {}) | {"header_lines": dialect.get("header_rows", 1)}


def _inspection(path: Path, dataset: str, made: Parsed | Rejected) -> Inspection:
    if isinstance(made, Rejected):
        return Inspection(path, dataset, "", refused={"": _reason(made)})
    return Inspection(
        path,
        dataset,
        made.format,
        tuple(map(_table, made.parts)),
        {refused.file: _reason(refused) for refused in made.refused},
        made.kept,
        made.notices,
    )


def _beyond_tolerance(made: Parsed | Rejected) -> set[str]:
    """The parts of a file that have too many bad records; empty text is the file itself."""
    refused = (made,) if isinstance(made, Rejected) else made.refused
    return {each.file for each in refused if each.rule == _TOLERANCE}


def _reason(refused: Rejected) -> str:
    return f"{refused.reason} ({refused.rule})"


def _table(part: Part) -> Table:
    rows = pl.scan_parquet(part.path, glob=False).select(pl.exclude(list(LAKE_COLUMNS))).head(ROWS_SHOWN).collect()
    counts, examples = _examples(part.rejects)
    return Table(
        part=part.table,
        file=part.file,
        records=part.records,
        rows=part.rows,
        rejected=part.rejected,
        first_rows=rows,
        first_rejects=examples,
        dialect=part.account.get("dialect", {}),
        labels={name: said["label"] for name, said in part.metadata.items() if "label" in said},
        notices=part.notices,
        rejected_by=counts,
    )


def _examples(rejects: Path | None) -> tuple[dict[str, int], pl.DataFrame]:
    """How many records each rule set aside, the most first, and some of them: of each rule, where there are few."""
    if rejects is None:
        return {}, pl.DataFrame(schema=REJECTS)
    rows = pl.scan_parquet(rejects, glob=False)
    counts = rows.group_by("rule").agg(pl.len().alias("count")).sort("count", "rule", descending=[True, False])
    found = dict(counts.collect(engine="streaming").iter_rows())
    # Of a rule no more than are shown is ever in memory, however many records it set aside.
    firsts = [rows.filter(rule=rule).head(REJECTS_SHOWN).with_row_index("nth") for rule in list(found)[:REJECTS_SHOWN]]
    shown = pl.concat(pl.collect_all(firsts)).sort("nth", "line").head(REJECTS_SHOWN).sort("line")
    return found, shown.select(list(REJECTS))


def _toml(value: Any) -> str:
    """A value as TOML writes it: a text of JSON is one of TOML, too."""
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
