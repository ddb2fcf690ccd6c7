"""Tables that are known to the last character: what a test writes to a file, and then asks back."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

Cells = tuple[str, ...]


@dataclass(frozen=True)
class Language:
    """What a supplier writes in: words of their own, names for columns, and the encodings that hold both."""

    words: Cells
    names: Cells
    encodings: Cells


WIDE = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")

LANGUAGES = {
    "english": Language(
        ("North", "Wales", "Inner London", "Stoke-on-Trent", "Rest of UK"),
        ("id", "area", "period", "value", "obs status", "geo\\time", "Births (total)", "rate %"),
        (*WIDE, "cp1252", "iso-8859-1"),
    ),
    "german": Language(
        ("Köln", "Münster", "Weiß", "Gießen", "Rhön-Grabfeld"),
        ("Schlüssel", "Länder", "Jahr", "Bevölkerung", "Fläche in km²", "Wert"),
        (*WIDE, "cp1252", "iso-8859-1", "iso-8859-15"),
    ),
    "french": Language(
        ("Côte-d'Or", "Hérault", "Île-de-France", "Rhône", "l'Haÿ-les-Roses"),
        ("libellé", "année", "département", "effectif", "évolution (%)"),
        (*WIDE, "cp1252", "iso-8859-1"),
    ),
    "polish": Language(
        ("Łódź", "Kraków", "Świętokrzyskie", "Śląskie", "Wałbrzych"),
        ("Województwo", "ludność", "rok", "wartość", "Gęstość"),
        (*WIDE, "cp1250", "iso-8859-2"),
    ),
    "russian": Language(
        ("Москва", "Тверская область", "Псков", "Южный", "Саха"),
        ("Регион", "год", "население", "значение", "Доля"),
        (*WIDE, "cp1251"),
    ),
    "greek": Language(
        ("Αθήνα", "Κρήτη", "Ήπειρος", "Θεσσαλία", "Πάτρα"),
        ("Περιφέρεια", "έτος", "πληθυσμός", "τιμή"),
        (*WIDE, "cp1253"),
    ),
    "world": Language(
        ("東京都", "Zürich", "الرباط", "Ελλάδα", "São Tomé 🌍"),
        ("国", "naïve", "район", "valeur"),
        WIDE,
    ),
}

REMARKS = (
    "plain",
    "Smith, Ann",
    "a; b",
    'the "new" series',
    "two\nlines",
    "'s-Gravenhage",
    "see | note",
    "O'Brien",
    " padded ",
    '12" pipe',
    "C:\\data\\",
    "#12",
    "a\r\nb",
    "tab\there",
    "1,5",
    "line\u2028separator",
    "page\x0cfeed",
    '"',
    "next\x85line",
    "\n",
    "x\n\ny",
    "50% (est.)",
    "–",
    "=SUM(A1)",
    "12 b",
    "\ufeffmark",
)
NULLS = ("", ":", "-", "..", "NA", "x", "/", "…", "n/a")


def _grouped(number: int, thousands: str, decimal: str) -> str:
    return f"{1000 + number * 37:,}".replace(",", thousands) + f"{decimal}{number % 10}"


TYPED: dict[str, Callable[[int], str]] = {
    "whole": str,
    "signed": lambda n: str(n // 2 if n % 2 == 0 else -n),
    "point": lambda n: f"{n / 10:.1f}",
    "comma": lambda n: f"{n / 10:.1f}".replace(".", ","),
    "1.234,5": lambda n: _grouped(n, ".", ","),
    "1 234,5": lambda n: _grouped(n, " ", ","),
    "1\u00a0234,5": lambda n: _grouped(n, "\u00a0", ","),
    "1\u202f234,5": lambda n: _grouped(n, "\u202f", ","),
    "1,234.5": lambda n: _grouped(n, ",", "."),
    "day": lambda n: f"20{n % 30:02}-{n % 12 + 1:02}-{n % 28 + 1:02}",
    "dotted day": lambda n: f"{n % 28 + 1:02}.{n % 12 + 1:02}.20{n % 30:02}",
    "year": lambda n: str(1950 + n % 75),
    "leading zeros": lambda n: f"{n:05}",
    "percent": lambda n: f"{n / 10:.1f}%",
    "science": lambda n: f"{n / 10}e+{n % 12:02}",
    "slashed day": lambda n: f"{n % 28 + 1:02}/{n % 12 + 1:02}/20{n % 30:02}",
    "instant": lambda n: f"2024-{n % 12 + 1:02}-{n % 28 + 1:02}T{n % 24:02}:{n % 60:02}:00Z",
    "month": lambda n: f"20{n % 30:02}M{n % 12 + 1:02}",
}
"""Columns by which a header can be told from data."""

UNTYPED = ("code", "word", "remark", "flagged", "empty", "truth")
_COUNTS = ("whole", "point", "comma", "1.234,5", "1 234,5")


@dataclass(frozen=True)
class Table:
    """A table: rows of names above (none, one or more), and rows of cells, all of one width."""

    head: tuple[Cells, ...]
    rows: tuple[Cells, ...]
    width: int
    language: str
    typed: int

    @property
    def names(self) -> Cells:
        """The names as a reader gives them: those that stand above each other are joined by a space, each once."""
        return tuple(" ".join(dict.fromkeys(filter(None, parts))) for parts in zip(*self.head, strict=True))


def _untyped(kind: str, language: Language, number: int) -> str:
    if kind == "code":
        return f"{'ABCDE'[number % 5]}{number:03}"
    if kind == "word":
        return language.words[number % len(language.words)]
    if kind == "remark":
        return REMARKS[number % len(REMARKS)]
    if kind == "flagged":
        return f"{number / 10:.1f}{(' p', ' b', '', ' :')[number % 4]}"
    return ("yes", "no")[number % 2] if kind == "truth" else ""


@st.composite
def heads(draw: st.DrawFn, kinds: tuple[str, ...], language: Language) -> tuple[Cells, ...]:
    """No header row, one, or two of which the upper one groups columns; names may be double, and some empty.

    A table of a text column and counts may have years for names.
    """
    if (
        len(kinds) > 2
        and kinds[0] in {"word", "code"}
        and all(kind in _COUNTS for kind in kinds[1:])
        and draw(st.booleans())
    ):
        return ((language.names[0], *(str(2000 + place) for place in range(1, len(kinds)))),)
    rows = draw(st.sampled_from([1, 1, 1, 1, 0, 2]))
    if rows == 0:
        return ()
    name = st.sampled_from([*language.names, "", "a\nb", 'x "y"', "a, b"])
    names = [draw(name) for _ in kinds]
    if all(not name.strip() for name, kind in zip(names, kinds, strict=True) if kind in TYPED):
        names[next(place for place, kind in enumerate(kinds) if kind in TYPED)] = language.names[-1]
    if rows == 1 or len(kinds) == 1:
        return (tuple(names),)
    named = [name or language.names[0] for name in names]
    groups = [draw(st.sampled_from(["Total", language.names[1]])) for _ in kinds]
    return (tuple(groups), tuple(named))


@st.composite
def tables(draw: st.DrawFn, rows_min: int = 3, rows_max: int = 25) -> Table:
    """Any table in which the header can be told from data: at least one column holds numbers or dates."""
    spoken = draw(st.sampled_from(list(LANGUAGES)))
    language = LANGUAGES[spoken]
    typed = draw(st.lists(st.sampled_from(list(TYPED)), min_size=1, max_size=3))
    others = draw(st.lists(st.sampled_from(UNTYPED), max_size=4))
    kinds = tuple(draw(st.permutations([*others, *typed])))
    null = draw(st.sampled_from(NULLS)) if len(kinds) > 1 else "-"
    length = draw(st.integers(rows_min, rows_max))
    row = st.lists(st.integers(0, 400), min_size=len(kinds), max_size=len(kinds))
    numbers = draw(st.lists(row, min_size=length, max_size=length))
    rows = tuple(
        tuple(_cell(kind, language, number, null) for kind, number in zip(kinds, row, strict=True)) for row in numbers
    )
    return Table(draw(heads(kinds, language)), rows, len(kinds), spoken, len(typed))


def _cell(kind: str, language: Language, number: int, null: str) -> str:
    if kind in TYPED:
        return null if number % 9 == 8 else TYPED[kind](number)
    return _untyped(kind, language, number)
