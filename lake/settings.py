"""The only reader of ``lake.toml`` and of the environment; every value remembers where it came from.

Lower rooms never read a setting: they are handed values. The environment has the last word over ``lake.toml``, which
has it over the defaults. Keys to a store come from the environment alone.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from catalog.errors import NoProject, StoreError, UsageError
from catalog.objects.endpoint import Endpoint
from ingestion.options import DatasetPolicy
from ingestion.routing import Routes
from lake import datasets, outlets
from lake import timetable as times
from lake.local import read_local
from lake.options import AWS, FILE, KEY_VARIABLES, KEYS, SERVERS, default, from_environment, from_file
from lake.schedule import Schedule
from lake.values import Value, nearest

__all__ = ["FILE", "KEYS", "SERVERS", "STATE", "Settings", "StoreKeys", "Value", "cache_root", "find_project"]

STATE = ".lake"

_PREFIX = re.compile(r"([a-z0-9][a-z0-9.-]{0,40})?")
_SECRET = re.compile(r"secret|passw|passphrase|token|credential|api_?key|access_?key|private_?key", re.IGNORECASE)
_KEY_PAIRS = (KEY_VARIABLES, ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))


@dataclass(frozen=True)
class StoreKeys:
    """The keys to a named endpoint and the variables they came from; no representation shows them."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    source: str


