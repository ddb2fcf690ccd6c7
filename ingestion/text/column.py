"""A text that nothing divides into columns: taken as a table of one column, or refused as what it is more likely."""

import re
from pathlib import PurePosixPath

from ingestion.options import ReadOptions
from ingestion.refusal import FileRefused
from ingestion.text.cells import is_name
from ingestion.text.sample import Sample

EXTENSIONS = frozenset([".csv", ".tsv", ".tab", ".txt", ".dat", ".psv", ".asc", ".list", ".lst", ".data", ".ssv"])

_DIVIDED_SHARE_MAX = 0.2
_DELIMITERS = (",", ";", "\t", "|")
_QUOTED = re.compile(r'"[^"]*"')
_QUOTED_BESIDE_DELIMITER = re.compile(r'"[,;\t|]|[,;\t|]"|"[:^~\x01\x1e\x1f ]"')
_ALIGNED = re.compile(r"\S {2,}\S")
_ALIGNED_SHARE = 0.8
_LINE_WORDS_PROSE = 7
_PROSE_SHARE = 0.5
_SENTENCE_END = (".", "!", "?", ":", ",", ";")


def refuse_unless_column(sample: Sample, name: str, options: ReadOptions) -> None:
    """Raise `FileRefused` (rule ``dialect``) where a text that reads as one column is hardly one.

    ``name`` is the file's, of which the extension says whether a list of words may be a table.
    """
    lines = sample.filled
    if PurePosixPath(name).suffix.lower() not in EXTENSIONS and options.format is None:
        raise _refused("no delimiter (comma, semicolon, tab, bar or another) divides the lines into columns")
    outside = [_QUOTED.sub("", line) for line in lines]
    divided = max(sum(delimiter in line for line in outside) for delimiter in _DELIMITERS) / len(lines)
    if divided > _DIVIDED_SHARE_MAX and not _is_prose(lines):
        raise _refused(f"the file reads as one column, though {divided:.0%} of its lines hold delimiters")
    beside = sum(_QUOTED_BESIDE_DELIMITER.search(line) is not None for line in lines)
    if beside > _DIVIDED_SHARE_MAX * len(lines):
        raise _refused("the file reads as one column, though quoted fields stand beside delimiters in many lines")
    if _is_prose(lines):
        raise _refused("the file reads like prose: its lines are sentences")
    if len(lines) > 1 and sum(_ALIGNED.search(line) is not None for line in lines) >= _ALIGNED_SHARE * len(lines):
        raise _refused("the columns seem to be aligned with spaces: pin their places as `fixed` in lake.toml")


def _refused(reason: str) -> FileRefused:
    return FileRefused("dialect", f"{reason}; where it is a table, pin its delimiter in lake.toml")


def _is_prose(lines: list[str]) -> bool:
    """Whether lines are sentences without a name above them and without quotes around them."""
    if len(lines) < 2 or any(line.startswith('"') for line in lines):
        return False
    if is_name(lines[0]) and len(lines[0].split()) == 1 and not lines[0].endswith(_SENTENCE_END):
        return False
    long = sum(len(line.split()) >= _LINE_WORDS_PROSE for line in lines)
    ended = sum(line.rstrip().endswith(_SENTENCE_END) for line in lines)
    return long >= _PROSE_SHARE * len(lines) or (long > 0 and long + ended >= _PROSE_SHARE * len(lines))
