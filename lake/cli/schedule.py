"""``lake schedule``: when runs are due; serves them, or prints what to install for cron or systemd instead."""

import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

import click
import polars as pl

from catalog.errors import LakeError, UsageError
from catalog.turns import Turn, Turns
from lake.cli.emit import emit
from lake.cli.options import FORMATS, format_option
from lake.cli.progress import progress
from lake.cli.report import say, tell_result
from lake.cli.run import report
from lake.reading import Lake, open_lake
from lake.serving import Server, shown_time
from lake.timetable import Timetable
from lake.units import ENVIRONMENT, crontab, units
from lake.values import nearest

TIMES_SHOWN = 3

Handler = Callable[[int, FrameType | None], Any]

_SCHEMA = {
    **dict.fromkeys(("schedule", "rule", "run", "missed"), pl.String()),
    "next": pl.List(pl.String()),
    **dict.fromkeys(("last", "status"), pl.String()),
}


@click.group(invoke_without_command=True)
@click.pass_context
def schedule(context: click.Context) -> None:
    """List the schedules of runs with their next times; serve them, or print what to install instead.

    A schedule is a section of lake.toml: at the times of a crontab(5) expression in a time zone, or when a table
    changes, run makes these tables (or all). docs/operations.md has all of it.

    \b
      [schedules.nightly]
      cron = "30 2 * * 1-5"             # or: when = "bronze.flights", or a list of tables
      timezone = "Europe/Vienna"        # default: UTC
      run = ["gold.delays"]             # default: all
      missed = "once"                   # or "skip": times that passed while nothing ran
    """
    if context.invoked_subcommand is None:
        context.invoke(schedule_list, form=None, times=TIMES_SHOWN)


@schedule.command("list")
@click.option(
    "--times", type=click.IntRange(1, 100), default=TIMES_SHOWN, show_default=True, help="How many next times."
)
@format_option(*FORMATS)
@click.pass_obj
def schedule_list(project: Path | None, times: int, form: str | None) -> None:
    """List the schedules with their next times, when each was served last, and how that ended.

    A run is at work where there is no status. In Python: lake.settings.Settings.timetables.
    """
    lake = open_lake(project)
    rows = [_row(lake, timetable, times) for timetable in lake.settings.timetables().values()]
    if not rows:
        say("no schedule is in lake.toml; lake schedule --help shows one")
    frame = pl.DataFrame(rows, schema=_SCHEMA)
    if form in (None, "table"):
        frame = frame.with_columns(pl.col("next").list.join(", "))
    emit([frame], form or "table", None, max(1, len(rows)))


