"""Delta tables: read and commit; the only package that imports deltalake."""

from catalog.tables.commit import Change
from catalog.tables.datafile import DataFile
from catalog.tables.faults import store_faults
from catalog.tables.rewrite import Rewritten, rewritten, without
from catalog.tables.schema import difference, in_columns, storable
from catalog.tables.snapshot import Snapshot
from catalog.tables.store import Tables

__all__ = [
    "Change",
    "DataFile",
    "Rewritten",
    "Snapshot",
    "Tables",
    "difference",
    "in_columns",
    "rewritten",
    "storable",
    "store_faults",
    "without",
]
