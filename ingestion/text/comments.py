"""Which lines between the records of a table are comments, and by which mark they are told."""

from ingestion.text.cells import is_null, is_number_or_date
from ingestion.text.sample import Reading, Sample

_MARKS = ("#", "//", "%")
_SHARE_MAX = 0.5


def comment_mark(sample: Sample, reading: Reading) -> str:
    """The mark of comment lines among the records of a table, or nothing where no lines look like comments.

    Marked lines above all others are none of its business: they are title lines, and one may be the header.
    """
    for mark in _MARKS:
        places = [place for place, record in enumerate(reading.records) if sample.begins(record.line, mark)]
        leading = next((number for number, place in enumerate(places) if number != place), len(places))
        below = places[leading:]
        if below and len(below) <= _SHARE_MAX * len(reading.records) and _are_comments(reading, set(below)):
            return mark
    return ""


def _are_comments(reading: Reading, marked: set[int]) -> bool:
    """Whether marked lines are no records: all of another width, or words in a single column of numbers."""
    usual = [place for place, record in enumerate(reading.records) if len(record.cells) == reading.width]
    if reading.width > 1:
        return marked.isdisjoint(usual)
    cells = [reading.values(reading.records[place])[0] for place in usual if place not in marked]
    filled = [cell for cell in cells[1:] if not is_null(cell)]
    return bool(filled) and all(map(is_number_or_date, filled))
