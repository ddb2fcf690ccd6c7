"""What the parser and its worker say to each other: one JSON object a line, read back into these values."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias


@dataclass(frozen=True)
class ParseRequest:
    """Read one local file into one Parquet file.

    ``path`` is the file and ``out`` the Parquet file to write; ``name`` is the landing key, looked at for its extension
    only; ``file``, ``batch`` and ``ingested_at`` (with a zone) go into every row. ``columns`` are the stored names that
    the file must have, in the order to write; None takes what the file has.
    """

    path: Path
    name: str
    out: Path
    file: str
    batch: str
    ingested_at: datetime
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Parsed:
    """A file that was read whole: every record is a row of the Parquet file.

    ``rows`` were counted in the Parquet file, ``records`` (without the header) and physical ``lines`` by the gate.
    ``columns`` are the stored names as written, ``header`` the names as found, in the order of the file.
    """

    rows: int
    records: int
    lines: int
    columns: tuple[str, ...]
    header: tuple[str, ...]
    dialect: dict[str, Any]


@dataclass(frozen=True)
class Rejected:
    """A file that was refused whole: by which ``rule``, why, and on which physical ``line`` where there is one."""

    rule: str
    reason: str
    line: int | None


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
        "file": request.file,
        "batch": request.batch,
        "ingested_at": request.ingested_at.isoformat(),
        "columns_expected": None if request.columns is None else list(request.columns),
    }


def parse_request(values: dict[str, Any]) -> ParseRequest:
    """The request that `parse_request_json` wrote."""
    columns = values["columns_expected"]
    return ParseRequest(
        path=Path(values["path"]),
        name=values["name"],
        out=Path(values["out"]),
        file=values["file"],
        batch=values["batch"],
        ingested_at=datetime.fromisoformat(values["ingested_at"]),
        columns=None if columns is None else tuple(columns),
    )


def reply_json(reply: Reply) -> dict[str, Any]:
    """The outcome of a request as JSON values."""
    return {"kind": _KINDS[type(reply)], **vars(reply)}


def reply(values: dict[str, Any]) -> Reply:
    """The outcome that `reply_json` wrote; raises KeyError, TypeError or ValueError for anything else."""
    if values["kind"] == "failed":
        return Failed(str(values["reason"]))
    if values["kind"] == "rejected":
        return Rejected(str(values["rule"]), str(values["reason"]), values["line"])
    return Parsed(
        rows=int(values["rows"]),
        records=int(values["records"]),
        lines=int(values["lines"]),
        columns=tuple(values["columns"]),
        header=tuple(values["header"]),
        dialect=dict(values["dialect"]),
    )
