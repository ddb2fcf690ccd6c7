"""What is agreed about a batch before anything of it is committed: its data files, what leaves, and every fate."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from catalog.formats import opened, stored
from catalog.ledger import Entry, Fate
from ingestion.protocol import schema_json, schema_of

FORMAT = 2


@dataclass(frozen=True)
class Share:
    """A batch's share of one table: the data files to add, with their sizes, and the table's schema with them.

    ``columns`` is what the files say of columns, such as labels.
    """

    schema: pl.Schema
    files: tuple[tuple[str, int], ...] = ()
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """One attempt's reading of a batch; the first attempt that writes its account down is the one that counts.

    ``shares`` are by table; the rows of the deliveries that are ``leaving`` go from all tables of the dataset; of those
    that are ``settled`` nothing waits in the quarantine any more, by the delivery that took their place. ``rejects`` is
    the key of a Parquet file in the catalog bucket, columns as `catalog.quarantine.SCHEMA`.
    """

    shares: Mapping[str, Share]
    leaving: tuple[str, ...]
    settled: Mapping[str, str]
    entries: tuple[Entry, ...]
    rejects: str | None = None


def encode(account: Account) -> bytes:
    """The account as it is stored."""
    shares = {
        table: {"schema": schema_json(share.schema), "files": share.files, "columns": share.columns}
        for table, share in account.shares.items()
    }
    return stored(
        {
            "shares": shares,
            "leaving": account.leaving,
            "settled": account.settled,
            "entries": [asdict(entry) for entry in account.entries],
            "rejects": account.rejects,
        },
        version=FORMAT,
    )


def decode(body: bytes) -> Account:
    """A stored account. Raises `UsageError` for one of a newer format."""
    fields = opened(body, newest=FORMAT, what="a batch's account")
    return Account(
        shares={table: _share(share) for table, share in fields["shares"].items()},
        leaving=tuple(fields["leaving"]),
        settled=fields["settled"],
        entries=tuple(map(_entry, fields["entries"])),
        rejects=fields["rejects"],
    )


def entries_of_format_1(body: bytes) -> tuple[Entry, ...]:
    """The entries of an attempt of an older lake, whose commit names the attempt that counts. Raises `UsageError`."""
    return tuple(map(_entry, opened(body, newest=1, what="the account of an older lake's batch")["entries"]))


def _share(values: dict[str, Any]) -> Share:
    files = tuple((str(path), int(size_bytes)) for path, size_bytes in values["files"])
    return Share(schema_of(values["schema"]), files, values["columns"])


def _entry(values: dict[str, Any]) -> Entry:
    times = {name: datetime.fromisoformat(values[name]) for name in ("arrived_at", "ingested_at")}
    return Entry(**values | times | {"fate": Fate(values["fate"])})
