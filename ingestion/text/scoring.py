"""Which delimiter, quote and escape make the most plausible table of a sample.

A style scores p² · (w-1)/w · t² · prior: p is the share of records that have the usual width w, t how much cells look
like one value each. One column counts 0.3 in place of (w-1)/w.
"""

import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from ingestion.options import ReadOptions
from ingestion.text.cells import DIVIDED, plausibility
from ingestion.text.contrast import are_names
from ingestion.text.sample import Reading, Record, Sample, Splitter, Style

ONE_COLUMN = ""

_FIRST_LINES = 200
_BEST_KEPT = 3
_BEST_SHARE = 0.4
_CELLS_SCORED_MAX = 2000
_ONE_COLUMN_FACTOR = 0.3
_RUN_RECORDS_MIN = 5
_RUN_FACTOR = 0.95
_AROUND_WEIGHT = 0.3
_SINGLE = (
    dict.fromkeys(",;\t", 1.0) | dict.fromkeys("|\x01\x1e\x1f", 0.98) | dict.fromkeys("^~", 0.9) | {":": 0.4, " ": 0.35}
)
_WEAK = (" ", ":")
_WEAK_LINES_SHARE = 0.6
_LINES_SHARE = 0.03
_DOUBLED_SHARE = 0.6
_DAMAGED_SHARE_MAX = 0.2
_QUOTED = re.compile(r'"[^"]*"')
_SPACED = (", ", "; ", " | ", "| ")
_PRIOR_OF_LONGER = 0.985
_PRIOR_OF_SPACES = 0.6
"""Of spaces that make three columns and more: words come in twos more often."""

_SYMBOLS = re.compile(r"[|~^#@&*!;:<>]{2,4}")
"""Symbols that are no part of a number or an amount."""

_SYMBOLS_LINES = 50
_QUOTES = ('"', "'", "`")
_PRIOR_OF_QUOTE = {'"': 1.0, "'": 0.97, "`": 0.97, "": 0.9}
_STRAY_RECORDS_MIN = 3
_STRAY_FACTOR = 5
_HINT = re.compile(r'"?sep=(.)"?$', re.IGNORECASE)


def best_reading(sample: Sample, options: ReadOptions, hint: str | None = None) -> Reading:
    """The reading of a sample with the best score, in the styles that pins, and a hint of the delimiter, leave open."""
    first = sample.head(_FIRST_LINES)
    width = len(options.names) or None
    styles = list(_styles(sample, options, hint))
    if len(styles) > _BEST_KEPT:
        scores = {style: score(Reading(first, style, width)) for style in styles}
        enough = _BEST_SHARE * max(scores.values())
        styles = sorted((style for style in styles if scores[style] >= enough), key=lambda style: -scores[style])
    readings = [Reading(sample, style, width) for style in styles[:_BEST_KEPT]]
    if options.quote is None:
        sound = {reading.style.delimiter for reading in readings if not _is_astray(reading)}
        astray = {reading.style.delimiter for reading in readings} - sound
        readings += [Reading(sample, Style(delimiter, "", "none"), width) for delimiter in sorted(astray)]
    best = _least_malformed(readings, max(readings, key=score))
    return best if best.width != 1 else _shown(readings, best)


def score(reading: Reading) -> float:
    """How good a table a reading makes, from 0 to 1."""
    style, width, usual = reading.style, reading.width, reading.usual
    if width == 0 or not usual or (width == 1 and style.delimiter != ONE_COLUMN) or _is_doubled(usual, style):
        return 0.0
    if style.delimiter in _WEAK and _is_undivided_above(reading):
        return 0.0
    columns = _ONE_COLUMN_FACTOR if width == 1 else (width - 1) / width
    return _usual_share(reading) ** 2 * columns * _plausible(usual, style) ** 2 * _prior(style, width)


def hinted_delimiter(sample: Sample) -> str | None:
    """The delimiter that a first line such as ``sep=;`` names, as Excel writes it."""
    hint = _HINT.match(sample.lines[0].removeprefix("\ufeff"))
    return None if hint is None else hint[1]


