"""``lake up | down | status | doctor | minio``: the local store, and whether any store can be trusted."""

from collections.abc import Sequence
from pathlib import Path

import click

from catalog.objects import ObjectStore, probe
from lake.server import control
from lake.server.install import find_minio, install_minio
from lake.settings import Settings

NOT_UP = 3


def say(text: str) -> None:
    """Talk goes to stderr; stdout is for data."""
    click.echo(text, err=True)


@click.command()
@click.pass_obj
def up(project: Path | None) -> None:
    """Start the local object store and make the five buckets.

    The first start makes keys at random (.lake/keys.json, readable by you alone), picks free ports on 127.0.0.1 and
    writes down which server this lake has. Later starts use the same again; a second one finds it running.

    \b
    Which server:
      lake.toml [store] server = "seaweedfs"    or "minio"
      LAKE_STORE_SERVER=minio lake up           the same, for a new lake
      neither                                   MinIO where it is installed, else SeaweedFS

    With [store] endpoint (any S3) there is nothing to start, and only the buckets are made.

    Next: lake status says where it is, lake drop puts files into it, lake down stops it.
    """
    control.up(Settings.load(project), say)


@click.command()
@click.pass_obj
def down(project: Path | None) -> None:
    """Stop the local object store; what it holds stays in .lake/data.

    It is asked to end (SIGTERM) and given five seconds. To stop what is not running is no error.
    """
    control.down(Settings.load(project), say)


@click.command()
@click.pass_obj
def status(project: Path | None) -> int:
    """Say which store is used, whether it runs, and where each setting came from.

    Exit code 0 when the store answers, 3 when it does not. Of keys it says only whether they are set.
    """
    settings = Settings.load(project)
    found = control.status(settings)
    facts = [
        ("lake", settings.name),
        ("project", str(settings.project)),
        ("server", found.server),
        ("state", f"{found.state} ({found.health})"),
        ("url", found.url),
        ("pid", "-" if found.pid is None else str(found.pid)),
        ("data", "-" if found.data is None else str(found.data)),
    ]
    click.echo(_columns(facts))
    click.echo()
    click.echo(_columns([("setting", "value", "from"), *settings.rows()]))
    if found.state is control.State.UP:
        return 0
    say(f"\nthe store is {found.state}\n  next: {_advice(found)}")
    return NOT_UP


@click.command()
@click.pass_obj
def doctor(project: Path | None) -> None:
    """Probe the store: does it keep the promises that the lake rests on?

    Writes a few small objects under catalog/probe/ and deletes them: a second "put if absent" must be refused, one of
    several racing writers must win, a stale "compare and put" must be refused, a range must be a range, and landing
    must keep versions. A store that ignores these loses commits without any error, so the lake does not write there.
    """
    store = ObjectStore(Settings.load(project).endpoint())
    probe(store)
    click.echo(f"{store.endpoint.url or 'AWS S3'} keeps what the lake rests on: conditional writes, ranges, versions")


@click.command()
def minio() -> None:
    """Bring the MinIO server: found on PATH or in the cache, else built from source.

    The build takes three to five minutes on two cores, once for this user, and needs no Go installed by hand. Prints
    the program's path. The cache is LAKE_CACHE, else XDG_CACHE_HOME, else ~/.cache, and in it lake/minio/VERSION.
    """
    found = find_minio()
    if found is not None:
        say("MinIO is there already: nothing to build (a build takes three to five minutes)")
    click.echo(found or install_minio(say))


def _advice(found: control.Status) -> str:
    if found.state is control.State.SILENT:
        return (
            "see that it can be reached, and with these keys" if found.server == "remote" else "lake down, then lake up"
        )
    return "lake up"


def _columns(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows as text in columns as wide as they need to be.

    >>> _columns([("a", "bb", "c"), ("dddd", "e", "f")])
    'a     bb  c\\ndddd  e   f'
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
