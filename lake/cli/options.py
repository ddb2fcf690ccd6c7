"""Options that several commands have."""

from collections.abc import Callable
from typing import Any

import click

FORMATS = ("table", "csv", "jsonl")
ROWS_SHOWN = 40

Command = Callable[..., Any]


def at_option(command: Command) -> Command:
    """``--at N``: what was published at a commit."""
    return click.option("--at", type=int, metavar="N", help="As of catalog commit N [default: the newest].")(command)


def format_option(*formats: str) -> Callable[[Command], Command]:
    """``--format``: how rows are written."""
    return click.option("--format", "form", type=click.Choice(formats), help="[default: table]")


def limit_option(command: Command) -> Command:
    """``--limit N``: how many rows a table shows."""
    text = "How many rows a table shows; CSV, JSON lines and Parquet have all."
    return click.option("--limit", type=click.IntRange(1), default=ROWS_SHOWN, show_default=True, help=text)(command)
