"""Searching the published tables' columns by their names and by the labels that their files gave them."""

import unicodedata
from concurrent.futures import ThreadPoolExecutor

import polars as pl

from catalog.zones import Zone
from ingestion.columns import LAKE_COLUMNS
from lake.published import PARALLEL_READS, Published

SCHEMA = pl.Schema({"table": pl.String(), "column": pl.String(), "type": pl.String(), "label": pl.String()})


def columns(view: Published, text: str = "", table: str | None = None) -> pl.DataFrame:
    """The columns, of all tables or one, in whose name or label a text is; capitals and accents make no difference.

    The result has columns as `SCHEMA`. A column whose name could not be stored as found has that as its label. Of
    all tables the catalog's own are left out, and the columns that the lake adds to bronze. Raises `NotFound` for a
    table that is not there, `StoreError`.
    """
    names = [name for name in view.names() if not name.startswith(f"{Zone.CATALOG}.")] if table is None else [table]
    own = LAKE_COLUMNS if table is None else ()
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        snapshots = list(pool.map(view.snapshot, names))
    rows = [
        (str(snapshot.name), name, str(dtype), snapshot.columns.get(name, {}).get("label"))
        for snapshot in snapshots
        for name, dtype in snapshot.schema.items()
        if name not in own
    ]
    wanted = plain(text)
    found = [row for row in rows if wanted in plain(row[1]) or (row[3] is not None and wanted in plain(row[3]))]
    return pl.DataFrame(found, schema=SCHEMA, orient="row")


def plain(text: str) -> str:
    """A text as it is searched for: without capitals and accents.

    >>> plain("Fläche"), plain("STRASSE") == plain("Straße")
    ('flache', True)
    """
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in apart if not unicodedata.combining(character))
