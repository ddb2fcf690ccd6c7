"""``lake drop`` and ``lake ingest``: files into landing, and from there into bronze."""

from pathlib import Path

import click

from lake.cli.progress import progress
from lake.cli.report import exit_code, say
from lake.drop import Dropped, LeftOut
from lake.reading import open_lake


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--into", "dataset", help="The dataset: a folder of landing, and a table of bronze.")
@click.pass_obj
def drop(project: Path | None, files: tuple[Path, ...], dataset: str | None) -> None:
    """Put FILES into the landing bucket, as DATASET/NAME; of a folder all files below it, as DATASET/PATH/IN/IT.

    Hidden files, and links that lead out of a folder, are left out and said. Without --into files lie at the root, and
    the dataset is that of the first pattern in lake.toml ([datasets.NAME] files) that fits, else the first folder of
    PATH/IN/IT, else the file's name without digits and dates: "Prices 2024-01.csv" belongs to prices.

    A file that lies there already, byte for byte, is left alone. A changed file under an old name is a correction: what
    it does is the dataset's policy, [datasets.NAME] on_correction in lake.toml ("replace", "append" or "refuse").

    \b
    Examples:
      lake drop data/2013-*.csv --into flights
      lake drop delivery/ --into trade         delivery/2026/01.csv is trade/2026/01.csv
      lake drop "Prices 2024-01.csv"
    """
    lake = open_lake(project)
    dataset_of = lake.settings.routes().dataset_of

    def told(file: Dropped | LeftOut) -> None:
        if isinstance(file, LeftOut):
            say(f"left out: {file.path}: {file.why}")
            return
        whose = "" if dataset else f", for {dataset_of(file.key)}"
        say(f"{'dropped' if file.is_new else 'already there'}: landing/{file.key} ({file.size_bytes:,} bytes{whose})")

    dropped = lake.drop(files, dataset, told)
    say(f"{sum(file.is_new for file in dropped)} of {len(dropped)} files dropped; next: lake run")


@click.command()
@click.argument("datasets", nargs=-1)
@click.pass_obj
def ingest(project: Path | None, datasets: tuple[str, ...]) -> int:
    """Take what landed (or what landed of DATASETS) into bronze, once, and publish it.

    Every record of every file gets into bronze once, with its file and line; a file that cannot be read is set aside
    whole, with the reason (lake quarantine), and the exit code is 1. May be killed, run twice at a time, or run again
    at any point.
    """
    with progress() as told:
        result = open_lake(project).ingest(datasets, told)
    if not result.batches:
        say("nothing new in landing")
    if result.is_published:
        say(f"published as commit {result.commit.number}; next: lake promote, or lake tables")
    return exit_code(result)
