"""Why a file cannot be read: one error for all the ways in which a file can fail its reader."""

from typing import ClassVar

from catalog.errors import DataRefused


class FileRefused(DataRefused):
    """A landed file is refused whole: ``rule`` names the check, ``line`` the physical line (from 1) where there is one.

    >>> error = FileRefused("blank", "line 7 is blank", line=7)
    >>> error.rule, str(error), error.line
    ('blank', 'line 7 is blank', 7)
    """

    kind: ClassVar[str] = "file-refused"

    def __init__(self, rule: str, reason: str, *, line: int | None = None) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason
        self.line = line


def words(error: BaseException, characters_max: int = 400) -> str:
    """The first line of an error's message, not too long; its type where it has none.

    >>> words(ValueError("no such column\\nin this file")), words(ValueError())
    ('no such column', 'ValueError')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:characters_max]


def not_utf8(line: int, byte: int) -> FileRefused:
    """The refusal of text in another encoding than UTF-8."""
    return FileRefused(
        "encoding",
        f"line {line} is not UTF-8 (byte 0x{byte:02X}): pin its encoding in lake.toml",
        line=line,
    )


def has_nul(line: int) -> FileRefused:
    """The refusal of a file with NUL bytes."""
    return FileRefused("nul", f"line {line} holds a NUL byte: not a text file, or a damaged one", line=line)


def lone_cr(line: int) -> FileRefused:
    """The refusal of a carriage return without a line feed."""
    reason = f"line {line} holds a carriage return without a line feed (an old Mac line end, or a damaged file)"
    return FileRefused("line-end", reason, line=line)
