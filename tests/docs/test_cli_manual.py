"""``docs/cli.md`` is what the commands say of themselves; ``python -m tests.docs.test_cli_manual`` writes it again."""

import sys

import click

from lake.cli.main import COMMANDS, cli
from tests.support.stores import ROOT

MANUAL = ROOT / "docs" / "cli.md"
WIDTH = {"max_content_width": 100, "terminal_width": 100}


def manual() -> str:
    """Every command's help, as the terminal shows it at 100 columns."""
    group = click.Context(cli, info_name="lake", **WIDTH)
    parts = ["# The `lake` command", "Generated from the commands' own help. In Python the verbs are `lake.open()`'s."]
    parts.append(f"```\n{cli.get_help(group)}\n```")
    for name in COMMANDS:
        command = cli.get_command(group, name)
        assert command is not None
        parts += sections(command, group, f"lake {name}")
    return "\n\n".join(parts) + "\n"


def sections(command: click.Command, above: click.Context, title: str) -> list[str]:
    """A command's help, and that of the commands below it."""
    shown = click.Context(command, info_name=title.rpartition(" ")[2], parent=above, **WIDTH)
    below = command.commands.items() if isinstance(command, click.Group) else ()
    told = [f"## {title}\n\n```\n{command.get_help(shown)}\n```"]
    return told + [section for name, each in below for section in sections(each, shown, f"{title} {name}")]


def test_the_manual_is_what_the_commands_say() -> None:
    """A command that changes or lacks documentation changes the manual, which is committed."""
    assert MANUAL.read_text(encoding="utf-8") == manual()


if __name__ == "__main__":
    MANUAL.write_text(manual(), encoding="utf-8")
    sys.exit(0)
