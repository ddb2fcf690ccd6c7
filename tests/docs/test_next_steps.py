"""What an error says to do next can be done: commands, options, settings and pages that the code names are there."""

import ast
import re
from collections.abc import Iterator
from functools import cache

import click
import pytest

from lake.cli.main import COMMANDS, cli
from lake.options import KEYS
from tests.support.stores import ROOT

ROOMS = ("lake", "ingestion", "catalog")

_COMMAND = re.compile(r"(?:([\w-]+) )?(?<![\w.])lake ([a-z]+)\b((?:(?!\blake |[;`|\n]|&&).)*)")
_OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
_SETTING = re.compile(r"\[([a-z]+)\] ([a-z_]+)")
_PAGE = re.compile(r"\bdocs/[\w/.-]*\w")

BEFORE_A_NOUN = {"a", "data", "every", "from", "new", "older", "one", "open", "read-only", "the", "this"}
"""After one of these "lake" is the thing; everywhere else it is the program, and a command follows."""


@cache
def texts() -> list[tuple[str, str]]:
    """Every text in the code and where it stands; a value that is put into one is shown as VALUE."""
    found = []
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if text := text_of(node):
                found.append((f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", text))
    return found


def text_of(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "VALUE" for part in node.values)
    return ""


def mentions(text: str) -> Iterator[tuple[str, set[str]]]:
    """The commands that a text names, each with the options that it names after it.

    >>> list(mentions('lake drop FILE --into prices, then lake run --full; the lake works in .lake'))
    [('drop', {'--into'}), ('run', {'--full'})]
    """
    for before, command, rest in _COMMAND.findall(text):
        if before.lower() not in BEFORE_A_NOUN:
            yield command, set(_OPTION.findall(rest))


def options_of(name: str) -> set[str]:
    """The options that a command takes, those before its name and those of what is below it among them."""
    context = click.Context(cli)
    command = cli.get_command(context, name)
    assert command is not None
    below = list(command.commands.values()) if isinstance(command, click.Group) else []
    return {option for each in (cli, command, *below) for param in each.get_params(context) for option in param.opts}


def test_commands_and_options_that_are_named_exist() -> None:
    """Whatever follows "lake" where it is the program is a command, and what follows that are options of it."""
    unknown = [
        f"{where}: lake {command} {' '.join(options)}"
        for where, text in texts()
        for command, options in mentions(text)
        if command not in COMMANDS or not options <= options_of(command)
    ]
    assert unknown == []


def test_settings_that_are_named_exist() -> None:
    """As in [cache] size_gb."""
    named = {(where, f"{section}.{key}") for where, text in texts() for section, key in _SETTING.findall(text)}
    assert named
    assert {(where, key) for where, key in named if key not in KEYS} == set()


def test_pages_that_are_named_exist() -> None:
    """In the repository, where they are read."""
    pages = {(where, page) for where, text in texts() for page in _PAGE.findall(text)}
    assert {(where, page) for where, page in pages if not (ROOT / page).is_file()} == set()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("mend it: lake runn", [("runn", set())]),
        ("lake quarantine shows them", [("quarantine", set())]),
        ('lake query "select 1" -o x && lake tables --at 3', [("query", {"-o"}), ("tables", {"--at"})]),
        ("this lake rests on a store", []),
    ],
)
def test_a_mention_is_told_from_the_noun(text: str, named: list[tuple[str, set[str]]]) -> None:
    """So that the tests above find what they are for."""
    assert list(mentions(text)) == named
