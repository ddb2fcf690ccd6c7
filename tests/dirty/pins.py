"""What a person pins in ``lake.toml`` who knows how a file is written."""

from ingestion.options import ReadOptions
from tests.dirty.tables import WIDE
from tests.dirty.writers import Written


def pins(written: Written) -> ReadOptions:
    """All that can be pinned of a file, as it was written."""
    writing = written.writing
    heads = [placed for placed in written.placed() if placed.piece.kind == "header"]
    above = next(placed.first for placed in written.placed() if placed.piece.kind in {"header", "record"}) - 1
    return ReadOptions(
        encoding=writing.encoding if writing.encoding in WIDE or not writing.mark else None,
        delimiter=writing.delimiter,
        quote=writing.quote,
        escape=writing.escape,
        comment="#" if any(piece.kind == "comment" for piece in written.pieces) else "",
        skip_lines=above,
        header_lines=heads[-1].last - heads[0].first + 1 if heads else 0,
        names=() if heads else tuple(f"name {number}" for number in range(1, written.table.width + 1)),
    )
