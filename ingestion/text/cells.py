"""What a cell looks like: a number, a date, nothing, or text. Used to guess; never to change a value."""

import re

DELIMITERS = frozenset(",;\t|\x01\x1e\x1f^~")

DIVIDED = 0.3
"""The plausibility of a cell that looks like two values."""

NULL_TOKENS = frozenset(
    ["", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "missing", "-", "--", ".", "..", "...", ":", "\\n", "?"]
)

MARKS = frozenset(["x", "c", "s", "z", "(d)", "(s)", "(x)", "(na)", "[x]", "[c]", "[z]", "**", "***"])
"""What offices write where a number is secret, unreliable or impossible; as a name of a column it is none of these."""

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d+)?|[.,]\d+|\d{1,3}([.,' \u00a0\u202f]\d{3})+([.,]\d+)?)([eE][+-]?\d+)?\s?%?")
_TIME = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s?([AaPp][Mm])?"
_ZONE = r"(\s?(Z|UTC|[+-]\d{2}:?\d{2}))?"
_MONTH = (
    r"(january|february|march|april|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)"
)
_DAY = r"\d{4}([-/.])\d{1,2}\2\d{1,2}|\d{1,2}([-/.])\d{1,2}\3(\d{4}|\d{2})"
_PERIOD = r"\d{4}[-/]\d{2}|\d{4}[- ]?[QWMHS]\d{1,2}|[QH]\d[-/ ]\d{4}"
_BY_MONTH = rf"\d{{4}}[- ]{_MONTH}|(\d{{1,2}}[- ])?{_MONTH}[- ](\d{{4}}|\d{{2}})"
_DATE = re.compile(rf"({_DAY}|{_PERIOD}|{_BY_MONTH})([T ]{_TIME}{_ZONE})?|{_TIME}{_ZONE}", re.IGNORECASE)
_CODE = re.compile(r"[\w./+#@&-]{1,40}")
_NUMBERS = re.compile(r"[+-]?\d[\d.,]*(\s+[+-]?\d[\d.,]*)+")
_SYMBOLS_BETWEEN = re.compile(r"(?<=\w)[#@&:<>]{2,4}(?=\w)")
_NAME = re.compile(r"[^\W\d][^\x00]{0,79}|_\w{1,79}", re.DOTALL)
_NAME_WORDS_MAX = 6
_NOTE = re.compile(r"[*(\u00b9\u00b2\u00b3]|\d+\)\s|[_=-]{3,}$")


def is_null(cell: str) -> bool:
    """Whether a cell says that there is no value.

    >>> is_null("NA"), is_null(" "), is_null("0")
    (True, True, False)
    """
    return cell.strip().lower() in NULL_TOKENS


def is_mark(cell: str) -> bool:
    """Whether a cell is null, or one of the marks that offices write in place of a number.

    >>> is_mark("x"), is_mark("(D)"), is_mark("…"), is_mark("7")
    (True, True, True, False)
    """
    text = cell.strip().lower()
    return text in NULL_TOKENS or text in MARKS or (len(text) == 1 and not text.isalnum())


def is_number(cell: str) -> bool:
    """Whether a cell is a number, in any country's way of writing it.

    >>> is_number("-1 234,5"), is_number("31.12.2024")
    (True, False)
    """
    return _NUMBER.fullmatch(cell.strip()) is not None


def is_number_or_date(cell: str) -> bool:
    """Whether a cell is a number or a date, in any country's way of writing it.

    >>> [is_number_or_date(cell) for cell in ("-1.5e3", "1.234,50", "2013-01-01T06:00:00Z", "31.12.2024", "EWR")]
    [True, True, True, True, False]
    """
    text = cell.strip()
    return _NUMBER.fullmatch(text) is not None or _DATE.fullmatch(text) is not None


def plausibility(cell: str) -> float:
    """How much a cell looks like one value, from 0 to 1: what holds other delimiters looks like several.

    >>> [plausibility(cell) for cell in ("12,5", "Ann Smith", "Smith, Ann", "12,5;13,5", "1|2|3", "1 2", "a::b")]
    [1.0, 0.8, 0.6, 0.09, 0.09, 0.3, 0.3]
    """
    if "\t" in cell:
        return DIVIDED ** min(2, cell.count("\t"))
    if is_null(cell) or is_number_or_date(cell) or _CODE.fullmatch(cell) is not None:
        return 1.0 if cell == cell.strip() else 0.95
    prose = cell.replace(", ", " ")
    if not DELIMITERS.isdisjoint(prose):
        return DIVIDED ** min(2, max(map(prose.count, DELIMITERS)))
    if _NUMBERS.fullmatch(cell) is not None or _SYMBOLS_BETWEEN.search(cell) is not None:
        return DIVIDED
    if prose != cell:
        return 0.6
    return 0.8 if cell == cell.strip() else 0.75


def is_name(cell: str) -> bool:
    """Whether a cell could be the name of a column: short, beginning with a letter, not a sentence.

    >>> is_name("tail number"), is_name("2013"), is_name("Please note that these figures are preliminary.")
    (True, False, False)
    """
    text = cell.strip()
    return _NAME.fullmatch(text) is not None and len(text.split()) <= _NAME_WORDS_MAX and text[-1] not in ".!?"


def is_note(cell: str) -> bool:
    """Whether a cell reads like a remark below a table rather than like a value.

    >>> is_note("Source: labour force survey"), is_note("* preliminary"), is_note("Northern Ireland")
    (True, True, False)
    """
    text = cell.strip()
    if not text or is_number_or_date(text):
        return False
    return _NOTE.match(text) is not None or ": " in text or text[-1] in ".:" or len(text.split()) > _NAME_WORDS_MAX
