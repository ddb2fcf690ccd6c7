"""The worker: parses landed files in a process of its own, with limits and without keys.

It reads one JSON request a line from its standard input, and answers each with one JSON line; `ingestion.parser` is the
other side. Whatever a library prints goes to the log, which is this process's standard error.
"""

import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import polars as pl
import pyarrow.parquet as pq

from ingestion import limits
from ingestion.excerpt import excerpt
from ingestion.protocol import ExcerptRequest, Failed, Rejected, parse_request, reply_json, schema_of
from ingestion.read import read_file
from ingestion.refusal import FileRefused, words
from ingestion.write import sink

Say = Callable[[dict[str, Any]], None]

_log = logging.getLogger("ingestion.worker")


def answer(request: dict[str, Any], say: Say) -> dict[str, Any]:
    """Do what one request asks for; what the data does to the parser is a refusal, what the machine does is none.

    On the way it says which member of an archive it is about to read.
    """
    work = {"parse": _parse, "combine": _combine, "excerpt": _excerpt}[request["kind"]]
    try:
        return work(request, say)
    except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001 - hostile input may raise anything
        return reply_json(_failure(request, error))


def _failure(request: dict[str, Any], error: BaseException) -> Rejected | Failed:
    if not isinstance(error, FileRefused):
        _log.error("%s of %s failed", request["kind"], request.get("path") or request.get("paths"), exc_info=error)
    refused = limits.refusal(error)
    return Failed(words(error)) if refused is None else Rejected(refused.rule, refused.reason, refused.line)


def _parse(values: dict[str, Any], say: Say) -> dict[str, Any]:
    return reply_json(read_file(parse_request(values), lambda file: say({"kind": "reading", "file": file})))


def _combine(values: dict[str, Any], _: Say) -> dict[str, Any]:
    """Several Parquet files of one table as one, in their order: a column that a file lacks is null in its rows."""
    paths, out = [Path(path) for path in values["paths"]], Path(values["out"])
    limits.limit_output(paths)
    schema = schema_of(values["schema"])
    frame = pl.scan_parquet(paths, schema=schema, missing_columns="insert", extra_columns="raise", glob=False)
    sink(frame, out)
    rows, expected = _rows(out), sum(map(_rows, paths))
    if rows != expected:
        raise FileRefused("account", f"the account does not close: {expected:,} rows in, {rows:,} rows out")
    return {"kind": "combined", "rows": rows}


def _excerpt(values: dict[str, Any], _: Say) -> dict[str, Any]:
    """The lines of one record, as they lie in a landed file."""
    with TemporaryDirectory(dir=Path.cwd()) as scratch:
        return {"kind": "excerpt", "text": excerpt(ExcerptRequest.of(values), Path(scratch))}


def _rows(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)


def _own_stdout() -> BinaryIO:
    """Keep standard output for replies: everything else that writes to it reaches the log instead."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return replies


def main(arguments: list[str]) -> None:
    """Serve requests until the parent closes the pipe; ``arguments`` are the parent's pid and the memory in bytes."""
    replies = _own_stdout()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    parent_pid, memory_bytes = map(int, arguments)
    limits.confine(parent_pid, memory_bytes)

    def say(values: dict[str, Any]) -> None:
        message = memoryview(json.dumps(values).encode() + b"\n")
        while message:
            message = message[replies.write(message) :]

    say({"kind": "ready"})
    for line in sys.stdin.buffer:
        say(answer(json.loads(line), say))
    # The parent waits for the end, and to take the interpreter and its libraries apart takes 0.1 s.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
