"""One version of one table, read through a catalog commit or at its head."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from deltalake import DeltaTable

from catalog.objects import Endpoint
from catalog.tables.datafile import DataFile
from catalog.tables.options import polars_options
from catalog.zones import TableName


@dataclass(frozen=True)
class Snapshot:
    """A table at one version: its schema, its files, and the metadata of the commit that made this version.

    It never moves: a later commit makes another snapshot.
    """

    name: TableName
    version: int
    schema: pl.Schema
    files: tuple[DataFile, ...] = field(repr=False)
    metadata: dict[str, Any] = field(repr=False)
    endpoint: Endpoint = field(repr=False)
    handle: DeltaTable = field(repr=False, compare=False)

    @property
    def rows(self) -> int:
        """How many rows the table has, by its log."""
        return sum(file.rows for file in self.files)

    @property
    def size_bytes(self) -> int:
        """How many bytes its files take."""
        return sum(file.size_bytes for file in self.files)

    @property
    def columns(self) -> dict[str, dict[str, str]]:
        """What is known of its columns, such as their labels, by name; of which nothing is known are left out."""
        fields = self.handle.schema().fields
        known = {f.name: {key: str(value) for key, value in f.metadata.items()} for f in fields}
        return {name: metadata for name, metadata in known.items() if metadata}

    def scan(self) -> pl.LazyFrame:
        """The rows, read as they are asked for."""
        return scan_files(self.endpoint, self.name, self.files, self.schema)

    def uris(self) -> list[str]:
        """The files' addresses, ``s3://bucket/tables/name/file``."""
        return [f"{folder_uri(self.endpoint, self.name)}/{file.path}" for file in self.files]


def folder_uri(endpoint: Endpoint, name: TableName) -> str:
    """The address of a table's folder."""
    return f"s3://{endpoint.bucket(name.zone)}/{name.path}"


def scan_files(endpoint: Endpoint, name: TableName, files: Iterable[DataFile], schema: pl.Schema) -> pl.LazyFrame:
    """The rows of some files of a table, in the table's schema; what an older file has not is missing in its rows."""
    uris = [f"{folder_uri(endpoint, name)}/{file.path}" for file in files]
    if not uris:
        return pl.LazyFrame(schema=schema)
    return pl.scan_parquet(
        uris,
        schema=schema,
        missing_columns="insert",
        glob=False,
        hive_partitioning=False,
        storage_options=polars_options(endpoint),
        credential_provider=None,
    )
