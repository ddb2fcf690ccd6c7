"""The only reader of ``lake.toml`` and of the environment; every value remembers where it came from.

Lower rooms never read a setting: they are handed values. The environment has the last word over ``lake.toml``, which
has it over the defaults. Keys to a store come from the environment alone.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from catalog.errors import StoreError, UsageError
from catalog.objects.endpoint import Endpoint
from lake.local import read_local

FILE = "lake.toml"
STATE = ".lake"
AWS = "aws"
SERVERS = ("seaweedfs", "minio")
ON_CORRECTION = ("replace", "append")

OnCorrection = Literal["replace", "append"]


@dataclass(frozen=True)
class Value:
    """One setting's value, and the place that it came from.

    >>> Value(10.0, "default").source
    'default'
    """

    value: str | int | float
    source: str


@dataclass(frozen=True)
class Key:
    """What a setting may be: its kind, its default, its choices and its least value."""

    kind: type[str] | type[int] | type[float]
    default: str | int | float
    help: str
    choices: tuple[str, ...] = ()
    minimum: float = 0


KEYS: Mapping[str, Key] = {
    "lake.name": Key(str, "", "what the lake is called; empty: its folder's name"),
    "store.server": Key(str, "", "the local server; empty: MinIO where installed, else SeaweedFS", choices=SERVERS),
    "store.endpoint": Key(str, "", "the URL of any S3 store, or aws; empty: a local server"),
    "store.region": Key(str, "us-east-1", "the region of a named endpoint"),
    "store.bucket_prefix": Key(str, "", "goes before the five buckets' names"),
    "store.startup_seconds": Key(float, 60.0, "how long a local server may take to answer", minimum=0.01),
    "ingest.worker_memory_gb": Key(float, 2.0, "the memory limit of one parser", minimum=0.1),
    "ingest.worker_seconds_max": Key(float, 600.0, "the time limit of one file", minimum=1),
    "ingest.on_correction": Key(str, "replace", "a changed file under an old name", choices=ON_CORRECTION),
    "compute.memory_gb": Key(
        float, -1.0, "what a query or a job may hold; default: a quarter of the machine", minimum=0.1
    ),
    "cache.size_gb": Key(float, 10.0, "data files kept on the local disk", minimum=0),
}
_DATASET_KEYS = {"on_correction": Key(str, "replace", "a changed file under an old name", choices=ON_CORRECTION)}
_SECTIONS = (*dict.fromkeys(name.split(".")[0] for name in KEYS), "datasets")
_DATASET = re.compile(r"[a-z][a-z0-9_]{0,62}")
_PREFIX = re.compile(r"([a-z0-9][a-z0-9.-]{0,40})?")
_SECRET = re.compile(r"secret|password|passwd|token|credential|access_?key", re.IGNORECASE)
_KEY_VARIABLES = ("LAKE_STORE_ACCESS_KEY", "LAKE_STORE_SECRET_KEY")
_KEY_PAIRS = (_KEY_VARIABLES, ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))


@dataclass(frozen=True)
class StoreKeys:
    """The keys to a named endpoint and the variables they came from; no representation shows them."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    source: str


@dataclass(frozen=True)
class Settings:
    """All settings of one lake project, checked; `load` makes it. ``keys`` are those to a store elsewhere."""

    project: Path
    values: Mapping[str, Value]
    keys: StoreKeys | None = None

    @classmethod
    def load(cls, project: Path | None = None, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Find the project, read its ``lake.toml`` and the environment; raises `UsageError` naming what is wrong."""
        folder = find_project(project, environ)
        values = {name: Value(_default(name), "default") for name in KEYS}
        values |= _from_file(folder / FILE)
        values |= _from_environment(environ)
        _check_store(values)
        settings = cls(folder, values)
        return settings if settings.is_local else replace(settings, keys=_store_keys(environ))

    def get(self, name: str) -> Value:
        """The value of ``section.key``; raises `UsageError` for a name that no setting has."""
        if name not in self.values:
            raise UsageError(f"no setting {name!r}", next=_nearest(name, self.values))
        return self.values[name]

    @property
    def state(self) -> Path:
        """The folder of everything that the lake keeps on this machine."""
        return self.project / STATE

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
        """What a query or a job may hold."""
        return self._number("compute.memory_gb")

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

    def on_correction(self, dataset: str) -> OnCorrection:
        """What a changed file under an old name does to this dataset."""
        own = self.values.get(f"datasets.{dataset}.on_correction", self.values["ingest.on_correction"])
        return "append" if own.value == "append" else "replace"

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
                    next=f"set {_KEY_VARIABLES[0]} and {_KEY_VARIABLES[1]} in the environment",
                )
            keys = self.keys
            return Endpoint("" if url == AWS else url, keys.access_key, keys.secret_key, region, self.bucket_prefix)
        local = read_local(self.state)
        if local is None or not local.is_running():
            raise StoreError(f"the local store of {self.project} is not running", next="lake up")
        return local.endpoint(self.bucket_prefix)

    def rows(self) -> list[tuple[str, str, str]]:
        """Name, value and source of every setting, for ``lake status``; of secrets only whether they are set."""
        shown = {name: (str(value.value), value.source) for name, value in self.values.items()}
        shown["store.server"] = (str(self.server.value), self.server.source)
        if self.is_local:
            shown["store.keys"] = ("made by lake up", f"{STATE}/keys.json")
        else:
            shown["store.keys"] = ("not set", "default") if self.keys is None else ("set", self.keys.source)
        return [(name, value or "-", where) for name, (value, where) in shown.items()]

    def _text(self, name: str) -> str:
        return str(self.values[name].value)

    def _number(self, name: str) -> float:
        return float(self.values[name].value)


def find_project(argument: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The project's folder: the argument, LAKE_PROJECT, else the nearest upwards; raises `UsageError` where none is."""
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
    raise UsageError(f"no {FILE} in {here} or above it", next="go to a lake project, or make one: lake init DIR")


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """Where programs that serve every lake of this user are kept, such as MinIO.

    >>> cache_root({"XDG_CACHE_HOME": "/var/cache"})
    PosixPath('/var/cache/lake')
    """
    named = environ.get("LAKE_CACHE") or environ.get("XDG_CACHE_HOME")
    return (Path(named) if named else Path.home() / ".cache").resolve() / "lake"


def _from_file(path: Path) -> dict[str, Value]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}", next="mend that line") from None
    except (UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path} cannot be read: {error}", next="save it as UTF-8 text") from None
    found: dict[str, Value] = {}
    for section, content in document.items():
        if section not in _SECTIONS:
            raise UsageError(f"{path}: no section [{section}]", next=_nearest(section, _SECTIONS))
        if not isinstance(content, dict):
            raise UsageError(
                f"{path}: {section} is a section, not a value", next=f"write [{section}] on a line of its own"
            )
        found |= _from_datasets(path, content) if section == "datasets" else _from_section(path, section, content)
    return found


