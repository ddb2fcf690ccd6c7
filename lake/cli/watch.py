"""``lake watch``: ingests, or runs, as files arrive."""

import signal
from pathlib import Path
from types import FrameType

import click

from lake.cli.report import say, tell, tell_result
from lake.reading import open_lake
from lake.watch import Watch


@click.command()
@click.argument("datasets", nargs=-1)
@click.option("--run", "runs", is_flag=True, help="Run the jobs, too, as lake run does.")
@click.option("--for", "seconds", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop after so long.")
@click.pass_obj
def watch(project: Path | None, datasets: tuple[str, ...], runs: bool, seconds: float | None) -> None:
    """Ingest (or with --run also promote) files as they arrive in landing (or those of DATASETS), until Ctrl-C.

    Landing is listed twice a second; a file that is still being uploaded is not seen. Ctrl-C or SIGTERM lets the batch
    at hand end; a second Ctrl-C ends at once, which does no harm either. May be killed, and run twice at a time. A
    store that does not answer is waited for; a file that cannot be read is set aside, and the watch goes on. In Python:
    lake.watch.Watch.
    """
    lake = open_lake(project)
    work = (lambda: lake.run(told=tell)) if runs else (lambda: lake.ingest(datasets, tell))
    watching = Watch(lake, work, datasets=() if runs else datasets, done=tell_result, said=say)

    def ask_to_stop(number: int, _frame: FrameType | None) -> None:
        watching.stop()
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    say(f"watching landing{' of ' + ', '.join(datasets) if datasets else ''}; Ctrl-C stops")
    watching.run(seconds)
    say("stopped; what was committed stands")