def _styles(sample: Sample, options: ReadOptions, hint: str | None) -> Iterator[Style]:
    text = "\n".join(sample.lines)
    if options.delimiter is not None:
        delimiters = [options.delimiter]
    elif hint is not None:
        delimiters = [hint]
    else:
        delimiters = [ONE_COLUMN, *_delimiters(sample)]
    for delimiter in delimiters:
        for quote in _quotes(text, delimiter) if options.quote is None else [options.quote]:
            for escape in _escapes(text, delimiter, quote) if options.escape is None else [options.escape]:
                yield Style(delimiter, quote, escape)


def _delimiters(sample: Sample) -> list[str]:
    lines = sample.head(_FIRST_LINES).filled
    found = []
    for delimiter in _SINGLE:
        holding = [line for line in lines if delimiter in line and not (delimiter == ":" and "://" in line)]
        if len(holding) < max(1, (_WEAK_LINES_SHARE if delimiter in _WEAK else _LINES_SHARE) * len(lines)):
            continue
        runs = re.compile(f"{re.escape(delimiter)}+")
        outside = [_QUOTED.sub("", line) for line in holding]
        doubled = sum(all(len(run) % 2 == 0 for run in runs.findall(line)) for line in outside)
        found += [delimiter, delimiter * 2] if doubled >= _DOUBLED_SHARE * len(holding) else [delimiter]
    for longer in (*_SPACED, *_symbols(lines)):
        if longer not in found and sum(longer in line for line in lines) >= 0.5 * len(lines):
            found.append(longer)
    return found


def _symbols(lines: Sequence[str]) -> list[str]:
    """The sequence of symbols that occurs most often: perhaps a delimiter of somebody's own."""
    counts = Counter(run for line in lines[:_SYMBOLS_LINES] for run in _SYMBOLS.findall(line))
    return [run for run, _ in counts.most_common(1) if len(set(run)) > 1 or len(run) == 2]


def _quotes(text: str, delimiter: str) -> list[str]:
    """The usual quote, and those that open and close a field somewhere with a text between them."""
    edge = re.escape(delimiter) or r"(?!)"
    first, *others = _QUOTES
    return [first, *(quote for quote in others if quote in text and _enclosing(quote, edge).search(text))]


def _enclosing(quote: str, edge: str) -> re.Pattern[str]:
    """A field in these quotes: as many as may stand first, then something else, so that nothing is tried twice.

    It begins with the quote and then looks back: so the search leaps from quote to quote.
    """
    begins = f"{quote}(?:(?<=^{quote})|(?<={edge}{quote}))"
    return re.compile(rf"{begins}{quote}*[^\n{quote}][^\n]*?{quote}(?:{edge}|$)", re.MULTILINE)


def _escapes(text: str, delimiter: str, quote: str) -> list[str]:
    """How quotes may be written inside of quotes.

    A backslash before one delimiter proves nothing: that may be the end of a folder's name in a record with one field
    too many, which is set aside where a row would have two of its fields made one. Nor does one before the only quote.
    """
    if not quote:
        return ["none"]
    if "\\" not in text:
        return ["double"]
    escaped = text.count(f"\\{quote}")
    is_of_quote = escaped > 1 or 0 < escaped < text.count(quote)
    is_escape = is_of_quote or (delimiter != "" and text.count(f"\\{delimiter}") > 1)
    return ["double", "backslash"] if is_escape else ["double"]


def _shown(readings: Sequence[Reading], best: Reading) -> Reading:
    """A first line of names that a delimiter divides outweighs lines that it does not: they are ragged."""
    shown = [
        reading
        for reading in readings
        if reading.width > 1
        and reading.style.delimiter not in _WEAK
        and len(reading.records[0].cells) > 1
        and are_names(reading.values(reading.records[0]))
    ]
    return max(shown, key=score, default=best)


def _least_malformed(readings: Sequence[Reading], best: Reading) -> Reading:
    """Of the readings that differ from the best one by their escape alone, that with the fewest malformed records."""
    twins = [reading for reading in readings if reading.style[:2] == best.style[:2] and reading.width == best.width]
    return min([best, *twins], key=lambda reading: reading.malformed)


def _is_astray(reading: Reading) -> bool:
    """Whether so many records are malformed, and so few need quotes, that quotes may be part of the text."""
    stray = reading.malformed
    return stray >= _STRAY_RECORDS_MIN and stray > _STRAY_FACTOR * reading.quoting


