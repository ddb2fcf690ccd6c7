"""The first records of a table, and which rows among them are titles or remarks rather than a header or records."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ingestion.text.cells import is_note, is_number_or_date
from ingestion.text.contrast import HEADER_ROWS_MAX, Body, bare
from ingestion.text.sample import Reading, Record

WIDTH_WITH_TITLES_MIN = 3
TITLE_WORDS_MIN = 3

_BODY_ROWS_MAX = 200
_BODY_CELLS_MAX = 6000
_TOP_ROWS_MAX = 30

Row = list[str]


@dataclass(frozen=True)
class Top:
    """The first records of a table with their cells; ``usual`` are the places of those that have its width.

    ``places`` are those of all records of that width, further down too, by their cells. ``bad`` are the places of
    records with bytes that could not be decoded.
    """

    records: list[Record]
    rows: list[Row]
    usual: list[int]
    width: int
    body: Body
    places: Mapping[tuple[str, ...], Sequence[int]]
    bad: Collection[int]

    def is_apart(self, place: int) -> bool:
        """Whether another record, or a blank line, stands between a usual row and the usual row before it."""
        return place - 1 not in self.usual or self.records[place - 1].end + 1 != self.records[place].line

    @property
    def start(self) -> int:
        """The first usual row that is not a title."""
        return next((place for place in self.usual[:-1] if self._is_none_or_again(place)), self.usual[-1])

    def times(self, place: int) -> int:
        """How often the record at a place comes."""
        return len(self.places.get(bare(self.records[place].cells), ()))

    def comes_again(self, place: int) -> bool:
        """Whether a row comes once more below numbers or dates, as a header does on each page."""
        places = self.places.get(bare(self.records[place].cells), (place,))
        between = (other for other in self.usual if place < other < places[-1])
        return any(any(map(is_number_or_date, self.rows[other])) for other in between)

    def _is_none_or_again(self, place: int) -> bool:
        row = self.rows[place]
        return not is_title(row) or (filled(row) > 0 and self.comes_again(place))


def top_of(reading: Reading, records: list[Record]) -> Top:
    """The first of these records of a reading, with the body below them."""
    width = reading.width
    usual = [place for place, record in enumerate(records) if len(record.cells) == width]
    places = defaultdict[tuple[str, ...], list[int]](list)
    for place in usual:
        places[bare(records[place].cells)].append(place)
    step = max(1, len(usual) // min(_BODY_ROWS_MAX, max(10, _BODY_CELLS_MAX // max(1, width))))
    chosen = usual[:_TOP_ROWS_MAX] + usual[_TOP_ROWS_MAX::step]
    values = [reading.values(records[place]) for place in chosen]
    told = [row for row in values if not is_title(row) and not _is_remark(row)]
    usual = usual[:_TOP_ROWS_MAX]
    first = records[: usual[-1] + 1] if usual else records[:_TOP_ROWS_MAX]
    return Top(
        first,
        [reading.values(record) for record in first],
        usual,
        width,
        Body(told[1:], width, told[:HEADER_ROWS_MAX]),
        places,
        [place for place, record in enumerate(first) if not reading.is_legible(record)],
    )


def filled(row: Sequence[str]) -> int:
    """How many cells of a row are not blank."""
    return sum(1 for cell in row if cell.strip())


def is_title(row: Row) -> bool:
    """Whether a row of the usual width is empty, or has words in its first cell alone, as titles in a sheet have."""
    count = filled(row)
    if count != 1 or len(row) == 1:
        return count == 0
    words = len(row[0].split())
    return words >= (TITLE_WORDS_MIN if len(row) < WIDTH_WITH_TITLES_MIN else 2) and not is_number_or_date(row[0])


def _is_remark(row: Row) -> bool:
    """Whether a row has a text in its first cell alone, which says nothing of its column."""
    if len(row) == 1 or filled(row) != 1 or not row[0].strip() or is_number_or_date(row[0]):
        return False
    return len(row) >= WIDTH_WITH_TITLES_MIN or is_note(row[0])


def is_title_line(row: Row, width: int) -> bool:
    """Whether a line above records is a title: not divided, though they are."""
    if len(row) != 1 or width == 1 or is_number_or_date(row[0]):
        return False
    return len(row[0].split()) >= (2 if width >= WIDTH_WITH_TITLES_MIN else TITLE_WORDS_MIN)
