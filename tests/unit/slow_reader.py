"""The strict grammar of text tables, one character at a time: slow and plain, for tests to compare with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """A dialect's rules, in characters."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = "double"


@dataclass(frozen=True)
class SlowRecord:
    """The fields of a record and the offset behind its line end."""

    fields: list[str]
    end: int


def line_end(text: str, at: int) -> str:
    """The line end at an offset; empty where there is none."""
    if text[at : at + 2] == "\r\n":
        return "\r\n"
    return text[at : at + 1] if text[at : at + 1] in ("\r", "\n") else ""


def physical_lines(text: str) -> list[str]:
    """The lines of a text with their line ends; only CRLF, LF and CR end a line."""
    lines, begin, at = [], 0, 0
    while at < len(text):
        end = line_end(text, at)
        at += len(end) or 1
        if end:
            lines.append(text[begin:at])
            begin = at
    return lines + ([text[begin:]] if begin < len(text) else [])


def read_record(text: str, at: int, rules: Rules) -> SlowRecord | None:
    """The record at an offset; None where it is malformed or never ends."""
    fields: list[str] = []
    while True:
        quoted = rules.quote != "" and text.startswith(rules.quote, at)
        field = _quoted(text, at + 1, rules) if quoted else _plain(text, at, rules)
        if field is None:
            return None
        value, at = field
        fields.append(value)
        if rules.delimiter and text.startswith(rules.delimiter, at):
            at += len(rules.delimiter)
        elif at == len(text) or line_end(text, at):
            return SlowRecord(fields, at + len(line_end(text, at)))
        else:
            return None


def _escaped(text: str, at: int, rules: Rules) -> str | None:
    """What a backslash at an offset stands before, where it escapes that."""
    if rules.escape != "backslash" or text[at] != "\\":
        return None
    marks = ["\r\n", "\n", "\r", "\\", rules.delimiter, rules.quote]
    return next((mark for mark in marks if mark and text.startswith(mark, at + 1)), None)


def _plain(text: str, at: int, rules: Rules) -> tuple[str, int] | None:
    value = ""
    while at < len(text) and not line_end(text, at) and not (rules.delimiter and text.startswith(rules.delimiter, at)):
        escaped = _escaped(text, at, rules)
        if escaped is not None:
            if at + 1 + len(escaped) == len(text) and escaped in ("\r", "\n", "\r\n"):
                return None
            value, at = value + escaped, at + 1 + len(escaped)
        elif rules.quote and text[at] == rules.quote:
            return None
        else:
            value, at = value + text[at], at + 1
    return value, at


def _quoted(text: str, at: int, rules: Rules) -> tuple[str, int] | None:
    value = ""
    while at < len(text):
        escaped = _escaped(text, at, rules)
        if escaped is not None:
            value, at = value + escaped, at + 1 + len(escaped)
        elif text[at] != rules.quote:
            value, at = value + text[at], at + 1
        elif rules.escape == "double" and text[at + 1 : at + 2] == rules.quote:
            value, at = value + rules.quote, at + 2
        else:
            return value, at + 1
    return None