def _from_section(path: Path, section: str, content: Mapping[str, Any]) -> dict[str, Value]:
    known = {name.partition(".")[2]: key for name, key in KEYS.items() if name.startswith(f"{section}.")}
    return {f"{section}.{name}": value for name, value in _checked(path, section, content, known).items()}


def _from_datasets(path: Path, content: Mapping[str, Any]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for dataset, keys in content.items():
        if _DATASET.fullmatch(dataset) is None:
            raise UsageError(
                f"{path}: [datasets.{dataset}] is not a dataset's name",
                next="a dataset is its landing folder in lower-case letters, digits and _",
            )
        if not isinstance(keys, dict):
            raise UsageError(f"{path}: datasets.{dataset} is a section", next=f"write [datasets.{dataset}]")
        checked = _checked(path, f"datasets.{dataset}", keys, _DATASET_KEYS)
        found |= {f"datasets.{dataset}.{name}": value for name, value in checked.items()}
    return found


def _checked(path: Path, section: str, content: Mapping[str, Any], known: Mapping[str, Key]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, raw in content.items():
        if name not in known and _SECRET.search(name):
            raise UsageError(
                f"{path} [{section}] {name}: a secret does not belong in a file that is committed",
                next=f"take it out, and set {' and '.join(_KEY_VARIABLES)} in the environment",
            )
        if name not in known:
            raise UsageError(f"{path} [{section}]: no key {name!r}", next=_nearest(name, known))
        found[name] = Value(_value(known[name], raw, f"{path} [{section}] {name}"), f"{FILE} [{section}] {name}")
    return found


def _from_environment(environ: Mapping[str, str]) -> dict[str, Value]:
    known = {"LAKE_" + name.upper().replace(".", "_"): name for name in KEYS}
    found: dict[str, Value] = {}
    for variable, text in environ.items():
        if variable in known:
            key = KEYS[known[variable]]
            source = f"environment {variable}"
            found[known[variable]] = Value(_value(key, _number(text) if key.kind is not str else text, source), source)
        elif _is_setting(variable):
            raise UsageError(
                f"environment {variable}: no such setting", next=_nearest(variable, (*known, *_KEY_VARIABLES))
            )
    return found


def _is_setting(variable: str) -> bool:
    """Whether a variable looks like one of ours, so that a slip of the pen is not passed over in silence."""
    sections = tuple(f"LAKE_{section.upper()}_" for section in _SECTIONS)
    return variable.startswith(sections) and variable not in _KEY_VARIABLES


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _value(key: Key, raw: object, where: str) -> str | int | float:
    if key.kind is str:
        if not isinstance(raw, str):
            raise UsageError(f"{where}: a text is needed", next='write it in quotes, as in "text"')
        if key.choices and raw not in (*key.choices, key.default):
            raise UsageError(f"{where}: {raw!r} is not a choice", next=_nearest(raw, key.choices))
        return raw
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise UsageError(f"{where}: a number is needed", next="write it without quotes and units, as in 2.5")
    if not key.minimum <= raw < float("inf"):
        raise UsageError(f"{where}: {raw} is out of range", next=f"write a number from {key.minimum:g} up")
    return key.kind(raw)


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
                next=f"set {' and '.join(_KEY_VARIABLES)} in the environment",
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


def _default(name: str) -> str | int | float:
    return round(_machine_gb() / 4, 1) if name == "compute.memory_gb" else KEYS[name].default


def _machine_gb() -> float:
    """The memory of this machine in GB, or of the container where that has less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
    except (OSError, ValueError):
        limit = total
    return min(total, limit) / 1e9


def _nearest(name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"