@schedule.command("run")
@click.argument("names", nargs=-1)
@click.option("--now", "at_once", is_flag=True, help="Run the schedule NAME once, at once, and end with its exit code.")
@click.option("--for", "seconds", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop after so long.")
@click.pass_obj
def schedule_run(project: Path | None, names: tuple[str, ...], at_once: bool, seconds: float | None) -> int | None:
    """Serve the schedules (or those of NAMES) until Ctrl-C, one run at a time; lake.toml is read again as it changes.

    Ctrl-C or SIGTERM lets the run at hand end; a second one ends it, too, and the next server takes it up again. May
    be killed, and run twice at a time, on other machines too: a time is served once, by whoever takes its turn first.
    In Python: lake.serving.Server.
    """
    lake = open_lake(project)
    chosen = _chosen(lake, names)
    if at_once:
        if len(names) != 1:
            raise UsageError("--now runs one schedule", next="name it: lake schedule run --now NAME")
        return _run_now(lake, chosen[0])
    if not chosen:
        raise UsageError("no schedule is in lake.toml", next="lake schedule --help shows one")
    with progress() as told:
        server = Server(lake, names, told=told, done=tell_result, said=say)
        with _asked_to_stop(_ask(server)):
            for timetable in chosen:
                say(f"serving {timetable.name}: {timetable.rule}")
            server.run(seconds)
    say("stopped; what was committed stands")
    return None


@schedule.command("crontab")
@click.argument("names", nargs=-1)
@click.pass_obj
def schedule_crontab(project: Path | None, names: tuple[str, ...]) -> None:
    """Print crontab lines for the schedules (or those of NAMES), to be put in by crontab -e.

    CRON_TZ is cronie's; other crons go by the machine's zone. Example: lake schedule crontab | crontab -
    """
    lake = open_lake(project)
    chosen = _chosen(lake, names)
    click.echo(crontab(lake.settings.project, chosen, has_keys=_needs_keys(lake)), nl=False)
    for timetable in chosen:
        if timetable.cron is None:
            say(f"{timetable.name} is not by the clock: lake schedule run {timetable.name} serves it")


@schedule.command("systemd")
@click.argument("names", nargs=-1)
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="Write the units into this folder.")
@click.pass_obj
def schedule_systemd(project: Path | None, names: tuple[str, ...], into: Path | None) -> None:
    """Print systemd units for the schedules (or those of NAMES): a timer and a service each, a server for changes.

    \b
    Example:
      lake schedule systemd --into ~/.config/systemd/user
      systemctl --user daemon-reload
      systemctl --user enable --now lake-shop-nightly.timer
    """
    lake = open_lake(project)
    made = units(lake.settings.name, lake.settings.project, _chosen(lake, names), has_keys=_needs_keys(lake))
    for name, text in made.items():
        if into is None:
            click.echo(f"# {name}\n{text}")
        else:
            into.mkdir(parents=True, exist_ok=True)
            (into / name).write_text(text, encoding="utf-8")
            say(f"{into / name}")


def _chosen(lake: Lake, names: Collection[str]) -> list[Timetable]:
    known = lake.settings.timetables()
    for name in names:
        if name not in known:
            raise UsageError(
                f"no schedule {name!r} is in lake.toml", next=nearest(name, known) if known else "lake schedule --help"
            )
    return [timetable for name, timetable in known.items() if not names or name in names]


def _needs_keys(lake: Lake) -> bool:
    """Whether the store's keys come from the environment, which cron and systemd do not have; it is said where."""
    if not lake.settings.is_local:
        say(
            f"the store's keys are read from {lake.settings.state / ENVIRONMENT}: LAKE_STORE_ACCESS_KEY=... a line each"
        )
    return not lake.settings.is_local


def _run_now(lake: Lake, timetable: Timetable) -> int:
    with _asked_to_stop(signal.default_int_handler), progress() as told:
        result = Server(lake, told=told, said=say).now(timetable)
    if result is None:
        say(f"{timetable.name} is at work already; this one is skipped")
        return 0
    return report(result)


def _ask(server: Server) -> Handler:
    """Ask a server to stop; whoever asks again breaks off the run that it is at."""

    def ask_to_stop(number: int, _frame: FrameType | None) -> None:
        server.stop()
        signal.signal(number, signal.default_int_handler)

    return ask_to_stop


@contextmanager
def _asked_to_stop(handler: Handler) -> Iterator[None]:
    """Within, Ctrl-C and SIGTERM are taken by this."""
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _row(lake: Lake, timetable: Timetable, count: int) -> dict[str, Any]:
    times = [] if timetable.cron is None else islice(timetable.cron.times(datetime.now(UTC)), count)
    turn = _last(lake, timetable)
    last = None if turn is None else turn.due
    return {
        "schedule": timetable.name,
        "rule": timetable.rule,
        "run": ", ".join(timetable.run) or "all",
        "missed": timetable.missed,
        "next": [shown_time(timetable, time) for time in times],
        "last": last and shown_time(timetable, last),
        "status": None if last is None or turn is None else turn.status,
    }


def _last(lake: Lake, timetable: Timetable) -> Turn | None:
    """The schedule's newest turn; where the store does not say, it is said that it is not known."""
    try:
        found = Turns(lake.objects, timetable.key).newest()
    except LakeError as error:
        say(f"when {timetable.name} was served last is not known: {error.what}")
        return None
    return None if found is None else found[0]
