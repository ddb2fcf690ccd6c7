"""A table that a library reads piece by piece, as a lazy frame that never holds more than a piece."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import polars as pl
from polars.io.plugins import register_io_source

from ingestion.refusal import FileRefused, words

_SAID_CHARACTERS_MAX = 300
_PANIC = "PanicException"


def lazy(schema: pl.Schema, frames: Callable[[], Iterator[pl.DataFrame]]) -> pl.LazyFrame:
    """The frames that ``frames`` yields, one behind the other, as one lazy frame.

    It has ``_line`` too: the frames' own, or else the row's number from 1. Nothing is read before the lazy frame is
    collected or written; each time that happens, ``frames`` is called again. What it raises comes out of the query as
    it is.

    >>> pieces = [pl.DataFrame({"a": [7]}), pl.DataFrame({"a": [8]})]
    >>> lazy(pl.Schema({"a": pl.Int64}), lambda: iter(pieces)).collect().rows()
    [(7, 1), (8, 2)]
    """
    numbered = pl.Schema({**schema, "_line": pl.Int64()})

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, rows_max: int | None, _batch_rows: int | None
    ) -> Iterator[pl.DataFrame]:
        seen = 0
        for found in frames():
            frame = found if "_line" in found.columns else _numbered(found, seen)
            if rows_max is not None:
                frame = frame.head(rows_max - seen)
            seen += frame.height
            frame = frame if predicate is None else frame.filter(predicate)
            yield frame if columns is None else frame.select(columns)
            if rows_max is not None and seen >= rows_max:
                return

    return register_io_source(source, schema=numbered, validate_schema=True)


def _numbered(frame: pl.DataFrame, seen: int) -> pl.DataFrame:
    return frame.with_columns(pl.int_range(seen + 1, seen + 1 + pl.len(), dtype=pl.Int64).alias("_line"))


@contextmanager
def refusing(what: str, *errors: type[BaseException]) -> Iterator[None]:
    """Turn what a library raises on a broken file into a `FileRefused` that says which kind of file is broken.

    So is a panic of a library in Rust: each library has an exception of its own for it, of this name. An error with the
    system's error number is the machine's, and is left as it is.
    """
    try:
        yield
    except FileRefused:
        raise
    except BaseException as error:
        is_expected = isinstance(error, errors) or type(error).__name__ == _PANIC
        if not is_expected or (isinstance(error, OSError) and error.errno is not None):
            raise
        said = words(error, _SAID_CHARACTERS_MAX)
        reason = f"the {what} cannot be read ({said}): it is damaged or incomplete; ask for it again"
        raise FileRefused("parser", reason) from error