@dataclass(frozen=True)
class Settings:
    """All settings of one lake project, checked; `load` makes it.

    ``keys`` are those to a store elsewhere. ``secrets`` are the variables whose names say that they are secret, so
    that their values can be left out of what is written down.
    """

    project: Path
    values: Mapping[str, Value]
    keys: StoreKeys | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, project: Path | None = None, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Find the project, read its ``lake.toml`` and the environment; raises `UsageError` naming what is wrong."""
        folder = find_project(project, environ)
        values = {name: Value(default(name), "default") for name in KEYS}
        values |= from_file(folder / FILE)
        values |= from_environment(environ)
        _check_store(values)
        datasets.require_sound(values)
        outlets.require_sound(values)
        times.timetables(values)
        settings = cls(folder, values, secrets=_secrets(environ))
        return settings if settings.is_local else replace(settings, keys=_store_keys(environ))

    def get(self, name: str) -> Value:
        """The value of ``section.key``; raises `UsageError` for a name that no setting has."""
        if name not in self.values:
            raise UsageError(f"no setting {name!r}", next=nearest(name, self.values))
        return self.values[name]

    @property
    def state(self) -> Path:
        """The folder of everything that the lake keeps on this machine."""
        return self.project / STATE

    @property
    def logs(self) -> Path:
        """Where the logs of runs are, on this machine."""
        return self.state / "logs"

    @property
    def name(self) -> str:
        """What the lake is called."""
        return self._text("lake.name") or self.project.name

    @property
    def bucket_prefix(self) -> str:
        """What goes before the five buckets' names."""
        return self._text("store.bucket_prefix")

    @property
    def startup_seconds(self) -> float:
        """How long a local server may take to answer."""
        return self._number("store.startup_seconds")

    @property
    def memory_gb(self) -> float:
        """What a query may hold, or all jobs of a run that are at work at once."""
        return self._number("compute.memory_gb")

    @property
    def jobs_max(self) -> int:
        """How many jobs of a run are at work at once."""
        return int(self._number("compute.jobs_max")) or os.cpu_count() or 1

    @property
    def job_seconds_max(self) -> float:
        """How long a job may take that states nothing else."""
        return self._number("compute.job_seconds_max")

    @property
    def is_automatic(self) -> bool:
        """Whether a dataset that no job reads gets a table in silver."""
        return bool(self.values["promote.automatic"].value)

    @property
    def worker_memory_gb(self) -> float:
        """The memory limit of one parser."""
        return self._number("ingest.worker_memory_gb")

    @property
    def worker_seconds_max(self) -> float:
        """The time limit of one file."""
        return self._number("ingest.worker_seconds_max")

    @property
    def cache_gb(self) -> float:
        """How much of the local disk data files may take."""
        return self._number("cache.size_gb")

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets that have a section of their own, in the order of ``lake.toml``."""
        return datasets.names_of(self.values)

    def policy(self, dataset: str) -> DatasetPolicy:
        """What becomes of a dataset's files: by its own section, else by [ingest], else by the defaults."""
        return datasets.policy(self.values, dataset)

    def routes(self) -> Routes:
        """Which dataset a landed file belongs to."""
        return datasets.routes(self.values)

    def schedules(self) -> dict[str, Schedule]:
        """The deliveries that are expected, by dataset."""
        return datasets.schedules(self.values)

    def timetables(self) -> dict[str, times.Timetable]:
        """The schedules of runs, by name."""
        return times.timetables(self.values)

    @property
    def run_days(self) -> float:
        """How long what is known of a run is kept."""
        return self._number("runs.keep_days")

    @property
    def log_days(self) -> float:
        """How long the logs of runs are kept."""
        return self._number("logs.keep_days")

    @property
    def log_bytes_max(self) -> int:
        """The room that the logs of runs may take."""
        return int(self._number("logs.size_mb") * 1e6)

    def outlets(self) -> outlets.Outlets:
        """Where alerts go, and what is worth one."""
        return outlets.outlets(self.values, self.secrets.get(outlets.PASSWORD_VARIABLE, ""))

    @property
    def is_local(self) -> bool:
        """Whether the store is a server that the lake starts itself; the environment outranks ``lake.toml``."""
        endpoint, server = self.values["store.endpoint"], self.values["store.server"]
        if endpoint.value == "":
            return True
        outranked = server.source.startswith("environment") and not endpoint.source.startswith("environment")
        return bool(server.value) and outranked

    @property
    def server(self) -> Value:
        """The local server that is named, or remembered since the first ``lake up``; empty where neither."""
        named = self.values["store.server"]
        if named.value:
            return named
        local = read_local(self.state)
        return named if local is None else Value(local.server, f"{STATE}/server.json")

    def endpoint(self) -> Endpoint:
        """The store to work on; raises `StoreError` when the local server is not running, `UsageError` without keys."""
        region = self._text("store.region")
        if not self.is_local:
            url = self._text("store.endpoint")
            if self.keys is None:
                raise UsageError(
                    f"no keys for the store at {url}",
                    next=f"set {KEY_VARIABLES[0]} and {KEY_VARIABLES[1]} in the environment",
                )
            keys = self.keys
            return Endpoint("" if url == AWS else url, keys.access_key, keys.secret_key, region, self.bucket_prefix)
        local = read_local(self.state)
        if local is None or not local.is_running():
            raise StoreError(f"the local store of {self.project} is not running", next="lake up")
        return local.endpoint(self.bucket_prefix)

    def rows(self) -> list[tuple[str, str, str]]:
        """Name, value and source of every setting, for ``lake status``; of secrets only whether they are set."""
        shown = {name: (_shown(value.value), value.source) for name, value in self.values.items()}
        shown["store.server"] = (str(self.server.value), self.server.source)
        if self.is_local:
            shown["store.keys"] = ("made by lake up", f"{STATE}/keys.json")
        else:
            shown["store.keys"] = ("not set", "default") if self.keys is None else ("set", self.keys.source)
        if outlets.PASSWORD_VARIABLE in self.secrets:
            shown["alerts.smtp_password"] = ("set", f"environment {outlets.PASSWORD_VARIABLE}")
        return [(name, value or "-", where) for name, (value, where) in shown.items()]

    def _text(self, name: str) -> str:
        return str(self.values[name].value)

    def _number(self, name: str) -> float:
        return float(self.values[name].value)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def find_project(argument: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The project's folder: the argument, LAKE_PROJECT, else the nearest upwards; raises `NoProject` where none is."""
    named, said_by = (argument, "--project") if argument is not None else (environ.get("LAKE_PROJECT"), "LAKE_PROJECT")
    if named is not None:
        folder = Path(named).resolve()
        if not (folder / FILE).is_file():
            raise UsageError(f"{said_by} is {folder}, which has no {FILE}", next=f"lake init {folder}")
        return folder
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return folder
    raise NoProject(f"no {FILE} in {here} or above it", next="go to a lake project, or make one: lake init DIR")


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """Where programs that serve every lake of this user are kept, such as MinIO.

    >>> cache_root({"XDG_CACHE_HOME": "/var/cache"})
    PosixPath('/var/cache/lake')
    """
    named = environ.get("LAKE_CACHE") or environ.get("XDG_CACHE_HOME")
    return (Path(named) if named else Path.home() / ".cache").resolve() / "lake"


def _check_store(values: Mapping[str, Value]) -> None:
    endpoint, server, prefix = (values[f"store.{name}"] for name in ("endpoint", "server", "bucket_prefix"))
    url = str(endpoint.value)
    if url not in {"", AWS}:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
            raise UsageError(f"{endpoint.source}: not the URL of a store", next="write http(s)://host:port, or aws")
        if "@" in parts.netloc:
            raise UsageError(
                f"{endpoint.source}: a URL with keys in it",
                next=f"set {' and '.join(KEY_VARIABLES)} in the environment",
            )
    if url and server.value and server.source.split()[0] == endpoint.source.split()[0]:
        raise UsageError(
            f"{server.source} and {endpoint.source} are both set", next="keep one: a local server, or a store elsewhere"
        )
    if _PREFIX.fullmatch(str(prefix.value)) is None:
        raise UsageError(
            f"{prefix.source}: {prefix.value!r} cannot begin a bucket's name",
            next="use up to 41 lower-case letters, digits, dots and dashes, beginning with a letter or digit",
        )


def _secrets(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if value and _SECRET.search(name)}


def _store_keys(environ: Mapping[str, str]) -> StoreKeys | None:
    for access, secret in _KEY_PAIRS:
        given = [name for name in (access, secret) if environ.get(name)]
        if len(given) == 1:
            missing = secret if given == [access] else access
            raise UsageError(
                f"the environment has {given[0]} without {missing}", next=f"set {missing} too, or unset {given[0]}"
            )
        if given:
            return StoreKeys(environ[access], environ[secret], f"environment {access}, {secret}")
    return None
