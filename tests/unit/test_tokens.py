"""The tokeniser reads a record exactly as its rules say, or says why there is none."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.text.tokens import Fault, Grammar, Record, Token, Unclosed
from tests.unit.slow_reader import Rules, read_record

PIECES = ["a", "é", "🙂", ",", ", ", "||", "|", '"', '""', "'", "\\", "\\\\", '\\"', "\n", "\r\n", "\r", "\0", " "]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
RULES = st.builds(
    Rules,
    st.sampled_from([",", "|", "||", ", ", "", "\t"]),
    st.sampled_from(['"', "'", ""]),
    st.sampled_from(["double", "backslash", "none"]),
)


def grammar(rules: Rules) -> Grammar:
    return Grammar(rules.delimiter.encode(), rules.quote.encode(), rules.escape)


@settings(max_examples=500, deadline=None)
@given(text=TEXTS, rules=RULES)
def test_it_agrees_with_a_reader_that_goes_character_by_character(text: str, rules: Rules) -> None:
    token = grammar(rules).record(text.encode(), 0)
    slow = read_record(text, 0, rules)
    assert [replace(grammar(rules), width=width).record(text.encode(), 0) for width in (1, 2, 3)] == [token] * 3
    if slow is None:
        assert not isinstance(token, Record)
    else:
        assert token == Record([field.encode() for field in slow.fields], len(text[: slow.end].encode()))


@pytest.mark.parametrize(
    ("text", "rules", "token"),
    [
        (b"", Rules(), Record([b""], 0)),
        (b'"a","b\r\nc"\r\nnext', Rules(), Record([b"a", b"b\r\nc"], 12)),
        (b"a,b\rc", Rules(), Record([b"a", b"b"], 4)),
        (b"a\x85b\x0bc\x1cd,e", Rules(), Record([b"a\x85b\x0bc\x1cd", b"e"], 9)),
        (b'a"b,c', Rules(), Fault("a quote in the middle of a field", 1)),
        (b'a, "b"', Rules(), Fault("a quote in the middle of a field", 3)),
        (b'"a"b,c', Rules(), Fault("text between a closing quote and the end of the field", 3)),
        (b'1,"a\nb', Rules(), Unclosed()),
        (b'"a""b"', Rules(escape="none"), Fault("text between a closing quote and the end of the field", 3)),
        (b"C:\\temp,\\N,\\\\,\\,", Rules(escape="backslash"), Record([b"C:\\temp", b"\\N", b"\\", b","], 16)),
        (b'"a\\"b",c\\\nd', Rules(escape="backslash"), Record([b'a"b', b"c\nd"], 11)),
        (b"a\\\n", Rules(escape="backslash"), Unclosed()),
        (b"a\\", Rules(escape="backslash"), Record([b"a\\"], 2)),
        (b'1" pipe,"x', Rules(quote=""), Record([b'1" pipe', b'"x'], 10)),
        (b"a|||b||c", Rules("||"), Record([b"a", b"|b", b"c"], 8)),
        (b"'a,''b''',c", Rules(quote="'"), Record([b"a,'b'", b"c"], 11)),
    ],
)
def test_records_and_faults(text: bytes, rules: Rules, token: Token) -> None:
    assert grammar(rules).record(text, 0) == token


def test_a_long_field_takes_time_in_proportion_to_its_length() -> None:
    """A million quotes, each of them doubled, in one field."""
    token = Grammar(b",", b'"', "double").record(b'1,"' + b'""' * 1_000_000 + b'"\n2,3', 0)
    assert isinstance(token, Record)
    assert len(token.fields[1]) == 1_000_000
