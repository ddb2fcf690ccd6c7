"""The entry point: finds a command by name, loads its module when it runs, and turns errors into exit codes."""

import gc
import importlib
import sys
from pathlib import Path
from typing import NoReturn

import click

from catalog.errors import ExitCode, LakeError
from lake.machine import machine_error

COMMANDS = {
    "init": ("lake.cli.project:init", "Make a new lake project in a folder."),
    "demo": ("lake.cli.project:demo", "Run the main job on real data: New York's flights of 2013."),
    "up": ("lake.cli.server:up", "Start the local object store and make the buckets."),
    "down": ("lake.cli.server:down", "Stop the local object store."),
    "status": ("lake.cli.server:status", "Say which store is used, whether it runs, and where each setting came from."),
    "doctor": ("lake.cli.server:doctor", "Probe the store: does it keep the promises that the lake rests on?"),
    "minio": (
        "lake.cli.server:minio",
        "Bring the MinIO server: found on PATH or in the cache, else built from source.",
    ),
    "inspect": ("lake.cli.inspect:inspect", "Preview what would be understood of files, before they are dropped."),
    "drop": ("lake.cli.ingest:drop", "Put files into the landing bucket."),
    "ingest": ("lake.cli.ingest:ingest", "Take what landed into bronze, once."),
    "watch": ("lake.cli.watch:watch", "Ingest, or run, as files arrive."),
    "promote": ("lake.cli.run:promote", "Run the jobs that have something new: bronze to silver to gold."),
    "run": ("lake.cli.run:run", "Ingest and promote, in order, with one publication."),
    "plan": ("lake.cli.run:plan", "Say what a run would do and why; changes nothing."),
    "schedule": ("lake.cli.schedule:schedule", "Run at times, or when a table changes; list the next times."),
    "test": ("lake.cli.test:test", "Test the jobs on the project's own cases, without a store."),
    "runs": ("lake.cli.runs:runs", "List what ran and how it ended, show one run, read its log."),
    "tables": ("lake.cli.read:tables", "List the published tables with rows and versions."),
    "history": ("lake.cli.read:history", "List the catalog's commits, or one table's versions."),
    "query": ("lake.cli.read:query", "Run SQL over the published tables."),
    "show": ("lake.cli.show:show", "Show what a table is: columns, promises, sources, how it was made."),
    "adopt": ("lake.cli.show:adopt", "Write the job of a table that nobody wrote one for."),
    "columns": ("lake.cli.read:columns", "Find columns of the published tables by name or label."),
    "deliveries": ("lake.cli.deliveries:deliveries", "Say what was expected, and what came."),
    "provenance": ("lake.cli.provenance:provenance", "Say where a number came from: file, delivery, raw record."),
    "raw": ("lake.cli.provenance:raw", "Give a file back as it came, byte for byte."),
    "quarantine": ("lake.cli.quarantine:quarantine", "List, show and replay what was set aside, and why."),
    "retract": ("lake.cli.quarantine:retract", "Take files back: their rows leave bronze."),
}


_WITH_WORKER = {"promote", "run"}
"""Commands that start a worker where tables are named: it loads its libraries while this process loads its own."""

_OBJECTS_MIN = 50_000
"""So many more objects than before are there before garbage is looked for: half a million are made while libraries are
loaded, which hold no garbage."""


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-line helps without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Commands in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the module of one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a worker that it is likely to need starts first."""
        name, *rest = args
        names_table = any("." in word and not {"=", "/"} & set(word) for word in rest if not word.startswith("-"))
        if name in _WITH_WORKER and names_table and not ctx.resilient_parsing:
            from lake.promote.process import end_prepared, prepare

            prepare()
            ctx.call_on_close(end_prepared)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table above, so that ``--help`` imports nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-C",
    "--project",
    type=click.Path(file_okay=False, path_type=Path),
    help="The lake project's folder [default: LAKE_PROJECT, else the nearest folder upwards that has a lake.toml].",
)
@click.version_option(package_name="the-lake", prog_name="lake")
@click.pass_context
def cli(ctx: click.Context, project: Path | None) -> None:
    """A local data lake that a small team can trust with a nation's numbers.

    Files dropped in landing go to bronze, silver and gold as versioned Delta tables; a catalog on the same object
    store says what is published, at which version, from which file.

    \b
    A first session:
      lake up                                  start the store
      lake drop *.csv --into flights           put files into landing
      lake run                                 ingest, promote, publish
      lake tables                              what is published
      lake query "select ..."                  ask it
    """
    ctx.obj = project


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line; errors that a person can mend come without a traceback, with their exit code."""
    gc.set_threshold(_OBJECTS_MIN)
    try:
        result = cli.main(args=args, prog_name="lake", standalone_mode=False)
    except LakeError as error:
        _end(error)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(int(ExitCode.USAGE))
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted: what was committed stands; the next run goes on from there", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        blamed = machine_error(error)
        if blamed is None:
            raise
        _end(blamed)
    sys.exit(result if isinstance(result, int) else 0)


def _end(error: LakeError) -> NoReturn:
    click.echo(f"error: {error}", err=True)
    sys.exit(int(error.exit_code))
