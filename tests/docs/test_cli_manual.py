"""``docs/cli.md`` is what the commands say of themselves; ``python -m tests.docs.test_cli_manual`` writes it again."""

import subprocess
import sys

import click

from lake.cli.main import COMMANDS, cli
from tests.support.stores import ROOT

MANUAL = ROOT / "docs" / "cli.md"
WIDTH = {"max_content_width": 100, "terminal_width": 100}


def manual() -> str:
    """Every command's help, as the terminal shows it at 100 columns."""
    group = click.Context(cli, info_name="lake", **cli.context_settings, **WIDTH)
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
    """A command that changes or lacks documentation changes the manual, which is committed.

    In a new process: a command keeps the help option that it was first asked for.
    """
    command = [sys.executable, "-m", "tests.docs.test_cli_manual", "-"]
    assert (
        MANUAL.read_text(encoding="utf-8")
        == subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["-"]:
        sys.stdout.write(manual())
    else:
        MANUAL.write_text(manual(), encoding="utf-8")