def _is_undivided_above(reading: Reading) -> bool:
    """Whether a single word stands above the first record of the usual width: the header of another reading."""
    first = next(place for place, record in enumerate(reading.records) if len(record.cells) == reading.width)
    return first > 0 and len(reading.records[first - 1].cells) == 1


def _is_doubled(usual: Sequence[Sequence[str]], style: Style) -> bool:
    """Whether each second column is empty, but for single cells in damaged records: the delimiter is doubled."""
    width = len(usual[0])
    if len(style.delimiter) > 1 or width < 3 or width % 2 == 0:
        return False
    counts = [sum(map(bool, row[1::2])) for row in usual]
    filled = [place for place, count in enumerate(counts) if count]
    if not filled:
        return True
    # Above most rows it may be the row of the names, which would be of single columns.
    most = width // 2 - (2 * filled[0] < len(usual))
    return len(filled) <= _DAMAGED_SHARE_MAX * len(usual) and 2 * max(counts) <= most


def _usual_share(reading: Reading) -> float:
    """The share of records that have the usual width, or stand in runs of another; lines around a table weigh less."""
    records = [record for record in reading.records if not _is_remark(reading, record.cells)]
    widths, width = [len(record.cells) for record in records], reading.width
    first, last = widths.index(width), len(widths) - widths[::-1].index(width)
    around = len(widths) - (last - first)
    is_headed = are_names(reading.values(records[first]))
    if is_headed and width > 1 and 0 < around <= last - first and all(map(_is_text, records[:first] + records[last:])):
        share = 1 - _AROUND_WEIGHT * around / len(widths)
        widths = widths[first:last]
    else:
        share = 1.0
    return share * max(widths.count(width), _RUN_FACTOR * _in_runs(widths)) / len(widths)


def _is_text(record: Record) -> bool:
    """Whether a record is blank, or one cell that is not several in some other way."""
    return len(record.cells) == 0 or (len(record.cells) == 1 and plausibility(record.cells[0]) >= DIVIDED)


def _is_remark(reading: Reading, cells: Sequence[str]) -> bool:
    return bool(cells) and cells[0][:1] == "#" and len(cells) != reading.width


def _in_runs(widths: Sequence[int]) -> int:
    """How many records stand in runs of five or more of the same width, one-column lines aside."""
    total = run = 0
    for place, width in enumerate(widths):
        run = run + 1 if place and width == widths[place - 1] else 1
        if width > 1 and run >= _RUN_RECORDS_MIN:
            total += run if run == _RUN_RECORDS_MIN else 1
    return total


def _plausible(rows: Sequence[Sequence[str]], style: Style) -> float:
    """How plausible cells are on average, each cut making up for a sound one; rows are taken from the whole sample."""
    splitter = Splitter(style)
    count = max(10, _CELLS_SCORED_MAX // len(rows[0]))
    step = max(1, len(rows) // count)
    others = [quote for quote in _QUOTES if quote != style.quote]
    known: dict[str, float] = {}
    total = cells = 0.0
    for row in rows[::step]:
        for cell in row:
            worth = known.get(cell)
            if worth is None:
                worth = known[cell] = _worth(cell, splitter)
            total += worth
        total -= _cuts(row, others)
        cells += len(row)
    return max(0.0, total) / cells


def _cuts(row: Sequence[str], quotes: Collection[str]) -> int:
    """How often a cell opens with a quote that only the next one closes: what divides them lies inside."""
    return sum(
        one[:1] in quotes and one[-1] != one[0] and two[-1:] == one[0] != two[0] for one, two in itertools.pairwise(row)
    )


def _worth(cell: str, splitter: Splitter) -> float:
    """The plausibility of a cell: what is quoted is one value, whatever it holds."""
    quote = splitter.style.quote
    if quote and cell[:1] == quote:
        return max(0.9, plausibility(splitter.value(cell)))
    if len(cell) > 1 and cell[0] in _QUOTES and cell[-1] == cell[0]:
        return 0.3
    return plausibility(splitter.value(cell))


def _prior(style: Style, width: int) -> float:
    prior = 1.0 if style.delimiter == ONE_COLUMN else _SINGLE.get(style.delimiter, _PRIOR_OF_LONGER)
    if style.delimiter == " " and width > 2:
        prior = _PRIOR_OF_SPACES
    return prior * _PRIOR_OF_QUOTE.get(style.quote, 1.0)
