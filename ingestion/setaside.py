"""What a batch sets aside on its way: records, parts of files and whole files, as rows of the quarantine."""

import uuid
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from catalog.ledger import Entry
from catalog.objects import ObjectStore
from catalog.quarantine import SCHEMA, WAITING
from catalog.tables import in_columns
from catalog.zones import Zone, bronze_table
from ingestion.manifest import Manifest
from ingestion.protocol import Parsed, Part

ROWS_AT_ONCE = 50_000


class SetAside:
    """The rejects of one attempt at a batch, in one Parquet file that grows on local disk; memory is bounded."""

    def __init__(self, manifest: Manifest, scratch: Path) -> None:
        self._manifest = manifest
        self._path = scratch / f"{uuid.uuid4().hex}.rejects.parquet"
        self._writer: pq.ParquetWriter | None = None
        self._counts: dict[str, int] = {}

    def whole(self, entry: Entry) -> None:
        """A delivery that was rejected whole: it has no record, its bytes are in the archive."""
        row = {"file": entry.file, "line": entry.line, "rule": entry.rule, "message": entry.reason}
        self._write(entry, "", pl.DataFrame([row]))

    def parts(self, entry: Entry, made: Parsed) -> None:
        """The records that the parts of a file rejected, and the parts that were refused; nothing where all were."""
        if made.parts:
            rows = [{"file": r.file, "line": r.line, "rule": r.rule, "message": r.reason} for r in made.refused]
            if rows:
                self._write(entry, "", pl.DataFrame(rows, infer_schema_length=None))
        for part in made.parts:
            if part.rejects is not None:
                self._records(entry, part, part.rejects)

    def upload(self, objects: ObjectStore) -> str | None:
        """Put the file into the catalog bucket; its key, None where nothing was set aside. Raises `StoreError`."""
        if self._writer is None:
            return None
        self._writer.close()
        key = self._manifest.object(f"rejects-{uuid.uuid4().hex}.parquet")
        objects.put_file(Zone.CATALOG, key, self._path)
        self._path.unlink()
        return key

    def _records(self, entry: Entry, part: Part, rejects: Path) -> None:
        frames = pl.scan_parquet(rejects, glob=False).with_columns(pl.lit(part.file).alias("file"))
        for frame in frames.collect_batches(chunk_size=ROWS_AT_ONCE, maintain_order=True):
            self._write(entry, part.table, frame)
        rejects.unlink()

    def _write(self, entry: Entry, part: str, rows: pl.DataFrame) -> None:
        first = self._counts.get(entry.delivery, 0)
        self._counts[entry.delivery] = first + rows.height
        numbered = rows.with_row_index("n", offset=first + 1).with_columns(
            pl.concat_str(pl.lit(f"{entry.delivery}:"), pl.col("n").cast(pl.String)).alias("id"),
            *(pl.lit(value, dtype=SCHEMA[name]).alias(name) for name, value in self._constants(entry, part).items()),
        )
        arrow = in_columns(numbered.lazy(), SCHEMA).cast(SCHEMA).collect().to_arrow()
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, arrow.schema, compression="zstd")
        self._writer.write_table(arrow)

    def _constants(self, entry: Entry, part: str) -> dict[str, Any]:
        return {
            "source": entry.batch,
            "table": str(bronze_table(entry.dataset, part)),
            "stage": "ingest",
            "delivery": entry.origin or entry.delivery,
            "archived_as": entry.archived_as,
            "at": entry.ingested_at,
            "run": entry.run,
            "status": WAITING,
        }
