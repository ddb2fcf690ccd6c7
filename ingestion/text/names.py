"""The names of columns from the rows of a header; and where there is none."""

from collections.abc import Sequence

Row = Sequence[str]


def made_up(width: int) -> tuple[str, ...]:
    """Names for columns without a header.

    >>> made_up(2)
    ('column_1', 'column_2')
    """
    return tuple(f"column_{number}" for number in range(1, width + 1))


def are_distinct(names: Sequence[str]) -> bool:
    """Whether no two names are the same, without regard to case."""
    return len({name.strip().lower() for name in names}) == len(names)


def joined(rows: Sequence[Row]) -> tuple[str, ...]:
    """The names of columns from the rows of a header: a name above several columns is given to each of them.

    >>> joined([["region", "2023", "", "2024", ""], ["", "men", "women", "men", "women"]])
    ('region', '2023 men', '2023 women', '2024 men', '2024 women')
    """
    if len(rows) == 1:
        return tuple(rows[0])
    spread = [*(_spread(row, rows[number:]) for number, row in enumerate(rows[:-1], start=1)), rows[-1]]
    names = []
    for parts in zip(*spread, strict=True):
        words = [part.strip() for part in parts if part.strip()]
        names.append(" ".join(word for place, word in enumerate(words) if place == 0 or word != words[place - 1]))
    return tuple(names)


def _spread(row: Row, below: Sequence[Row]) -> Row:
    """Give a name to the columns to its right that have none of their own but one below; a label names no others."""
    if sum(1 for cell in row if cell.strip()) < 2:
        return row
    spread, last = [], ""
    for column, cell in enumerate(row):
        named_below = any(lower[column].strip() for lower in below)
        spread.append(cell if cell.strip() or not named_below else last)
        last = spread[-1] if column > 0 or named_below else ""
    return spread
