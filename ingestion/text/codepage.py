"""Which code page text that is not UTF-8 was written in, judged from the lines that tell."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import AnyStr

import chardet

from ingestion.refusal import FileRefused

WESTERN = "cp1252"

_ACCENTED_SHARE_MAX = 0.35
_COVERED_SHARE = 0.97
_LETTER = re.compile(rb"[A-Za-z]")
_ONLY_WINDOWS = re.compile(rb"[\x80-\x9f]")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_SPACE_IN_NUMBER = re.compile(rb"(?<=\d)(?<![\x81-\xfe]\d)\xa0(?=\d)")
"""The no-break space between thousands is at the same place in every code page of Windows and ISO; it is no letter.

Behind a digit that a byte beyond ASCII stands before it may be a part of a letter of four bytes in GB18030.
"""

_LIKELY_SHARE = 0.5
_END, _TEXT_END = re.compile(rb"[\r\n]+"), re.compile("[\r\n]+")
_TRAILS = b"|~^"
"""Delimiters that are the second half of characters in Big5, GBK or Shift JIS."""

_PROBE = "a1,;\t|\"'\r\n"
_ACCENTED = re.compile(
    r"[^\W\d_a-zA-Z\xaa\xb2\xb3\xb5\xb9\xba\xbc-\xbe]"
    r"|(?<=[^\W\d_])[^\x00-\x7f\xa0\xad·´‘’–—…•](?=[^\W\d_])"
)
"""Letters beyond ASCII, without superscripts and fractions; and what stands between letters as a letter would."""

_ALPHABETS = tuple(
    frozenset(letters + letters.upper())
    for letters in (
        "äöüßé",
        "àâæçéèêëîïôœùûüÿ",
        "áéíóúñüçª°º",
        "áâãàçéêíóôõúüª°º",
        "àèéìòùîªº°",
        "åäöæøéüá",
        "áéíóúýþæöð",
        "áàéèëêïíóòôöüúû",
    )
)
"""Letters of German, French, Spanish, Portuguese, Italian, Nordic languages, Icelandic, Dutch."""


def code_page(sample: bytes, head: bytes = b"") -> str:
    """The code page of lines with bytes beyond ASCII, of a file with this head; raises `FileRefused` for none.

    The usual Western one is taken where few letters are accented and they are those of one Western language; a guess by
    frequencies (which errs on short Latin text) is the last resort.

    >>> code_page("Fläche;Größe".encode("cp1252")), code_page("Łódź;Gdańsk;Kraków;Poznań".encode("cp1250"))
    ('cp1252', 'cp1250')
    """
    letters = _ACCENTED.findall(sample.decode(WESTERN, "replace"))
    few = len(letters) <= _ACCENTED_SHARE_MAX * (len(letters) + len(_LETTER.findall(sample)))
    if few and _is_western(letters):
        return _western(sample)
    guess = _guessed(sample, head)
    if guess is not None:
        return guess
    if few:
        return _western(sample)
    raise FileRefused(
        "encoding", "the text is not UTF-8, and its code page cannot be told: pin `encoding` in lake.toml"
    )


def _is_western(letters: list[str]) -> bool:
    """Whether one Western alphabet has nearly all of what is, or stands like, a letter beyond ASCII."""
    return any(
        sum(letter in alphabet for letter in letters) >= _COVERED_SHARE * len(letters) for alphabet in _ALPHABETS
    )


def _western(sample: bytes) -> str:
    """ISO-8859-15 where there is its euro sign and nothing where only Windows has characters."""
    return "iso8859-15" if b"\xa4" in sample and _ONLY_WINDOWS.search(sample) is None else WESTERN


def _guessed(sample: bytes, head: bytes) -> str | None:
    """What the frequencies say: the likeliest code page that extends ASCII and that nothing in the file contradicts.

    One that is much less likely than the first is none.
    """
    candidates = chardet.detect_all(_SPACE_IN_NUMBER.sub(b" ", _CONTROL.sub(b" ", sample)))
    likely = (each for each in candidates if each["confidence"] >= _LIKELY_SHARE * candidates[0]["confidence"])
    for name in (_ours(str(each["encoding"]), sample) for each in likely if each["encoding"] is not None):
        if _is_possible(name, sample) and not _swallows(head + sample, name):
            return name.lower().replace("windows-", "cp")
    return None


def _ours(name: str, sample: bytes) -> str:
    """Cyrillic of the Mac has its capitals where Windows has symbols; without any the two are hardly told apart."""
    return "Windows-1251" if name == "MacCyrillic" and _ONLY_WINDOWS.search(sample) is None else name


def _is_possible(name: str, sample: bytes) -> bool:
    """Whether a code page extends ASCII, has all the bytes, and a space between the thousands of numbers."""
    try:
        if _PROBE.encode(name) != _PROBE.encode("ascii"):
            return False
        sample.decode(name)
    except (LookupError, UnicodeError):
        return False
    return _SPACE_IN_NUMBER.search(sample) is None or b"1\xa01".decode(name, "replace") == "1\xa01"


def _swallows(lines: bytes, name: str) -> bool:
    """Whether a code page of two bytes takes some delimiters for second halves: most lines have as many, not so in it.

    Where the text has hardly any left, the bytes were no delimiters: the second half of many a Japanese letter is one.
    """
    before, after = _END.split(lines), _TEXT_END.split(lines.decode(name, "replace"))
    for delimiter in _TRAILS:
        alike = _alike(bytes([delimiter]), before)
        if alike >= len(before) / 2 and alike / 2 <= _alike(chr(delimiter), after) < alike:
            return True
    return False


def _alike(delimiter: AnyStr, lines: Iterable[AnyStr]) -> int:
    """How many lines have the number of delimiters that most of those have that have any."""
    counts = (line.count(delimiter) for line in lines)
    return max(Counter(filter(None, counts)).values(), default=0)
