"""What the parser and its worker say to each other: one JSON object a line, read back into these values."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl
import pyarrow as pa

from ingestion.options import DatasetPolicy


@dataclass(frozen=True)
class ParseRequest:
    """Read one local file into Parquet files below the folder ``out``, which the worker makes.

    ``name`` is the landing key: its extension is looked at, and it goes into every row as ``_file``, with a ``#`` and
    the part of the file where it has several; so do ``batch`` and ``ingested_at`` (with a zone). ``tables`` has the
    value columns of the dataset's tables that have rows, by table (empty: the main one); what is not among them takes
    the columns that the file has. ``patches`` are a person's corrections: by the file, as its rows name it in
    ``_file``, and the line on which a record begins. ``deadly`` are members of an archive that ended a worker, and how:
    they are refused unread.
    """

    path: Path
    name: str
    out: Path
    batch: str
    ingested_at: datetime
    tables: Mapping[str, pl.Schema] = field(default_factory=dict)
    policy: DatasetPolicy = field(default_factory=DatasetPolicy)
    patches: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    deadly: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ExcerptRequest:
    """A record to be shown: it begins on ``line`` of a file, and the next one on ``stop``, where that is known.

    ``name`` is the landing key of the file at ``path``, ``fragment`` what rows have after a ``#`` in ``_file``.
    ``dialect`` is the account's: its encoding, and what quotes a cell.
    """

    path: Path
    name: str
    fragment: str
    line: int
    stop: int | None = None
    dialect: Mapping[str, Any] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """The request as JSON values."""
        return {"kind": "excerpt", "path": str(self.path.absolute()), "wanted": {**vars(self), "path": ""}}

    @classmethod
    def of(cls, values: dict[str, Any]) -> "ExcerptRequest":
        """The request that `json` gave."""
        return cls(**values["wanted"] | {"path": Path(values["path"])})


@dataclass(frozen=True)
class Part:
    """One table's share of a file: a Parquet file of rows, and one of rejects where there are any.

    ``table`` is empty for the dataset's main table, else a suffix of lower-case letters, digits and _. ``rows`` were
    counted in the Parquet file, ``rejected`` in that of the rejects, ``records`` by other means; ``records == rows +
    rejected``. ``schema`` are the value columns as written: the table's, with the new ones behind them. ``account`` is
    what the ledger keeps: dialect, header, lines.
    """

    table: str
    file: str
    path: Path
    schema: pl.Schema
    records: int
    rows: int
    rejected: int = 0
    rejects: Path | None = None
    metadata: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    account: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rejected:
    """A file, or a part of one, that was refused whole.

    By which ``rule``, why, on which physical ``line`` where there is one; ``file`` is empty for the whole file, else
    its name with the part.
    """

    rule: str
    reason: str
    line: int | None
    file: str = ""


@dataclass(frozen=True)
class Parsed:
    """A file that was read: its parts, and the parts of it that were refused.

    ``kept`` are the names of parts (of the file itself: empty) that hold no table, such as a PDF, and stay raw.
    """

    format: str
    parts: tuple[Part, ...] = ()
    refused: tuple[Rejected, ...] = ()
    kept: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """A request that the machine failed, whatever the file holds."""

    reason: str


Reply: TypeAlias = Parsed | Rejected | Failed

_KINDS = {Parsed: "parsed", Rejected: "rejected", Failed: "failed"}


def parse_request_json(request: ParseRequest) -> dict[str, Any]:
    """The request as JSON values."""
    return {
        "kind": "parse",
        "path": str(request.path.absolute()),
        "name": request.name,
        "out": str(request.out.absolute()),
        "batch": request.batch,
        "ingested_at": request.ingested_at.isoformat(),
        "tables": {table: schema_json(schema) for table, schema in request.tables.items()},
        "policy": request.policy.as_dict(),
        "patches": {file: {str(n): text for n, text in lines.items()} for file, lines in request.patches.items()},
        "deadly": dict(request.deadly),
    }


def parse_request(values: dict[str, Any]) -> ParseRequest:
    """The request that `parse_request_json` wrote."""
    return ParseRequest(
        path=Path(values["path"]),
        name=values["name"],
        out=Path(values["out"]),
        batch=values["batch"],
        ingested_at=datetime.fromisoformat(values["ingested_at"]),
        tables={table: schema_of(schema) for table, schema in values["tables"].items()},
        policy=DatasetPolicy.from_dict(values["policy"]),
        patches={file: {int(n): text for n, text in lines.items()} for file, lines in values["patches"].items()},
        deadly=values["deadly"],
    )


def schema_json(schema: pl.Schema) -> str:
    """A schema as text: Arrow's own form, in base64."""
    return _schema_text(tuple(schema.items()))


def schema_of(text: str) -> pl.Schema:
    """The schema that `schema_json` gave.

    >>> schema_of(schema_json(pl.Schema({"a": pl.Decimal(10, 2)})))
    Schema([('a', Decimal(precision=10, scale=2))])
    """
    return pl.Schema(_schema_items(text))


# Thousands of small files have the same few schemas.
@lru_cache(maxsize=256)
def _schema_text(items: tuple[tuple[str, pl.DataType], ...]) -> str:
    return base64.b64encode(pl.Schema(items).to_frame().to_arrow().schema.serialize().to_pybytes()).decode("ascii")


@lru_cache(maxsize=256)
def _schema_items(text: str) -> tuple[tuple[str, pl.DataType], ...]:
    return tuple(pl.Schema(pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))).items())


def reply_json(reply: Reply) -> dict[str, Any]:
    """The outcome of a request as JSON values."""
    values = {"kind": _KINDS[type(reply)], **vars(reply)}
    if isinstance(reply, Parsed):
        values["parts"] = [_part_json(part) for part in reply.parts]
        values["refused"] = [vars(refused) for refused in reply.refused]
    return values


def reply(values: dict[str, Any]) -> Reply:
    """The outcome that `reply_json` wrote; raises KeyError, TypeError or ValueError for anything else."""
    if values["kind"] == "failed":
        return Failed(str(values["reason"]))
    if values["kind"] == "rejected":
        return _rejected(values)
    return Parsed(
        format=str(values["format"]),
        parts=tuple(map(_part, values["parts"])),
        refused=tuple(map(_rejected, values["refused"])),
        kept=tuple(map(str, values["kept"])),
        notices=tuple(map(str, values["notices"])),
    )


def _part_json(part: Part) -> dict[str, Any]:
    paths = {"path": str(part.path), "rejects": None if part.rejects is None else str(part.rejects)}
    return {**vars(part), **paths, "schema": schema_json(part.schema)}


def _part(values: dict[str, Any]) -> Part:
    return Part(
        table=str(values["table"]),
        file=str(values["file"]),
        path=Path(values["path"]),
        schema=schema_of(values["schema"]),
        records=int(values["records"]),
        rows=int(values["rows"]),
        rejected=int(values["rejected"]),
        rejects=None if values["rejects"] is None else Path(values["rejects"]),
        metadata=dict(values["metadata"]),
        notices=tuple(map(str, values["notices"])),
        account=dict(values["account"]),
    )


def _rejected(values: dict[str, Any]) -> Rejected:
    return Rejected(str(values["rule"]), str(values["reason"]), values["line"], str(values["file"]))
